"""`make bench-pages`: the time of pages of twelve months, with one million calls and with ten million, and of recounts.

Counts are made up as densely as this many calls of a hundred numbers would be; report pages do not read calls.
The target of a page is a multiple of an empty page, so that it is valid on slower machines too.
Then a history of calls is added, and some of its quarter-hours are counted again."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.benchmarks.__main__ import database_for_pages, say

if TYPE_CHECKING:
    from django.test import Client

NUMBERS = 100
DAYS = 365
SIZES = {"a million": 1, "ten million": 10}
# An empty page for a signed-in user, with the menu and the user's numbers, but without counts and workbooks.
EMPTY_PAGE = "Empty page"
# 100 ms if an empty page takes 10 ms; and how much longer pages may take with ten million calls than with one million.
PROMISED_EMPTY_PAGES, PROMISED_RATIO = 10, 1.2
RECOUNTED, TOGETHER, PROMISED_RECOUNT_MS = 200, 100, 5

# The quarter-hours of a working day of ten hours; by million calls per year, the average number of calls in each.
FILL = """
INSERT INTO reports_quarterhourcounts
  ({columns}, quarter_hour, is_open, measured, each_time_to_answer_s, each_ring_s, each_talk_s)
SELECT number.id, offered, answered, 0, missed, abandoned, 0, 0, 0, answered, in_time,
  answered * 21, answered * 12, answered, answered * 180, answered,
  answered * 21000000::bigint, answered * 12000000::bigint, answered * 180000000::bigint,
  slot, extract(hour FROM slot) < 16, 31,
  array_fill(second %% 60, ARRAY[answered]), array_fill(second %% 40, ARRAY[answered]),
  array_fill(second, ARRAY[answered])
FROM calls_destinationnumber AS number
CROSS JOIN generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS day
CROSS JOIN generate_series(
  day + interval '7 hours', day + interval '16 hours 45 minutes', interval '15 minutes'
) AS slot
CROSS JOIN LATERAL (SELECT floor(%(mean)s * 2 * random() + random())::int AS offered WHERE slot IS NOT NULL) AS arrived
CROSS JOIN LATERAL (SELECT (offered * 0.7)::int AS answered) AS of_them
-- Alike in a quarter-hour, and spread over 10 minutes in a month.
CROSS JOIN LATERAL (SELECT (extract(epoch FROM slot)::bigint / 900 * 7919 %% 600)::int AS second) AS took
CROSS JOIN LATERAL (
  SELECT (answered * 0.8)::int AS in_time, (offered - answered) / 2 AS missed,
    offered - answered - (offered - answered) / 2 AS abandoned
) AS others
WHERE offered > 0 AND number.label = %(label)s
"""
COLUMNS = (
    "destination_number_id, offered, answered, served_in_plan, missed, abandoned, short, in_progress, end_unknown, "
    "answered_after_start, answered_in_time, time_to_answer_s, ring_s, ring_calls, talk_s, talk_calls, "
    "time_to_answer_us, ring_us, talk_us"
)
BLOCKS = """
INSERT INTO reports_quarterhourblockcounts
  (destination_number_id, quarter_hour, is_open, measured, block_type, blocks, calls, last_in_call, lost)
SELECT destination_number_id, quarter_hour, is_open, measured, block_type, offered, offered, missed, missed
FROM reports_quarterhourcounts CROSS JOIN (VALUES ('ANNOUNCEMENT'), ('QUEUE'), ('BRIDGE')) AS block (block_type)
"""
FORWARDS = """
INSERT INTO reports_quarterhourforwardcounts (
  destination_number_id, quarter_hour, is_open, measured, destination, destination_type, course,
  attempts, calls, answers, ring_s, ring_calls, ring_us
)
SELECT destination_number_id, quarter_hour, is_open, measured,
  1000 + (extract(epoch FROM quarter_hour)::bigint / 900) % 6,
  'SIP_USER', 'sequence', offered, offered, answered, answered * 12, answered, answered * 12000000::bigint
