"""Helpers for tests of reports: count everything, and list the calls of a link."""

from __future__ import annotations

import csv
import io

from django.test import Client

from calls.access import Rights
from calls.models import Right
from reports.counting import rollups, verification

EVERYTHING = Rights(frozenset(Right))


def roll_up() -> None:
    """Count what has changed and verify the counts."""
    rollups.recount_changed(wait=True)
    assert list(verification.differences()) == []


def listed(client: Client, address: str) -> list[str]:
    """Return the call_uuids on all pages of a list of calls, sorted."""
    answer = client.get(address.replace("/reports/calls/", "/reports/calls.csv"))
    assert answer.status_code == 200, address
    return sorted(row["call_uuid"] for row in csv.DictReader(io.StringIO(b"".join(answer).decode())))
