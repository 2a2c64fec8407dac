"""Figures of one or several numbers in a period, compared with values calculated by hand."""

from datetime import date, timedelta

import pytest

from reports.counting import rollups
from reports.counting.outcomes import Outcome
from reports.figures.cells import CellState
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.models import RollUp
from reports.periods import Grain, Period, day_start
from reports.queries import counts
from tests.factories import make_number, take
from tests.reports.helpers import ALL_ON, DAY, NOON, OTHER, call

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_figures_of_a_number():
    number = make_number(**ALL_ON)
    call(number, "quick", NOON, S=0, F=2, A=12, E=112)  # waits 12, rings 10, talks 100
    call(number, "slow", NOON, S=0, F=10, A=40, E=340)  # waits 40, rings 30, talks 300
    call(number, "no start", NOON, F=0, A=4, E=24)  # no wait; rings 4, talks 20
    call(number, "missed", NOON, S=0, F=5, E=60)
    call(number, "abandoned", NOON, S=0, E=30)
    call(number, "short", NOON, S=0, E=2)
    call(number, "going on", NOON, S=0, F=3)
    rollups.recount_changed()

    row = counts.totals([number], Period(DAY, DAY))

    assert row.offered == 7
    assert {outcome: row[outcome].value for outcome in Outcome.values} == {
        "answered": 3,
        "served_in_plan": 0,
        "missed": 1,
        "abandoned": 1,
        "short": 1,
        "in_progress": 1,
        "end_unknown": 0,
    }
    assert row.lost.value == 2
    assert row.unclassified == 0
    assert (row["reached"].value, row["reached"].whole) == (pytest.approx(3 / 5), 5)
    # One of the two with a start was answered within 20 s; lost calls are in the denominator too.
    assert (row["service_level"].value, row["service_level"].whole) == (pytest.approx(1 / 4), 4)
    assert row["time_to_answer"].value == pytest.approx((12 + 40) / 2)
    assert row["ring"].value == pytest.approx((10 + 30 + 4) / 3)
    assert row["talk"].value == pytest.approx((100 + 300 + 20) / 3)
    assert row.share("answered") == pytest.approx(3 / 7)
    assert [cell.since for cell in row.cells.values()] == [None] * len(row.cells)


def test_a_period_without_calls_is_zero_where_measured_and_empty_where_there_is_nothing_to_average():
    number = make_number(**ALL_ON)

    row = counts.totals([number], Period(DAY, DAY))

    assert (row.offered, row["answered"].value, row["answered"].state) == (0, 0, CellState.MEASURED)
    for key in ("reached", "service_level", "time_to_answer", "ring", "talk"):
        assert (row[key].value, row[key].state) == (None, CellState.EMPTY)
    assert row.share("answered") is None


def test_no_numbers_at_all_give_an_empty_report():
    assert counts.totals([], Period(DAY, DAY)).offered == 0
    assert counts.by_number([], Period(DAY, DAY)) == []
    assert list(counts.blocks([], Period(DAY, DAY))) == []
    assert counts.last_day_with_calls([]) is None


def test_every_number_has_a_row_also_without_calls_and_they_add_up():
    busy, idle = make_number(**ALL_ON), make_number(OTHER, **ALL_ON)
    call(busy, "one", NOON, S=0, F=2, A=12, E=112)
    call(busy, "two", NOON, S=0, E=30)
    rollups.recount_changed()

    rows = counts.by_number([idle, busy], Period(DAY, DAY))

    assert [(row.number, row.offered, row["answered"].value) for row in rows] == [(idle, 0, 0), (busy, 2, 1)]
    assert counts.totals([idle, busy], Period(DAY, DAY)).offered == 2


def test_buckets_are_filled_with_zeros_and_keep_each_call_in_its_own():
    number = make_number(**ALL_ON)
    call(number, "first", NOON - timedelta(days=1), S=0, F=2, A=12, E=112)
    call(number, "just before", NOON - timedelta(seconds=1), S=0, E=30)
    call(number, "just after", NOON, S=0, E=30)
    rollups.recount_changed()
    days = counts.by_bucket([number], Period(DAY - timedelta(days=2), DAY), Grain.DAY)
    hours = counts.by_bucket([number], Period(DAY, DAY), Grain.HOUR)
    quarter_hours = counts.by_bucket([number], Period(DAY, DAY), Grain.QUARTER_HOUR)

    assert [(row.offered, row["answered"].value) for row in days] == [(0, 0), (1, 1), (2, 0)]
    assert [(row.bucket.tick, row.offered) for row in hours if row.offered] == [("11:00", 1), ("12:00", 1)]
    assert [(row.bucket.tick, row.offered) for row in quarter_hours if row.offered] == [
        ("11:45", 1),
        ("12:00", 1),
    ]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_the_quarter_hours_of_a_day_whose_clock_changes_add_up_to_the_day(day, hours):
    number = make_number(**ALL_ON)
    start = day_start(day)
    for n in range(hours):
        call(number, f"call {n}", start + timedelta(hours=n, minutes=50), S=0, E=30)
    # The last quarter-hour before and the first after belong to other days.
    call(number, "before", start - timedelta(minutes=1), S=0, E=30)
    call(number, "after", start + timedelta(hours=hours), S=0, E=30)
    rollups.recount_changed()
    period = Period(day, day)

    assert counts.totals([number], period).offered == hours
    quarter_hours = counts.by_bucket([number], period, Grain.QUARTER_HOUR)
    assert len(quarter_hours) == hours * 4
    assert sum(row.offered for row in quarter_hours) == hours
    assert [row["abandoned"].value for row in counts.by_bucket([number], period, Grain.HOUR)] == [1] * hours
    assert [row.offered for row in counts.by_bucket([number], period, Grain.DAY)] == [hours]


