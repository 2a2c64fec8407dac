"""Formats of values on pages: durations, times, counts, shares, phone numbers, filters."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.dateformat import format as formatted
from django.utils.formats import get_format, localize
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from calls import phones, posts
from calls.masking import masked
from calls.models import Call
from reports import periods
from reports.figures.block_types import block_label

register = template.Library()

EN_DASH = "–"


def clock(seconds: float) -> str:
    """Return a duration in words: `21 s`, `4:18 min`, `2:05:00 h`."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h"


def shown(value: Any, kind: str) -> SafeString:
    if kind == "share":
        return SafeString(f"{round(value * 100)} %")
    if kind == "seconds":
        return SafeString(clock(value))
    return SafeString(grouped(value, get_format("THOUSAND_SEPARATOR")))


def grouped(value: Any, separator: str) -> str:
    """Return a count with its thousands separated: the result of Django's localize, which takes many times as long."""
    text = f"{value:,}"
    return text.replace(",", separator) if "," in text else text


@register.filter
def seconds(value: Any) -> str:
    """A number of seconds or a timedelta in words; a dash for None."""
    if value is None:
        return EN_DASH
    return clock(value.total_seconds() if hasattr(value, "total_seconds") else value)


@register.filter
def percent(value: float | None) -> str:
    return EN_DASH if value is None else f"{round(value * 100)} %"


@register.filter
def readable(number: str) -> str:
    """A phone number as people write it; other texts are unchanged."""
    return phones.readable(number)


@register.filter
def caller(call: Call) -> str:
    """The caller of a call, masked; blank if withheld."""
    return masked(call.caller_id_number)


@register.filter
def day(moment: datetime) -> str:
    return formatted(moment.astimezone(periods.zone()), "D j M Y")


@register.filter
def precise(moment: datetime) -> str:
    """The time of day to a tenth of a second, in the reports' time zone."""
    local = moment.astimezone(periods.zone())
    return f"{local:%H:%M:%S}.{local.microsecond // 100_000}"


@register.filter
def time_of_day(moment: datetime) -> str:
    return f"{moment.astimezone(periods.zone()):%H:%M:%S}"


@register.filter("clock")
def clock_of(moment: datetime) -> str:
    """The time of day to the minute, with UTC offset in the repeated hour."""
    return periods.moment_label(moment).rpartition(", ")[2]


@register.filter
def moment(value: datetime) -> str:
    return periods.moment_label(value)


@register.filter
def iso(moment: datetime) -> str:
    return moment.astimezone(periods.zone()).isoformat()


@register.filter
def age(moment: datetime) -> str:
    """How long ago a time was, in one unit."""
    past = max(0, int((timezone.now() - moment).total_seconds()))
    if past < 120:
        return ngettext("%(n)d second ago", "%(n)d seconds ago", past) % {"n": past}
    if past < 7200:
        return ngettext("%(n)d minute ago", "%(n)d minutes ago", past // 60) % {"n": past // 60}
    if past < 172_800:
        return ngettext("%(n)d hour ago", "%(n)d hours ago", past // 3600) % {"n": past // 3600}
    return ngettext("%(n)d day ago", "%(n)d days ago", past // 86_400) % {"n": past // 86_400}


@register.filter
def pretty_json(payload: str) -> str:
    """A stored payload, indented."""
    return posts.pretty(payload)


@register.filter
def plain(value: float | None) -> str:
    """A number without formatting; blank for None, which a chart draws as a gap."""
    return "" if value is None else str(value)


@register.filter
def raw(value: float) -> str:
    """A number for an SVG attribute: no thousands separator, a decimal point."""
    return f"{value:g}"


@register.filter
def place(value: object, prefix: str) -> str:
    """An id from a prefix and the key of a row, with only letters, digits and dashes."""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"{prefix}-{_NOT_IN_IDS.sub('-', text)}"


_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9]")


@register.filter
def block(block_type: str) -> str:
    return block_label(block_type)


@register.filter
def zero(count: int) -> SafeString:
    """A count; 0 is greyed out."""
    return format_html('<span class="zero">0</span>' if not count else "{}", localize(count))


@register.filter
def day_short(moment: datetime) -> str:
    local = moment.astimezone(periods.zone())
    return formatted(local, "D j M" if local.year == periods.today().year else "D j M Y")


@register.filter
def exact_seconds(span: Any) -> str:
    """A gap between posts, under 100 s to a tenth of a second."""
    total = span.total_seconds()
    return f"{total:.1f} s" if total < 100 else clock(total)
