"""The note that a person writes on a call that rang for them: one for each call, which they change as they talk.

It is an ordinary note on the call: people who see the call read it there, and may add further ones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone

from contacts.models import CallNote
from live.models import Pop
from reports.views.call_notes import NoteForm

# How long after the end of an answered call My calls has a form for its note.
OFFERED_FOR = timedelta(minutes=15)

# The result and the text of a note. Both are blank where there is none.
Written = dict[str, str]


def own_notes(pops: Iterable[Pop]) -> dict[tuple[int, int], Written]:
    """Return the latest note of each ring's person on its call, by the ids of person and call; only where answered."""
    answered = {(pop.user_id, call.pk) for pop in pops if pop.answered_at and (call := pop.call)}
    if not answered:
        return {}
    users, calls = {user for user, _call in answered}, {call for _user, call in answered}
    notes = CallNote.objects.filter(user__in=users, call__in=calls).order_by("written_at", "pk")
    return {(note.user_id, note.call_id): _written(note) for note in notes}


def is_offered(pop: Pop) -> bool:
    """Return whether My calls has a form for the note on a call that is over."""
    talked = pop.answered_at is not None and pop.call is not None
    return talked and pop.closed_at is not None and pop.closed_at > timezone.now() - OFFERED_FOR


def save(user: Any, ring: str, posted: Any) -> tuple[Written, NoteForm | None]:
    """Store a person's note on the call of their own ring and return it, or the form with its errors.

    A note that is emptied is removed. Raise Http404 for a ring that is not theirs, and for a test."""
    pk = int(ring) if ring.isascii() and ring.isdigit() and len(ring) < 19 else 0
    own = Pop.objects.filter(user=user).select_related("event__call")
    with transaction.atomic():
        # Two tabs that save at once write one note: the second one waits here, and finds that of the first.
        pop = get_object_or_404(own.select_for_update(of=("self",), no_key=True), pk=pk)
        call = pop.call
        if call is None:
            raise Http404
        note = CallNote.objects.filter(user=user, call=call).order_by("written_at", "pk").last()
        if note is None:
            note = CallNote(user=user, call=call)
        elif not posted.get("result") and not posted.get("text", "").strip():
            note.delete()
            return {"result": "", "text": ""}, None
        else:
            note.changed_at = timezone.now()
        form = NoteForm(posted, instance=note)
        return (_written(form.save()), None) if form.is_valid() else ({}, form)


def _written(note: CallNote) -> Written:
    return {"result": note.result, "text": note.text}
