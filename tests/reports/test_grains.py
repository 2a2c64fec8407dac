"""Counts of months, days, quarter-hours and hours of the week agree, whenever figures begin to be measured."""

import json
from bisect import bisect_right
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from random import Random
from zoneinfo import ZoneInfo

import pytest

from calls import posts
from calls.ingest import writer
from calls.models import OpeningHours
from reports import periods
from reports.counting import count_tables, rollups, verification
from reports.figures.coverage import Coverage
from reports.figures.definitions import figures_of
from reports.models import HourOfWeekCounts, MonthCounts
from reports.periods import Grain, Opening, Period
from reports.queries import counts, hours_of_week, sums
from reports.queries.runs import Run, runs_of_hours, runs_of_period
from tests.factories import ACCESS_KEY, make_key, make_number, post_body, take
from tests.reports.helpers import roll_up

pytestmark = pytest.mark.django_db(transaction=True)

BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = date(2026, 1, 20), date(2026, 5, 10)
LATER = datetime(2026, 12, 1, tzinfo=UTC)
ANNA, BERT = "+4922111", "+4922112"


def at(month, day, hour=0, minute=0):
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


# Posts that begin to arrive: none, at the start of a day, within a day, at the start of a month.
BEGINS = {
    "+4922100001": {},
    "+4922100002": {"FORWARD_ANSWER": at(2, 14, 10, 20)},
    "+4922100003": {"BLOCK_END QUEUE": at(3, 17), "CALL_START": at(2, 3, 12), "FORWARD_ANSWER": at(4, 30, 23, 50)},
    "+4922100004": {"INITIATE_FORWARD": at(4, 1), "FORWARD_ANSWER": at(4, 1)},
}


@pytest.fixture
def numbers():
    """Numbers with 600 counted calls in four months, whose kinds of post begin to arrive at different times."""
    opening_hours = OpeningHours.objects.create(name="Office hours")
    for weekday in range(1, 6):
        opening_hours.weekly.create(weekday=weekday, opens_at=time(8), closes_at=time(18))
    chance = Random(3)
    batch = []
    numbers = [make_number(e164, opening_hours=opening_hours if n % 2 else None) for n, e164 in enumerate(BEGINS)]
    for number in numbers:
        make_key(number, ACCESS_KEY)
        begins = BEGINS[number.e164]
        # First the calls that decide since when each kind arrives; then random ones.
        starts = [*begins.values(), *(at(1, 20) + timedelta(minutes=chance.randrange(110 * 1440)) for _ in range(150))]
        for n, start in enumerate(starts):
            kinds = ["CALL_START", "BLOCK_END QUEUE", "INITIATE_FORWARD", "INITIATE_FORWARD", "FORWARD_ANSWER"]
            chosen = kinds if n < len(begins) else chance.sample(kinds, chance.randrange(1, 6))
            for kind in [*chosen, "CALL_END"]:
                if start < begins.get(kind, start):
                    continue
                to = f" {chance.choice([ANNA, BERT])}" if "FORWARD" in kind else ""
                body = post_body(kind + to, number, call_uuid=f"{number.pk}-{n}", correlation_id=f"{number.pk}-{n}")
                batch.append(posts.parse(json.dumps(body).encode(), start + timedelta(seconds=chance.randrange(300))))
    chance.shuffle(batch)
    with writer.connect() as own:
        for first in range(0, len(batch), 50):
            writer.write(own, batch[first : first + 50])
    roll_up()
    return numbers


PERIODS = [
    (FIRST, LAST),
    (date(2026, 2, 1), date(2026, 4, 30)),
    (date(2026, 2, 14), date(2026, 4, 30)),
    (date(2026, 3, 1), date(2026, 3, 31)),
]


# Cut-off months of which the smaller part lies outside, also where a figure begins to be measured.
NEARLY_WHOLE = [
    (date(2026, 2, 5), date(2026, 4, 27)),
    (date(2026, 2, 15), date(2026, 3, 30)),
    (date(2026, 3, 3), date(2026, 3, 29)),
]


def rows_with_calls(numbers, period, grain):
    """Yield each number's rows by bucket, if they have calls."""
    for number in numbers:
        yield from ((number, row) for row in counts.by_bucket([number], period, grain) if row.offered)


