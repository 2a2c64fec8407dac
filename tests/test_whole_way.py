"""From made-up history to downloads: the sums of the CSV files equal those calculated from the calls.

With 2,000 calls; with CALLTALLY_TEST_FULL=1 with 200,000."""

import csv
import io
import json
import os
import threading
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from calls import posts
from calls.ingest import writer
from calls.models import CallEvent, ChangedQuarterHour, DestinationNumber, RequestType
from reports.counting import rollups
from reports.periods import Period, today
from tests.factories import ACCESS_KEY, make_key, make_staff, post_body

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CALLS = 200_000 if os.environ.get("CALLTALLY_TEST_FULL") else 2_000

# The decision table of docs/figures.md again, independent of the code that counts.
OUTCOMES = """
SELECT outcome, count(*) FROM (
  SELECT CASE
    WHEN answered_at IS NOT NULL THEN 'answered'
    WHEN ended_at IS NULL AND silent_at IS NULL THEN 'in_progress'
    WHEN ended_at IS NULL AND forwarded_at IS NOT NULL THEN 'missed'
    WHEN ended_at IS NULL THEN 'end_unknown'
    WHEN forwarded_at IS NULL AND NOT expects_forward THEN 'served_in_plan'
    WHEN call_start_at IS NOT NULL AND extract(epoch FROM last_post_at - first_post_at) < short_call_s THEN 'short'
    WHEN forwarded_at IS NOT NULL THEN 'missed'
    ELSE 'abandoned'
  END AS outcome
  FROM calls_call JOIN calls_destinationnumber AS number ON number.id = destination_number_id
  WHERE callback_id = ''
) AS judged GROUP BY outcome
"""
BLOCKS = """
SELECT block_type, count(*), count(DISTINCT call_id)
FROM calls_callevent AS event JOIN calls_call AS call ON call.id = event.call_id
WHERE request_type = 'BLOCK_END' AND callback_id = '' GROUP BY block_type
"""


def rows_of(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def ask(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def keep_posting(number, stop):
    """Post calls until stopped; every post is on disk when this returns."""
    with writer.connect() as own:
        index = 0
        while not stop.is_set():
            index += 1
            for kind in ("CALL_START", "BLOCK_END", "INITIATE_FORWARD", "CALL_END"):
                body = post_body(kind, number, call_uuid=f"while {index}", correlation_id=f"while {index}")
                assert writer.write(own, [posts.parse(json.dumps(body).encode(), datetime.now(UTC))])


def test_history_is_counted_exactly_while_posts_keep_arriving_and_the_downloads_add_up(client, capsys):
    call_command("backfill", calls=CALLS, days=60, seed=7)
    number = DestinationNumber.objects.first()
    make_key(number, ACCESS_KEY)
    stop = threading.Event()
    posting = threading.Thread(target=keep_posting, args=(number, stop))
    posting.start()
    try:
        call_command("roll_up")
        call_command("verify_rollups")  # exits with an error if a count differs
    finally:
        stop.set()
        posting.join()
    call_command("roll_up")
    call_command("verify_rollups")
    assert not ChangedQuarterHour.objects.exists()
    assert CallEvent.objects.count() > 4 * CALLS

    # All figures are shown, so that every cell has a value.
    for number in DestinationNumber.objects.all():
        for request_type in RequestType.values:
            setattr(number, request_type.lower(), "on")
        number.save()
    call_command("roll_up")
    client.force_login(make_staff())
    period = Period(timezone.localdate() - 61 * (today().resolution), today())
    query = f"from={period.first}&to={period.last}"
    judged, blocks = dict(ask(OUTCOMES)), {block_type: rest for block_type, *rest in ask(BLOCKS)}

    for grain in ("quarter-hour", "hour", "day", "week", "month"):
        counts = rows_of(client, f"/reports/counts.csv?{query}&by={grain}")
        assert {
            name: sum(int(row[name] or 0) for row in counts)
            for name in ("answered", "missed", "abandoned", "short", "served_in_plan", "in_progress", "end_unknown")
        } == dict.fromkeys(("answered", "missed", "abandoned", "short"), 0) | {
            "served_in_plan": 0,
            "in_progress": 0,
            "end_unknown": 0,
        } | judged
        assert sum(int(row["offered"]) for row in counts) == sum(judged.values())
        found = {}
        for row in rows_of(client, f"/reports/blocks.csv?{query}&by={grain}"):
            so_far = found.setdefault(row["block_type"], [0, 0])
            so_far[0] += int(row["blocks"])
            so_far[1] += int(row["calls"])
        assert found == blocks

    calls = rows_of(client, f"/reports/calls.csv?{query}")
    assert len(calls) == ask("SELECT count(*) FROM calls_call")[0][0]
    offered = [row for row in calls if row["outcome"] != "callback"]
    assert {outcome: sum(row["outcome"] == outcome for row in offered) for outcome in judged} == judged
    assert sum(int(row["blocks"]) for row in offered) == sum(count for count, _ in blocks.values())
    assert rollups.recount_changed() == 0
