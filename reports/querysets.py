"""Named questions about counts. They read counts only, never calls; each is one statement, however many rows.

`numbers` are those that the person asking may see. Pass a Coverage where several questions are asked about the same
numbers: then it is read once which posts ever came."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max, QuerySet

from calls.models import DestinationNumber, RequestType
from calls.opening import Schedule
from reports import countings, figures, periods
from reports.countings import COUNTS, Table
from reports.figures import ALWAYS, NEVER, BlockRow, Blocks, Cell, Coverage, Row, State
from reports.models import DayCounts, RollUp
from reports.periods import Bucket, Grain, Opening, Period, Run

Numbers = Iterable[DestinationNumber] | Coverage
Reading = Callable[[Sequence[datetime]], list[Run]]


@dataclass(frozen=True)
class Formula:
    """How a figure is made from the counted columns: a sum, or one sum over another."""

    above: str
    below: str = ""


_RIVALS = "missed + abandoned"
FORMULAS = {
    "answered": Formula("answered"),
    "served_in_plan": Formula("served_in_plan"),
    "missed": Formula("missed"),
    "abandoned": Formula("abandoned"),
    "short": Formula("short"),
    "in_progress": Formula("in_progress"),
    "end_unknown": Formula("end_unknown"),
    "lost": Formula(_RIVALS),
    "reached": Formula("answered", f"answered + {_RIVALS}"),
    "service_level": Formula("answered_in_time", f"answered_after_start + {_RIVALS}"),
    "time_to_answer": Formula("time_to_answer_s", "answered_after_start"),
    "ring": Formula("ring_s", "ring_calls"),
    "talk": Formula("talk_s", "talk_calls"),
}
BLOCK_FORMULAS = {
    "blocks": Formula("blocks"),
    "block_calls": Formula("calls"),
    "last_in_call": Formula("last_in_call"),
    "block_lost": Formula("lost"),
}
FORWARD_FORMULAS = {
    "attempts": Formula("attempts"),
    "tried": Formula("calls"),
    "forward_answers": Formula("answers"),
    "answer_rate": Formula("answers", "attempts"),
    "forward_ring": Formula("ring_s", "ring_calls"),
}
HANDOVER_FORMULAS = {"handovers": Formula("calls")}
FORWARD_KEYS = (*FORWARD_FORMULAS, *HANDOVER_FORMULAS)
EVERY_FORMULA = FORMULAS | BLOCK_FORMULAS | FORWARD_FORMULAS | HANDOVER_FORMULAS
# Those that every page of counts shows; the page of forwards asks for its own.
ALL_KEYS = (*FORMULAS, *BLOCK_FORMULAS)
GIVEN_KEYS = tuple(EVERY_FORMULA)


# --- The statements ----------------------------------------------------------------------------
#
# They promise: each figure covers the counts from the moment on from which it is measured for that number, to the
# quarter-hour. A `run` says what is read of a number from which counts: those of months where a whole month lies in a
# bucket and is measured alike, else those of days, and of a day in which a figure begins to be measured (five per
# number at most) those of its quarter-hours.
#
# Of each number and figure is given since when it is shown: -infinity always, infinity never, null does not apply.
# So a comparison with null leaves a count out without calling it unmeasured.
#
# Numbers that are covered alike in the whole period are one `part`, and are summed in one go; where rows of single
# numbers are asked for, every number is a part. A part has `moments` at which a figure begins to be measured: between
# two of them, in one `stretch`, all its counts are measured alike. So they are added up plainly first, and only these
# few sums are asked what of them is measured. Each number of a part has a bit of its own as its `mark`, so that a sum
# knows how many there were without sorting.

MARKS = 63  # the bits of a bigint, but for its sign
GIVEN = f"""
number AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%(numbers)s::json) AS number (
    id bigint, part integer, alike integer, mark bigint, moments timestamptz[], days date[], e164 text, label text,
    forwards_from timestamptz)
), part AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%(parts)s::json) AS part (
    part integer, {", ".join(f"{key}_from timestamptz" for key in GIVEN_KEYS)})
), edge AS MATERIALIZED (
  -- Where buckets begin, and where the last one ends.
  SELECT coalesce(
    %(edges)s::timestamptz[], ARRAY(SELECT generate_series(%(start)s, %(end)s, interval '15 minutes'))
  ) AS edges, %(days)s::date[] AS days
)"""
EDGES = "(SELECT edges FROM edge)"
DAYS = "(SELECT days FROM edge)"


def runs(kind: str) -> str:
    """The runs of a kind, each with the numbers of which they are read."""
    return f"""jsonb_to_recordset(%(runs)s::jsonb -> '{kind}') AS run (
    alike integer, first date, last date, starts_at timestamptz, ends_at timestamptz
  ) JOIN number USING (alike)"""


_READ = """
SELECT {{keys}}, {at} AS at, bit_or(mark) AS marks, {{summed}}
FROM (
  SELECT counts.*, part, mark, width_bucket({time}, {edges}) AS bucket, width_bucket({time}, {own}) AS stretch
  FROM {runs}
  CROSS JOIN LATERAL (
    SELECT * FROM {{{table}}} WHERE destination_number_id = number.id AND {span} AND {{asked}}
    OFFSET 0  -- by the index, number by number
  ) AS counts
) AS counts
GROUP BY {{keys}}, stretch
"""
_MONTHS, _DAYS = (
    _READ.format(
        table=f"of_{grain.value}s",
        time=grain.value,
        at=f"min({grain.value})::timestamp AT TIME ZONE %(zone)s",
        edges=DAYS,
        own="days",
        runs=runs(grain.value),
        span=f"{grain.value} BETWEEN first AND last",
    )
    for grain in (Grain.MONTH, Grain.DAY)
)
_QUARTER_HOURS, FROM_QUARTER_HOURS = (
    _READ.format(
        table="of_quarter_hours",
        time="quarter_hour",
        at="min(quarter_hour)",
        edges=EDGES,
        own="moments",
        runs=numbers,
        span=f"quarter_hour >= {start} AND quarter_hour < {end}",
    )
    for numbers, start, end in (
        (runs(Grain.QUARTER_HOUR.value), "starts_at", "ends_at"),
        ("number", "%(start)s", "%(end)s"),
    )
)
FROM_DAYS = " UNION ALL ".join((_MONTHS, _DAYS, _QUARTER_HOURS))
# Inside opening hours, outside of them, or both.
ASKED = "(%(is_open)s::boolean IS NULL OR is_open = %(is_open)s)"


def _shown(formulas: dict[str, Formula]) -> str:
    """Each figure's two sums over what is measured, null where it is not measured in the whole of the bucket."""
    columns = []
    for key, formula in formulas.items():
        for side, suffix in ((formula.above, ""), (formula.below, "_whole")):
            if side:
                columns.append(
                    f"CASE WHEN min({key}_from) < ({EDGES})[bucket + 1] "
                    f"THEN coalesce(sum({side}) FILTER (WHERE at >= {key}_from), 0) END AS {key}{suffix}"
                )
    return ",\n  ".join(columns)


