"""`make bench-access`: what access costs pages: 100 numbers, and 200 people with a row of access for each of them.

Each page is requested by a superuser, who sees the same numbers without a row, by a person with a row for each number,
and by one with a row for all. They take turns, so that the machine's other work slows all of them alike."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from tests.benchmarks.__main__ import database_for_pages, say
from tests.benchmarks.pages import EMPTY_PAGE, NUMBERS, ask, fill, pages

PEOPLE = 200
SIZE = "a million"
SUPERUSER, BY_NUMBER, BY_ALL = "superuser", "a row for each number", "a row for all"
# How much longer a page may take for a person with rows than for a superuser.
PROMISED_RATIO = 1.05


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-access", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each page is asked for (%(default)s)")
    parser.add_argument("--folder", default="/var/tmp", help="where the database lies while it runs (%(default)s)")
    arguments = parser.parse_args()
    with database_for_pages(arguments.folder):
        people = make_people(fill({SIZE: 1})[SIZE])
        say(f"{NUMBERS} numbers, {PEOPLE} people with {NUMBERS * PEOPLE:,} rows of access\n")
        return 0 if all(measure(people, arguments.rounds)) else 1


def make_people(first: Any) -> dict[str, Any]:
    """Create people with a row for each number, beside `first`; return those who are measured."""
    from django.contrib.auth.models import User
    from django.db import connection

    from calls.models import DestinationNumber, NumberAccess

    rights = {"calls": True, "callers": True, "people": True, "export": True}
    others = User.objects.bulk_create(User(username=f"person {n}") for n in range(PEOPLE - 1))
    numbers = list(DestinationNumber.objects.filter(label=SIZE))
    NumberAccess.objects.bulk_create(
        NumberAccess(user=user, destination_number=number, **rights) for user in others for number in numbers
    )
    # The superuser and the person with all numbers would see these too.
    DestinationNumber.objects.exclude(label=SIZE).delete()
    of_all = User.objects.create(username="all numbers")
    NumberAccess.objects.create(user=of_all, **rights)
    superuser = User.objects.create(username="superuser", is_superuser=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    return {SUPERUSER: superuser, BY_NUMBER: first, BY_ALL: of_all}


def measure(people: dict[str, Any], rounds: int) -> Sequence[bool]:
    """Request all pages in turns and print the medians; return by page whether the target was reached."""
    from django.test import Client

    from calls.models import Call

    clients = {}
    for name, user in people.items():
        clients[name] = Client(SERVER_NAME="localhost")
        clients[name].force_login(user)
    call = Call.objects.order_by("pk").values_list("pk", flat=True)[0]
    addresses = pages(people[BY_NUMBER]) | {
        "List of calls": "/reports/calls/",
        "One call": f"/reports/calls/{call}/",
    }
    say(f"{'server time, ms':34}" + "".join(f"{name:>24}{'ratio' if name != SUPERUSER else '':>8}" for name in people))
    reached = []
    for page, address in addresses.items():
        took: dict[str, list[float]] = {name: [] for name in people}
        for n in range(rounds + 1):
            for name, client in clients.items():
                ms, _sql_ms = ask(client, address)
                if n:  # the first warms up
                    took[name].append(ms)
        medians = {name: statistics.median(times) for name, times in took.items()}
        # Of the same round, because what else the machine does changes from round to round.
        ratios = {
            name: statistics.median(own / theirs for own, theirs in zip(took[name], took[SUPERUSER], strict=True))
            for name in people
        }
        line = f"{page:34}" + "".join(
            f"{medians[name]:24.1f}" + (f"{ratios[name]:8.2f}" if name != SUPERUSER else " " * 8) for name in people
        )
        if page != EMPTY_PAGE:
            reached.append(max(ratios.values()) <= PROMISED_RATIO)
            line += "" if reached[-1] else "   not reached"
        say(line)
    say(f"\nPromised: a ratio of at most {PROMISED_RATIO}.")
    return reached


if __name__ == "__main__":
    sys.exit(main())
