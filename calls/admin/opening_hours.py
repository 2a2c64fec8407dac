"""Admin pages of opening hours: weekly hours, single days that differ, and the state's public holidays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import groupby, pairwise
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Prefetch
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import date_format
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import DATE_SCRIPTS, LabelledInline
from accounts.audit.model_admin import AuditedAdmin
from accounts.moments import NOTHING
from calls import recounting
from calls.admin.base import SearchKeyAdmin
from calls.admin.week_fields import DAYS, ClockField, WeekForm, clock
from calls.models import DestinationNumber, OpeningHours, SingleDay
from calls.opening_hours import Spans

_HOW_TO_WRITE = _(
    "From and to for each day, such as 08:00–18:00; several with a comma. Blank if closed; 24:00 is midnight."
)
# At most this many numbers are named in a row of the list; the others are counted.
MOST_NAMED = 3


def in_words(weekly: Mapping[int, Spans]) -> str:
    """Return the hours of a week, equal neighbouring days grouped: `Mon–Fri 08:00–18:00, Sat 09:00–13:00`."""
    parts = []
    for spans, run in groupby(range(1, 8), lambda weekday: weekly.get(weekday, ())):
        weekdays = [str(WEEKDAYS_ABBR[weekday - 1]) for weekday in run]
        if spans:
            days = weekdays[0] if len(weekdays) == 1 else f"{weekdays[0]}–{weekdays[-1]}"
            parts.append(f"{days} " + " + ".join(f"{clock(opens)}–{clock(closes)}" for opens, closes in spans))
    return ", ".join(parts) or gettext("closed all week")


def error_in_lines(day: str, lines: Iterable[SingleDay]) -> str:
    """Return an error message about the lines of a single day; empty if they are consistent."""
    closed, spans = 0, []
    for line in lines:
        if line.opens_at is None:
            closed += 1
        else:
            spans.append(line.span)
    if closed and spans:
        return gettext("%(day)s is both closed all day and open. Remove one of the two.") % {"day": day}
    if closed > 1:
        return gettext("%(day)s is entered twice as closed. Remove one of the two.") % {"day": day}
    for (_opens, closes), (opens, next_closes) in pairwise(sorted(spans)):
        if opens < closes:
            twice = {"day": day, "from": clock(opens), "to": clock(min(closes, next_closes))}
            return (
                gettext("%(day)s is entered twice from %(from)s to %(to)s. Lines of one day must not overlap.") % twice
            )
    return ""


class SingleDaysFormSet(forms.BaseInlineFormSet):
    """Refuses lines of one day that overlap."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return  # errors of a line are shown beside it
        lines: dict[date, list[SingleDay]] = {}
        for form in self.forms:
            day = form.cleaned_data.get("day")
            if day is not None and form not in self.deleted_forms:
                lines.setdefault(day, []).append(form.instance)
        messages = [error_in_lines(date_format(day), lines[day]) for day in sorted(lines)]
        if any(messages):
            raise ValidationError([message for message in messages if message])


class SingleDays(LabelledInline):
    """Single days of opening hours. Users who may change opening hours may change them."""

    model = SingleDay
    formset = SingleDaysFormSet
    extra = 1
    verbose_name_plural = _("single days (instead of public holidays and weekly hours)")
    # As pages write times. A browser's time input shows 08:00 AM if it is set to American English; the admin's widget
    # shows seconds.
    formfield_overrides = {
        models.TimeField: {"form_class": ClockField, "widget": forms.TimeInput(format="%H:%M", attrs={"size": 6})}
    }

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("calls.view_openinghours") or self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("calls.change_openinghours")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("calls.change_openinghours" if obj else "calls.add_openinghours")

    has_delete_permission = has_change_permission


