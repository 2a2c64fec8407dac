"""How many calls of a number went on at once, at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from calls.models import DestinationNumber
from reports import querysets
from reports.periods import Bucket, Period

# Of each stretch the highest quarter-hour, and the first that was as high.
PEAKS = f"""
SELECT DISTINCT ON (bucket) bucket, peak, quarter_hour
FROM (
  SELECT width_bucket(quarter_hour, %(edges)s::timestamptz[]) AS bucket, peak, quarter_hour
  FROM reports_quarterhourpeaks
  WHERE destination_number_id = %(id)s AND quarter_hour >= %(start)s AND quarter_hour < %(end)s AND {querysets.ASKED}
) AS peaks
ORDER BY bucket, peak DESC, quarter_hour
"""


@dataclass(frozen=True)
class Peak:
    """The most calls at once in one stretch, and the start of the first quarter-hour in which that was so."""

    bucket: Bucket
    calls: int
    at: datetime | None


def of(number: DestinationNumber, period: Period, buckets: Sequence[Bucket]) -> list[Peak]:
    """Return the most calls at once in each stretch of a period, 0 where none went on."""
    given: dict[str, Any] = {
        "id": number.pk,
        "start": period.start,
        "end": period.end,
        "is_open": period.opening.is_open,
        "edges": [bucket.start for bucket in buckets],
    }
    with connection.cursor() as cursor:
        cursor.execute(PEAKS, given)
        found = {bucket: (peak, at) for bucket, peak, at in cursor.fetchall()}
    return [Peak(bucket, *found.get(place, (0, None))) for place, bucket in enumerate(buckets, start=1)]


def highest(peaks: Sequence[Peak]) -> Peak | None:
    """Return the highest, and the earliest of several; None where no call went on."""
    return max((peak for peak in peaks if peak.calls), key=lambda peak: peak.calls, default=None)
