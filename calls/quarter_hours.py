"""SQL for the quarter-hours that calls are counted by. They start at full quarter-hours in UTC."""

from __future__ import annotations

from django.db.models import DateTimeField, F, Func


def quarter_hour_sql(moment: str) -> str:
    """Return SQL for the start of a moment's quarter-hour. `moment` is an SQL expression."""
    return f"date_bin('15 minutes', {moment}, '1970-01-01 00:00:00+00'::timestamptz)"


class QuarterHour(Func):
    """The start of a moment's quarter-hour."""

    template = quarter_hour_sql("%(expressions)s")
    output_field = DateTimeField()


# The quarter-hour that a call is counted in: that of its first post.
QUARTER_HOUR = QuarterHour(F("first_post_at"))
