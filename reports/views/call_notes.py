"""The notes on the page of a call, and their form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls.models import Call
from contacts.models import CallNote, NoteResult
from contacts.models.call_notes import LONGEST_TEXT
from reports.queries import call_notes
from reports.queries.call_notes import ShownNote
from reports.views.readable import Readable


class NoteForm(forms.ModelForm):
    """A new note on a call, or one's own one that is changed."""

    result = forms.ChoiceField(
        label=_("Result"), choices=[("", _("none")), *NoteResult.choices], required=False, widget=forms.Select
    )

    class Meta:
        model = CallNote
        fields = ("result", "text")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs |= {"class": "text-input", "id": f"note-{self.instance.pk or 'new'}-{name}"}
        self.fields["text"].widget.attrs |= {"rows": 3}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and not cleaned["result"] and not cleaned["text"]:
            raise forms.ValidationError(gettext("Write a note, or choose a result."))
        return cleaned


@dataclass(frozen=True)
class Notes(Readable):
    """The notes on a call, each with a form if the user wrote it; a form of a new one; the caller's last one before."""

    written: Sequence[tuple[ShownNote, NoteForm | None]]
    new: NoteForm
    last: ShownNote | None


def build_notes(
    call: Call, user: Any, numbers: Iterable[int], posted: NoteForm | None = None, *, callers: bool
) -> Notes:
    """Return the notes of a call; `numbers` are the ids of those whose notes about the caller are shown.

    `posted` is a form with errors, or a new one that was begun."""
    own = {note.pk: NoteForm(instance=note) for note in call.notes.filter(user=user)}
    new = NoteForm()
    if posted is not None and posted.instance.pk:
        own[posted.instance.pk] = posted
    elif posted is not None:
        new = posted
    written = [(note, own.get(note.pk)) for note in call_notes.notes_on(call, callers=callers)]
    return Notes(written, new, call_notes.last_note_before(call, numbers, callers=callers))


def post_note(request: HttpRequest, call: Call) -> NoteForm | None:
    """Store the note that is posted for a call; return the form if it has errors. Raise Http404 for another's note."""
    user: Any = request.user
    if pk := request.POST.get("note", ""):
        own = call.notes.filter(user=user, pk__in=[int(pk)] if pk.isascii() and pk.isdigit() and len(pk) < 19 else [])
        note = get_object_or_404(own)
        note.changed_at = timezone.now()
    else:
        note = CallNote(call=call, user=user)
    if "remove" in request.POST and note.pk:
        note.delete()
        return None
    form = NoteForm(request.POST, instance=note)
    if not form.is_valid():
        return form
    form.save()
    return None


def begun_note(request: HttpRequest) -> NoteForm:
    """Return the form of a new note with what was posted beside another form. Nothing of it is stored."""
    begun = {"result": request.POST.get("result", ""), "text": request.POST.get("text", "")[:LONGEST_TEXT]}
    return NoteForm(initial=begun)