@pytest.mark.parametrize("opening", Opening)
def test_figures_are_the_same_whatever_a_period_is_read_from(numbers, opening):
    groups = Counter()
    for first, last in PERIODS + NEARLY_WHOLE:
        period, coverage = Period(first, last, opening), Coverage.read(numbers)
        hours_of_it = periods.edges(period, Grain.HOUR)
        assert {run.grain for run in runs_of_period(period, hours_of_it)} == {Grain.QUARTER_HOUR}
        for table in count_tables.TABLES:
            by = ("destination_number_id", *table.parts)
            coarse, fine = (
                sums.read(table, coverage, period, edges, by=by, keys=tuple(figures_of(table)))
                for edges in ([period.start, period.end], hours_of_it)
            )
            assert coarse == fine, (table.name, period)
            groups[table.name] += len(coarse)
        for grain in (Grain.WEEK, Grain.MONTH):
            of_hours: dict = {}
            for number, row in rows_with_calls(numbers, period, Grain.HOUR):
                place = bisect_right(periods.edges(period, grain), row.bucket.start)
                of_hours.setdefault((place, number), Counter())["offered"] += row.offered
                of_hours[place, number].update({key: row[key].value or 0 for key in ("answered", "lost")})
            of_grain = {
                (bisect_right(periods.edges(period, grain), row.bucket.start), number): Counter(
                    {"offered": row.offered} | {key: row[key].value or 0 for key in ("answered", "lost")}
                )
                for number, row in rows_with_calls(numbers, period, grain)
            }
            assert of_grain == of_hours
    assert min(groups.values()) >= len(PERIODS)  # without calls all would be equal


@pytest.mark.parametrize("opening", Opening)
def test_the_hours_of_months_are_those_of_their_quarter_hours(numbers, opening):
    of_all = product(PERIODS + NEARLY_WHOLE, [numbers])
    of_each = product([PERIODS[0], NEARLY_WHOLE[0]], ([number] for number in numbers))
    for (first, last), asked in (*of_all, *of_each):
        period = Period(first, last, opening)
        coverage = Coverage.read(asked)
        totals = counts.totals(coverage, period)
        week = hours_of_week.of_week(coverage, period, totals, LATER)

        expected: dict[str, Counter] = {key: Counter() for key in ("offered", "answered", "missed", "lost")}
        for _number, row in rows_with_calls(asked, period, Grain.HOUR):
            local = row.bucket.start.astimezone(BERLIN)
            for key, counter in expected.items():
                counter[local.isoweekday(), local.hour] += row[key].value or 0
        assert len(asked) == 1 or sum(expected["answered"].values()) > 10
        for cell in week.cells:
            place = (cell.weekday, cell.hour)
            counted = {"offered": cell.offered, "answered": cell.answered, "missed": cell.missed, "lost": cell.lost}
            for key, calls in counted.items():
                is_measured = totals["reached" if key == "answered" else key].is_measured
                assert calls == (expected[key][place] if is_measured else None), (place, key)
        assert week.whole.offered == sum(expected["offered"].values())


@pytest.mark.parametrize("hour", [1, 2, 3])
def test_the_repeated_hour_counts_in_one_hour_of_the_week(hour):
    number = make_number()
    night = datetime(2026, 10, 25, hour, 20, tzinfo=BERLIN)
    for fold in (0, 1):
        take(number, "CALL_START", night.replace(fold=fold).astimezone(UTC), call_uuid=f"call {fold}")
    roll_up()

    counted = HourOfWeekCounts.objects.get()
    assert (counted.month, counted.weekday, counted.hour) == (date(2026, 10, 1), 7, hour)
    # Outside the repeated hour both folds are the same time.
    assert counted.offered == 2


def test_a_call_that_moves_leaves_its_month_and_its_hour():
    number = make_number()
    take(number, "CALL_END", at(4, 1, 0, 5))
    roll_up()
    assert MonthCounts.objects.get().month == date(2026, 4, 1)

    take(number, "CALL_START", at(3, 31, 23, 55))
    roll_up()

    assert MonthCounts.objects.get().month == date(2026, 3, 1)
    counted = HourOfWeekCounts.objects.get()
    assert (counted.month, counted.weekday, counted.hour, counted.offered) == (date(2026, 3, 1), 2, 23, 1)


def test_rebuilding_all_counts_includes_months(numbers):
    before = list(
        MonthCounts.objects.order_by("destination_number", "month", "is_open", "measured").values_list(
            "month", "offered"
        )
    )
    MonthCounts.objects.update(offered=0)
    HourOfWeekCounts.objects.all().delete()

    rollups.rebuild()

    after = MonthCounts.objects.order_by("destination_number", "month", "is_open", "measured").values_list(
        "month", "offered"
    )
    assert list(after) == before
    assert list(verification.differences()) == []


# --- Runs of a period -------------------------------------------------------------------------------


def read_from(first, last, edges=(), until=None):
    """Return the runs of a period; check that each of its days is read once."""
    period = Period(first, last, until=until)
    runs = runs_of_period(period, edges)
    days = Counter()
    for run in runs:
        for day in Period(run.first, run.last).days:
            days[day] += -1 if run.taken_off else 1
    assert +days == days  # only what is read is subtracted
    assert until or sorted(days.elements()) == period.days
    return [(("off " if run.taken_off else "") + run.grain.value, run.first, run.last) for run in runs]


