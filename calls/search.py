"""Searches calls by a typed text: a caller in any spelling, part of a number, or the beginning of an id.

Each reading of the text is a query of its own, so that each can use an index. Callers are searched only in the numbers
where the person sees them whole: otherwise digits could be guessed until calls are found. A text is never read as a
caller for a person who sees none, so the answer and its time do not depend on the callers that are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import Q
from django.utils.translation import gettext as _

from calls import phones
from calls.querysets import CallQuerySet

# At most this many calls are looked up by id. If more match, the newest are found quickly in order of time.
MOST_BY_ID = 5_000


@dataclass(frozen=True)
class Reading:
    """One way to read a typed text: the calls it matches, and a description of them."""

    condition: Q
    words: str
    is_selective: bool = True  # False if half of all calls may match


def readings(text: str, *, callers_of: frozenset[int] | None) -> list[Reading]:
    """Return every way to read a search text.

    `callers_of` are the ids of the numbers whose callers may be searched; None for all numbers."""
    text = text.strip()
    ways = callers(text, callers_of=callers_of)
    # Digits alone may be a number or the beginning of an id; with a plus or punctuation they can be a number only.
    if not phones.is_withheld(text) and (text.isalnum() or not phones.is_written_number(text)):
        part = {"part": text[:40]}
        by_correlation = Q(correlation_id__startswith=text) & ~Q(correlation_id="")
        ways += [
            Reading(Q(call_uuid__startswith=text), _("call_uuid begins with “%(part)s”") % part),
            Reading(by_correlation, _("correlation_id begins with “%(part)s”") % part),
        ]
    return ways


def callers(text: str, *, callers_of: frozenset[int] | None) -> list[Reading]:
    """Return the ways to read a text as a caller: a whole number, its beginning, its last digits.

    Which calls have a withheld number can be seen in every list, so everybody may search for them."""
    if phones.is_withheld(text):
        return [Reading(Q(caller_id_number=""), _("number withheld"), is_selective=False)]
    if callers_of is None:
        return _callers(text)
    of_numbers = Q(destination_number__in=callers_of)
    return [replace(way, condition=way.condition & of_numbers) for way in _callers(text)] if callers_of else []


def _callers(text: str) -> list[Reading]:
    number, beginnings = phones.e164(text), phones.beginnings(text)
    compared = phones.comparable(text)
    ways = []
    if number and number not in beginnings:
        beginnings = [number, *beginnings]
    for beginning in beginnings:
        words = _("caller's number begins with %(part)s") % {"part": phones.spaced(beginning)}
        ways.append(Reading(Q(caller_id_number__startswith=beginning), words))
    if ending := phones.ending(text):
        words = _("caller's number ends in %(part)s") % {"part": ending}
        ways.append(Reading(~Q(caller_id_number="") & Q(caller_reversed__startswith=ending[::-1]), words))
    if not number and not (beginnings and text.startswith(("+", "0"))):
        words = _("caller is “%(part)s”") % {"part": compared[:40]}
        ways.append(Reading(Q(caller_id_number=compared), words))
    return ways


def narrowed(calls: CallQuerySet, ways: Sequence[Reading]) -> CallQuerySet:
    """Keep the calls that match at least one reading. Queries the ids of each reading, up to a limit."""
    calls = calls.with_caller_reversed()
    ids: set[int] = set()
    wanted = Q(pk__in=[])
    for way in ways:
        some = calls.filter(way.condition).order_by().values_list("pk", flat=True)[: MOST_BY_ID + 1]
        matching = list(some) if way.is_selective else []
        if not way.is_selective or len(matching) > MOST_BY_ID:
            wanted |= way.condition
        else:
            ids.update(matching)
    return calls.filter(wanted | Q(pk__in=ids))


def in_words(ways: Sequence[Reading]) -> str:
    """List the ways in which calls were searched for."""
    return "; ".join(way.words for way in ways)
