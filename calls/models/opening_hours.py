"""The models of opening hours, which numbers share: weekly hours, public holidays and single days."""

from __future__ import annotations

from datetime import date, time
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls import opening_hours, querysets
from calls.models.base import WithSearchKey
from calls.models.changed_quarter_hours import ChangedQuarterHour


def validate_quarter_hour(clock: time) -> None:
    if clock.minute % 15 or clock.second or clock.microsecond:
        raise ValidationError(
            _("Calls are counted by quarter-hour. Enter a time on the quarter-hour, such as 08:15."), code="quarter"
        )


class OpeningHours(WithSearchKey):
    """Weekly hours, public holidays and single days, for the numbers that share them."""

    name = models.CharField(
        _("name"),
        max_length=100,
        unique=True,
        error_messages={"unique": _("Opening hours with this name already exist.")},
    )
    state = models.CharField(
        _("public holidays"),
        max_length=2,
        choices=list(opening_hours.STATES.items()),
        blank=True,
        help_text=_("Closed on the public holidays of this state. Without a state, they are normal days."),
    )

    objects = querysets.SearchKeyQuerySet.as_manager()

    SEARCHED = "name"

    class Meta:
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        ordering = ["search_key", "name"]

    def __str__(self) -> str:
        return self.name

    def schedule(self) -> opening_hours.Schedule:
        """Return the schedule, which says whether a moment is inside the opening hours."""
        weekly: dict[int, opening_hours.Spans] = {}
        for hours in self.weekly.all():
            weekly[hours.weekday] = (*weekly.get(hours.weekday, ()), hours.span)
        days: dict[date, opening_hours.Spans] = {}
        for single in self.days.all():
            days[single.day] = (*days.get(single.day, ()), *([] if single.opens_at is None else [single.span]))
        return opening_hours.Schedule(settings.TIME_ZONE, weekly, days, self.state)

    def log_history(self) -> None:
        """Log every quarter-hour that has a call of a number with these hours."""
        ChangedQuarterHour.objects.log_history(self.numbers.order_by().values_list("pk", flat=True))


class Hours(models.Model):
    """Hours from one local time to another; 00:00 as the end means the end of the day."""

    opens_at: Any
    closes_at: Any

    class Meta:
        abstract = True

    @property
    def span(self) -> tuple[int, int]:
        """Start and end in minutes of the day."""
        opens, closes = (clock.hour * 60 + clock.minute for clock in (self.opens_at, self.closes_at))
        return opens, closes or 24 * 60

    def clean(self) -> None:
        super().clean()
        if self.opens_at is not None and self.closes_at is not None and self.span[0] >= self.span[1]:
            raise ValidationError(
                {
                    "closes_at": _("%(to)s is not later than %(from)s. For hours past midnight, enter two lines.")
                    % {"to": f"{self.closes_at:%H:%M}", "from": f"{self.opens_at:%H:%M}"}
                }
            )


class WeeklyHours(Hours):
    """Hours of a weekday; a weekday may have several."""

    opening_hours = models.ForeignKey(OpeningHours, on_delete=models.CASCADE, related_name="weekly")
    weekday = models.PositiveSmallIntegerField(
        _("weekday"), choices=[(number, WEEKDAYS[number - 1]) for number in range(1, 8)]
    )
    opens_at = models.TimeField(_("from"), validators=[validate_quarter_hour])
    closes_at = models.TimeField(_("to"), validators=[validate_quarter_hour], help_text=_("00:00 is midnight"))

    class Meta:
        verbose_name = _("weekly hours")
        verbose_name_plural = _("weekly hours")
        ordering = ["weekday", "opens_at"]
        constraints = [
            models.CheckConstraint(
                name="weekly_hours_weekday",
                condition=Q(weekday__gte=1, weekday__lte=7),
                violation_error_message=_("Enter a weekday from 1 (Monday) to 7 (Sunday)."),
            ),
            models.CheckConstraint(
                name="weekly_hours_in_order",
                condition=Q(opens_at__lt=F("closes_at")) | Q(closes_at=time()),
                violation_error_message=_(
                    "The closing time must be later than the opening time. For hours past midnight, enter two lines."
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens_at:%H:%M} – {self.closes_at:%H:%M}"


class SingleDay(Hours):
    """A day that differs from weekly hours and holidays: closed, or open at other hours."""

    opening_hours = models.ForeignKey(OpeningHours, on_delete=models.CASCADE, related_name="days")
    day = models.DateField(_("day"))
    opens_at = models.TimeField(
        _("from"), null=True, blank=True, validators=[validate_quarter_hour], help_text=_("Blank if closed all day")
    )
    closes_at = models.TimeField(
        _("to"), null=True, blank=True, validators=[validate_quarter_hour], help_text=_("00:00 is midnight")
    )
    note = models.CharField(_("note"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("single day")
        verbose_name_plural = _("single days")
        ordering = ["day", "opens_at"]
        constraints = [
            models.CheckConstraint(
                name="single_day_in_order",
                condition=Q(opens_at=None, closes_at=None)
                | Q(opens_at__isnull=False, closes_at__isnull=False)
                & (Q(opens_at__lt=F("closes_at")) | Q(closes_at=time())),
                # Hours that close before they open have their own message, at their field.
                violation_error_message=_("Enter both times, or leave both blank if closed all day."),
            ),
        ]

    def __str__(self) -> str:
        day = date_format(self.day)
        if self.opens_at is None:
            return gettext("%(day)s closed") % {"day": day}
        return f"{day} {self.opens_at:%H:%M} – {self.closes_at:%H:%M}"
