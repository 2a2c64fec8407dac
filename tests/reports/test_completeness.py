"""Whether the data of numbers are complete, day by day: what makes a day incomplete, and what does not."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from calls.ingest import silent_calls
from calls.models import OpeningHours, RequestType
from reports import periods
from reports.counting import rollups
from reports.figures.completeness import NumberDay, State, reasons
from reports.models import DayCounts, QuarterHourCounts
from reports.periods import Period
from reports.queries import completeness
from tests.factories import make_number, take

pytestmark = pytest.mark.django_db(transaction=True)

BERLIN = ZoneInfo("Europe/Berlin")
# A Tuesday, and the time at which it is looked at: the morning after.
TUESDAY = date(2026, 11, 24)
ANSWERED = ("CALL_START", "BLOCK_END", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")
UNANSWERED = ("CALL_START", "BLOCK_END", "INITIATE_FORWARD", "CALL_END")


@pytest.fixture(autouse=True)
def next_morning(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: at(TUESDAY + timedelta(days=1), 8))


def at(day, hour, minute=0):
    return datetime.combine(day, time(hour, minute), tzinfo=BERLIN)


def call(number, began, *kinds):
    for n, kind in enumerate(kinds):
        take(number, kind, began + timedelta(seconds=10 * n), call_uuid=f"{number.pk} {began}")


def calls(number, day, *kinds, hours=range(9, 18)):
    """One call each hour."""
    for hour in hours:
        call(number, at(day, hour), *kinds)


def state(number, day=TUESDAY):
    rollups.recount_changed(wait=True)
    [found] = completeness.read([number], Period(day, day)).days[number]
    return found


def usual(number, day, offered, **more):
    """Write counts of the same weekdays in the four weeks before."""
    for week in range(1, 5):
        fields = {"destination_number": number, "offered": offered, "measured": 31, **more}
        DayCounts.objects.create(day=day - week * periods.WEEK, **fields)
        QuarterHourCounts.objects.create(quarter_hour=at(day - week * periods.WEEK, 15), **fields)


def test_a_day_is_complete_if_all_messages_of_its_calls_came():
    number = make_number()
    calls(number, TUESDAY, *ANSWERED)
    call(number, at(TUESDAY, 18), "CALL_START", "CALL_END")  # hung up before the first block ended

    assert state(number) == (TUESDAY, State.COMPLETE, (), False)


@pytest.mark.parametrize("kind", ["CALL_START", "CALL_END", "INITIATE_FORWARD"])
def test_a_box_switched_off_in_the_middle_of_a_day_makes_the_day_incomplete(kind):
    number = make_number()
    calls(number, TUESDAY, *ANSWERED, hours=range(9, 13))
    calls(number, TUESDAY, *(other for other in ANSWERED if other != kind), hours=range(13, 18))
    silent_calls.close_silent_calls()

    found = state(number)

    assert (found.state, found.missing) == (State.INCOMPLETE, (kind,))
    assert state(number, TUESDAY - periods.DAY).state is State.NOT_SET_UP


def test_blocks_that_came_last_in_the_middle_of_a_day_are_missing_once_later_calls_show_it():
    number = make_number()
    calls(number, TUESDAY - periods.DAY, *ANSWERED, hours=range(9, 12))
    call(number, at(TUESDAY - periods.DAY, 13), "CALL_START", "CALL_END")
    calls(number, TUESDAY, "CALL_START", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")

    assert state(number).missing == ("BLOCK_END",)
    assert state(number, TUESDAY - periods.DAY).missing == ("BLOCK_END",)


def test_a_few_calls_without_a_block_lack_nothing():
    number = make_number()
    calls(number, TUESDAY - periods.DAY, *ANSWERED)
    calls(number, TUESDAY, "CALL_START", "CALL_END", hours=range(9, 12))

    assert state(number).state is State.COMPLETE


def test_starts_that_stopped_are_missing_also_without_answers():
    number = make_number()
    calls(number, TUESDAY - periods.DAY, *UNANSWERED)
    calls(number, TUESDAY, "BLOCK_END", "INITIATE_FORWARD", "CALL_END")

    assert state(number).missing == ("CALL_START",)
    # No call came on that day after the last start.
    assert state(number, TUESDAY - periods.DAY).state is State.COMPLETE


@pytest.mark.parametrize(
    ("lacking", "of", "expected"),
    [
        (1, 10, State.COMPLETE),
        (2, 40, State.COMPLETE),
        (2, 39, State.INCOMPLETE),
        (2, 2, State.INCOMPLETE),
        (1, 1, State.INCOMPLETE),
    ],
)
def test_a_message_may_be_lost_for_one_call_or_one_in_twenty_unless_it_is_for_all(lacking, of, expected):
    number = make_number()
    call(number, at(TUESDAY - periods.DAY, 9), *ANSWERED)
    for minute in range(of):
        call(number, at(TUESDAY, 9, minute), *(ANSWERED if minute >= lacking else ANSWERED[1:]))

    assert state(number).state is expected


def test_a_box_that_is_set_to_off_is_not_missing():
    number = make_number(call_start="off")
    calls(number, TUESDAY, *ANSWERED[1:])

    assert state(number).state is State.COMPLETE


def test_a_message_that_never_came_is_missing_if_others_imply_it():
    number = make_number()
    calls(number, TUESDAY, "CALL_START", "BLOCK_END BRIDGE", "CALL_END")

    assert state(number).missing == ("INITIATE_FORWARD",)


def test_answers_are_missing_if_the_weeks_before_predict_them():
    number, other = make_number(), make_number("+4930123456")
    for one, answered in ((number, 18), (other, 15)):
        calls(one, TUESDAY, *UNANSWERED)
        usual(one, TUESDAY, 20, answered=answered)

    assert state(number).missing == ("FORWARD_ANSWER",)
    # 9 × 15 ÷ 20 is less than 8: it may be chance.
    assert state(other).state is State.COMPLETE


def test_a_number_silent_for_a_day_is_incomplete():
    number, quiet = make_number(), make_number("+4930123456")
    for one, offered in ((number, 8), (quiet, 7)):
        calls(one, TUESDAY - periods.DAY, *ANSWERED, hours=[9])
        calls(one, TUESDAY + periods.DAY, *ANSWERED, hours=[7])  # it is not silent any more
        usual(one, TUESDAY, offered)

    found = state(number)
    assert (found.state, found.is_silent) == (State.INCOMPLETE, True)
    assert state(quiet).state is State.NO_CALLS


def test_a_number_that_fell_silent_in_the_middle_of_a_day_is_incomplete():
    number = make_number()
    calls(number, TUESDAY, *ANSWERED, hours=[9, 10])
    usual(number, TUESDAY, 12)

    found = state(number)

    assert (found.state, found.is_silent) == (State.INCOMPLETE, True)


def test_a_weekday_of_opening_hours_without_calls_is_not_incomplete():
    hours = OpeningHours.objects.create(name="Weekdays")
    for weekday in range(1, 6):
        hours.weekly.create(weekday=weekday, opens_at=time(9), closes_at=time(17))
    number = make_number(opening_hours=hours)
    calls(number, TUESDAY - periods.DAY, *ANSWERED)

    assert state(number).state is State.NO_CALLS


def test_a_day_closed_by_opening_hours_is_never_silent():
    hours = OpeningHours.objects.create(name="Not on Tuesdays")
    hours.weekly.create(weekday=1, opens_at=time(9), closes_at=time(17))
    number = make_number(opening_hours=hours)
    calls(number, TUESDAY - periods.DAY, *ANSWERED, hours=[9])
    calls(number, TUESDAY + periods.DAY, *ANSWERED, hours=[7])
    usual(number, TUESDAY, 20)

    assert state(number).state is State.NO_CALLS


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)], ids=["23 hours", "25 hours"])
def test_a_day_on_which_the_clock_changes_is_a_whole_local_day(day, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: at(day + periods.DAY, 8))
    number = make_number()
    call(number, at(day - periods.DAY, 23, 59), *ANSWERED)
    calls(number, day, *ANSWERED, hours=[0, 1, 4, 22])
    # Those without an end are of this day, not of the next.
    call(number, at(day, 23, 58), *ANSWERED[:-1])
    call(number, at(day, 23, 59), *ANSWERED[:-1])
    silent_calls.close_silent_calls()

    found = [state(number, day + n * periods.DAY).state for n in (-2, -1, 0, 1)]

    assert found == [State.NOT_SET_UP, State.COMPLETE, State.INCOMPLETE, State.NO_CALLS]


def test_each_reason_is_said_once_with_its_days():
    days = [TUESDAY - n * periods.DAY for n in range(7, -1, -1)]
    found = [
        *(NumberDay(day, State.INCOMPLETE, (RequestType.CALL_END,)) for day in days[:6]),
        NumberDay(days[6], State.COMPLETE),
        NumberDay(days[7], State.INCOMPLETE, (), is_silent=True),
    ]

    assert reasons(found) == [
        "No calls on Tue 24 Nov, although calls were expected.",
        "Missing on 6 days, last on Sun 22 Nov: Call ended.",
    ]
    assert reasons(found[4:7]) == ["Missing on Sat 21 Nov, Sun 22 Nov: Call ended."]


def test_ends_are_not_missed_while_calls_may_go_on(monkeypatch):
    number = make_number(silent_after_h=4)
    call(number, at(TUESDAY, 9), *ANSWERED)
    for minute in (30, 31, 32):
        call(number, at(TUESDAY, 23, minute), *ANSWERED[:-1])

    monkeypatch.setattr(timezone, "now", lambda: at(TUESDAY + periods.DAY, 0, 10))
    assert state(number).state is State.COMPLETE
    monkeypatch.setattr(timezone, "now", lambda: at(TUESDAY + periods.DAY, 4))
    assert state(number).missing == ("CALL_END",)


def test_the_whole_says_how_many_numbers_are_complete():
    complete, lacking, idle, _new = [make_number(f"+49221554003{n:02}", label=f"N{n}") for n in range(4)]
    for one in (complete, lacking, idle):
        calls(one, TUESDAY - periods.DAY, *ANSWERED)
    calls(complete, TUESDAY, *ANSWERED)
    calls(lacking, TUESDAY, *ANSWERED[1:])
    rollups.recount_changed(wait=True)
    numbers, yesterday = [complete, lacking, idle, _new], Period(TUESDAY, TUESDAY)

    found = completeness.read(numbers, yesterday)

    assert [found.states[number] for number in numbers] == [
        State.COMPLETE,
        State.INCOMPLETE,
        State.NO_CALLS,
        State.NOT_SET_UP,
    ]
    assert found.says == "Incomplete for yesterday: 2 of 3 numbers are complete"
    assert completeness.read([complete, idle], yesterday).says == "Complete for yesterday, 2 of 2 numbers"
    assert completeness.read([_new], yesterday).says == ""
    two_days = completeness.read([complete], Period(TUESDAY - periods.DAY, TUESDAY))
    assert two_days.says == "Complete for Mon 23 – Tue 24 Nov 2026, 1 of 1 number"


def test_completeness_needs_no_query_per_number_or_day(django_assert_num_queries):
    numbers = [make_number(f"+49221554003{n:02}") for n in range(6)]
    for one in numbers:
        calls(one, TUESDAY, *ANSWERED, hours=[9])
    rollups.recount_changed(wait=True)

    with django_assert_num_queries(3):
        completeness.read(numbers, Period(TUESDAY - 27 * periods.DAY, TUESDAY))
    with django_assert_num_queries(2):
        completeness.read(numbers, Period(TUESDAY, TUESDAY), silences=[])