def test_whole_months_are_read_from_months_and_the_rest_by_days():
    assert read_from(date(2026, 1, 17), LAST) == [
        ("day", date(2026, 1, 17), date(2026, 1, 31)),
        ("month", date(2026, 2, 1), date(2026, 4, 30)),
        ("day", date(2026, 5, 1), LAST),
    ]
    assert read_from(date(2026, 2, 1), date(2026, 2, 28)) == [("month", date(2026, 2, 1), date(2026, 2, 28))]


def test_a_nearly_whole_month_is_read_minus_its_days_outside():
    january, march = (date(2026, 1, 1), date(2026, 1, 31)), (date(2026, 3, 1), date(2026, 3, 31))
    assert read_from(date(2026, 1, 16), date(2026, 3, 30)) == [
        ("month", *january),
        ("off day", date(2026, 1, 1), date(2026, 1, 15)),
        ("month", date(2026, 2, 1), date(2026, 2, 28)),
        ("month", *march),
        ("off day", date(2026, 3, 31), date(2026, 3, 31)),
    ]
    assert read_from(date(2026, 3, 2), date(2026, 3, 30)) == [
        ("month", *march),
        ("off day", date(2026, 3, 1), date(2026, 3, 1)),
        ("off day", date(2026, 3, 31), date(2026, 3, 31)),
    ]


def test_each_day_of_any_period_is_read_once():
    chance = Random(11)
    for _ in range(300):
        first = FIRST + chance.randrange(40) * periods.DAY
        last = first + chance.randrange(100) * periods.DAY
        inside = [periods.day_start(first + chance.randrange((last - first).days + 1) * periods.DAY) for _ in range(2)]
        read_from(first, last, [periods.day_start(first), *inside, periods.day_start(last + periods.DAY)])


def test_a_month_that_a_bucket_begins_in_is_read_by_days():
    months = [("month", date(2026, 2, 1), date(2026, 3, 31))]
    assert read_from(date(2026, 2, 1), date(2026, 3, 31), [at(3, 1), at(4, 1)]) == months
    assert read_from(date(2026, 2, 1), date(2026, 3, 31), [at(3, 2)]) == [
        ("month", date(2026, 2, 1), date(2026, 2, 28)),
        ("day", date(2026, 3, 1), date(2026, 3, 31)),
    ]


def test_a_day_with_a_bucket_edge_inside_is_read_by_quarter_hours():
    assert read_from(date(2026, 2, 1), date(2026, 3, 31), [at(3, 1, 0, 15)]) == [
        ("month", date(2026, 2, 1), date(2026, 2, 28)),
        ("quarter-hour", date(2026, 3, 1), date(2026, 3, 1)),
        ("day", date(2026, 3, 2), date(2026, 3, 31)),
    ]


def test_a_period_that_ends_within_a_day_is_read_up_to_there():
    until = at(3, 9, 11, 45)
    period = Period(date(2026, 3, 2), date(2026, 3, 9), until=until)
    days, last = runs_of_period(period, [period.start, period.end])
    assert (days.grain, days.first, days.last) == (Grain.DAY, date(2026, 3, 2), date(2026, 3, 8))
    assert (last.grain, last.start, last.end) == (Grain.QUARTER_HOUR, at(3, 9), until)


def test_a_period_that_ends_late_on_a_day_is_read_minus_the_rest_of_the_day():
    until = at(3, 9, 18)
    period = Period(date(2026, 3, 2), date(2026, 3, 9), until=until)
    _days, day, rest = runs_of_period(period, [period.start, period.end])
    assert (day.grain, day.first, day.last, day.taken_off) == (Grain.DAY, date(2026, 3, 9), date(2026, 3, 9), False)
    assert (rest.grain, rest.start, rest.end, rest.taken_off) == (Grain.QUARTER_HOUR, until, at(3, 10), True)

    by_hour = runs_of_period(Period(date(2026, 3, 9), date(2026, 3, 9), until=until), [at(3, 9), at(3, 9, 12), until])
    assert [(run.grain, run.start, run.end) for run in by_hour] == [(Grain.QUARTER_HOUR, at(3, 9), until)]


@pytest.mark.parametrize("hour", [9, 12, 18])
def test_a_period_cut_off_on_its_last_day_equals_its_hours(numbers, hour):
    coverage, until = Coverage.read(numbers), at(4, 30, hour, 15)
    period = Period(date(2026, 2, 3), date(2026, 4, 30), until=until)
    whole, by_hour = (
        sums.read(count_tables.COUNTS, coverage, period, edges, by=("destination_number_id",), keys=counts.OF_PAGES)
        for edges in ([period.start, period.end], periods.edges(period, Grain.HOUR))
    )
    assert whole == by_hour
    assert whole


