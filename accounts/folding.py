"""Folds texts for search and order, independent of the database's locale."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# Letters that Unicode does not decompose into a base letter and a mark.
_BASE_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i"}
)
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


def fold(text: str) -> str:
    """Return a text without case, diacritics and repeated spaces, in the spelling that DIN 5007-1 sorts by: ä as a, ß
    as ss."""
    return _without_marks(_casefold(text))


def spell_out(text: str) -> str:
    """Return a text as `fold` does, but with ä, ö and ü as ae, oe and ue."""
    return _without_marks(_casefold(text).translate(_SPELLED_OUT))


def search_key(text: str) -> str:
    """Return the search key of a text: folded, and on a second line spelled out if that differs.

    A line break sorts before any other character of a key, so keys sort by their first lines."""
    return "\n".join(dict.fromkeys([fold(text), spell_out(text)]))


def matches(term: str, texts: Iterable[str]) -> bool:
    """Return whether every word of `term` is contained in at least one of the texts, in any spelling."""
    keys = [search_key(text) for text in texts]
    return all(any(fold(word) in key or spell_out(word) in key for key in keys) for word in words(term))


def words(term: str) -> list[str]:
    """Return the words of a search, without those that consist of diacritics only."""
    return [word for word in term.split() if fold(word)]


def _casefold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _without_marks(text: str) -> str:
    if text.isascii():
        return " ".join(text.split())
    decomposed = unicodedata.normalize("NFKD", text).translate(_BASE_LETTERS)
    # Cf: soft hyphens and other invisible characters.
    kept = (sign for sign in decomposed if not unicodedata.combining(sign) and unicodedata.category(sign) != "Cf")
    return " ".join("".join(kept).split())
