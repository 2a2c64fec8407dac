"""Admin pages of calls with their outcomes, and of counts: read and export only."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import F, Max, Min, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.audit.downloads import Download
from accounts.moments import exactly
from calls import posts, search
from calls.access import Rights
from calls.admin.base import NumberFilter, PostedSearchAdmin, ReadOnlyAdmin, VisibleAdmin, shown_caller
from calls.admin.events import Mask
from calls.kept_searches import kept_search
from calls.masking import masked_as_received
from calls.models import Call, CallEvent, DestinationNumber, Right
from contacts.agents import NO_AGENTS, Agents
from reports import periods, permissions
from reports.counting import count_tables
from reports.counting.outcomes import CALLBACK_LABEL, OUTCOME, Outcome
from reports.exports import csv_files, downloads
from reports.exports.csv_files import Pieces
from reports.exports.file_names import file_name
from reports.models import (
    DayBlockCounts,
    DayCounts,
    FirstPost,
    QuarterHourBlockCounts,
    QuarterHourCounts,
)
from reports.periods import Opening
from reports.queries.call_timeline import MOST_EVENTS


class Oddness(admin.SimpleListFilter):
    title = _("flag")
    parameter_name = "marked"

    MARKS = {
        "contradicting": (_("contradictory data"), None),
        "weak": (_("uncertain match"), Q(weakly_identified=True)),
        "odd": (_("unusual data"), Q(has_odd_posts=True)),
        "callback": (CALLBACK_LABEL, ~Q(callback_id="")),
        "withheld": (_("number withheld"), Q(caller_id_number="")),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(mark, label) for mark, (label, _condition) in self.MARKS.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        mark = self.MARKS.get(self.value() or "")
        if mark is None:
            return queryset
        return queryset.contradicting() if mark[1] is None else queryset.filter(mark[1])


class Reached(admin.SimpleListFilter):
    """Filter by the course of a call: only conditions that an index answers or that are quick to check.

    Filters by outcome are on the report pages."""

    title = _("status")
    parameter_name = "course"

    COURSES = {
        "open": (_("ongoing"), Q(ended_at=None, silent_at=None)),
        "answered": (_("answered"), Q(answered_at__isnull=False)),
        "unanswered": (_("not answered"), Q(answered_at=None)),
        "silent": (_("closed without an end"), Q(silent_at__isnull=False)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(course, label) for course, (label, _condition) in self.COURSES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        course = self.COURSES.get(self.value() or "")
        return queryset.filter(course[1]) if course else queryset


def to_the_second(name: str) -> Callable[[Call], str]:
    """Return a column that shows a time of a call to the second, which the admin's own format leaves out."""
    field: Any = Call._meta.get_field(name)

    @admin.display(description=field.verbose_name)
    def shown(call: Call) -> str:
        return exactly(getattr(call, name))

    shown.__name__ = name
    return shown


TIMES: Any = [
    to_the_second(name)
    for name in (
        "first_post_at",
        "call_start_at",
        "forwarded_at",
        "answered_at",
        "ended_at",
        "last_post_at",
        "silent_at",
    )
]


