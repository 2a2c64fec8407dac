"""Patterns of typed numbers: regular expressions of PostgreSQL, which matches them without backtracking.

What is typed has to match the whole pattern, upper and lower case alike. The statement that reads typed numbers
applies them (contacts.typed_numbers)."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.db import DataError, connection, transaction
from django.utils.translation import gettext as _

LONGEST_PATTERN = 100
# Of the database: a migration adds it.
FUNCTION = "contacts_matches_whole"
# A pattern that matches these would match anything.
_BLANK = ["", " "]
# Only these make PostgreSQL backtrack, or make small patterns large.
_REFERENCE = re.compile(r"\\[1-9]")
_REPEATED_GROUP = re.compile(r"(?<!\\)\)[*+{]")
_LOOKAROUND = re.compile(r"(?<!\\)\(\?(?!:)")


def check(pattern: str) -> None:
    """Raise ValidationError if a pattern is not allowed; it says what to enter."""
    if why := why_refused(pattern):
        raise ValidationError(why, code="pattern")


def why_refused(pattern: str) -> str:
    """Return why a pattern is not allowed; blank if it is. Asks the database whether it can be read."""
    if not pattern.isprintable():
        return _("Enter a pattern in one line, without control characters.")
    if _REFERENCE.search(pattern) or _LOOKAROUND.search(pattern):
        return _("References such as \\1 and groups that begin with (? are not allowed.")
    if _REPEATED_GROUP.search(pattern):
        return _("A group in parentheses may not be repeated. Write out what it contains, for example \\d{3}-\\d{3}.")
    try:
        # A statement that fails would end the transaction around it.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_MATCHES_BLANK, [pattern, pattern, _BLANK])
            ((_somewhere, matches_blank),) = cursor.fetchall()
    except DataError as error:
        return _("This pattern cannot be read: %(why)s. Enter for example \\d{4,8} for 4 to 8 digits.") % {
            "why": _reason(error)
        }
    if matches_blank:
        return _("This pattern also matches an empty text. Enter for example \\d{4,8} for 4 to 8 digits.")
    return ""


def matches(value: str, pattern: str) -> str:
    """Return the SQL of whether a whole text matches a pattern, regardless of case; of a pattern that cannot be read,
    null."""
    return f"{FUNCTION}({value}, {pattern})"


# By itself, too: `4)|(5` would close the group that makes it match as a whole, as the function above does.
_MATCHES_BLANK = """
SELECT bool_or(text ~ %s), bool_or(text ~* ('^(?:' || %s || ')$')) FROM unnest(%s::text[]) AS text
"""


def _reason(error: DataError) -> str:
    """Return what PostgreSQL says is wrong, without its own words around it."""
    said = str(error).splitlines()[0]
    return said.rpartition(": ")[2].rstrip(".")
