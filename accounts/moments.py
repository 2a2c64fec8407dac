"""How pages of the admin write a moment; dates and times to the minute have the formats of `config.formats`."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format

NOTHING = "–"


def exactly(moment: datetime | None) -> str:
    """Return a moment to the second, in the reports' time zone."""
    return NOTHING if moment is None else date_format(timezone.localtime(moment), "j M Y, H:i:s")


def to_the_minute(moment: datetime | None) -> str:
    """Return a moment to the minute, in the reports' time zone."""
    return NOTHING if moment is None else date_format(timezone.localtime(moment), "DATETIME_FORMAT")