def _hidden(keys: Iterable[str]) -> str:
    return ",\n  ".join(
        f"coalesce(sum(offered) FILTER (WHERE at < {key}_from), 0) AS {key}_hidden,\n"
        f"  min({key}_from) >= ({EDGES})[bucket + 1] AS {key}_is_left_out"
        for key in keys
    )


def _left_out(keys: Iterable[str]) -> str:
    return ",\n  ".join(
        f"sum({key}_hidden) AS {key}_hidden,\n"
        f"  sum({key}_hidden) FILTER (WHERE NOT {key}_is_left_out) AS {key}_hidden_before,\n"
        f"  sum(numbers) FILTER (WHERE {key}_is_left_out) AS {key}_left_out"
        for key in keys
    )


def _keys(table: Table) -> str:
    return ", ".join(("bucket", "part", *table.parts))


def _by_bucket_and_part(table: Table, columns: str) -> str:
    """The beginning of a statement: `shown` has columns of a table by bucket, part, and the table's parts."""
    return f"""
WITH {GIVEN}, counts AS MATERIALIZED ({{source}}), shown AS (
  SELECT {_keys(table)}, {columns}
  FROM counts JOIN part USING (part)
  GROUP BY {_keys(table)}
)"""


_NUMBERS = "bit_count(bit_or(marks)::bit(64)) AS numbers"
BY_BUCKET_AND_PART = _by_bucket_and_part(
    COUNTS, f"sum(offered) AS offered, {_NUMBERS},\n  {_shown(FORMULAS)},\n  {_hidden(ALL_KEYS)}"
)

