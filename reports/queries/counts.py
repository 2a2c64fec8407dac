"""Queries of counts. They never read calls; each is one or two statements, whatever the number of rows.

`numbers` are numbers that the user may see. Pass a Coverage to several queries about the same numbers: then first posts
are read only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Max, QuerySet

from calls.models import DestinationNumber, OpeningHours
from calls.opening_hours import Schedule
from reports import periods
from reports.counting import count_tables
from reports.counting.count_tables import COUNTS
from reports.figures.block_types import block_label
from reports.figures.cells import BlockRow, Blocks, Cell, Cells, Row
from reports.figures.counted import NOTHING, ByMeasured, Counted, add_up, merged, of_bucket
from reports.figures.coverage import Coverage
from reports.figures.definitions import BLOCK_FIGURES, CALL_FIGURES, OUTCOMES
from reports.models import DayCounts, RollUp
from reports.periods import Bucket, Opening, Period
from reports.queries import sums

Numbers = Iterable[DestinationNumber] | Coverage

# The figures that every page of counts shows; the page of forwards has its own.
OF_CALLS = ("offered", *CALL_FIGURES)
OF_PAGES = (*OF_CALLS, *BLOCK_FIGURES)
OF_CHART = ("offered", *OUTCOMES, "lost")
_OFFERED = ("offered",)
_BY_NUMBER = ("bucket", "destination_number_id")


def totals(numbers: Numbers, period: Period) -> Row:
    """Return the figures of all numbers together over a whole period."""
    [row] = in_buckets(numbers, period, [periods.whole(period)], OF_PAGES)
    return row


def by_bucket(numbers: Numbers, period: Period, grain: str, keys: tuple[str, ...] = OF_CALLS) -> list[Row]:
    """Return figures of all numbers together, one row for each bucket, also for buckets without calls."""
    return in_buckets(numbers, period, periods.buckets(period, grain), keys)


def in_buckets(
    numbers: Numbers, period: Period, buckets: Sequence[Bucket], keys: tuple[str, ...] = OF_CALLS
) -> list[Row]:
    """Return figures of all numbers together for each of some consecutive buckets of a period."""
    coverage = Coverage.read(numbers)
    cells = Cells(coverage)
    sums_of_buckets = counted(coverage, period, buckets, keys)
    return [cells.row(figures, bucket, keys=keys) for figures, bucket in zip(sums_of_buckets, buckets, strict=True)]


def together_and_by_bucket(
    numbers: Numbers, period: Period, grain: str, keys: tuple[str, ...] = OF_CALLS
) -> tuple[Row, list[Row]]:
    """Return the figures of a whole period and those of its buckets, as `by_bucket` does, from the same sums."""
    coverage, whole, buckets = Coverage.read(numbers), periods.whole(period), periods.buckets(period, grain)
    groups, not_covered = _read(coverage, period, periods.edges_of(buckets), keys)
    by_number = [(number_id, of_number) for (_place, number_id), of_number in not_covered.items()]
    shown = coverage.shown_by_number
    together = of_bucket(keys, merged(groups.values()), by_number, shown, whole.end) if groups else {}
    cells = Cells(coverage)
    rows = zip(_by_bucket(coverage, buckets, keys, groups, not_covered), buckets, strict=True)
    return (
        cells.row(together, whole, keys=keys),
        [cells.row(figures, bucket, keys=keys) for figures, bucket in rows],
    )


def of_each(numbers: Numbers, spans: Sequence[Period], keys: tuple[str, ...] = OF_CALLS) -> list[Row]:
    """Return figures of all numbers together for each of several separate periods."""
    if not spans:
        return []
    coverage, buckets = Coverage.read(numbers), [periods.whole(span) for span in spans]
    by_span = sums.read_each(COUNTS, coverage, spans, by=("bucket",), keys=keys)
    where = sums.incomplete(coverage, keys, min(span.start for span in spans), max(span.end for span in spans))
    not_covered = sums.read_each(COUNTS, coverage, spans, by=_BY_NUMBER, keys=_OFFERED, where=where) if where else {}
    cells = Cells(coverage)
    return [
        cells.row(figures, bucket, keys=keys)
        for figures, bucket in zip(_by_bucket(coverage, buckets, keys, by_span, not_covered), buckets, strict=True)
    ]


def counted(
    coverage: Coverage, period: Period, buckets: Sequence[Bucket], keys: tuple[str, ...]
) -> list[dict[str, Counted]]:
    """Return the sums of figures of all numbers together for each bucket; empty for a bucket without calls."""
    return _by_bucket(coverage, buckets, keys, *_read(coverage, period, periods.edges_of(buckets), keys))


def _read(
    coverage: Coverage, period: Period, edges: list[datetime], keys: tuple[str, ...]
) -> tuple[sums.Sums, sums.Sums]:
    """Return the sums of all numbers together by bucket; and, by bucket and number, calls that figures do not cover."""
    by_bucket = sums.read(COUNTS, coverage, period, edges, by=("bucket",), keys=keys)
    where = sums.incomplete(coverage, keys, period.start, period.end)
    not_covered = sums.read(COUNTS, coverage, period, edges, by=_BY_NUMBER, keys=_OFFERED, where=where) if where else {}
    return by_bucket, not_covered


def _by_bucket(
    coverage: Coverage,
    buckets: Sequence[Bucket],
    keys: tuple[str, ...],
    groups: sums.Sums,
    not_covered: sums.Sums,
) -> list[dict[str, Counted]]:
    shown = coverage.shown_by_number
    of_numbers: dict[int, list[tuple[int, ByMeasured]]] = {}
    for (place, number_id), of_number in not_covered.items():
        of_numbers.setdefault(place, []).append((number_id, of_number))
    return [
        of_bucket(keys, groups[place,], of_numbers.get(place, ()), shown, bucket.end) if (place,) in groups else {}
        for place, bucket in enumerate(buckets, start=1)
    ]


def by_number(numbers: Numbers, period: Period, keys: tuple[str, ...] = OF_PAGES) -> list[Row]:
    """Return figures of each number over a whole period, also without calls, in the order of `numbers`."""
    return together_and_by_number(numbers, period, keys, keys)[1]


def together_and_by_number(
    numbers: Numbers, period: Period, keys: tuple[str, ...] = OF_PAGES, keys_of_numbers: tuple[str, ...] = OF_PAGES
) -> tuple[Row, list[Row]]:
    """Return the results of `totals` and `by_number`, read by one statement.

    The rows of numbers have the figures `keys_of_numbers`, which are some of `keys`."""
    coverage = Coverage.read(numbers)
    bucket = periods.whole(period)
    edges = [bucket.start, bucket.end]
    groups = sums.read(COUNTS, coverage, period, edges, by=("destination_number_id",), keys=keys)
    by_number_id = {number_id: of_number for (number_id,), of_number in groups.items()}
    return _together_and_by_number(coverage, bucket, by_number_id, keys, keys_of_numbers)


def together_and_by_number_of_each(
    numbers: Numbers, spans: Sequence[Period], keys: tuple[str, ...] = OF_CALLS
) -> list[tuple[Row, list[Row]]]:
    """Return the results of `of_each`, with the rows of each number, read by one statement."""
    if not spans:
        return []
    coverage = Coverage.read(numbers)
    by_span: list[dict[int, ByMeasured]] = [{} for _span in spans]
    for (place, number_id), of_number in sums.read_each(COUNTS, coverage, spans, by=_BY_NUMBER, keys=keys).items():
        by_span[place - 1][number_id] = of_number
    return [
        _together_and_by_number(coverage, periods.whole(span), by_number_id, keys, keys)
        for span, by_number_id in zip(spans, by_span, strict=True)
    ]


def _together_and_by_number(
    coverage: Coverage,
    bucket: Bucket,
    by_number_id: Mapping[int, ByMeasured],
    keys: tuple[str, ...],
    keys_of_numbers: tuple[str, ...],
) -> tuple[Row, list[Row]]:
    shown, groups = coverage.shown_by_number, list(by_number_id.items())
    together = of_bucket(keys, merged(by_number_id.values()), groups, shown, bucket.end) if groups else {}
    rows = []
    for number in coverage:
        of_number = by_number_id.get(number.id)
        figures = {}
        if of_number:
            figures = of_bucket(keys_of_numbers, of_number, [(number.id, of_number)], shown, bucket.end)
        rows.append(Cells(coverage.only(number)).row(figures, bucket, number, keys_of_numbers))
    return Cells(coverage).row(together, bucket, keys=keys), rows


def blocks(numbers: Numbers, period: Period, known_totals: Row | None = None) -> Blocks:
    """Return the figures of each block type over a whole period, most frequent first.

    `known_totals` are the `totals` of the period, if they are already read."""
    coverage = Coverage.read(numbers)
    bucket = periods.whole(period)
    # The calls that each figure does not cover are taken from counts of calls; counts of blocks do not have them.
    known = (known_totals or totals(coverage, period)).counted
    keys = tuple(BLOCK_FIGURES)
    edges = [bucket.start, bucket.end]
    groups = sums.read(count_tables.BLOCKS, coverage, period, edges, by=("block_type",), keys=keys)
    by_type = [(block_type, add_up(keys, of_type)) for (block_type,), of_type in groups.items()]
    measured = [(block_type, of_type) for block_type, of_type in by_type if of_type.get("blocks", NOTHING).above]
    cells = Cells(coverage)

    def cell(key: str, of_type: Counted) -> Cell:
        return cells.cell(key, known.get(key, NOTHING).with_sums(of_type.above, of_type.whole), bucket)

    rows = [
        BlockRow(block_type, block_label(block_type), *(cell(key, of_type.get(key, NOTHING)) for key in BLOCK_FIGURES))
        for block_type, of_type in sorted(measured, key=lambda item: (-item[1]["blocks"].above, item[0]))
    ]
    return Blocks(rows, cell("blocks", Counted(sum(of_type["blocks"].above for _type, of_type in measured))))


def last_day_with_calls(numbers: Numbers, before: date | None = None, opening: Opening = Opening.ALL) -> date | None:
    """Return the latest day with an offered call, if given before the day `before`; None if there is none."""
    days = _days(numbers, opening).filter(offered__gt=0)
    if before is not None:
        days = days.filter(day__lt=before)
    latest: date | None = days.aggregate(day=Max("day"))["day"]
    return latest


def has_calls_before(numbers: Numbers, day: date) -> bool:
    """Return whether any of these numbers has an offered call before a day."""
    return _days(numbers, Opening.ALL).filter(offered__gt=0, day__lt=day).exists()


def offered_by_day(numbers: Numbers, period: Period) -> dict[int, list[int]]:
    """Return the offered calls on each day of a period, also on days without calls, by id of the number."""
    places = {day: place for place, day in enumerate(period.days)}
    offered = {number.pk: [0] * len(places) for number in numbers}
    rows = _days(numbers, period.opening).filter(day__range=(period.first, period.last))
    # One row for each number: to fetch one for each day takes much longer than the statement.
    of_numbers = rows.values("destination_number_id").annotate(days=ArrayAgg("day"), calls=ArrayAgg("offered"))
    for number_id, days, calls in of_numbers.values_list("destination_number_id", "days", "calls"):
        of_days = offered[number_id]
        for day, of_day in zip(days, calls, strict=True):
            of_days[places[day]] += of_day
    return offered


def _days(numbers: Numbers, opening: Opening) -> QuerySet[DayCounts]:
    """Return the counts of days of these numbers, inside or outside opening hours or both."""
    days = DayCounts.objects.filter(destination_number__any_of=[number.pk for number in numbers])
    return days if opening.is_open is None else days.filter(is_open=opening.is_open)


def schedules(numbers: Numbers) -> dict[int, Schedule]:
    """Return the opening hours of the numbers that have any, by id of the number."""
    hours_of = {number.pk: number.opening_hours_id for number in numbers if number.opening_hours_id}
    if not hours_of:
        return {}
    hours = OpeningHours.objects.filter(pk__any_of=list(set(hours_of.values()))).prefetch_related("weekly", "days")
    schedules = {each.pk: each.schedule() for each in hours}
    return {number_id: schedules[hours_id] for number_id, hours_id in hours_of.items() if hours_id in schedules}


def counted_at() -> datetime | None:
    """Return until when calls are counted; None before the first roll-up."""
    return RollUp.objects.values_list("counted_at", flat=True).first()
