"""Search keys: folded labels and names, which the database searches and sorts by."""

from __future__ import annotations

from django.db.models import Q

from accounts.folding import fold, search_key, spell_out, words

__all__ = ["contains", "search_key"]


def contains(field: str, term: str) -> Q:
    """Return the condition that a search key contains every word of `term`.

    `Öl` and `oel` both find `Öl` and `Oel`."""
    condition = Q()
    for word in words(term):
        condition &= Q(**{f"{field}__contains": fold(word)}) | Q(**{f"{field}__contains": spell_out(word)})
    return condition
