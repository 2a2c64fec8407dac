"""What tests of reports ask again and again: that all is counted, and which calls a link leads to."""

from __future__ import annotations

import csv
import io

from django.test import Client

from reports.counting import rollups, verification


def roll_up() -> None:
    """Count what has changed, and see the counts proved."""
    rollups.recount_changed(wait=True)
    assert list(verification.differences()) == []


def listed(client: Client, address: str) -> list[str]:
    """Return the call_uuids of all pages of a list of calls, in order of their names."""
    answer = client.get(address.replace("/reports/calls/", "/reports/calls.csv"))
    assert answer.status_code == 200, address
    return sorted(row["call_uuid"] for row in csv.DictReader(io.StringIO(b"".join(answer).decode())))
