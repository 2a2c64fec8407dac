"""The quarter-hours that calls are counted by, in SQL. They begin at full quarters of UTC."""

from __future__ import annotations

from django.db.models import DateTimeField, F, Func


def quarter_hour_sql(moment: str) -> str:
    """Return SQL for the start of the quarter-hour of a moment, which is SQL too."""
    return f"date_bin('15 minutes', {moment}, '1970-01-01 00:00:00+00'::timestamptz)"


class QuarterHour(Func):
    """The start of the quarter-hour of a moment."""

    template = quarter_hour_sql("%(expressions)s")
    output_field = DateTimeField()


# The quarter-hour a call belongs to: that of its earliest receipt.
QUARTER_HOUR = QuarterHour(F("first_post_at"))
