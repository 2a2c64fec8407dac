"""Peaks of simultaneous calls in quarter-hours, and the times of each call: recounted like every count."""

from datetime import UTC, datetime, timedelta

import pytest

from reports.counting import rollups, verification
from reports.models import QuarterHourCounts, QuarterHourPeaks
from tests.factories import make_number, take
from tests.reports.helpers import roll_up

pytestmark = pytest.mark.django_db(transaction=True)

TEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


@pytest.fixture
def number():
    return make_number()


def call(number, name, begins, ends=None, **more):
    """Receive a call that begins and ends these numbers of seconds after 10:00."""
    take(number, "CALL_START", TEN + timedelta(seconds=begins), call_uuid=name, correlation_id=name, **more)
    if ends is not None:
        take(number, "CALL_END", TEN + timedelta(seconds=ends), call_uuid=name, correlation_id=name, **more)


def peaks():
    """Count, verify, and return the peak of each quarter-hour, by minutes after 10:00."""
    roll_up()
    rows = QuarterHourPeaks.objects.order_by("quarter_hour").values_list("quarter_hour", "peak")
    return {(quarter_hour - TEN) // timedelta(minutes=1): peak for quarter_hour, peak in rows}


def test_consecutive_calls_are_never_simultaneous(number):
    call(number, "a", 0, 60)
    call(number, "b", 61, 120)
    assert peaks() == {0: 1}


def test_a_call_that_ends_as_another_begins_counts_beside_it(number):
    call(number, "a", 0, 60)
    call(number, "b", 60, 120)
    assert peaks() == {0: 2}


def test_a_long_call_counts_in_every_quarter_hour_it_touches(number):
    call(number, "long", 0, 2700)
    call(number, "second", 1000, 1100)
    assert peaks() == {0: 1, 15: 2, 30: 1, 45: 1}


def test_a_quarter_hour_in_which_no_call_begins_has_a_peak_and_no_counts(number):
    call(number, "a", 0, 1000)
    assert peaks() == {0: 1, 15: 1}
    assert QuarterHourCounts.objects.count() == 1


def test_a_later_post_makes_a_call_longer(number):
    call(number, "a", 0, 60)
    call(number, "b", 1800, 1860)
    assert peaks() == {0: 1, 30: 1}

    call(number, "a", 0, 1830)
    assert peaks() == {0: 1, 15: 1, 30: 2}


def test_a_call_whose_start_turns_out_earlier_moves(number):
    call(number, "a", 2000, 2100)
    assert peaks() == {30: 1}

    call(number, "a", 100)
    assert peaks() == {0: 1, 15: 1, 30: 1}


def test_a_call_is_followed_for_four_hours(number):
    call(number, "a", 0, 6 * 3600)
    assert list(peaks()) == [15 * n for n in range(17)]


def test_callbacks_are_left_out(number):
    call(number, "a", 0, 60, callback_id="back")
    call(number, "b", 0, 60)
    assert peaks() == {0: 1}


def test_numbers_are_counted_separately(number):
    other = make_number("+4922155400301")
    call(number, "a", 0, 60)
    call(other, "b", 0, 60)
    assert peaks() == {0: 1}
    assert QuarterHourPeaks.objects.count() == 2


def test_a_wrong_peak_is_found_and_fixed(number):
    call(number, "a", 0, 1000)
    peaks()
    QuarterHourPeaks.objects.filter(quarter_hour=TEN + timedelta(minutes=15)).update(peak=5)

    differences = list(verification.differences())
    assert {difference.table for difference in differences} == {"quarterhourpeaks"}
    verification.fix(differences)
    assert peaks() == {0: 1, 15: 1}


def test_each_call_has_its_times_rounded_up_to_full_seconds(number):
    for name, wait_s in (("a", 21), ("b", 7.2), ("c", 7)):
        call(number, name, 0)
        take(number, "INITIATE_FORWARD", TEN + timedelta(seconds=2), call_uuid=name, correlation_id=name)
        take(number, "FORWARD_ANSWER", TEN + timedelta(seconds=wait_s), call_uuid=name, correlation_id=name)
    call(number, "a", 0, 81)
    rollups.recount_changed(wait=True)

    counts = QuarterHourCounts.objects.get()
    assert counts.each_time_to_answer_s == [7, 8, 21]
    assert counts.each_ring_s == [5, 6, 19]
    assert counts.each_talk_s == [60]
