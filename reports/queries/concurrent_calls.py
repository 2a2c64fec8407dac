"""Simultaneous calls of a number: peaks, and the calls that were ongoing then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q

from calls.models import DestinationNumber
from reports import periods
from reports.counting import count_tables, outcomes
from reports.figures.coverage import Coverage
from reports.periods import Bucket, Period
from reports.queries import sums

# For each number and bucket the quarter-hour with the highest peak; the first if several are equal.
_HIGHEST = f"""
highest AS (
  SELECT DISTINCT ON (number.id, bucket) number.id, bucket, peak, min(quarter_hour) AS quarter_hour
  FROM number
  CROSS JOIN LATERAL (
    SELECT {{bucket}} AS bucket, peak, quarter_hour
    FROM reports_quarterhourpeaks
    WHERE destination_number_id = number.id AND quarter_hour >= %(start)s AND quarter_hour < %(end)s
      AND {sums.IS_ASKED}
    OFFSET 0  -- by the index, number by number
  ) AS peaks
  GROUP BY number.id, bucket, peak ORDER BY number.id, bucket, peak DESC
)"""


def highest_by_bucket(edges: Sequence[datetime] | None) -> str:
    """Return the part of a WITH with the highest quarter-hour in each bucket for each row of `number`."""
    return _HIGHEST.format(bucket=sums.bucket_of_quarter_hour(edges))


@dataclass(frozen=True)
class Peak:
    """The peak of simultaneous calls in one bucket, and the start of the first quarter-hour that reached it."""

    bucket: Bucket
    calls: int
    at: datetime | None


def peaks_by_bucket(coverage: Coverage, period: Period, buckets: Sequence[Bucket]) -> list[Peak]:
    """Return the peak of one number in each bucket of a period; 0 without calls."""
    edges = periods.edges_of(buckets)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH number AS (SELECT unnest(%(ids)s::bigint[]) AS id), {highest_by_bucket(edges)} "
            "SELECT bucket, peak, quarter_hour FROM highest",
            sums.parameters(coverage, period, edges),
        )
        by_bucket = {bucket: (calls, at) for bucket, calls, at in cursor.fetchall()}
    return [Peak(bucket, *by_bucket.get(place, (0, None))) for place, bucket in enumerate(buckets, start=1)]


def highest(peaks: Sequence[Peak]) -> Peak | None:
    """Return the highest peak, the earliest if several are equal; None without calls."""
    return max((peak for peak in peaks if peak.calls), key=lambda peak: peak.calls, default=None)


def busiest_moment(number: DestinationNumber, quarter_hour: datetime) -> datetime | None:
    """Return the first time of the peak of a number in a quarter-hour; None without calls.

    Counts do not keep this time, so it is read from the calls."""
    with connection.cursor() as cursor:
        cursor.execute(count_tables.BUSIEST_MOMENT, [number.pk, quarter_hour])
        row = cursor.fetchone()
    return row[0] if row else None


def going_on(moment: datetime) -> Q:
    """Return the condition that a call is ongoing at a time, as counts define it."""
    return outcomes.IS_OFFERED & Q(
        first_post_at__range=(moment - count_tables.FOLLOWED_FOR, moment), last_post_at__gte=moment
    )
