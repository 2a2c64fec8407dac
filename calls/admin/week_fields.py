"""The week in the form of opening hours: a field for each weekday, written as people write hours: `8–12, 13–18`."""

from __future__ import annotations

import re
from datetime import time
from itertools import pairwise
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls.models import WeeklyHours
from calls.opening_hours import Spans

DAY_ENDS = 24 * 60
# Characters of a field.
LONGEST = 200
# The fields of the form, by ISO weekday.
DAYS = {weekday: f"weekday_{weekday}" for weekday in range(1, 8)}
# Words of the two languages of our users, whichever the pages are in.
_CLOSED = {"", "-", "–", "closed", "geschlossen", "zu"}
_BETWEEN_SPANS = re.compile(r"[,;+&/]|\b(?:and|und)\b", re.IGNORECASE)
_SPAN = re.compile(r"(\S+?)\s*(?:[-–—]|\bto\b|\bbis\b)\s*(\S+)", re.IGNORECASE)
_TIME = re.compile(r"([0-9]{1,2})(?:[:.h]?([0-9]{2}))?h?", re.IGNORECASE)
_NOISE = re.compile(r"\b(?:o'clock|uhr)\b", re.IGNORECASE)


def clock(minute: int) -> str:
    """Return a minute of the day as HH:MM; the end of the day is 24:00."""
    return f"{minute // 60:02}:{minute % 60:02}"


def day_in_words(spans: Spans) -> str:
    """Return the hours of a day as the form writes them, `08:00–12:00, 13:00–18:00`; blank if closed."""
    return ", ".join(f"{clock(opens)}–{clock(closes)}" for opens, closes in sorted(spans))


def read_day(text: str) -> Spans:
    """Return the hours that a person wrote for a day, in minutes and in order; none if closed.

    Raise ValidationError, in words about what was written, for anything that is not hours of one day."""
    written = _NOISE.sub(" ", text).strip()
    if written.casefold() in _CLOSED:
        return ()
    parts = [part.strip() for part in _BETWEEN_SPANS.split(written)]
    spans = sorted(_read_span(part) for part in filter(None, parts))
    if not spans:
        raise ValidationError(_not_hours(text.strip()))
    for (_opens, closes), (opens, next_closes) in pairwise(spans):
        if opens < closes:
            twice = {"from": clock(opens), "to": clock(min(closes, next_closes))}
            raise ValidationError(gettext("%(from)s to %(to)s is entered twice.") % twice)
    return tuple(spans)


def _read_span(text: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(text)
    if not found:
        raise ValidationError(_not_hours(text))
    opens, closes = (read_time(part) for part in found.groups())
    closes = closes or DAY_ENDS
    if opens >= closes:
        words = gettext("%(to)s is not later than %(from)s. Hours past midnight go on in the field of the next day.")
        raise ValidationError(words % {"from": clock(opens), "to": clock(closes)})
    return opens, closes


def _not_hours(text: str) -> str:
    words = gettext("“%(text)s” is not a time from and to. Write for example 08:00–12:00, 13:00–18:00.")
    return words % {"text": text}


def read_time(text: str) -> int:
    """Return the minute of the day that a person wrote. Raise ValidationError if it is not on the quarter-hour."""
    found = _TIME.fullmatch(text)
    hour, minute = (int(part or 0) for part in found.groups()) if found else (DAY_ENDS, 0)
    if minute > 59 or hour * 60 + minute > DAY_ENDS:
        raise ValidationError(gettext("“%(text)s” is not a time. Write for example 08:00.") % {"text": text})
    if minute % 15:
        raise ValidationError(
            gettext("Calls are counted by quarter-hour. Enter a time on the quarter-hour, such as 08:15.")
        )
    return hour * 60 + minute


class ClockField(forms.TimeField):
    """A time of day as it is written in the week; 24:00 is 00:00, the end of the day."""

    def to_python(self, value: Any) -> time | None:
        if not isinstance(value, str) or not value.strip():
            return super().to_python(value)
        minute = read_time(value.strip())
        return time(minute % DAY_ENDS // 60, minute % 60)


class WeekdayField(forms.CharField):
    """The hours of a weekday. Its value is `Spans`."""

    def __init__(self, weekday: int) -> None:
        super().__init__(label=WEEKDAYS[weekday - 1], required=False, max_length=LONGEST, show_hidden_initial=True)
        self.widget.attrs |= {"data-weekday": weekday, "autocomplete": "off", "placeholder": _("closed"), "size": 34}

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        if len(text) > LONGEST:
            raise ValidationError(gettext("Enter at most %(most)d characters.") % {"most": LONGEST})
        return read_day(text)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else day_in_words(value or ())

    def run_validators(self, value: Any) -> None:
        """The text has been read; spans have no length."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(tuple(sorted(initial or ())) != self.to_python(data))
        except ValidationError:
            return True


class WeekForm(forms.ModelForm):
    """The form of opening hours with a field for each weekday."""

    weekday_1 = WeekdayField(1)
    weekday_2 = WeekdayField(2)
    weekday_3 = WeekdayField(3)
    weekday_4 = WeekdayField(4)
    weekday_5 = WeekdayField(5)
    weekday_6 = WeekdayField(6)
    weekday_7 = WeekdayField(7)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        weekly = self.instance.schedule().weekly if self.instance.pk else {}
        for weekday, name in DAYS.items():
            if name in self.fields:
                self.initial[name] = weekly.get(weekday, ())

    def save_week(self) -> None:
        """Store the hours of the days that were changed. Hours that somebody else has saved meanwhile for other days
        stay; the caller holds the lock of the opening hours."""
        changed = [weekday for weekday, name in DAYS.items() if name in self.changed_data]
        wanted = {(weekday, *span) for weekday in changed for span in self.cleaned_data[DAYS[weekday]]}
        # Not what was read before the lock.
        lines = WeeklyHours.objects.filter(opening_hours=self.instance, weekday__in=changed)
        stored = {line.pk: (line.weekday, *line.span) for line in lines}
        lines.filter(pk__in=[pk for pk, span in stored.items() if span not in wanted]).delete()
        WeeklyHours.objects.bulk_create(
            WeeklyHours(
                opening_hours=self.instance,
                weekday=weekday,
                opens_at=clock(opens),
                closes_at=clock(closes % DAY_ENDS),
            )
            for weekday, opens, closes in sorted(wanted - set(stored.values()))
        )
