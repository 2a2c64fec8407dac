"""How many calls of a number went on at once, at most; and which."""

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

# Of each number and stretch the highest quarter-hour, and the first that was as high.
_HIGHEST = f"""
highest AS (
  SELECT DISTINCT ON (number.id, bucket) number.id, bucket, peak, quarter_hour
  FROM number
  CROSS JOIN LATERAL (
    SELECT {{bucket}} AS bucket, peak, quarter_hour
    FROM reports_quarterhourpeaks
    WHERE destination_number_id = number.id AND quarter_hour >= %(start)s AND quarter_hour < %(end)s
      AND {sums.IS_ASKED}
    OFFSET 0  -- by the index, number by number
  ) AS peaks
  ORDER BY number.id, bucket, peak DESC, quarter_hour
)"""


def highest_by_bucket(edges: Sequence[datetime] | None) -> str:
    """Return a part of a WITH: of each number in `number` the highest quarter-hour of each bucket."""
    return _HIGHEST.format(bucket=sums.bucket_of_quarter_hour(edges))


@dataclass(frozen=True)
class Peak:
    """The most calls at once in one stretch, and the start of the first quarter-hour in which that was so."""

    bucket: Bucket
    calls: int
    at: datetime | None


def peaks_by_bucket(coverage: Coverage, period: Period, buckets: Sequence[Bucket]) -> list[Peak]:
    """Return the most calls of one number at once in each stretch of a period, 0 where none went on."""
    edges = periods.edges_of(buckets)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH number AS (SELECT unnest(%(ids)s::bigint[]) AS id), {highest_by_bucket(edges)} "
            "SELECT bucket, peak, quarter_hour FROM highest",
            sums.parameters(coverage, period, edges),
        )
        found = {bucket: (calls, at) for bucket, calls, at in cursor.fetchall()}
    return [Peak(bucket, *found.get(place, (0, None))) for place, bucket in enumerate(buckets, start=1)]


def highest(peaks: Sequence[Peak]) -> Peak | None:
    """Return the highest, and the earliest of several; None where no call went on."""
    return max((peak for peak in peaks if peak.calls), key=lambda peak: peak.calls, default=None)


def busiest_moment(number: DestinationNumber, quarter_hour: datetime) -> datetime | None:
    """Return the first moment of a quarter-hour at which most calls of a number went on; None where none did.

    Counts do not keep it: this reads the calls."""
    with connection.cursor() as cursor:
        cursor.execute(count_tables.BUSIEST_MOMENT, [number.pk, quarter_hour])
        found = cursor.fetchone()
    return found[0] if found else None


def going_on(moment: datetime) -> Q:
    """Return the condition that a call goes on at a moment, as it is counted."""
    return outcomes.IS_OFFERED & Q(
        first_post_at__range=(moment - count_tables.FOLLOWED_FOR, moment), last_post_at__gte=moment
    )
