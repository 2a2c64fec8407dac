"""Closes calls whose end never arrived, once no post has arrived for the time that their number sets."""

from __future__ import annotations

from django.db import connection

from calls.quarter_hours import quarter_hour_sql

# Skips locked rows, so it cannot deadlock: a call that a post is being written to is not silent, and if a number's
# limit is being changed, the next run applies the new one.
CLOSE_SILENT_CALLS = f"""
WITH quiet AS MATERIALIZED (
  SELECT call.id FROM calls_call AS call
  JOIN calls_destinationnumber AS number ON number.id = call.destination_number_id
  WHERE call.ended_at IS NULL AND call.silent_at IS NULL
    AND call.last_post_at < now() - make_interval(hours => number.silent_after_h)
  FOR NO KEY UPDATE OF call SKIP LOCKED FOR SHARE OF number SKIP LOCKED
), fallen AS (
  UPDATE calls_call AS call SET silent_at = now() FROM quiet WHERE call.id = quiet.id
  RETURNING call.destination_number_id, call.first_post_at
), logged AS (
  INSERT INTO calls_changedquarterhour (destination_number_id, quarter_hour)
  SELECT DISTINCT destination_number_id, {quarter_hour_sql("first_post_at")}
  FROM fallen
)
SELECT count(*) FROM fallen
"""


def close_silent_calls() -> int:
    """Mark calls that have fallen silent and log their quarter-hours; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(CLOSE_SILENT_CALLS)
        return int(cursor.fetchone()[0])
