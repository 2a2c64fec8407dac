"""Queries of single calls: the columns of the list, and the conditions of filters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, ExtractHour, ExtractIsoWeekDay, ExtractMinute, TruncDate

from calls import posts
from calls.models import Call, CallEvent, DestinationNumber, RequestType
from calls.opening_hours import Schedule
from calls.querysets import CallQuerySet
from reports import periods
from reports.counting import outcomes
from reports.counting.count_tables import AT_ONCE_S
from reports.counting.measured import ALWAYS, NEVER
from reports.counting.outcomes import Outcome
from reports.figures.coverage import Coverage
from reports.periods import Opening, Period
from reports.queries import concurrent_calls, counts, forwards

# No call is older. Holidays are looked up from this day on if there is no first day.
EARLIEST = date(2015, 1, 1)
NONE = Q(pk__in=[])
# Destinations are first looked for in this many posts, which nearly always name enough.
POSTS_READ_FIRST = 10_000

# The times of a call, by the key of their figure.
TIMES = {"time_to_answer": outcomes.TIME_TO_ANSWER, "ring": outcomes.RING_TIME, "talk": outcomes.TALK_TIME}
# Calls by service level: its numerator, its denominator, and answered calls that it leaves out because their CALL_START
# is missing and their waiting time unknown. Needs the alias `came_to`.
SERVICE_LEVELS = {
    "in_time": outcomes.IN_TIME,
    "counted": outcomes.IS_ANSWERED_AFTER_START | Q(came_to__in=(Outcome.MISSED, Outcome.ABANDONED)),
    "neither": Q(came_to=Outcome.ANSWERED) & ~outcomes.IS_ANSWERED_AFTER_START,
}

_block_ends = CallEvent.objects.filter(call=OuterRef("pk"), request_type=RequestType.BLOCK_END)
_forwards = CallEvent.objects.filter(call=OuterRef("pk"), request_type=RequestType.INITIATE_FORWARD)
_answers = CallEvent.objects.filter(call=OuterRef("pk"), request_type=RequestType.FORWARD_ANSWER)
LAST_BLOCK = Subquery(_block_ends.order_by("-received_at", "-ingest_id").values("block_type")[:1])


# --- Columns ------------------------------------------------------------------------------------


def with_list_columns(calls: QuerySet[Call]) -> QuerySet[Call]:
    """Annotate calls with the columns of the list."""
    return calls.select_related("destination_number").annotate(
        outcome=outcomes.OUTCOME,
        time_to_answer=outcomes.TIME_TO_ANSWER,
        ring_time=outcomes.RING_TIME,
        talk_time=outcomes.TALK_TIME,
        waited=outcomes.WAITED,
        lasted=F("last_post_at") - F("first_post_at"),
        last_block=LAST_BLOCK,
        blocks=_count_of(RequestType.BLOCK_END),
        forwards=_count_of(RequestType.INITIATE_FORWARD),
    )


def _count_of(request_type: str) -> Coalesce:
    events = CallEvent.objects.filter(call=OuterRef("pk"), request_type=request_type).order_by()
    return Coalesce(Subquery(events.values("call").annotate(n=Count("pk")).values("n")), 0)


# --- Order --------------------------------------------------------------------------------------


def newest_first(calls: QuerySet[Call]) -> QuerySet[Call]:
    """Sort calls by start, newest first; calls with the same start by id."""
    return calls.order_by("-first_post_at", "-id")


def earlier(calls: QuerySet[Call], at: datetime, pk: int) -> QuerySet[Call]:
    """Keep the calls before the call with this start and id, newest first."""
    return newest_first(calls.filter(first_post_at__lte=at).exclude(first_post_at=at, id__gte=pk))


def later(calls: QuerySet[Call], at: datetime, pk: int) -> QuerySet[Call]:
    """Keep the calls after the call with this start and id, oldest first."""
    return calls.filter(first_post_at__gte=at).exclude(first_post_at=at, id__lte=pk).order_by("first_post_at", "id")


# --- Time ---------------------------------------------------------------------------------------


def on_weekdays(calls: CallQuerySet, weekdays: Sequence[int]) -> CallQuerySet:
    """Keep the calls on these weekdays, local time; 1 is Monday."""
    weekday = ExtractIsoWeekDay("first_post_at", tzinfo=periods.zone())
    return calls.alias(weekday=weekday).filter(weekday__in=weekdays)


def in_hours(calls: CallQuerySet, hours: Sequence[int]) -> CallQuerySet:
    """Keep the calls in these hours, local time; 9 is from 9:00 to 10:00."""
    hour = ExtractHour("first_post_at", tzinfo=periods.zone())
    return calls.alias(hour=hour).filter(hour__in=hours)


def weeks_before(calls: CallQuerySet, period: Period, weeks: int) -> CallQuerySet:
    """Keep the calls on the same weekdays in the weeks before a period."""
    wanted = NONE
    for gap in (week * periods.WEEK for week in range(1, weeks + 1)):
        start, end = periods.day_start(period.first - gap), periods.day_start(period.last - gap + periods.DAY)
        wanted |= Q(first_post_at__gte=start, first_post_at__lt=end)
    return calls.filter(wanted)


def by_opening_hours(
    calls: CallQuerySet,
    numbers: Sequence[DestinationNumber],
    opening: Opening,
    first: date | None = None,
    last: date | None = None,
) -> CallQuerySet:
    """Keep the calls inside or outside the opening hours of their number.

    `first` and `last` are the first and last day of the calls, if known."""
    by_schedule: dict[Schedule | None, list[int]] = {}
    schedules = counts.schedules(numbers)
    for number in numbers:
        by_schedule.setdefault(schedules.get(number.pk), []).append(number.pk)
    wanted = NONE
    for schedule, ids in by_schedule.items():
        of_numbers = Q(destination_number__in=ids)
        if schedule is None:
            # Without opening hours a number is always open.
            wanted |= of_numbers if opening == Opening.INSIDE else NONE
        else:
            until = last or periods.today() + periods.DAY
            is_open = _is_open(schedule, (first or EARLIEST) - periods.DAY, until + periods.DAY)
            wanted |= of_numbers & (is_open if opening == Opening.INSIDE else ~is_open)
    local = TruncDate("first_post_at", tzinfo=periods.zone())
    minute = ExtractHour("first_post_at", tzinfo=periods.zone()) * 60 + ExtractMinute(
        "first_post_at", tzinfo=periods.zone()
    )
    weekday = ExtractIsoWeekDay("first_post_at", tzinfo=periods.zone())
    return calls.alias(local_day=local, local_minute=minute, local_weekday=weekday).filter(wanted)


def _is_open(schedule: Schedule, first: date, last: date) -> Q:
    """Return the condition that a call came inside opening hours.

    For calls from `first` to `last` with the aliases `local_day`, `local_weekday` and `local_minute`."""
    single = {day: spans for day, spans in schedule.days.items() if first <= day <= last}
    other_days = {*single, *schedule.holidays(first, last)}
    weekly = NONE
    for weekday, spans in schedule.weekly.items():
        for opens, closes in spans:
            weekly |= Q(local_weekday=weekday, local_minute__gte=opens, local_minute__lt=closes)
    is_open = weekly & ~Q(local_day__in=other_days) if other_days else weekly
    for day, spans in single.items():
        for opens, closes in spans:
            is_open |= Q(local_day=day, local_minute__gte=opens, local_minute__lt=closes)
    return is_open


def going_on_at(calls: CallQuerySet, moment: datetime | None) -> CallQuerySet:
    """Keep the calls that were ongoing at a time, as counts do; no calls if it is None."""
    return calls.filter(concurrent_calls.going_on(moment)) if moment else calls.none()


# --- Outcomes and times -------------------------------------------------------------------------


def with_outcomes(
    calls: CallQuerySet, wanted: Sequence[str], coverage: Coverage, start: datetime | None = None
) -> CallQuerySet:
    """Keep the calls of these numbers whose outcome is measured and one of these; or callbacks, or *not measured*.

    `start` is that of the calls, if known."""
    known = [outcome for outcome in Outcome.values if outcome in wanted]
    condition = Q(outcomes.IS_OFFERED, came_to__in=known) & ~_outcome_not_measured(coverage, known, start)
    if outcomes.CALLBACK in wanted:
        condition |= ~outcomes.IS_OFFERED
    if outcomes.NOT_MEASURED in wanted:
        condition |= _outcome_not_measured(coverage, Outcome.values, start)
    return calls.alias(came_to=outcomes.OUTCOME).filter(condition)


def _outcome_not_measured(coverage: Coverage, of: Sequence[str], start: datetime | None) -> Q:
    """Return the condition that an offered call has one of these outcomes, which is not measured for it."""
    until: dict[tuple[str, datetime], list[int]] = {}
    for number in coverage:
        for outcome in of:
            since = coverage.shown_from(number, outcome)
            until.setdefault((outcome, NEVER if since is None else since), []).append(number.pk)
    wanted = NONE
    for (came_to, since), ids in until.items():
        if since > (start or ALWAYS):
            calls = Q(destination_number__in=ids, came_to=came_to)
            wanted |= calls if since == NEVER else calls & Q(first_post_at__lt=since)
    return outcomes.IS_OFFERED & wanted


def without_callbacks(calls: CallQuerySet) -> CallQuerySet:
    """Remove the calls that a callback started."""
    return calls.filter(outcomes.IS_OFFERED)


def taking(calls: CallQuerySet, time: str, over_s: int | None, upto_s: int | None) -> CallQuerySet:
    """Keep the calls for which one of the TIMES is known and within the bounds."""
    calls = calls.alias(took=TIMES[time]).filter(took__isnull=False)
    if over_s is not None:
        calls = calls.filter(took__gt=timedelta(seconds=over_s))
    if upto_s is not None:
        calls = calls.filter(took__lte=timedelta(seconds=upto_s))
    return calls


def of_service_level(calls: CallQuerySet, side: str) -> CallQuerySet:
    """Keep the calls of one group of SERVICE_LEVELS."""
    return calls.alias(came_to=outcomes.OUTCOME).filter(outcomes.IS_OFFERED, SERVICE_LEVELS[side])


def as_far_as_measured(calls: CallQuerySet, figure: str, numbers: Sequence[DestinationNumber]) -> CallQuerySet:
    """Keep the calls that a figure covers, as counts do: for each number, from when the figure is shown for it."""
    coverage = Coverage.read(numbers)
    by_moment: dict[datetime, list[int]] = {}
    for number in coverage:
        since = coverage.shown_from(number, figure)
        if since is not None and since != NEVER:
            by_moment.setdefault(since, []).append(number.pk)
    wanted = NONE
    for since, ids in by_moment.items():
        of_numbers = Q(destination_number__in=ids)
        wanted |= of_numbers if since == ALWAYS else of_numbers & Q(first_post_at__gte=since)
    return calls.filter(wanted)


# --- Events -------------------------------------------------------------------------------------


def passing_block(calls: CallQuerySet, block_type: str) -> CallQuerySet:
    """Keep the calls that passed a block of this type."""
    return calls.filter(Exists(_block_ends.filter(block_type=block_type)))


def ended_unanswered_after_block(calls: CallQuerySet, block_type: str) -> CallQuerySet:
    """Keep the calls that ended unanswered and whose last block has this type."""
    calls = calls.filter(ended_at__isnull=False, answered_at=None)
    return calls.alias(last_block_type=LAST_BLOCK).filter(last_block_type=block_type)


def tried(calls: CallQuerySet, name: str) -> CallQuerySet:
    """Keep the calls in which a destination was tried. `name` is that of `forwards.named`."""
    destination, destination_type = forwards.parted(name)
    return calls.filter(Exists(_forwards.filter(destination=destination, destination_type=destination_type)))


def tried_first(calls: CallQuerySet, name: str) -> CallQuerySet:
    """Keep the calls in which a destination was tried first, and no other at the same time."""
    calls = _whose_first(calls, _forwards, name, "first_tried")
    destination, destination_type = forwards.parted(name)
    first_at = Subquery(_forwards.order_by("received_at", "ingest_id").values("received_at")[:1])
    others = _forwards.exclude(destination=destination, destination_type=destination_type)
    at_once = others.filter(received_at__lte=OuterRef("first_tried_at") + timedelta(seconds=AT_ONCE_S))
    return calls.alias(first_tried_at=first_at).exclude(Exists(at_once))


def answered_by(calls: CallQuerySet, name: str) -> CallQuerySet:
    """Keep the calls that a destination answered first."""
    return _whose_first(calls, _answers, name, "first_answered")


def _whose_first(calls: CallQuerySet, events: QuerySet[CallEvent], name: str, kind: str) -> CallQuerySet:
    """Keep the calls whose first event among these has this destination."""
    first = events.order_by("received_at", "ingest_id")
    destination, destination_type = forwards.parted(name)
    kept: CallQuerySet = calls.alias(
        **{
            f"{kind}_destination": Subquery(first.values("destination")[:1]),
            f"{kind}_type": Subquery(first.values("destination_type")[:1]),
        }
    ).filter(**{f"{kind}_destination": destination, f"{kind}_type": destination_type})
    return kept


def try_at_least(calls: QuerySet[Call], destinations: int, numbers: Collection[int] | None = None) -> bool:
    """Return whether at least this many destinations were tried in calls, or answered them.

    With `numbers` (ids), only calls to these numbers count."""
    if numbers is not None:
        calls = calls.filter(destination_number__in=numbers)
    # Counts answer at once if there are not so many at all.
    if len(forwards.names_at_any_time(numbers)) < destinations:
        return False
    of_calls = CallEvent.objects.filter(call__in=calls.order_by().values("pk"), request_type__in=posts.FORWARDS)
    of_calls = of_calls.order_by()
    first = CallEvent.objects.filter(pk__in=of_calls.values("pk")[:POSTS_READ_FIRST]).order_by()
    return any(
        len(events.values_list("destination", "destination_type").distinct()[:destinations]) >= destinations
        for events in (first, of_calls)
    )