BY_NUMBER = f"{BY_BUCKET_AND_PART} SELECT * FROM shown ORDER BY bucket, part"

BY_BUCKET = f"""{BY_BUCKET_AND_PART}
SELECT bucket, sum(offered) AS offered,
  {", ".join(f"sum({key}) AS {key}" for key in FORMULAS)},
  {", ".join(f"sum({key}_whole) AS {key}_whole" for key, formula in FORMULAS.items() if formula.below)},
  {_left_out(ALL_KEYS)}
FROM shown GROUP BY bucket
"""

BLOCKS_BY_BUCKET_AND_PART = _by_bucket_and_part(countings.BLOCKS, _shown(BLOCK_FORMULAS))

BLOCKS = f"""{BLOCKS_BY_BUCKET_AND_PART}
SELECT block_type, {", ".join(f"sum({key}) AS {key}" for key in BLOCK_FORMULAS)}
FROM shown GROUP BY block_type
HAVING sum(blocks) > 0
ORDER BY sum(blocks) DESC, block_type
"""

# How many calls a figure of forwards leaves out, and of how many numbers.
FORWARDS_KNOWN = f"""{_by_bucket_and_part(COUNTS, f"{_NUMBERS}, {_hidden(FORWARD_KEYS)}")}
SELECT {_left_out(FORWARD_KEYS)} FROM shown
"""

FORWARDS_BY_BUCKET_AND_PART = _by_bucket_and_part(countings.FORWARDS, _shown(FORWARD_FORMULAS))

_FORWARD_SUMS = ", ".join(
    f"sum({key}{suffix}) AS {key}{suffix}"
    for key, formula in FORWARD_FORMULAS.items()
    for suffix in ("", "_whole")[: 2 if formula.below else 1]
)
FORWARDS = f"""{FORWARDS_BY_BUCKET_AND_PART}
SELECT destination, destination_type, course, {_FORWARD_SUMS}
FROM shown GROUP BY destination, destination_type, course
"""

_PAIR = ", ".join(countings.HANDOVERS.parts)
HANDOVERS = f"""{_by_bucket_and_part(countings.HANDOVERS, _shown(HANDOVER_FORMULAS))}
SELECT {_PAIR}, sum(handovers) AS handovers
FROM shown GROUP BY {_PAIR}
HAVING sum(handovers) > 0
ORDER BY sum(handovers) DESC, {_PAIR}
"""

SOURCES = {
    (table, grain_is_of_days): (FROM_DAYS if grain_is_of_days else FROM_QUARTER_HOURS).format(
        keys=_keys(table),
        summed=", ".join(f"sum({name}) AS {name}" for name in table.sums),
        of_months=table.of_months,
        of_days=table.of_days,
        of_quarter_hours=table.of_quarter_hours,
        asked=ASKED,
    )
    for table in countings.TABLES
    for grain_is_of_days in (True, False)
}


