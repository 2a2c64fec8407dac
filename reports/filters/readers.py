"""Readers of single values of a query string: numbers, days, times, choices.

A value that cannot be read is left out and reported in `errors` by name of the field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime

from django.http import Http404, QueryDict
from django.utils.dateformat import format as formatted
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from calls import phones
from calls.models import DestinationNumber
from reports.periods import Opening

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)


def read_numbers(
    texts: list[str], choices: list[DestinationNumber], *, ignore_others: bool = False
) -> list[DestinationNumber]:
    """Return the named numbers, in any spelling, once each.

    Raise Http404 for a number that is not among the choices, whether or not it exists, unless `ignore_others`."""
    known = {number.e164: number for number in choices}
    chosen = {}
    for text in texts:
        # The empty choice of a select field.
        if not text.strip():
            continue
        # An unquoted plus in a query string arrives as a space.
        spelling = f"+{text[1:]}" if text.startswith(" ") else text
        number = known.get(phones.e164(spelling) or "")
        if number is None and not ignore_others:
            raise Http404
        if number is not None:
            chosen[number.pk] = number
    return list(chosen.values())


def read_day(name: str, text: str, errors: dict[str, str]) -> date | None:
    """Return the day of a text: as in addresses (`2026-09-15`), on pages (`15 Sep 2026`) or in German (`15.9.2026`)."""
    text = text.strip()
    if not text:
        return None
    try:
        day = parse_date(text) or _day_in_words(text)
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        errors[name] = _("“%(text)s” is not a valid date. Write it as 15 Sep 2026 or 15.9.2026.") % {"text": text[:40]}
        return None
    return day


_IN_WORDS = re.compile(r"(?:[^\W\d]+\.?,? +)?(\d{1,2})\.? ?([^\W\d]+)\.? ?(\d{4})")
_WITH_DOTS = re.compile(r"(\d{1,2})\. ?(\d{1,2})\. ?(\d{4}|\d{2})")


def _day_in_words(text: str) -> date | None:
    """Return a day written by people. Raise ValueError if there is no such day."""
    if match := _WITH_DOTS.fullmatch(text):
        day, month, year = map(int, match.groups())
        return date(year + 2000 * (year < 100), month, day)
    if match := _IN_WORDS.fullmatch(text):
        day_text, name, year_text = match.groups()
        months = [month for month in range(1, 13) if name.casefold() in _names_of_month(month)]
        return date(int(year_text), months[0], int(day_text)) if months else None
    return None


def _names_of_month(month: int) -> set[str]:
    first = date(2000, month, 1)
    return {formatted(first, style).rstrip(".").casefold() for style in ("M", "N", "F", "b")}


def read_moment(name: str, text: str, errors: dict[str, str]) -> datetime | None:
    """Return the time of an ISO 8601 text with offset, in UTC."""
    if not text.strip():
        return None
    try:
        # An unquoted plus in a query string arrives as a space.
        moment = parse_datetime(text.strip().replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 2000 <= moment.year < 2200:
        errors[name] = _("“%(text)s” is not a valid time.") % {"text": text[:40]}
        return None
    return moment.astimezone(UTC)


def read_seconds(name: str, text: str, errors: dict[str, str]) -> int | None:
    """Return a whole number of seconds."""
    if not text.strip():
        return None
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) < 8):
        errors[name] = _("“%(text)s” is not a whole number of seconds.") % {"text": text[:40]}
        return None
    return int(text)


def read_choices(name: str, texts: Sequence[str], known: Sequence[str], errors: dict[str, str]) -> list[str]:
    """Return the known values that are among the texts, in the order of `known`."""
    if unknown := [text for text in texts if text not in known]:
        errors[name] = _("“%(text)s” is not a valid value. Valid values: %(known)s.") % {
            "text": unknown[0][:40],
            "known": ", ".join(known),
        }
    return [text for text in known if text in texts]


def read_choice(name: str, query: QueryDict, known: Sequence[str], errors: dict[str, str]) -> str:
    """Return the first value if it is known, else blank."""
    return "".join(read_choices(name, query.getlist(name)[:1], known, errors))


def read_opening(text: str, errors: dict[str, str]) -> Opening:
    """Return the chosen opening hours; all hours if the text cannot be read."""
    text = text.strip()
    return Opening(next(iter(read_choices("opening", [text] if text else [], Opening.values, errors)), Opening.ALL))