FROM reports_quarterhourcounts
"""
PEAKS = """
INSERT INTO reports_quarterhourpeaks (destination_number_id, quarter_hour, is_open, peak)
SELECT destination_number_id, quarter_hour, is_open, 1 + offered / 3 FROM reports_quarterhourcounts
"""
FIRST_POSTS = """
INSERT INTO reports_firstpost (destination_number_id, request_type, quarter_hour, received_at, last_received_at)
SELECT number.id, request_type, %(first)s::date, %(first)s::date, now()
FROM calls_destinationnumber AS number CROSS JOIN unnest(%(posts)s::text[]) AS request_type
"""
ADD_UP = """
INSERT INTO {coarse} ({keys}, {sums})
SELECT {keys}, {summed} FROM {fine} CROSS JOIN LATERAL (SELECT {time}) AS time GROUP BY {keys}
"""
LOCAL = "quarter_hour AT TIME ZONE %(zone)s"
DAY = f"({LOCAL})::date AS day"
MONTH = "date_trunc('month', day)::date AS month"
HOUR = f"""date_trunc('month', {LOCAL})::date AS month,
  extract(isodow FROM {LOCAL})::int AS weekday, extract(hour FROM {LOCAL})::int AS hour"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-pages", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each page is asked for (%(default)s)")
    parser.add_argument("--folder", default="/var/tmp", help="where the database lies while it runs (%(default)s)")
    arguments = parser.parse_args()
    with database_for_pages(arguments.folder):
        began = time.monotonic()
        people = fill()
        say(f"Made up {DAYS} days of {NUMBERS} numbers for each size in {time.monotonic() - began:.0f} s.\n")
        reached = measure(people, arguments.rounds)
        return 0 if all([*reached, measure_recounts()]) else 1


