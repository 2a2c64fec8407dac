"""What templates of rings need that no view passes to them, because every page has them."""

from __future__ import annotations

from typing import Any

from django import template

from contacts.models import NoteResult
from live import people

register = template.Library()


@register.simple_tag
def note_results() -> list[tuple[str, str]]:
    """Return the results that a note can have, with their labels."""
    return [(value, str(label)) for value, label in NoteResult.choices]


@register.simple_tag(takes_context=True)
def calls_ring(context: template.Context) -> bool:
    """Whether calls ring for the person who reads the page. It is read once a page."""
    kept: Any = context.render_context
    if calls_ring not in kept:
        kept[calls_ring] = people.is_connected(context.get("user"))
    return bool(kept[calls_ring])
