"""Parses the numbers of stored posts again by the current rule, in batches that may be interrupted and run again.

Payloads, and the fields of events that are stored as received, do not change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import phonenumbers
from django.db import connection, transaction
from django.db.models import Max

from calls import phones, posts
from calls.ingest.writer import LOG_CALLS
from calls.models import CallEvent, DestinationNumber, RefusedPost

EVENTS_IN_A_BATCH = 20_000
CALLS_IN_A_TRANSACTION = 200

# Events that may be parsed differently now. Most events name caller and destination in E.164, as they are stored.
ODD_EVENTS = r"""
SELECT event.id, event.call_id,
  event.caller_id_number <> '' AND (
    event.caller_id_number <> call.caller_id_number OR event.caller_id_number !~ '^\+[1-9][0-9]{6,14}$'),
  CASE WHEN event.destination_type = %(external_number)s THEN event.destination ELSE '' END
FROM calls_callevent AS event JOIN calls_call AS call ON call.id = event.call_id
WHERE event.id > %(after)s AND event.id <= %(upto)s AND (
  event.caller_id_number <> '' AND (
    event.caller_id_number <> call.caller_id_number OR event.caller_id_number !~ '^\+[1-9][0-9]{6,14}$')
  OR event.destination_type = %(external_number)s AND event.destination <> '')
"""
# In the order in which posts lock calls: another order could deadlock.
LOCK_CALLS = """
SELECT id FROM calls_call WHERE id = ANY(%(ids)s)
ORDER BY destination_number_id, call_uuid, weak_key FOR NO KEY UPDATE
"""
CALLERS = """
SELECT call.id, call.decided_by, call.caller_least, call.caller_greatest,
  array_agg(ARRAY[
    CASE WHEN event.request_type = 'CALL_START' THEN '0' ELSE '1' END,
    to_char(event.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
    event.ingest_id::text, event.caller_id_number, event.customer_number])
FROM calls_call AS call JOIN calls_callevent AS event ON event.call_id = call.id
WHERE call.id = ANY(%(ids)s) GROUP BY call.id
"""
CHANGE_CALLER = """
UPDATE calls_call SET decided_by = %(decided_by)s, caller_id_number = %(caller)s, customer_number = %(customer_number)s,
  caller_least = %(least)s, caller_greatest = %(greatest)s
WHERE id = %(id)s
"""
CHANGE_DESTINATIONS = """
UPDATE calls_callevent AS event SET destination = changed.destination
FROM unnest(%(ids)s::bigint[], %(destinations)s::text[]) AS changed (id, destination)
WHERE event.id = changed.id
"""


@dataclass
class Found:
    """Texts that are parsed differently now: pairs of old and new, with the number of calls, posts or refused posts."""

    callers: Counter[tuple[str, str]] = field(default_factory=Counter)
    destinations: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    contradictions: int = 0  # calls that were flagged only because spellings of their caller were parsed differently
    done: float = 0.0  # share of the events, from 0 to 1


def read_again(*, change: bool) -> Iterator[Found]:
    """Find callers and destinations that are parsed differently now, and with `change` store them.

    Yield the result so far after each batch. If a destination changes, its quarter-hour is counted again."""
    found = Found()
    _read_refused_again(found, change=change)
    last = CallEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    for after in range(0, last, EVENTS_IN_A_BATCH):
        upto = min(after + EVENTS_IN_A_BATCH, last)
        given = {"after": after, "upto": upto, "external_number": posts.EXTERNAL_NUMBER}
        with connection.cursor() as cursor:
            cursor.execute(ODD_EVENTS, given)
            rows = cursor.fetchall()
        destinations = [(pk, call, text, phones.comparable_number(text)) for pk, call, _odd, text in rows if text]
        odd = sorted({call for _pk, call, is_odd, _text in rows if is_odd})
        _read_destinations_again([row for row in destinations if row[2] != row[3]], found, change=change)
        for start in range(0, len(odd), CALLS_IN_A_TRANSACTION):
            _read_callers_again(odd[start : start + CALLS_IN_A_TRANSACTION], found, change=change)
        found.done = upto / last
        yield found
    found.done = 1.0
    yield found


def misread_numbers() -> list[tuple[DestinationNumber, str]]:
    """Return the numbers that may have been typed with their country code but without a plus (+49 49 221 …), each with
    the number that was probably meant. They may also be correct, so they are never changed automatically."""
    own = phones.country_code()
    misread = []
    for number in DestinationNumber.objects.filter(e164__startswith=own + own[1:]).order_by("e164"):
        meant = phones.e164(number.e164[len(own) :])
        if meant is not None and phonenumbers.is_valid_number(phonenumbers.parse(meant)):
            misread.append((number, meant))
    return misread


def _read_destinations_again(rows: Sequence[tuple[int, int, str, str]], found: Found, *, change: bool) -> None:
    found.destinations.update((text, destination) for _pk, _call, text, destination in rows)
    if not change or not rows:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        given: dict[str, Any] = {"ids": [pk for pk, *_ in rows], "destinations": [new for *_, new in rows]}
        cursor.execute(CHANGE_DESTINATIONS, given)
        cursor.execute(LOG_CALLS, {"ids": sorted({call for _pk, call, *_ in rows})})


def _read_callers_again(ids: Sequence[int], found: Found, *, change: bool) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if change:
            cursor.execute(LOCK_CALLS, {"ids": list(ids)})
        cursor.execute(CALLERS, {"ids": list(ids)})
        for pk, decided_by, least, greatest, events in cursor.fetchall():
            new = _caller_of(events)
            if (new["decided_by"], new["least"], new["greatest"]) == (decided_by, least, greatest):
                continue
            if decided_by[3] != new["caller"]:
                found.callers[decided_by[3], new["caller"]] += 1
            differed = least != greatest or (not decided_by[3] and bool(greatest))
            differs = new["least"] != new["greatest"] or (not new["caller"] and bool(new["greatest"]))
            found.contradictions += differed and not differs
            if change:
                cursor.execute(CHANGE_CALLER, {"id": pk, **new})


def _caller_of(events: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return the caller columns of a call from its posts, merged as calls.ingest.writer merges them."""
    deciding = []
    for rank, received_at, ingest_id, received, customer_number in events:
        caller = phones.comparable(received)
        rank_of_caller = rank if rank == "0" or caller else "2"
        deciding.append([rank_of_caller, received_at, ingest_id, caller, customer_number])
    callers = [caller for *_, caller, _customer_number in deciding if caller]
    first = min(deciding)
    return {
        "decided_by": first,
        "caller": first[3],
        "customer_number": first[4],
        "least": min(callers, default=None),
        "greatest": max(callers, default=None),
    }


def _read_refused_again(found: Found, *, change: bool) -> None:
    for post in RefusedPost.objects.waiting().exclude(destination_number="").only("destination_number", "body"):
        try:
            variables = json.loads(post.body)["variables"]
            number = posts.number_of(posts.bounded(variables["destination_number"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if number != post.destination_number:
            found.refused[post.destination_number, number] += 1
            if change:
                RefusedPost.objects.filter(pk=post.pk).update(destination_number=number)
