"""Durations of past months and recent days are added up, deleted when these are recounted, and verified."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from django.core.management import call_command
from django.db.models import F

from reports import periods
from reports.counting import added_durations, rollups, verification
from reports.figures.coverage import Coverage
from reports.models import DayDurations, MonthDurations
from reports.periods import Opening, Period
from reports.queries import durations
from tests.factories import make_number, take
from tests.reports.helpers import roll_up

pytestmark = pytest.mark.django_db(transaction=True)

FEBRUARY, APRIL = date(2026, 2, 1), date(2026, 4, 1)


def call(number, at, *, waits_s=10, talks_s=60):
    name = f"{at.isoformat()} {waits_s}"
    take(number, "CALL_START", at, call_uuid=name)
    take(number, "INITIATE_FORWARD", at + timedelta(seconds=2), call_uuid=name)
    take(number, "FORWARD_ANSWER", at + timedelta(seconds=waits_s), call_uuid=name)
    take(number, "CALL_END", at + timedelta(seconds=waits_s + talks_s), call_uuid=name)


@pytest.fixture
def numbers():
    """Two numbers, one with opening hours, and calls from January to May."""
    random = Random("durations")
    first, second = make_number(expects_forward=True), make_number("+492212345678", expects_forward=True)
    hours = second._meta.get_field("opening_hours").related_model.objects.create(name="Day")
    for weekday in range(1, 6):
        hours.weekly.create(weekday=weekday, opens_at="08:00", closes_at="18:00")
    second.opening_hours = hours
    second.save()
    for _n in range(60):
        at = datetime(2026, 1, 10, 6, tzinfo=UTC) + timedelta(minutes=random.randrange(130 * 24 * 60))
        call(random.choice([first, second]), at, waits_s=random.randrange(3, 90), talks_s=random.randrange(1, 900))
    # Before and after midnight in Berlin, at the end of a month.
    call(first, datetime(2026, 3, 31, 21, 59, tzinfo=UTC), waits_s=33)
    call(first, datetime(2026, 3, 31, 22, 1, tzinfo=UTC), waits_s=34)
    roll_up()
    return [first, second]


def questions(numbers):
    coverage = Coverage.read(numbers)
    for period in (
        Period(date(2026, 1, 1), date(2026, 5, 31)),
        Period(date(2026, 1, 20), date(2026, 4, 3)),
        Period(FEBRUARY, date(2026, 2, 28)),
        Period(date(2026, 3, 31), APRIL),
        Period(date(2026, 2, 1), date(2026, 4, 30), until=datetime(2026, 4, 30, 10, 15, tzinfo=UTC)),
    ):
        for opening in Opening:
            asked = periods.replace(period, opening=opening)
            yield durations.read(coverage, asked), durations.by_number(coverage, asked)


def test_durations_are_the_same_before_and_after_months_are_added_up(numbers):
    before = list(questions(numbers))
    assert not MonthDurations.objects.exists()

    assert added_durations.add_up() >= 8  # for both numbers
    assert added_durations.add_up() == 0

    assert list(questions(numbers)) == before
    assert before[0][0]["time_to_answer"].calls == 62
    assert list(verification.differences()) == []


def test_only_months_that_are_over_are_added_up(numbers):
    call(numbers[0], datetime.now(UTC) - timedelta(minutes=1))
    roll_up()
    added_durations.add_up()

    this_month = periods.today().replace(day=1)
    assert MonthDurations.objects.filter(month=FEBRUARY).exists()
    assert not MonthDurations.objects.filter(month__gte=this_month).exists()


def test_a_call_that_comes_late_is_among_the_durations_at_once(numbers):
    added_durations.add_up()
    first, second = numbers
    call(first, datetime(2026, 2, 10, 9, tzinfo=UTC), waits_s=600)
    roll_up()

    assert not MonthDurations.objects.filter(destination_number=first, month=FEBRUARY).exists()
    assert MonthDurations.objects.filter(destination_number=first, month=APRIL).exists()
    assert MonthDurations.objects.filter(destination_number=second, month=FEBRUARY).exists()
    february = Period(FEBRUARY, date(2026, 2, 28))
    late = list(questions(numbers))
    assert durations.read(Coverage.read([first]), february)["time_to_answer"].seconds[600] == 1

    assert added_durations.add_up() == 1
    assert list(questions(numbers)) == late


def test_what_is_measured_decides_within_a_month(numbers):
    first = numbers[0]
    added_durations.add_up()
    first.forward_answer = "off"
    first.save()
    roll_up()
    assert durations.read(Coverage.read([first]), Period(FEBRUARY, APRIL))["talk"].calls == 0
    added_durations.add_up()
    assert durations.read(Coverage.read([first]), Period(FEBRUARY, APRIL))["talk"].calls == 0


def test_a_rebuild_and_a_changed_month_leave_nothing_wrong(numbers):
    added_durations.add_up()
    before = list(questions(numbers))
    rollups.rebuild()
    assert not MonthDurations.objects.exists()
    call_command("roll_up", verbosity=0)
    assert MonthDurations.objects.exists()
    assert list(questions(numbers)) == before

    MonthDurations.objects.filter(month=FEBRUARY).update(talk_s=F("ring_s"))
    differences = list(verification.differences())
    assert {(difference.table, difference.when) for difference in differences} == {("monthdurations", FEBRUARY)}
    verification.fix(differences)
    assert list(verification.differences()) == []
    added_durations.add_up()
    assert list(questions(numbers)) == before


@pytest.fixture
def recent():
    """A number with calls on each of the last 45 days and today, and periods that cut months and days."""
    number = make_number(expects_forward=True)
    random = Random("recent")
    today = periods.today()
    for ago in range(46):
        at = periods.day_start(today - ago * periods.DAY) + timedelta(minutes=random.randrange(1, 5))
        call(number, at, waits_s=random.randrange(3, 90), talks_s=random.randrange(1, 100))
    roll_up()
    yesterday = today - periods.DAY
    week = Period(today - 7 * periods.DAY, yesterday)
    noon = periods.day_start(today) + timedelta(hours=12)
    asked = [week, Period(today - 40 * periods.DAY, yesterday), Period(week.first, today, until=noon)]
    return number, week, [*asked, Period(yesterday, yesterday), Period(today, today)]


def test_recent_days_are_added_up_and_read_as_what_they_were_added_up_from(recent):
    number, week, asked = recent

    def read():
        coverage = Coverage.read([number])
        return [durations.read(coverage, period) for period in asked]

    before = read()
    assert before[0]["talk"].calls == 7
    added_durations.add_up()
    days = set(DayDurations.objects.values_list("day", flat=True))
    assert days >= set(week.days)
    assert periods.today() not in days
    assert min(days) >= added_durations.days_kept_from(periods.today())
    assert read() == before
    assert list(verification.differences()) == []

    call(number, periods.day_start(week.first) + timedelta(hours=9), waits_s=600)
    roll_up()
    assert days - set(DayDurations.objects.values_list("day", flat=True)) == {week.first}
    assert read()[0]["time_to_answer"].seconds[600] == 1
    added_durations.add_up()
    assert read()[0]["time_to_answer"].seconds[600] == 1


def test_a_day_that_was_added_up_wrongly_is_found_and_fixed(recent):
    _number, week, _asked = recent
    added_durations.add_up()
    DayDurations.objects.filter(day=week.last).update(talk_s=F("ring_s"))
    differences = list(verification.differences())
    assert {(difference.table, difference.when) for difference in differences} == {("daydurations", week.last)}
    verification.fix(differences)
    assert list(verification.differences()) == []


def test_days_before_last_month_are_deleted(recent):
    added_durations.add_up()
    first = DayDurations.objects.order_by("day").first()
    first.pk, first.day = None, first.day - timedelta(days=70)
    first.save()
    added_durations.add_up()
    assert not DayDurations.objects.filter(day=first.day).exists()