@pytest.mark.parametrize("hour", [9, 18])
def test_a_last_day_that_is_cut_off_is_in_the_last_bucket(numbers, hour):
    period = Period(date(2026, 4, 27), date(2026, 4, 30), until=at(4, 30, hour, 15))
    by_day = [row.offered for row in counts.by_bucket(numbers, period, Grain.DAY)]
    by_hour = counts.by_bucket(numbers, period, Grain.HOUR)

    assert by_day == [
        sum(row.offered for row in by_hour if periods.day_of(row.bucket.start) == day) for day in period.days
    ]
    assert by_day[-1] > 0


@pytest.mark.parametrize("until", [at(2, 17, 9), at(2, 17, 18), at(4, 30, 18), None])
def test_calls_that_a_figure_does_not_cover_are_those_of_its_hours(numbers, until):
    coverage, last = Coverage.read(numbers), periods.day_of(until) if until else date(2026, 4, 28)
    period = Period(date(2026, 2, 3), last, until=until)
    together = counts.in_buckets(coverage, period, [periods.whole(period)])[0].counted
    by_hour = [row.counted for row in counts.by_bucket(coverage, period, Grain.HOUR)]

    assert {key: figure.hidden for key, figure in together.items()} == {
        key: sum(hour[key].hidden for hour in by_hour if key in hour) for key in together
    }
    assert together["answered"].hidden


def test_separate_periods_are_read_like_each_alone(numbers):
    spans = [
        Period(date(2026, 2, 10), date(2026, 2, 12)),
        Period(date(2026, 2, 17), date(2026, 2, 17), until=at(2, 17, 18)),
        Period(date(2026, 3, 2), date(2026, 4, 29)),
    ]
    coverage = Coverage.read(numbers)
    together = counts.of_each(coverage, spans)
    apart = [counts.in_buckets(coverage, span, [periods.whole(span)])[0] for span in spans]
    for row, by_itself in zip(together, apart, strict=True):
        assert row.bucket == by_itself.bucket
        assert row.counted == by_itself.counted
        assert [cell._replace(lacking=None) for cell in row.cells.values()] == [
            cell._replace(lacking=None) for cell in by_itself.cells.values()
        ]
        assert [cell.reason for cell in row.cells.values()] == [cell.reason for cell in by_itself.cells.values()]


def read_hours_from(first, last, now=LATER):
    runs = runs_of_hours(Period(first, last), now)
    days = Counter()
    for run in runs:
        for day in Period(run.first, run.last).days:
            days[day] += -1 if run.taken_off else 1
    assert +days == days  # only what is read is subtracted
    assert sorted(days.elements()) == Period(first, last).days
    return [("off" if run.taken_off else run.grain.value, run.first, run.last) for run in runs]


def test_hours_of_a_nearly_whole_month_are_read_from_the_month_minus_the_rest():
    january, march = (date(2026, 1, 1), date(2026, 1, 31)), (date(2026, 3, 1), date(2026, 3, 31))
    february = (date(2026, 2, 1), date(2026, 2, 28))
    assert read_hours_from(date(2026, 1, 3), date(2026, 3, 10)) == [
        ("month", january[0], february[1]),
        ("quarter-hour", date(2026, 3, 1), date(2026, 3, 10)),
        ("off", date(2026, 1, 1), date(2026, 1, 2)),
    ]
    assert read_hours_from(date(2026, 3, 2), date(2026, 3, 30)) == [
        ("month", *march),
        ("off", date(2026, 3, 1), date(2026, 3, 1)),
        ("off", date(2026, 3, 31), date(2026, 3, 31)),
    ]


def test_days_that_have_not_begun_cost_nothing_to_subtract():
    month = (date(2026, 3, 1), date(2026, 3, 31))
    first, last = date(2026, 3, 1), date(2026, 3, 2)
    off = ("off", date(2026, 3, 3), date(2026, 3, 31))
    assert read_hours_from(first, last, now=at(3, 2, 9)) == [("month", *month), off]
    assert read_hours_from(first, last, now=at(3, 4, 9)) == [("month", *month), off]
    assert read_hours_from(first, last, now=at(3, 5, 9)) == [("quarter-hour", first, last)]


def test_each_hour_of_any_period_is_read_once():
    chance = Random(7)
    for _ in range(300):
        first = FIRST + chance.randrange(40) * periods.DAY
        read_hours_from(first, first + chance.randrange(100) * periods.DAY, at(4, 9))


def test_a_run_begins_and_ends_with_midnights_of_the_zone_of_the_reports():
    run = Run(Grain.MONTH, date(2026, 3, 1), date(2026, 3, 31))
    assert (run.start.isoformat(), run.end.isoformat()) == ("2026-02-28T23:00:00+00:00", "2026-03-31T22:00:00+00:00")
