"""What templates of rings need that no view passes to them, because every page has them."""

from __future__ import annotations

from django import template

from contacts.models import NoteResult

register = template.Library()


@register.simple_tag
def note_results() -> list[tuple[str, str]]:
    """Return the results that a note can have, with their labels."""
    return [(value, str(label)) for value, label in NoteResult.choices]
