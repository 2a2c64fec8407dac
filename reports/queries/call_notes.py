"""Notes on calls: those of a call, and the last one of its caller."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from calls.masking import masked_text
from calls.models import Call
from contacts.models import CallNote, name_of


@dataclass(frozen=True)
class ShownNote:
    """A note as a person may see it: without whole callers, phone numbers in its text are hidden."""

    pk: int
    call: int
    by: str
    result: str
    text: str
    written_at: datetime
    changed_at: datetime | None


def notes_on(call: Call, *, callers: bool) -> list[ShownNote]:
    """Return the notes on a call, oldest first."""
    return [_shown(note, callers=callers) for note in call.notes.select_related("user")]


def last_note_before(call: Call, numbers: Iterable[int], *, callers: bool) -> ShownNote | None:
    """Return the last note on earlier calls of the same caller to these numbers (ids); None if there is none."""
    if not call.caller_id_number:
        return None
    earlier = CallNote.objects.filter(
        call__caller_id_number=call.caller_id_number,
        call__destination_number__in=numbers,
        call__first_post_at__lt=call.first_post_at,
    )
    note = earlier.select_related("user").order_by("-call__first_post_at", "-written_at", "-pk").first()
    return _shown(note, callers=callers) if note else None


def _shown(note: CallNote, *, callers: bool) -> ShownNote:
    return ShownNote(
        pk=note.pk,
        call=note.call_id,
        by=name_of(note.user),
        result=note.get_result_display() if note.result else "",
        text=note.text if callers else masked_text(note.text),
        written_at=note.written_at,
        changed_at=note.changed_at,
    )