def fill(sizes: Mapping[str, int] = SIZES) -> dict[str, Any]:
    """Create the counts, and for each size a user with every right on its numbers. Return the users by size."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.db import connection

    from calls.models import Call, DestinationNumber, NumberAccess, RequestType
    from reports import periods
    from reports.counting import added_durations, count_tables

    last = periods.today() - periods.DAY
    first = last - timedelta(days=DAYS - 1)
    people = {}
    with connection.cursor() as cursor:
        for size, millions in sizes.items():
            people[size] = User.objects.create(username=size)
            for n in range(NUMBERS):
                number = DestinationNumber.objects.create(e164=f"+49221{millions:02}{n:05}", label=size)
                NumberAccess.objects.create(
                    user=people[size], destination_number=number, calls=True, callers=True, people=True, export=True
                )
                moment = periods.day_start(last)
                Call.objects.create(
                    destination_number=number,
                    call_uuid="one",
                    first_post_at=moment,
                    last_post_at=moment,
                    decided_by=["0", "", "", "", ""],
                )
            mean = millions * 1_000_000 / (NUMBERS * DAYS * 40)
            cursor.execute(
                FILL.format(columns=COLUMNS),
                {"first": first, "last": last, "mean": mean, "label": size},
            )
        cursor.execute(BLOCKS)
        cursor.execute(PEAKS)
        cursor.execute(FORWARDS)
        cursor.execute(FIRST_POSTS, {"first": first, "posts": RequestType.values})
        for coarse, fine, time_of, keys, sums in (
            *((each.of_days, each.of_quarter_hours, DAY, each.day_keys, each.sums) for each in count_tables.TABLES),
            *((each.of_months, each.of_days, MONTH, each.month_keys, each.sums) for each in count_tables.TABLES),
            (
                count_tables.HOURS,
                count_tables.COUNTS.of_quarter_hours,
                HOUR,
                count_tables.HOUR_KEYS,
                count_tables.HOUR_SUMS,
            ),
        ):
            statement = ADD_UP.format(
                coarse=coarse,
                fine=fine,
                time=time_of,
                keys=", ".join(keys),
                sums=", ".join(sums),
                summed=", ".join(f"sum({name})" for name in sums),
            )
            cursor.execute(statement, {"zone": settings.TIME_ZONE})
        cursor.execute(
            "INSERT INTO reports_rollup (id, counted_at, time_zone) VALUES (1, now(), %s)", [settings.TIME_ZONE]
        )
        added_durations.add_up()
        # The state some time after the rows were written, so that it does not happen while pages are measured.
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")
        cursor.execute(
            "SELECT label, sum(offered), count(*) FROM reports_quarterhourcounts "
            "JOIN calls_destinationnumber AS number ON number.id = destination_number_id GROUP BY 1 ORDER BY 1"
        )
        for label, offered, rows in cursor.fetchall():
            say(f"{label}: {offered:,} calls in {rows:,} counts of quarter-hours")
    return people


def pages(user: Any) -> dict[str, str]:
    """Return the addresses that are requested, by name; the empty page is among them."""
    from calls.models import DestinationNumber
    from reports import periods

    last = periods.today() - periods.DAY
    year = f"from={last - timedelta(days=DAYS - 1)}&to={last}"
    number = DestinationNumber.objects.visible_to(user)[0]
    return {
        EMPTY_PAGE: "/reports/files/",
        "Overview": f"/reports/?{year}",
        "Overview, inside opening hours": f"/reports/?{year}&opening=inside",
        "One number": f"/reports/numbers/{number.pk}/?{year}",
        "Busy hours": f"/reports/busy-hours/?{year}",
        "Numbers": f"/reports/numbers/?{year}",
        "Trend, by month": f"/reports/trend/?{year}&by=month",
        "Trend, by day": f"/reports/trend/?{year}&by=day",
        "Forwards": f"/reports/forwards/?{year}",
        "Data quality": "/reports/data-quality/",
    }


def measure(people: dict[str, Any], rounds: int) -> Sequence[bool]:
    """Request all pages in turns and print the medians; return by page whether the target was reached.

    Each page is asked in turns with the empty page, because a shared machine gets slower and faster meanwhile."""
    from django.test import Client

    clients = {}
    for size, user in people.items():
        clients[size] = Client(SERVER_NAME="localhost")
        clients[size].force_login(user)
    addresses = {size: pages(user) for size, user in people.items()}
    empty = Requested(clients["ten million"], addresses["ten million"].pop(EMPTY_PAGE))
    names = list(addresses["ten million"])
    say(
        f"{'server time, ms':32}"
        + "".join(f"{size:>13}" for size in SIZES)
        + f"{'ratio':>7}{'empty':>7}{'times':>7}{'SQL':>6}"
    )
    reached = []
    for name in names:
        of_page = {size: Requested(clients[size], addresses[size][name]) for size in SIZES}
        empty.forget()
        for _ in range(rounds + 1):
            for requested in (empty, *of_page.values()):
                requested.ask()
        small, large = (of_page[size].median() for size in SIZES)
        times = large / empty.median()
        reached.append(times <= PROMISED_EMPTY_PAGES and large / small <= PROMISED_RATIO)
        say(
            f"{name:32}{small:13.0f}{large:13.0f}{large / small:7.2f}{empty.median():7.1f}{times:7.1f}"
            f"{of_page['ten million'].sql_share():6.0%}{'' if reached[-1] else '   not reached'}"
        )
    say(
        f"\nPromised: at most {PROMISED_EMPTY_PAGES} times as long as an empty page in the same minute, "
        f"and a ratio of at most {PROMISED_RATIO}."
    )
    return reached


class Requested:
    """A page that a person requests again and again. The first request warms up and does not count."""

    def __init__(self, client: Client, address: str) -> None:
        self.client, self.address = client, address
        self._took: list[tuple[float, float]] = []

    def ask(self) -> None:
        self._took.append(ask(self.client, self.address))

    def forget(self) -> None:
        self._took.clear()

    def median(self) -> float:
        """Return the median of the milliseconds it took."""
        return statistics.median(took for took, _sql in self._took[1:])

    def sql_share(self) -> float:
        return statistics.median(sql / took for took, sql in self._took[1:])


def ask(client: Client, address: str) -> tuple[float, float]:
    """Request a page; return the milliseconds it took, and those spent on statements."""
    from django.db import connection

    sql_s = 0.0

    def timed(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal sql_s
        began = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            sql_s += time.perf_counter() - began

    with connection.execute_wrapper(timed):
        began = time.perf_counter()
        answer = client.get(address, secure=True)
        took_s = time.perf_counter() - began
    if answer.status_code != 200:
        raise SystemExit(f"{address}: {answer.status_code}")
    return took_s * 1000, sql_s * 1000


def measure_recounts() -> bool:
    """Recount quarter-hours of a history, each alone and many together; return whether the target was reached.

    The target is for a single quarter-hour in a process that has counted before."""
    from django.core.management import call_command
    from django.db import connection, transaction

    from calls.models import Call
    from calls.quarter_hours import quarter_hour_sql
    from reports.counting import rollups

    newest = Call.objects.order_by("-pk").values_list("pk", flat=True)[0]
    call_command("backfill", calls=20_000, days=30, verbosity=0)
    rollups.recount_changed()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute(
            f"SELECT destination_number_id, {quarter_hour_sql('first_post_at')} "
            "FROM calls_call WHERE id > %s GROUP BY 1, 2 HAVING count(*) >= 5 ORDER BY random() LIMIT %s",
            [newest, RECOUNTED],
        )
        some = cursor.fetchall()

    def recount_ms(quarter_hours: list[Any]) -> float:
        """Recount quarter-hours from which a call was just deleted."""
        with transaction.atomic():
            for number, quarter_hour in quarter_hours:
                of_number = Call.objects.filter(destination_number=number, first_post_at__gte=quarter_hour)
                of_number.order_by("first_post_at")[0].delete()
            began = time.perf_counter()
            rollups.recount(quarter_hours)
            return (time.perf_counter() - began) * 1000 / len(quarter_hours)

    recount_ms(some[:1])  # warms up
    alone = statistics.median(recount_ms([quarter_hour]) for quarter_hour in some)
    together = statistics.median(recount_ms(some[n : n + TOGETHER]) for n in range(0, RECOUNTED, TOGETHER))
    reached = alone <= PROMISED_RECOUNT_MS
    say(
        f"\nA changed quarter-hour of one number is counted again in {alone:.1f} ms, "
        f"among {TOGETHER} in {together:.2f} ms each{'' if reached else '   not reached'}"
    )
    return reached


if __name__ == "__main__":
    sys.exit(main())
