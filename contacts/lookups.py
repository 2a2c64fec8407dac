"""Asks other systems who calls, and keeps their answers for a while: one question for each caller at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.db import connection
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts.encryption import NotReadable as SecretNotReadable
from calls import outgoing
from calls.outgoing import NoAnswer
from contacts import links, lookup_format
from contacts.lookup_format import Found
from contacts.models import Lookup, LookupAnswer

# While it rings, an answer is waited for as long as this; who tries a look-up waits longer, to see how slow it is.
WHILE_IT_RINGS_S = 1.0
WHILE_TRYING_S = 5.0
FOUND_FOR, NOBODY_FOR = timedelta(minutes=10), timedelta(minutes=1)
# A question without an answer, for example because the process was ended, may be asked again after this time.
ASKED_FOR = timedelta(seconds=5)
MOST_FAILURES, RESTS_FOR = 5, timedelta(seconds=60)
NOBODY = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.NO_CONTENT})

# Every look of `live` asks this, so it is written by hand.
_KEPT = """
SELECT lookup.name, answer.caller, answer.number, answer.found
FROM contacts_lookup AS lookup JOIN contacts_lookupanswer AS answer ON answer.lookup_id = lookup.id
WHERE lookup.is_on AND answer.caller = ANY(%s) AND NOT answer.is_pending AND answer.found IS NOT NULL
  AND answer.expires_at > now()
ORDER BY lookup.name
"""


@dataclass(frozen=True)
class Asked:
    """How a question went: what was found, None if the caller is not known; or in `error` why there is no answer.

    `detail` is for who tries it alone: it may contain what was answered."""

    took_s: float
    status: int | None = None
    found: Found | None = None
    error: str = ""
    detail: str = ""


def ask(lookup: Lookup, caller: str, number: str, within_s: float) -> Asked:
    """Ask the other system who calls. It reads nothing from the database."""
    began, status, detail = time.monotonic(), None, ""
    try:
        headers = {"Accept": "application/json"}
        if secret := lookup.secret:
            headers[lookup.header_name] = secret
        url = lookup_format.fill(lookup.url, caller, number)
        answer = outgoing.send("GET", url, headers=headers, within_s=within_s)
        status = answer.status
        if status in NOBODY:
            return Asked(time.monotonic() - began, status)
        if not 200 <= status < 300:
            return Asked(time.monotonic() - began, status, error=_of_status(status))
        found = lookup_format.read(answer.body, lookup.list_path, lookup.paths)
        return Asked(time.monotonic() - began, status, found)
    except SecretNotReadable:
        error = _("The secret was encrypted with another ENCRYPTION_KEY. Enter it again.")
    except NoAnswer as failure:
        error = str(failure)
    except lookup_format.NotReadable as failure:
        error, detail = str(failure), failure.detail
    return Asked(time.monotonic() - began, status, error=error, detail=detail)


def _of_status(status: int) -> str:
    """Return what a status that is no success means, in words."""
    if 300 <= status < 400:
        return _("The system redirects to another address (status %(status)d). Enter the address that it leads to.") % {
            "status": status
        }
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _("The system refuses access (status %(status)d). Check the header and its secret.") % {"status": status}
    return _("The system answered with status %(status)d.") % {"status": status}


# --- Answers that are kept ---------------------------------------------------------------------

_CLAIM = """
INSERT INTO contacts_lookupanswer AS answer (lookup_id, caller, number, asked_at, expires_at, is_pending, found)
VALUES (%(lookup)s, %(caller)s, %(number)s, now(), now() + %(asked_for)s, true, NULL)
ON CONFLICT (lookup_id, caller, number) DO UPDATE
SET asked_at = EXCLUDED.asked_at, expires_at = EXCLUDED.expires_at, is_pending = true, found = NULL
WHERE answer.expires_at <= now()
RETURNING id
"""


def asked_now() -> list[Lookup]:
    """Return the look-ups that are on and do not rest."""
    return list(Lookup.objects.filter(Q(rests_until=None) | Q(rests_until__lte=Now()), is_on=True))


def claim(lookup: Lookup, caller: str, number: str) -> int | None:
    """Return the id of an answer that is to be asked for by who calls this; None if it is known, or being asked."""
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {
            "lookup": lookup.pk,
            "caller": caller,
            "number": _number(lookup, number),
            "asked_for": ASKED_FOR,
        }
        cursor.execute(_CLAIM, asked)
        row = cursor.fetchone()
    return row[0] if row else None


def _number(lookup: Lookup, number: str) -> str:
    return number if "number" in links.places(lookup.url) else ""


def asked_just_now(lookup: Lookup, caller: str, number: str) -> int | None:
    """Return the id of an answer that is being asked for, or was a moment ago: who read what is known before that does
    not have it."""
    own = LookupAnswer.objects.filter(lookup=lookup, caller=caller, number=_number(lookup, number))
    return own.filter(asked_at__gt=Now() - Value(2 * ASKED_FOR)).values_list("pk", flat=True).first()


def keep(lookup: Lookup, answer: int, asked: Asked) -> None:
    """Keep what was answered; after a failure, nothing but that it failed. If the look-up was changed meanwhile, which
    deletes the answer, nothing is kept: it was asked as it was before."""
    own = LookupAnswer.objects.filter(pk=answer)
    if asked.error:
        deleted, _of_each = own.delete()
        if not deleted:
            return
        rests = When(failures__gte=MOST_FAILURES - 1, then=Now() + Value(RESTS_FOR))
        Lookup.objects.filter(pk=lookup.pk).update(
            failures=F("failures") + 1, rests_until=Case(rests, default=None), last_failure=asked.error[:500]
        )
        return
    kept_for = FOUND_FOR if asked.found else NOBODY_FOR
    found = asdict(asked.found) if asked.found else None
    if own.update(is_pending=False, found=found, expires_at=Now() + Value(kept_for)):
        Lookup.objects.filter(pk=lookup.pk, failures__gt=0).update(failures=0, rests_until=None, last_failure="")


@dataclass(frozen=True)
class Kept:
    """An answer that is kept: the name of the look-up, and who was found."""

    lookup: str
    found: Found


def answers_for(calls: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Kept]]:
    """Return what is known of these callers and the numbers that they called, with one statement."""
    wanted = {*calls}
    rows = _found({caller for caller, _number in wanted if caller})
    known: dict[tuple[str, str], list[Kept]] = {}
    for name, caller, of_number, found in rows:
        for key in wanted:
            if key[0] == caller and of_number in ("", key[1]):
                known.setdefault(key, []).append(Kept(name, Found(**found)))
    return known


def _found(callers: Collection[str]) -> list[tuple[str, str, str, dict[str, Any]]]:
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, [list(callers)])
        return [(name, caller, number, json.loads(found)) for name, caller, number, found in cursor.fetchall()]


def clear() -> int:
    """Delete the answers that have expired; return how many."""
    deleted, _of_each = LookupAnswer.objects.filter(expires_at__lte=Now()).delete()
    return deleted