def test_weeks_and_months_add_up_to_the_period():
    number = make_number(**ALL_ON)
    for n in range(10):
        call(number, f"call {n}", NOON + timedelta(days=4 * n), S=0, E=30)
    rollups.recount_changed()
    period = Period(DAY, DAY + timedelta(days=40))

    # 15 September is a Tuesday: calls on 15, 19, 23, 27, 1, 5, 9, 13, 17 and 21.
    assert [row.offered for row in counts.by_bucket([number], period, Grain.WEEK)] == [2, 2, 1, 2, 2, 1]
    assert [row.offered for row in counts.by_bucket([number], period, Grain.MONTH)] == [4, 6]


def test_blocks_by_type():
    number = make_number(**ALL_ON)
    for uuid, types, last in (("a", "QUEUE QUEUE ANNOUNCEMENT", "E"), ("b", "QUEUE", "E"), ("c", "QUEUE", "A")):
        take(number, "CALL_START", NOON, call_uuid=uuid, correlation_id=uuid)
        for second, block_type in enumerate(types.split(), start=1):
            take(
                number,
                f"BLOCK_END {block_type}",
                NOON + timedelta(seconds=second),
                call_uuid=uuid,
                correlation_id=uuid,
            )
        call(number, uuid, NOON, **{last: 30, "E": 40})
    rollups.recount_changed()

    blocks = counts.blocks([number], Period(DAY, DAY))

    assert [
        (row.block_type, row.label, row.blocks.value, row.calls.value, row.last_in_call.value, row.lost.value)
        for row in blocks
    ] == [("QUEUE", "QUEUE", 4, 3, 1, 1), ("ANNOUNCEMENT", "Announcement", 1, 1, 1, 1)]
    assert (blocks.total.value, blocks.left_out) == (5, 0)


def test_the_last_day_with_calls():
    number = make_number(**ALL_ON)
    call(number, "one", NOON, S=0, E=30)
    call(number, "two", NOON - timedelta(days=9), S=0, E=30)
    rollups.recount_changed()

    assert counts.last_day_with_calls([number]) == DAY
    assert counts.last_day_with_calls([number], before=DAY) == DAY - timedelta(days=9)
    assert counts.last_day_with_calls([make_number(OTHER)]) is None


def test_counted_at_is_that_of_the_roll_up():
    RollUp.objects.all().delete()
    assert counts.counted_at() is None

    rollups.recount_changed()

    assert counts.counted_at() == RollUp.objects.get().counted_at


def test_queries_take_as_many_statements_for_many_numbers_as_for_one(django_assert_num_queries):
    numbers = [make_number(f"+49221554003{n:02}") for n in range(12)]
    for number in numbers:
        call(number, "one", NOON, S=0, B=1, F=2, A=12, E=112)
    rollups.recount_changed()
    period = Period(DAY - timedelta(days=30), DAY)

    for asked in (numbers[:1], numbers):
        with django_assert_num_queries(1):
            coverage = Coverage.read(asked)
        # Calls that figures do not cover are asked for by number, where there may be any.
        with django_assert_num_queries(8):
            assert counts.totals(coverage, period).offered == len(asked)
            counts.by_bucket(coverage, period, Grain.QUARTER_HOUR)
            counts.by_number(coverage, period)
            counts.blocks(coverage, period)


def test_every_figure_has_a_name_and_a_definition():
    assert list(FIGURES) == [
        "offered",
        *Outcome.values,
        "lost",
        "reached",
        "service_level",
        "time_to_answer",
        "ring",
        "talk",
        "attempts",
        "tried",
        "forward_answers",
        "answer_rate",
        "forward_ring",
        "handovers",
        "at_once",
        "blocks",
        "block_calls",
        "last_in_call",
        "block_lost",
    ]
    for figure in FIGURES.values():
        assert figure.label
        assert str(figure.definition).endswith(".")
