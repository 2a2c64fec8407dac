"""What is not measured is shown as such and never as 0: boxes set to on, off or automatic."""

from datetime import UTC, date, datetime, timedelta

import pytest

from calls.models import RequestType
from reports.counting import rollups
from reports.counting.measured import ALWAYS, NEVER
from reports.counting.outcomes import Outcome
from reports.figures.cells import CellState
from reports.figures.coverage import Coverage
from reports.periods import Grain, Period, day_start
from reports.queries import counts
from tests.factories import make_number, make_staff
from tests.reports.helpers import ALL_ON, DAY, NOON, OTHER, call

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = Period(DAY, DAY)
MORNING = NOON - timedelta(hours=3)  # 09:00 in Berlin


def states(row, *keys):
    return {key: (row[key].value, row[key].state.name) for key in keys}


def test_a_figure_is_measured_from_the_first_post_it_needs():
    number = make_number()
    call(number, "starts only 1", MORNING, S=0)
    call(number, "starts only 2", MORNING + timedelta(minutes=20), S=0)
    call(number, "whole", NOON + timedelta(minutes=7), S=0, F=2, A=12, E=112)
    call(number, "lost", NOON + timedelta(minutes=30), S=0, F=5, E=60)
    rollups.recount_changed()

    row = counts.totals([number], TODAY)

    assert row.offered == 4
    assert (row["answered"].value, row["missed"].value, row["in_progress"].value) == (1, 1, 0)
    assert row.unclassified == 2
    for key in ("answered", "missed", "reached", "service_level", "talk", "in_progress"):
        # The quarter-hour of the call with the first post; two earlier calls are left out.
        assert (row[key].since, row[key].hidden) == (NOON, 2)
    assert row["reached"].value == pytest.approx(1 / 2)