@admin.register(OpeningHours)
class OpeningHoursAdmin(SearchKeyAdmin, AuditedAdmin):
    audited_fields = ("name", "state")
    audited_by_name = True
    list_display = ["named", "state_name", "week", "used_by"]
    search_fields = ["search_key"]
    form = WeekForm
    inlines = [SingleDays]
    readonly_fields = ["next_holidays", "week"]

    class Media:
        js = DATE_SCRIPTS

    def audited_values(self, obj: Any) -> dict[str, Any]:
        # Read again: what was prefetched is older than what a form has changed.
        weekly = in_words(OpeningHours.objects.get(pk=obj.pk).schedule().weekly)
        days = [str(day) for day in SingleDay.objects.filter(opening_hours=obj.pk).order_by("day", "pk")]
        return {**super().audited_values(obj), "week": weekly, "single_days": days}

    def get_queryset(self, request: HttpRequest) -> Any:
        named = DestinationNumber.objects.visible_to(request.user).only("opening_hours", "label", "e164")
        return super().get_queryset(request).prefetch_related("weekly", "days", Prefetch("numbers", named))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name of the numbers that use the hours only those that the person sees.

        They prevent the deletion and would not be deleted with the hours, so no permission for them is lacking."""
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        if protected:
            lacking = lacking - {DestinationNumber._meta.verbose_name}
            numbers = DestinationNumber.objects.filter(opening_hours__in=list(objs))
            named = [str(number) for number in numbers.visible_to(request.user)]
            protected = named or [gettext("Numbers that you do not see")]
        return to_delete, counts, lacking, protected

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        description = SimpleLazyObject(lambda: recounting.before_a_change(_numbers_with(obj))) if obj else None
        may_change = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        week = (
            {"fields": [*DAYS.values()], "classes": ["week"], "description": _HOW_TO_WRITE}
            if may_change
            else {"fields": ["week"]}
        )
        holidays = ["state", "next_holidays"] if obj and obj.state else ["state"]
        return [
            (None, {"fields": ["name"], "description": description}),
            (_("Week"), week),
            (None, {"fields": holidays}),
        ]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the lines. If they change when the numbers are open, have the history counted again, once."""
        # Read from the database both times: the instance may hold cached lines.
        hours = OpeningHours.objects.filter(pk=form.instance.pk)
        # Two people who save at once do so one after the other.
        before = hours.select_for_update().get().schedule()
        super().save_related(request, form, formsets, change)
        form.save_week()
        after = hours.get().schedule()
        if "state" in form.changed_data or (before.weekly, before.days) != (after.weekly, after.days):
            form.instance.log_history()
            if said := recounting.after_a_change(_numbers_with(form.instance)):
                self.message_user(request, said, messages.INFO)

    @admin.display(description=_("name"), ordering="search_key")
    def named(self, hours: OpeningHours) -> str:
        return hours.name

    @admin.display(description=_("public holidays"), ordering="state")
    def state_name(self, hours: OpeningHours) -> str:
        return hours.get_state_display() or NOTHING

    @admin.display(description=_("hours"))
    def week(self, hours: OpeningHours) -> str:
        return in_words(hours.schedule().weekly)

    @admin.display(description=_("numbers"))
    def used_by(self, hours: OpeningHours) -> str:
        names = [number.name for number in hours.numbers.all()]
        named = ", ".join(names[:MOST_NAMED])
        if len(names) <= MOST_NAMED:
            return named or NOTHING
        return gettext("%(names)s and %(more)d more") % {"names": named, "more": len(names) - MOST_NAMED}

    @admin.display(description=_("next public holidays"))
    def next_holidays(self, hours: OpeningHours) -> str:
        """List the public holidays from today to the end of next year."""
        today = timezone.localdate()
        rest = date(today.year + 1, 12, 31) - today
        holidays = hours.schedule().next_holidays(today, rest.days)
        return format_html_join("", "{} {}<br>", [(date_format(day, "D j M Y"), name) for day, name in holidays])


def _numbers_with(hours: OpeningHours) -> list[int]:
    return list(hours.numbers.order_by().values_list("pk", flat=True))