def statement(sql: str, table: Table, grain: str) -> str:
    """Return one of the statements above, reading those counts of a table that serve a grain."""
    return sql.replace("{source}", SOURCES[table, grain in periods.OF_DAYS])


# Of one number, since when each figure is shown, in the order of GIVEN_KEYS.
_Shown = tuple[datetime | None, ...]
_shown_from = itemgetter(*GIVEN_KEYS)


def parameters(
    coverage: Coverage, period: Period, edges: Sequence[datetime] | None, *, apart: bool, reading: Reading | None = None
) -> dict[str, Any]:
    """Return what the statements take; `apart` makes every number a part, in the order given.

    `edges` are where buckets begin and where the last one ends; None where each quarter-hour is one: for long periods
    those are too many to send.

    `reading` says what is read of a number by when its figures begin to be measured; `periods.runs` unless given."""
    shown = {number.id: _shown_from(coverage.shown(number)) for number in coverage}
    # Most numbers are alike in this.
    moments = {one: _moments(one, period) for one in set(shown.values())}
    alike = {its_own: n for n, its_own in enumerate(dict.fromkeys(moments.values()))}
    days = [periods.day_of(edge) for edge in edges or ()]
    reading = reading or partial(periods.runs, period, days)
    numbers: list[dict[str, object]] = []
    shown_in: dict[int, set[_Shown]] = {}
    kinds = [number.id if apart else _covered(shown[number.id], period) for number in coverage]
    for number, part, mark in _parts(coverage, kinds):
        its_own = moments[shown[number.id]]
        shown_in.setdefault(part, set()).add(shown[number.id])
        numbers.append(
            {
                "id": number.id,
                "part": part,
                "alike": alike[its_own],
                "mark": mark,
                "moments": [moment.isoformat() for moment in its_own],
                "days": [periods.first_day_from(moment).isoformat() for moment in its_own],
                "e164": number.e164,
                "label": number.label,
                "forwards_from": _sql_moment(coverage.arrives_from(number, RequestType.INITIATE_FORWARD)),
            }
        )
    return {
        "numbers": json.dumps(numbers),
        "parts": json.dumps([{"part": part, **_since(alike_ones)} for part, alike_ones in shown_in.items()]),
        "runs": json.dumps(_runs(alike, reading)),
        "ids": list(shown),
        "zone": settings.TIME_ZONE,
        "start": period.start,
        "end": period.end,
        "is_open": period.opening.is_open,
        "edges": None if edges is None else list(edges),
        "days": days,
    }


def _parts(
    numbers: Iterable[DestinationNumber], alike: Iterable[object]
) -> Iterable[tuple[DestinationNumber, int, int]]:
    """Return each number with its part, from 0 on, and its mark in it. Those that are alike share a part."""
    parts: dict[object, int] = {}
    sizes: Counter[object] = Counter()
    for number, kind in zip(numbers, alike, strict=True):
        batch, place = divmod(sizes[kind], MARKS)
        sizes[kind] += 1
        yield number, parts.setdefault((kind, batch), len(parts)), 1 << place


def _since(shown: Iterable[_Shown]) -> dict[str, str | None]:
    """Return since when figures are shown of numbers that are covered alike: a figure applies to all or to none."""
    first = [None if None in moments else min(moments) for moments in zip(*shown, strict=True)]
    return {f"{key}_from": _sql_moment(moment) for key, moment in zip(GIVEN_KEYS, first, strict=True)}