@admin.register(Call)
class CallAdmin(VisibleAdmin, PostedSearchAdmin, ReadOnlyAdmin):
    needs = Right.CALLS
    change_form_template = "admin/calls/call/change_form.html"
    list_display = ["started", "destination_number", "caller", "outcome", "marks", "identified"]
    list_display_links = ["started", "identified"]
    list_filter = [
        ("first_post_at", admin.DateFieldListFilter),
        Reached,
        Oddness,
        ("destination_number", NumberFilter),
    ]
    list_select_related = ["destination_number"]
    ordering = ["-first_post_at", "-id"]
    sortable_by = ["started"]
    search_fields = ["caller_id_number"]
    search_help_text = _(
        "Caller in any spelling, the beginning or the last four digits of a number, “withheld”, or the beginning of a "
        "call_uuid or correlation_id"
    )
    fieldsets = [
        (None, {"fields": ["destination_number", "caller", "outcome", "marks", "customer_number"]}),
        (
            _("Times of receipt"),
            {
                "fields": TIMES,
            },
        ),
        (_("IDs"), {"fields": ["call_uuid", "correlation_id", "callback_id"]}),
        (_("Other variables"), {"fields": ["variables"]}),
    ]
    readonly_fields = ["caller", "outcome", "marks", "variables", *TIMES]
    actions = ["export_csv"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(outcome=OUTCOME)

    @admin.display(description=_("started"), ordering="first_post_at")
    def started(self, call: Call) -> str:
        return exactly(call.first_post_at)

    @admin.display(description=_("caller"))
    def caller(self, call: Any) -> str:
        return shown_caller(call.caller_id_number)

    @admin.display(description=_("outcome"))
    def outcome(self, call: Any) -> Any:
        return CALLBACK_LABEL if call.callback_id else Outcome(call.outcome).label

    @admin.display(description=_("flags"))
    def marks(self, call: Call) -> str:
        """Return what is unusual about the data of a call."""
        found = [
            (call.caller_differs, gettext("different callers")),
            (call.customer_number_differs, gettext("different customer numbers")),
            (call.weakly_identified, gettext("message without call_uuid")),
            (call.has_odd_posts, gettext("unusual data")),
        ]
        return ", ".join(mark for is_so, mark in found if is_so)

    @admin.display(description="call_uuid")
    def identified(self, call: Call) -> str:
        return str(call)

    @admin.display(description=_("variables"))
    def variables(self, call: Any) -> str:
        """Return every variable beyond the documented ones, with its values as far as they are not masked."""
        payloads = call.events.in_order().values_list("payload", flat=True)[:MOST_EVENTS]
        mask = Mask.of(call, people=call.sees_people)
        return format_html_join(", ", "{}: {}", posts.extra_variables(map(mask.masked, payloads)))

    @admin.action(description=_("Export CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase | None:
        of_rows = queryset.order_by().values("destination_number")
        numbers = list(DestinationNumber.objects.filter(pk__in=of_rows))
        if refused := permissions.why_export_is_refused(request.user, numbers):
            self.message_user(request, refused, messages.ERROR)
            return None
        download = Download("calls.csv", noted_list(request))
        return csv_files.download(download, "calls.csv", csv_files.calls_csv(queryset, Rights.of(request.user)))

    def search(self, request: HttpRequest, queryset: Any, text: str) -> Any:
        # With the numbers given, the unique indexes find ids: they begin with the number.
        numbers = list(self.visible_numbers(request).order_by().values_list("pk", flat=True))
        ways = search.readings(text, callers_of=Rights.of(request.user).numbers(Right.CALLERS))
        return search.narrowed(queryset.filter(destination_number__in=numbers), ways)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        call: Any = self.get_object(request, object_id) if self.has_view_permission(request) else None
        context = {"events": listed(call) if call else [], "most_events": MOST_EVENTS, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)


def listed(call: Any) -> list[dict[str, Any]]:
    """Return the posts of a call in order, as far as the person may see them: each with its caller, its destination,
    the seconds since the previous post and its payload."""
    mask = Mask.of(call, people=call.sees_people)
    agents, day = Agents.read() if call.sees_people else NO_AGENTS, periods.day_of(call.first_post_at)
    events: list[CallEvent] = list(call.events.in_order()[: MOST_EVENTS + 1])
    before: list[CallEvent | None] = [None, *events[:-1]]
    return [
        {
            "event": event,
            "gap_s": earlier and (event.received_at - earlier.received_at).total_seconds(),
            "caller": masked_as_received(event.caller_id_number),
            "destination": mask.destination(event),
            "people": ", ".join(agents.on(event.destination, event.destination_type, day)),
            "payload": mask.payload(event.payload),
        }
        for earlier, event in zip(before, events, strict=False)  # without posts `before` has one entry
    ]


# --- Counts ----------------------------------------------------------------------------------


class CountsAdmin(VisibleAdmin, ReadOnlyAdmin):
    """Counts as they are stored: complete, also where a report shows *not measured*."""

    time_field: str
    grain: periods.Grain
    what = "counts"
    figures = ["offered", *Outcome.values]
    list_select_related = ["destination_number"]
    actions = ["export_csv"]

    # Further key columns, beside the number and the time.
    parts: tuple[str, ...] = ()

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self.time_field, "destination_number", "is_open", *self.parts, *self.figures]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [(self.time_field, admin.DateFieldListFilter), ("destination_number", NumberFilter), "is_open"]

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [f"-{self.time_field}", "destination_number_id", "-is_open", *self.parts]

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        return [self.time_field]

    @admin.action(description=_("Export CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase | None:
        """Export the chosen rows with the columns of the reports' CSV files; cells that are not measured are empty."""
        reach = queryset.aggregate(first=Min(self.time_field), last=Max(self.time_field))
        if reach["first"] is None:
            text = gettext("These calls were counted again after the list was opened. Select them again.")
            self.message_user(request, text, messages.WARNING)
            return None
        kinds = set(queryset.order_by().values_list("is_open", flat=True))
        # With rows inside and outside opening hours, all hours are exported, as in the reports.
        opening = Opening.OUTSIDE if kinds == {False} else Opening.ALL
        if kinds == {True} and queryset.filter(destination_number__opening_hours__isnull=False).exists():
            opening = Opening.INSIDE
        period = periods.Period(day_of(reach["first"]), day_of(reach["last"]), opening)
        ids = queryset.order_by().values("destination_number").distinct()
        download = Download(f"{self.what}.csv", noted_list(request))
        pieces = self.csv(DestinationNumber.objects.filter(pk__in=ids), period)
        if request.POST.get("select_across") != "1":
            # Filters select whole days of whole numbers; ticked rows may be any of these.
            pieces = only(self.chosen(queryset), pieces)
        return csv_files.download(download, file_name(self.what, period), pieces)

    def csv(self, numbers: QuerySet, period: periods.Period) -> Pieces:
        return csv_files.counts_csv(numbers, period, self.grain)

    def chosen(self, queryset: QuerySet) -> set[tuple[str, ...]]:
        """Return the keys of the chosen rows in the file: start, number, and block type if any."""
        rows = queryset.order_by().values_list(self.time_field, F("destination_number__e164"))
        return {(start_of(moment), e164) for moment, e164 in rows}


class BlockCountsAdmin(CountsAdmin):
    parts = ("block_type",)
    figures = list(count_tables.BLOCKS.sums)
    what = "blocks"

    def csv(self, numbers: QuerySet, period: periods.Period) -> Pieces:
        return csv_files.blocks_csv(numbers, period, self.grain)

    def chosen(self, queryset: QuerySet) -> set[tuple[str, ...]]:
        rows = queryset.order_by().values_list(self.time_field, F("destination_number__e164"), "block_type")
        return {
            (start_of(moment), e164, shown)
            for moment, e164, block_type in rows
            for shown in (block_type, f"'{block_type}")  # without and with the guard against formulas
        }


class OfDaysAdmin(CountsAdmin):
    """Counts of days. A day on which a post begins to arrive has several rows, which the list shows as one sum."""

    time_field = "day"
    grain = periods.Grain.DAY

    def get_queryset(self, request: HttpRequest) -> Any:
        same = ["destination_number_id", "day", "is_open", *self.parts]
        sums = {f"{name}_sum": Window(Sum(name), partition_by=same) for name in self.figures}
        place = Window(RowNumber(), partition_by=same, order_by=F("measured").desc())
        return super().get_queryset(request).annotate(place=place, **sums).filter(place=1)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["day", "destination_number", "is_open", *self.parts, *(self._summed(name) for name in self.figures)]

    def _summed(self, name: str) -> Callable[[Any], int]:
        field: Any = self.model._meta.get_field(name)

        @admin.display(description=field.verbose_name)
        def summed(row: Any) -> int:
            value: int = getattr(row, f"{name}_sum")
            return value

        summed.__name__ = name
        return summed


def day_of(moment: date | datetime) -> date:
    return periods.day_of(moment) if isinstance(moment, datetime) else moment


def start_of(moment: date | datetime) -> str:
    """Return the start of a row's time in UTC, which keeps the two repeated hours in autumn apart."""
    start = moment if isinstance(moment, datetime) else periods.day_start(moment)
    return start.astimezone(UTC).isoformat()


def noted_list(request: HttpRequest) -> dict[str, Any]:
    """Return the filters of a list as the audit holds them: of a search, which may be a caller, a checksum."""
    query = request.GET.copy()
    tokens = query.pop(SEARCH_VAR, [])
    return downloads.noted_filters(query.urlencode(), kept_search(request.session, str(tokens[-1])) if tokens else "")


def only(chosen: set[tuple[str, ...]], pieces: Iterator[bytes]) -> Pieces:
    """Yield the header of a file of counts and its chosen rows."""
    lines = (line for piece in pieces for line in io.StringIO(piece.decode(), newline=""))
    rows = csv.reader(lines)
    header = next(rows)
    columns = [header.index(name) for name in ("destination_number", "block_type") if name in header]
    yield written(header)
    for row in rows:
        if (start_of(datetime.fromisoformat(row[0])), *(row[column] for column in columns)) in chosen:
            yield written(row)


def written(row: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue().encode()


@admin.register(QuarterHourCounts)
class QuarterHourCountsAdmin(CountsAdmin):
    time_field = "quarter_hour"
    grain = periods.Grain.QUARTER_HOUR


@admin.register(DayCounts)
class DayCountsAdmin(OfDaysAdmin):
    pass


@admin.register(QuarterHourBlockCounts)
class QuarterHourBlockCountsAdmin(BlockCountsAdmin):
    time_field = "quarter_hour"
    grain = periods.Grain.QUARTER_HOUR


@admin.register(DayBlockCounts)
class DayBlockCountsAdmin(OfDaysAdmin, BlockCountsAdmin):
    pass


@admin.register(FirstPost)
class FirstPostAdmin(VisibleAdmin, ReadOnlyAdmin):
    """Since when each kind of post arrives: the setting `automatic` depends on it."""

    list_display = ["destination_number", "request_type", "quarter_hour"]
    list_select_related = ["destination_number"]
    list_filter = [("destination_number", NumberFilter)]
    ordering = ["destination_number_id", "quarter_hour"]
    sortable_by = ()
