"""`make bench-contacts`: finding a caller among many contacts, also by what they typed, and importing them from a file.

The file has made-up contacts, half of them with a second number, in the spellings that people use; every twentieth is a
company with extensions. It is imported three times: into an empty table, again, and with every tenth row changed."""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence

from tests.benchmarks.__main__ import database_for_pages, say

CONTACTS = 100_000
LOOK_UPS = 5_000
ON_A_PAGE = 50
CALLS = 200
PROMISED_P99_MS, PROMISED_IMPORT_S = 5, 60
AREAS = ("221", "30", "89", "40", "711", "2155")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-contacts", description=__doc__)
    parser.add_argument("--contacts", type=int, default=CONTACTS, help="how many there are (%(default)s)")
    parser.add_argument("--look-ups", type=int, default=LOOK_UPS, help="of each kind (%(default)s)")
    parser.add_argument("--folder", default="/var/tmp", help="where the database lies while it runs (%(default)s)")
    arguments = parser.parse_args()
    with database_for_pages(arguments.folder):
        reached = [
            measure_import(arguments.contacts),
            measure_look_ups(arguments.look_ups),
            measure_calls(arguments.look_ups),
        ]
    return 0 if all(reached) else 1


def measure_import(contacts: int) -> bool:
    """Import a file three times and print how long each took; return whether the target was reached."""
    from contacts import importing

    say(f"\n{f'import of {contacts:,} rows, s':44}{'all':>8}{'added':>10}{'changed':>10}{'unchanged':>10}")
    slowest = 0.0
    for name, changed in (("into an empty table", False), ("the same again", False), ("every tenth changed", True)):
        content = table(contacts, changed=changed).encode()
        began = time.perf_counter()
        result = importing.run(importing.open_file(content), "crm")
        took_s = time.perf_counter() - began
        slowest = max(slowest, took_s)
        assert not result.refused, result.refused[0].reason
        counts = result.counts
        say(f"  {name:42}{took_s:8.1f}{counts.added:10,}{counts.changed:10,}{counts.unchanged:10,}")
    say(f"Promised: at most {PROMISED_IMPORT_S} s.{'' if slowest <= PROMISED_IMPORT_S else ' Not reached.'}")
    return slowest <= PROMISED_IMPORT_S


def measure_look_ups(times: int) -> bool:
    """Look callers up and print how long it took; return whether the target was reached."""
    from django.db import connection

    from contacts.matching import who_calls
    from contacts.models import Contact, ContactNumber

    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) contacts_contact, contacts_contactnumber")
    say(f"\n{Contact.objects.count():,} contacts with {ContactNumber.objects.count():,} numbers")
    chosen = random.Random(2)
    people = list(ContactNumber.objects.filter(has_extensions=False).values_list("e164", flat=True))
    companies = list(ContactNumber.objects.filter(has_extensions=True).values_list("e164", flat=True))

    def callers(kind: str) -> Iterator[str]:
        for _ in range(times):
            if kind == "exact":
                yield chosen.choice(people)
            elif kind == "company":
                yield f"{chosen.choice(companies)}{chosen.randrange(1, 99)}"
            else:
                yield f"+4915{chosen.randrange(10**9):09}"

    say(f"{'look-up, ms':34}{'median':>10}{'p99':>10}{'slowest':>10}")
    reached = True
    for kind in ("exact", "company", "nobody"):
        took = []
        for caller in callers(kind):
            began = time.perf_counter()
            matches = who_calls([caller])
            took.append((time.perf_counter() - began) * 1000)
            match = matches.get(caller)
            # An extension of a company may also be the number of a person.
            assert (match.kind if match else "nobody") in {kind, "exact" if kind == "company" else kind}, caller
        reached &= show(f"  one caller: {kind}", took)
    took = []
    for _ in range(times // ON_A_PAGE):
        page = [chosen.choice(people) if chosen.random() < 0.7 else caller for caller in unknown(chosen, ON_A_PAGE)]
        began = time.perf_counter()
        who_calls(page)
        took.append((time.perf_counter() - began) * 1000)
    show(f"  {ON_A_PAGE} callers of a page", took)
    say(f"Promised: one caller within {PROMISED_P99_MS} ms at 99 %.{'' if reached else ' Not reached.'}")
    return reached


def measure_calls(times: int) -> bool:
    """Identify calls in which something was typed, and others; return whether the target was reached."""
    from django.db import connection
    from django.utils import timezone

    from calls.models import Call
    from contacts.matching import identify
    from tests.factories import make_number, map_variable, take

    mapped, unmapped = make_number("+492214710300"), make_number("+492214710301")
    map_variable(mapped, "customer", pattern=r"K-\d+")
    map_variable(mapped, "ticket")
    for number in (mapped, unmapped):
        for n in range(CALLS):
            for kind in ("CALL_START", "BLOCK_END", "BLOCK_END", "INITIATE_FORWARD 1001", "CALL_END"):
                take(
                    number,
                    kind,
                    timezone.now(),
                    call_uuid=f"{number.e164} {n}",
                    caller_id_number=f"+4915{n:09}",
                    collected_customer=f"K-{n}",
                )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) calls_call, calls_callevent, contacts_typednumber")
    say(f"\n{'call, ms':34}{'median':>10}{'p99':>10}{'slowest':>10}")
    reached = True
    for name, number in (("customer number typed", mapped), ("nothing mapped", unmapped)):
        calls = list(Call.objects.filter(destination_number=number))
        took = []
        for n in range(times):
            began = time.perf_counter()
            identified = identify([calls[n % CALLS]])
            took.append((time.perf_counter() - began) * 1000)
            assert bool(identified) == (number is mapped)
        reached &= show(f"  one call: {name}", took)
        began = time.perf_counter()
        identify(calls[:ON_A_PAGE])
        say(f"{f'  {ON_A_PAGE} calls of a page':34}{(time.perf_counter() - began) * 1000:10.2f}")
    say(f"Promised: one call within {PROMISED_P99_MS} ms at 99 %.{'' if reached else ' Not reached.'}")
    return reached


def show(name: str, took: Sequence[float]) -> bool:
    """Print a line; return whether the target was reached."""
    p99 = statistics.quantiles(took, n=100)[98]
    say(f"{name:34}{statistics.median(took):10.2f}{p99:10.2f}{max(took):10.2f}")
    return p99 <= PROMISED_P99_MS


def unknown(chosen: random.Random, times: int) -> Iterator[str]:
    for _ in range(times):
        yield f"+4915{chosen.randrange(10**9):09}"


def table(contacts: int, *, changed: bool) -> str:
    """Return a CSV file of made-up contacts."""
    made = random.Random(1)
    lines = ["ID;Vorname;Nachname;Firma;Telefon;Mobiltelefon;Notiz;Kundennummer;Link"]
    for n in range(contacts):
        area, local = made.choice(AREAS), made.randrange(1_000_000, 9_999_999)
        written = (
            f"+49{area}{local}",
            f"0{area} {local}",
            f"0{area}/{local // 1000}-{local % 1000:03}",
            f"+49 (0){area} {local}",
        )[n % 4]
        if n % 20 == 0:
            written = f"0{area} {local // 100}-0"
        mobile = f"+49 171 {n:07}" if n % 2 else ""
        note = "called back" if changed and n % 10 == 0 else ""
        lines.append(
            f"{n};Anna {n};Müller;Müller & Söhne {n} GmbH;{written};{mobile};{note};K-{n};https://crm.example.com/{n}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