def _sql_moment(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return "-infinity" if moment == ALWAYS else "infinity" if moment == NEVER else moment.isoformat()


def _covered(shown: _Shown, period: Period) -> _Shown:
    """Return since when each figure is shown, as far as a period can tell."""
    start, end = period.start, period.end
    return tuple(
        moment if moment is None or start < moment < end else ALWAYS if moment <= start else NEVER for moment in shown
    )


def _moments(shown: _Shown, period: Period) -> tuple[datetime, ...]:
    """Return when in the middle of a period figures begin to be measured, in the order of time."""
    return tuple(sorted({moment for moment in shown if moment and moment in period}))


def _runs(alike: dict[tuple[datetime, ...], int], reading: Reading) -> dict[str, list[dict[str, object]]]:
    """Return by kind what is read of numbers whose figures begin to be measured at the same moments."""
    found: dict[str, list[dict[str, object]]] = {}
    for moments, place in alike.items():
        for run in reading(moments):
            found.setdefault(run.kind, []).append({"alike": place, **run.given})
    return found


# --- The questions -----------------------------------------------------------------------------


def totals(numbers: Numbers, period: Period) -> Row:
    """Return the figures of all numbers together over a whole period."""
    coverage = Coverage.of(numbers)
    bucket = periods.whole(period)
    return _by_bucket(coverage, period, Grain.DAY, [bucket])[0]


def between(numbers: Numbers, start: datetime, end: datetime, opening: Opening = Opening.ALL) -> Row:
    """Return the figures of all numbers together between two quarter-hours of one day."""
    day = periods.day_of(start)
    bucket = Bucket(start, end, "", "")
    return _by_bucket(Coverage.of(numbers), Period(day, day, opening), Grain.QUARTER_HOUR, [bucket])[0]


def by_bucket(numbers: Numbers, period: Period, grain: str) -> list[Row]:
    """Return the figures of all numbers together, one row for every bucket, also where no call came."""
    return _by_bucket(Coverage.of(numbers), period, grain, periods.buckets(period, grain))


def same_days_before(numbers: Numbers, period: Period, weeks: int) -> list[Row]:
    """Return the figures of the same weekdays of so many weeks before, of up to seven days; the latest first.

    A period that ends in the middle of a day is compared up to the same time of day. Weeks that begin before the first
    call of any of the numbers are left out: they say nothing of what is usual."""
    coverage = Coverage.of(numbers)
    if period.length > 7:
        raise ValueError("the same weekdays of a longer period are days of its own")
    before = [
        days
        for days in (_weeks_before(period, week) for week in range(weeks, 0, -1))
        if days.first >= coverage.first_day
    ]
    if not before:
        return []
    buckets: list[Bucket] = []
    for days in before:
        if buckets and buckets[-1].end < days.start:
            buckets.append(Bucket(buckets[-1].end, days.start, "", ""))
        buckets.append(periods.whole(days))
    whole = before[-1].of_days(before[0].first, before[-1].last, before[-1].until)
    cuts = [days.until for days in before if days.until]
    rows = _by_bucket(coverage, whole, Grain.DAY, buckets, cuts)
    return [row for row in reversed(rows) if row.bucket and row.bucket.label]


def _weeks_before(period: Period, weeks: int) -> Period:
    gap = weeks * periods.WEEK
    last = period.last - gap
    until = period.until and periods.same_hours(periods.day_start(period.last), period.until, last)[1]
    return period.of_days(period.first - gap, last, until)


def by_number(numbers: Numbers, period: Period) -> list[Row]:
    """Return the figures of each number over a whole period, also of those without calls, in the order given."""
    coverage = Coverage.of(numbers)
    bucket = periods.whole(period)
    sql = statement(BY_NUMBER, COUNTS, Grain.DAY)
    found = {counted["part"]: counted for counted in ask(sql, coverage, period, [bucket], apart=True)}
    return [
        Cells(coverage.only(number)).row(found.get(part, {}), bucket, number=number)
        for part, number in enumerate(coverage)
    ]


def by_bucket_and_number(numbers: Numbers, period: Period, grain: str) -> list[Row]:
    """Return the figures of each number in each bucket in which it has calls, in the order of time."""
    coverage = Coverage.of(numbers)
    buckets = periods.buckets(period, grain)
    cells = [Cells(coverage.only(number)) for number in coverage]
    return [
        cells[counted["part"]].row(counted, buckets[counted["bucket"] - 1], number=coverage.numbers[counted["part"]])
        for counted in ask(statement(BY_NUMBER, COUNTS, grain), coverage, period, buckets, apart=True)
    ]


def blocks(numbers: Numbers, period: Period, known_totals: Row | None = None) -> Blocks:
    """Return the figures of each block type over a whole period, the most frequent first.

    Give the `totals` of that period where they are known already: then they are not asked for again."""
    coverage = Coverage.of(numbers)
    bucket = periods.whole(period)
    # What is not measured is told by the calls of the numbers: those have no blocks to tell it by.
    known = dict((known_totals or totals(coverage, period)).counted)
    found = ask(statement(BLOCKS, countings.BLOCKS, Grain.DAY), coverage, period, [bucket])
    cells = Cells(coverage)
    rows = [
        BlockRow(
            counted["block_type"],
            figures.block_label(counted["block_type"]),
            *(cells.cell(key, known | counted, bucket) for key in BLOCK_FORMULAS),
        )
        for counted in found
    ]
    total = known | {"blocks": sum(counted["blocks"] for counted in found)}
    return Blocks(rows, cells.cell("blocks", total, bucket))


def last_day_with_calls(numbers: Numbers, before: date | None = None, opening: Opening = Opening.ALL) -> date | None:
    """Return the latest day with an offered call, or the latest before a day; None where there is none."""
    found = _days(numbers, opening).filter(offered__gt=0)
    if before is not None:
        found = found.filter(day__lt=before)
    latest: date | None = found.aggregate(day=Max("day"))["day"]
    return latest


def has_calls_before(numbers: Numbers, day: date) -> bool:
    """Whether any of these numbers has an offered call before a day."""
    return _days(numbers, Opening.ALL).filter(offered__gt=0, day__lt=day).exists()


def offered_by_day(numbers: Numbers, period: Period) -> dict[int, list[int]]:
    """Return the offered calls of each day of a period, also of days without any, by the id of the number."""
    days = {day: place for place, day in enumerate(period.days)}
    offered = {number.pk: [0] * len(days) for number in numbers}
    found = _days(numbers, period.opening).filter(day__range=(period.first, period.last))
    for number_id, day, calls in found.values_list("destination_number_id", "day", "offered"):
        offered[number_id][days[day]] += calls
    return offered


def _days(numbers: Numbers, opening: Opening) -> QuerySet[DayCounts]:
    """The counts of days of these numbers: one row a day inside opening hours, and one outside of them."""
    found = DayCounts.objects.filter(destination_number__in=[number.pk for number in numbers])
    return found if opening.is_open is None else found.filter(is_open=opening.is_open)


def schedules(numbers: Numbers) -> dict[int, Schedule]:
    """Return the opening hours of those numbers that have any, by the id of the number."""
    return DestinationNumber.objects.filter(pk__in=[number.pk for number in numbers]).schedules()


def counted_at() -> datetime | None:
    """Return up to when calls are counted; None before the first roll-up."""
    return RollUp.objects.values_list("counted_at", flat=True).first()


def _by_bucket(
    coverage: Coverage, period: Period, grain: str, buckets: list[Bucket], cuts: Sequence[datetime] = ()
) -> list[Row]:
    sql = statement(BY_BUCKET, COUNTS, grain)
    found = {counted["bucket"]: counted for counted in ask(sql, coverage, period, buckets, cuts=cuts)}
    cells = Cells(coverage)
    return [cells.row(found.get(n, {}), bucket) for n, bucket in enumerate(buckets, start=1)]


def ask(
    sql: str,
    coverage: Coverage,
    period: Period,
    buckets: Sequence[Bucket],
    *,
    apart: bool = False,
    cuts: Sequence[datetime] = (),
) -> list[dict[str, Any]]:
    """Run one of the statements above; return its rows by the names of their columns.

    `cuts` are moments in the middle of days at which buckets begin or end."""
    edges = [*(bucket.start for bucket in buckets), buckets[-1].end]
    days = [periods.day_of(edge) for edge in edges]

    def reading(moments: Sequence[datetime]) -> list[Run]:
        return periods.runs(period, days, [*moments, *cuts])

    with connection.cursor() as cursor:
        cursor.execute(sql, parameters(coverage, period, edges, apart=apart, reading=reading))
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class Cells:
    """Turns counted sums into cells that know whether they are measured. Made once for many rows."""

    def __init__(self, coverage: Coverage) -> None:
        self.coverage = coverage
        # Of each figure, the moments from which it is shown for the numbers it applies to.
        shown = [coverage.shown(number) for number in coverage]
        self.moments = {key: sorted(moment for one in shown if (moment := one[key]) is not None) for key in GIVEN_KEYS}
        # Most rows of a long report are alike in what they do not say.
        self.lacking: dict[tuple[str, int, int], tuple[str, tuple[str, ...]]] = {}
        self.without_calls: dict[tuple[str, int], Cell] = {}

    def row(self, counted: dict[str, Any], bucket: Bucket, number: DestinationNumber | None = None) -> Row:
        offered = int(counted.get("offered") or 0)
        cells = {"offered": Cell(offered)} | {key: self.cell(key, counted, bucket) for key in FORMULAS}
        return Row(offered, cells, number, bucket, counted)

    def cell(self, key: str, counted: dict[str, Any], bucket: Bucket) -> Cell:
        """Return a figure of a bucket; what was not counted there is 0 where it is measured."""
        moments = self.moments[key]
        measured = bisect_right(moments, bucket.end - _MOMENT)
        if counted:
            return self._cell(key, counted, bucket, measured)
        if (key, measured) not in self.without_calls:
            self.without_calls[key, measured] = self._cell(key, counted, bucket, measured)
        return self.without_calls[key, measured]

    def _cell(self, key: str, counted: dict[str, Any], bucket: Bucket, measured: int) -> Cell:
        moments = self.moments[key]
        if not moments:
            # A sum over no numbers at all is 0; over numbers it does not apply to, it does not apply.
            return Cell(None, State.DOES_NOT_APPLY) if len(self.coverage) else Cell(0)
        left_out = int(counted.get(f"{key}_left_out") or 0)
        hidden = int(counted.get(f"{key}_hidden") or 0)
        if not measured:
            return Cell(
                None,
                State.NOT_MEASURED,
                None,
                left_out,
                hidden,
                *self._lacking(key, left_out, measured, bucket.end),
            )
        latest = moments[measured - 1]
        hidden_before = int(counted.get(f"{key}_hidden_before", hidden) or 0)
        since = latest if hidden_before and latest > bucket.start else None
        formula = EVERY_FORMULA[key]
        above = counted.get(key) or 0
        value: int | float | None = int(above)
        state, whole = State.MEASURED, None
        if formula.below:
            whole = int(counted.get(f"{key}_whole") or 0)
            value = float(above) / whole if whole else None
            state = State.MEASURED if whole else State.EMPTY
        reason, missing = self._lacking(key, left_out, measured, bucket.end) if left_out else ("", ())
        return Cell(value, state, since, left_out, hidden, reason, missing, whole)

    def _lacking(self, key: str, left_out: int, measured: int, end: datetime) -> tuple[str, tuple[str, ...]]:
        """Return why a figure is not measured for all numbers before `end`, and the posts that are missing."""
        place = (key, left_out, measured)
        if place not in self.lacking:
            posts = {
                post.value: None
                for number in self.coverage
                if self.coverage.applies(number, key)
                for post in self.coverage.missing(number, key, end)
            }
            self.lacking[place] = (self.coverage.reason_of_all(key, left_out, end), tuple(posts))
        return self.lacking[place]


_MOMENT = timedelta(microseconds=1)