def test_each_figure_begins_with_the_last_of_the_posts_it_needs():
    number = make_number()
    call(number, "start", MORNING, S=0)
    call(number, "end", MORNING + timedelta(hours=1), S=0, E=30)
    call(number, "forward", MORNING + timedelta(hours=2), S=0, F=5, E=60)
    call(number, "answer", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()
    coverage = Coverage.read([number])

    assert coverage.measured_from(number, "offered") == ALWAYS
    assert coverage.measured_from(number, "short") == MORNING + timedelta(hours=1)
    assert coverage.measured_from(number, "abandoned") == MORNING + timedelta(hours=2)
    assert coverage.measured_from(number, "missed") == NOON
    assert coverage.measured_from(number, "service_level") == NOON
    assert coverage.measured_from(number, "blocks") == NEVER
    row = counts.totals(coverage, TODAY)
    # "end" was abandoned before the first forward, "forward" missed before the first answer: neither is counted.
    assert states(row, "abandoned", "missed", "answered", "in_progress") == {
        "abandoned": (0, "MEASURED"),
        "missed": (0, "MEASURED"),
        "answered": (1, "MEASURED"),
        "in_progress": (0, "MEASURED"),
    }
    assert row.unclassified == 3


def test_hours_before_the_first_post_are_not_measured_and_say_since_when_it_came():
    number = make_number()
    call(number, "before", MORNING, S=0, E=30)
    call(number, "after", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()

    hours = {row.bucket.tick: row["answered"] for row in counts.by_bucket([number], TODAY, Grain.HOUR)}

    assert (hours["09:00"].value, hours["09:00"].state) == (None, CellState.NOT_MEASURED)
    assert hours["09:00"].reason == (
        "Messages from TENIOS for +49 221 55400300 before Tue 15 Sep 2026, 12:00 did not include: "
        f"{RequestType.FORWARD_ANSWER.label}."
    )
    assert hours["11:00"].state is CellState.NOT_MEASURED
    assert (hours["12:00"].value, hours["12:00"].since) == (1, None)
    assert (hours["13:00"].value, hours["13:00"].state) == (0, CellState.MEASURED)


def test_earlier_days_are_not_measured_that_day_in_part_and_later_days_fully():
    number = make_number()
    for day in (-1, 0, 1):
        call(number, f"early {day}", MORNING + timedelta(days=day), S=0, E=30)
    for day in (0, 1):
        call(number, f"late {day}", NOON + timedelta(days=day), S=0, F=2, A=12, E=112)
    rollups.recount_changed()
    period = Period(DAY - timedelta(days=1), DAY + timedelta(days=1))

    days = counts.by_bucket([number], period, Grain.DAY)

    assert [row.offered for row in days] == [1, 2, 2]
    assert [row["answered"].value for row in days] == [None, 1, 1]
    assert [row["abandoned"].value for row in days] == [None, 0, 1]
    assert [row["answered"].since for row in days] == [None, NOON, None]
    assert [row.unclassified for row in days] == [1, 1, 0]
    assert counts.totals([number], period).unclassified == 2


def test_a_row_that_hides_nothing_does_not_say_since_when():
    number = make_number()
    call(number, "the first ever", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()

    cell = counts.totals([number], TODAY)["answered"]

    assert (cell.value, cell.since, cell.hidden) == (1, None, 0)


def test_a_box_that_is_on_is_measured_even_where_no_post_came():
    number = make_number(**ALL_ON)
    call(number, "only a start", NOON, S=0)
    rollups.recount_changed()

    row = counts.totals([number], TODAY)

    assert states(row, "answered", "in_progress", "reached") == {
        "answered": (0, "MEASURED"),
        "in_progress": (1, "MEASURED"),
        "reached": (None, "EMPTY"),
    }


def test_a_box_that_is_off_is_not_measured_even_where_posts_came():
    number = make_number(**ALL_ON | {"call_end": "off"})
    call(number, "one", NOON, S=0, F=2, A=12, E=112)
    call(number, "two", NOON, S=0, F=2, E=50)
    rollups.recount_changed()

    row = counts.totals([number], TODAY)

    assert states(row, "answered", "missed", "abandoned", "short", "talk", "reached", "ring") == {
        "answered": (1, "MEASURED"),
        "missed": (1, "MEASURED"),
        "abandoned": (None, "NOT_MEASURED"),
        "short": (None, "NOT_MEASURED"),
        "talk": (None, "NOT_MEASURED"),
        "reached": (None, "NOT_MEASURED"),
        "ring": (10.0, "MEASURED"),
    }
    assert row["talk"].missing == ("CALL_END",)
    assert row["talk"].reason == ("The box “at the end of the plan” is set to off for +49 221 55400300.")


def test_until_the_first_answer_the_reason_leaves_open_why():
    number = make_number()
    call(number, "one", NOON, S=0, F=2, E=50)
    rollups.recount_changed()

    cell = counts.totals([number], TODAY)["answered"]

    assert (cell.state, cell.missing) == (CellState.NOT_MEASURED, ("FORWARD_ANSWER",))
    assert cell.reason == (
        "No call to +49 221 55400300 has been answered yet, or the box “when a forward is answered” in TENIOS is off."
    )


def test_a_post_that_was_never_seen_names_its_box():
    number = make_number()
    call(number, "one", NOON, S=0, F=2, A=4, E=50)
    rollups.recount_changed()

    found = counts.blocks([number], TODAY)

    assert (len(found), found.left_out, found.total.state) == (0, 1, CellState.NOT_MEASURED)
    assert found.total.reason == (
        "No message “Block ended” has arrived for +49 221 55400300, because the box “after each block” in TENIOS is "
        "off."
    )


def test_a_total_covers_the_numbers_where_a_figure_is_measured_and_counts_the_others():
    whole, no_answers = make_number(**ALL_ON), make_number(OTHER, **ALL_ON | {"forward_answer": "off"})
    idle = make_number("+4922155400302", **ALL_ON | {"forward_answer": "off"})
    call(whole, "one", NOON, S=0, F=2, A=12, E=112)
    call(whole, "two", NOON, S=0, F=2, E=50)
    call(no_answers, "three", NOON, S=0, F=2, E=50)
    call(no_answers, "four", NOON, S=0, E=50)
    rollups.recount_changed()

    row = counts.totals([whole, no_answers, idle], TODAY)

    assert row.offered == 4
    # Missed is measured for the first only; abandoned needs no answer, so both count.
    assert states(row, "answered", "missed", "abandoned") == {
        "answered": (1, "MEASURED"),
        "missed": (1, "MEASURED"),
        "abandoned": (1, "MEASURED"),
    }
    assert (row["missed"].left_out, row["missed"].hidden, row["abandoned"].left_out) == (1, 2, 0)
    assert row["missed"].since is None
    assert row["missed"].missing == ("FORWARD_ANSWER",)
    assert row.unclassified == 1
    # Numerator and denominator cover the same numbers.
    assert (row["reached"].value, row["reached"].whole, row["reached"].left_out) == (0.5, 2, 1)
    by_number = counts.by_number([whole, no_answers], TODAY)
    assert [each["missed"].state for each in by_number] == [CellState.MEASURED, CellState.NOT_MEASURED]


def test_a_total_where_no_number_is_measured_is_not_measured():
    numbers = [make_number(), make_number(OTHER)]
    for number in numbers:
        call(number, "one", NOON, S=0, E=50)
    rollups.recount_changed()

    cell = counts.totals(numbers, TODAY)["answered"]

    assert (cell.value, cell.state, cell.left_out) == (None, CellState.NOT_MEASURED, 2)
    assert "2 numbers" in cell.reason
    assert str(RequestType.FORWARD_ANSWER.label) in cell.reason


def test_figures_of_forwards_do_not_apply_if_none_is_expected_or_sent():
    number = make_number(expects_forward=False)
    call(number, "one", NOON, S=0, B=10, E=30)
    rollups.recount_changed()

    row = counts.totals([number], TODAY)

    for key in ("answered", "missed", "abandoned", "lost", "reached", "service_level"):
        assert (row[key].value, row[key].state) == (None, CellState.DOES_NOT_APPLY)
    for key in ("time_to_answer", "ring", "talk"):
        assert row[key].state is CellState.DOES_NOT_APPLY
    assert states(row, "served_in_plan", "short", "in_progress") == {
        "served_in_plan": (1, "MEASURED"),
        "short": (0, "MEASURED"),
        "in_progress": (0, "MEASURED"),
    }
    assert row.unclassified == 0
    [block] = counts.blocks([number], TODAY)
    assert (block.last_in_call.value, block.lost.state) == (1, CellState.DOES_NOT_APPLY)


@pytest.mark.parametrize("posts", [{"F": 2}, {"A": 2}])
def test_figures_of_forwards_apply_if_one_was_sent_though_none_is_expected(posts):
    number = make_number(expects_forward=False)
    call(number, "one", NOON, S=0, E=30, **posts)
    rollups.recount_changed()

    assert Coverage.read([number]).applies(number, "missed")
    assert counts.totals([number], TODAY)["answered"].state is not CellState.DOES_NOT_APPLY


def test_a_number_without_forwards_is_not_left_out_of_a_total():
    hotline, announcements = make_number(**ALL_ON), make_number(OTHER, expects_forward=False)
    call(hotline, "one", NOON, S=0, F=2, A=12, E=112)
    call(announcements, "two", NOON, S=0, E=30)
    rollups.recount_changed()

    row = counts.totals([hotline, announcements], TODAY)

    assert (row["answered"].value, row["answered"].left_out, row["answered"].hidden) == (1, 0, 0)
    assert (row["served_in_plan"].value, row.unclassified) == (1, 0)


def test_two_numbers_that_begin_at_different_times_are_each_covered_from_their_own():
    early, late = make_number(), make_number(OTHER)
    call(early, "e0", MORNING - timedelta(hours=1), S=0)
    call(early, "e1", MORNING, S=0, F=2, A=12, E=112)
    call(early, "e2", NOON, S=0, F=2, A=12, E=112)
    call(late, "l0", MORNING, S=0)
    call(late, "l1", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()

    row = counts.totals([early, late], TODAY)

    assert (row["answered"].value, row["in_progress"].value) == (3, 0)
    assert (row["answered"].since, row["answered"].hidden, row.unclassified) == (NOON, 2, 2)
    ten = counts.by_bucket([early, late], TODAY, Grain.HOUR)[9]
    assert (ten.bucket.tick, ten["answered"].value, ten["answered"].left_out) == ("09:00", 1, 1)


def test_a_figure_that_begins_with_the_day_covers_the_whole_day():
    number = make_number()
    midnight = datetime(2026, 9, 14, 22, tzinfo=UTC)
    call(number, "first", midnight, S=0, F=2, A=12, E=112)
    call(number, "later", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()

    cell = counts.totals([number], TODAY)["answered"]

    assert (cell.value, cell.since) == (2, None)


def test_calls_before_a_figure_begins_are_known_also_between_midnight_and_midnight_in_utc():
    number, midnight = make_number(), day_start(DAY)
    call(number, "lost", midnight + timedelta(minutes=5), S=0, E=30)
    call(number, "answered", midnight + timedelta(minutes=35), S=0, F=2, A=12, E=112)
    rollups.recount_changed()

    [before, day, after] = counts.by_bucket([number], Period(DAY - timedelta(1), DAY + timedelta(1)), Grain.DAY)

    assert (day["answered"].value, day["answered"].hidden) == (1, 1)
    assert day["answered"].since == midnight + timedelta(minutes=30)
    assert (before["answered"].hidden, after["answered"].hidden) == (0, 0)


def test_a_figure_that_begins_on_a_day_whose_clock_changes_covers_what_follows():
    number = make_number()
    # In the second of the two repeated hours at 2:00.
    boundary = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    call(number, "before", boundary - timedelta(minutes=30), S=0)
    call(number, "the first", boundary, S=0, F=2, A=12, E=112)
    call(number, "last of the day", datetime(2026, 10, 25, 22, 59, tzinfo=UTC), S=0, F=2, A=12, E=112)
    call(number, "of the next", datetime(2026, 10, 25, 23, 0, tzinfo=UTC), S=0, F=2, A=12, E=112)
    rollups.recount_changed()
    day = Period(date(2026, 10, 25), date(2026, 10, 25))

    row = counts.totals([number], day)

    assert (row.offered, row["answered"].value, row["answered"].since) == (3, 2, boundary)
    quarter_hours = counts.by_bucket([number], day, Grain.QUARTER_HOUR)
    assert sum(row["answered"].value or 0 for row in quarter_hours) == 2
    assert sum(row["answered"].state is CellState.NOT_MEASURED for row in quarter_hours) == 3 * 4 + 1


def test_outcomes_shown_and_unclassified_always_add_up_to_offered():
    numbers = [
        make_number(f"+4922155400{n:03}", expects_forward=bool(n % 2), **dict.fromkeys(boxes, setting))
        for n, (boxes, setting) in enumerate(
            (boxes, setting)
            for boxes in (("call_end",), ("forward_answer",), ("initiate_forward", "call_start"), ())
            for setting in ("on", "off")
        )
    ]
    for number in numbers:
        call(number, "a", MORNING, S=0, F=2, A=12, E=112)
        call(number, "b", NOON, S=0, F=2, E=50)
        call(number, "c", NOON, S=0, E=2)
    rollups.recount_changed()

    rows = [
        counts.totals(numbers, TODAY),
        *counts.by_number(numbers, TODAY),
        *counts.by_bucket(numbers, TODAY, Grain.HOUR),
    ]

    for row in rows:
        shown = sum(row[outcome].value or 0 for outcome in Outcome.values)
        assert shown + row.unclassified == row.offered
        assert row.unclassified >= 0


def test_a_zero_and_a_share_of_nothing_say_since_when_too(client):
    number = make_number(short_call_s=0)
    call(number, "start", MORNING, S=0)
    call(number, "before", MORNING + timedelta(hours=1), S=0, E=30)
    call(number, "forward", MORNING + timedelta(hours=2), F=0, A=5, E=60)
    rollups.recount_changed()
    client.force_login(make_staff())

    page = client.get(f"/reports/numbers/{number.pk}/all/?from={DAY}&to={DAY}").content.decode()
    overview = client.get(f"/reports/?from={DAY}&to={DAY}").content.decode()

    assert counts.totals([number], TODAY)["missed"].value == 0
    assert 'id="tip-since-fig-missed"' in page
    assert counts.totals([number], TODAY)["time_to_answer"].state is CellState.EMPTY
    times = page.partition('id="t-times"')[2].partition("</table>")[0]
    assert 'title="since Tue 15 Sep 2026, 11:00">*' in times
    numbers = overview.partition('id="t-numbers"')[2].partition("</table>")[0]
    assert '<span class="zero">0</span><span class="since" title="since Tue 15 Sep 2026, 10:00">*' in numbers


def test_the_total_of_blocks_says_since_when_as_its_rows_do(client):
    number = make_number()
    call(number, "before", MORNING, S=0, E=30)
    call(number, "block", NOON, S=0, B=3, E=30)
    rollups.recount_changed()
    client.force_login(make_staff())

    html = client.get(f"/reports/numbers/{number.pk}/forwarding/?from={DAY}&to={DAY}").content.decode()

    rows, total = html.partition('id="t-blocks"')[2].partition("</table>")[0].split("<tfoot>")
    assert 'title="since Tue 15 Sep 2026, 12:00"' in total
    assert (rows.count('class="since"'), total.count('class="since"')) == (3, 2)
