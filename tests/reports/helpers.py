"""Helpers for tests of reports: receive a call, count everything, list the calls of a link."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.http import HttpResponse
from django.test import Client

from calls.access import Rights
from calls.models import Call, DestinationNumber, Right
from reports.counting import rollups, verification
from tests.factories import PASSWORD, take

EVERYTHING = Rights(frozenset(Right))
ALL_ON = dict.fromkeys(("call_start", "block_end", "initiate_forward", "forward_answer", "call_end"), "on")
DAY = date(2026, 9, 15)
NOON = datetime(2026, 9, 15, 10, tzinfo=UTC)  # 12:00 in Berlin
OTHER = "+4922155400301"
# The tabs of a number's page, and the page with all of them, as their addresses end.
NUMBER_TABS = ("", "waiting/", "by-hour/", "forwarding/", "comparison/", "data/", "all/")


def tabs_of(number: DestinationNumber) -> list[str]:
    """Return the addresses of a number's tabs."""
    return [f"/reports/numbers/{number.pk}/{tab}" for tab in NUMBER_TABS]


def call(number: DestinationNumber, uuid: str, start: datetime, **posts: int) -> None:
    """Receive a call: kinds of posts, each with its seconds after `start`."""
    kinds = {"S": "CALL_START", "B": "BLOCK_END", "F": "INITIATE_FORWARD", "A": "FORWARD_ANSWER", "E": "CALL_END"}
    for letter, second in posts.items():
        take(number, kinds[letter], start + timedelta(seconds=second), call_uuid=uuid, correlation_id=uuid)


def roll_up() -> None:
    """Count what has changed and verify the counts."""
    rollups.recount_changed(wait=True)
    assert list(verification.differences()) == []


def listed(client: Client, address: str) -> list[str]:
    """Return the call_uuids on all pages of a list of calls, sorted."""
    answer = client.get(address.replace("/reports/calls/", "/reports/calls.csv"))
    assert answer.status_code == 200, address
    return sorted(row["call_uuid"] for row in csv.DictReader(io.StringIO(b"".join(answer).decode())))


def text(pieces: Iterable[bytes]) -> str:
    """Return a file as text."""
    return b"".join(pieces).decode()


def rows(pieces: Iterable[bytes]) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column."""
    return list(csv.DictReader(io.StringIO(text(pieces), newline="")))


def confirm(client: Client, back_to: str = "/") -> str:
    """Confirm who one is, as before a caller is shown; return where that leads."""
    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": back_to})
    assert answer.status_code == 302, answer.content.decode()
    location: str = answer["Location"]
    return location


def show_caller(client: Client, call: Call, reason: str = "call back") -> HttpResponse:
    """Return the page of a call with its caller shown, or what says why it is not."""
    answer: HttpResponse = client.post(call.get_absolute_url(), {"show_caller": "1", "reason": reason})
    return answer
