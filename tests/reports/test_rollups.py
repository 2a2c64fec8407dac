"""Counts are recounted, never incremented: exact while posts arrive, with two roll-ups at once, across DST."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F, Sum

from calls import posts
from calls.ingest import silent_calls, writer
from calls.models import AccessKey, Call, CallEvent, ChangedQuarterHour
from reports import tasks
from reports.counting import rollups, verification
from reports.models import (
    DayBlockCounts,
    DayCounts,
    FirstPost,
    HourOfWeekCounts,
    MonthBlockCounts,
    MonthCounts,
    QuarterHourBlockCounts,
    QuarterHourCounts,
    RollUp,
)
from tests.factories import ACCESS_KEY, make_key, make_number, post_body, send, take

pytestmark = pytest.mark.django_db(transaction=True)

TEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
COUNTED = (
    QuarterHourCounts,
    QuarterHourBlockCounts,
    DayCounts,
    DayBlockCounts,
    MonthCounts,
    MonthBlockCounts,
    HourOfWeekCounts,
)


@pytest.fixture
def number():
    number = make_number()
    make_key(number, ACCESS_KEY)
    return number


def roll_up():
    return rollups.recount_changed(wait=True)


def verify(*arguments):
    """Run verify_rollups; return its exit code and what it printed."""
    out = StringIO()
    try:
        call_command("verify_rollups", *arguments, stdout=out)
    except SystemExit as stop:
        return stop.code, out.getvalue()
    return 0, out.getvalue()


def test_the_worked_example_of_the_documentation(number):
    for second, kind in [
        (0, "CALL_START"),
        (9, "BLOCK_END ANNOUNCEMENT"),
        (10, "INITIATE_FORWARD +492212345678"),
        (22, "FORWARD_ANSWER +492212345678"),
        (280, "CALL_END"),
    ]:
        take(number, kind, datetime(2026, 7, 1, 10, 7, tzinfo=UTC) + timedelta(seconds=second))
    assert ChangedQuarterHour.objects.count() == 5

    assert roll_up() == 1

    assert not ChangedQuarterHour.objects.exists()
    counts = QuarterHourCounts.objects.get()
    assert counts.quarter_hour == datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    assert (counts.offered, counts.answered) == (1, 1)
    assert (counts.time_to_answer_s, counts.ring_s, counts.talk_s) == (22, 12, 258)
    block = QuarterHourBlockCounts.objects.get()
    assert (block.block_type, block.blocks, block.calls, block.last_in_call) == ("ANNOUNCEMENT", 1, 1, 0)
    assert DayCounts.objects.get().day == date(2026, 7, 1)


def test_counting_the_same_again_changes_nothing(number):
    send_history(number, 40)
    roll_up()
    before = [list(table.objects.order_by("pk").values()) for table in COUNTED]

    number.log_history()
    roll_up()

    after = [list(table.objects.order_by("pk").values()) for table in COUNTED]
    assert before == after


def test_rows_that_vanish_are_removed(number):
    take(number, "BLOCK_END", TEN + timedelta(hours=30))
    roll_up()
    take(number, "CALL_START", TEN)
    roll_up()

    assert [counts.quarter_hour for counts in QuarterHourCounts.objects.all()] == [TEN]
    assert [counts.day for counts in DayCounts.objects.all()] == [TEN.date()]
    assert [counts.day for counts in DayBlockCounts.objects.all()] == [TEN.date()]
    assert verify()[0] == 0


def test_the_last_block_of_an_ended_unanswered_call_and_those_lost(number):
    steps = ["CALL_START", "BLOCK_END QUEUE", "BLOCK_END ANNOUNCEMENT", "CALL_END"]
    for call_uuid, kinds in {"lost": steps, "answered": [*steps, "FORWARD_ANSWER"], "open": steps[:3]}.items():
        for index, kind in enumerate(kinds):
            take(number, kind, TEN + timedelta(seconds=10 * index), call_uuid=call_uuid, correlation_id=call_uuid)
    roll_up()

    rows = DayBlockCounts.objects.values_list("block_type", "blocks", "calls", "last_in_call", "lost")
    assert set(rows) == {("ANNOUNCEMENT", 3, 3, 1, 1), ("QUEUE", 3, 3, 0, 0)}


@pytest.mark.parametrize(("day", "quarter_hours"), [(date(2026, 3, 29), 92), (date(2026, 10, 25), 100)])
def test_the_quarter_hours_of_a_short_and_a_long_day_add_up_to_the_day(number, day, quarter_hours):
    # 23:00 UTC of the day before is midnight in winter; 22:00 in summer.
    start = datetime.combine(day, datetime.min.time(), UTC) - timedelta(hours=1 if quarter_hours == 92 else 2)
    for index in range(-2, quarter_hours + 2):
        at = start + timedelta(minutes=15 * index, seconds=7)
        take(number, "CALL_START", at, call_uuid=f"call {index}", correlation_id=f"call {index}")
    roll_up()

    assert DayCounts.objects.get(day=day).offered == quarter_hours
    assert DayCounts.objects.get(day=day - timedelta(days=1)).offered == 2
    assert DayCounts.objects.get(day=day + timedelta(days=1)).offered == 2
    assert QuarterHourCounts.objects.count() == quarter_hours + 4


@pytest.mark.parametrize(
    ("zone", "day", "first_midnight"),
    [
        # The clock goes back from 01:00 to 00:00, back from 00:00 to 23:00, or forward from 00:00 to 01:00.
        ("Atlantic/Azores", date(2026, 10, 25), datetime(2026, 10, 25, 0, 0, tzinfo=UTC)),
        ("America/Santiago", date(2026, 4, 5), datetime(2026, 4, 5, 4, 0, tzinfo=UTC)),
        ("Africa/Cairo", date(2026, 4, 24), datetime(2026, 4, 23, 22, 0, tzinfo=UTC)),
        ("Australia/Lord_Howe", date(2026, 4, 5), datetime(2026, 4, 4, 13, 0, tzinfo=UTC)),
        ("Asia/Kathmandu", date(2026, 4, 5), datetime(2026, 4, 4, 18, 15, tzinfo=UTC)),
    ],
)
def test_a_day_is_counted_whole_wherever_the_clock_changes(number, settings, zone, day, first_midnight):
    settings.TIME_ZONE = zone
    for minutes in (-70, -10, 5, 50, 70, 130, 600):
        at = first_midnight + timedelta(minutes=minutes)
        take(number, "CALL_START", at, call_uuid=f"call {minutes}", correlation_id=f"call {minutes}")
        roll_up()

    counts = dict(DayCounts.objects.values_list("day", "offered"))
    assert counts == {day - timedelta(days=1): 2, day: 5}
    assert verify()[0] == 0


def send_history(number, calls, seed=1, pause=None):
    """Receive calls of all kinds in random order, with some late and some duplicate posts."""
    chance = Random(seed)
    batch = []
    for index in range(calls):
        start = TEN + timedelta(seconds=chance.randrange(86_400))
        kinds = ["CALL_START", "BLOCK_END QUEUE", "INITIATE_FORWARD", "FORWARD_ANSWER", "BLOCK_END BRIDGE", "CALL_END"]
        for kind in chance.sample(kinds, chance.randrange(1, 7)):
            body = post_body(kind, number, call_uuid=f"{seed}-{index}", correlation_id=f"{seed}-{index}")
            at = start + timedelta(seconds=chance.randrange(1200))
            batch.append(posts.parse(json.dumps(body).encode(), at))
    chance.shuffle(batch)
    with writer.connect() as own:
        for first in range(0, len(batch), 7):
            writer.write(own, batch[first : first + 7])
            if pause and pause.is_set():
                break


def test_counts_are_exact_under_four_writers_and_two_rollers(number):
    done = threading.Event()

    def roll():
        try:
            while not done.is_set():
                rollups.recount_changed()
                assert not list(verification.differences())
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        rollers = [pool.submit(roll) for _ in range(2)]
        writers = [pool.submit(send_history, number, 120, seed) for seed in range(4)]
        for future in writers:
            future.result()
        done.set()
        for future in rollers:
            future.result()
    roll_up()

    assert verify()[0] == 0
    assert DayCounts.objects.aggregate(sum=Sum("offered"))["sum"] == Call.objects.count() == 480
    blocks = DayBlockCounts.objects.aggregate(sum=Sum("blocks"))["sum"]
    assert blocks == CallEvent.objects.filter(request_type="BLOCK_END").count()


def test_a_change_that_commits_while_its_quarter_hour_is_counted_is_counted_next(number):
    take(number, "CALL_START", TEN)
    body = post_body("CALL_END", number)
    with writer.connect() as own, own.transaction():
        # The transaction stays open: written and logged, not committed.
        writer.write(own, [posts.parse(json.dumps(body).encode(), TEN + timedelta(minutes=1))])
        roll_up()
        assert QuarterHourCounts.objects.get().in_progress == 1
    roll_up()

    assert (QuarterHourCounts.objects.get().in_progress, QuarterHourCounts.objects.get().abandoned) == (0, 1)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        (QuarterHourCounts, {"offered": F("offered") + 1}),
        (QuarterHourCounts, {"talk_s": F("talk_s") + 1}),
        (QuarterHourBlockCounts, {"last_in_call": 9}),
        (DayCounts, {"missed": 7}),
        (DayBlockCounts, {"blocks": 0}),
        (MonthCounts, {"short": F("short") + 2}),
        (MonthBlockCounts, {"calls": 99}),
        (HourOfWeekCounts, {"missed": F("missed") + 1}),
        (HourOfWeekCounts, {"month": date(2025, 3, 1)}),
        (FirstPost, {"quarter_hour": TEN - timedelta(days=1)}),
    ],
)
def test_verify_finds_a_wrong_count_and_fixes_it_on_request(number, table, change):
    send_history(number, 20)
    roll_up()
    assert verify()[0] == 0
    table.objects.filter(pk=table.objects.first().pk).update(**change)

    code, said = verify()
    assert code == 1
    assert number.e164 in said

    assert verify("--fix")[0] == 0
    assert verify()[0] == 0


@pytest.mark.parametrize("table", [*COUNTED, FirstPost])
def test_verify_finds_a_missing_row(number, table):
    send_history(number, 5)
    roll_up()
    table.objects.first().delete()

    assert verify()[0] == 1
    assert verify("--fix")[0] == 0


def test_verify_ignores_what_waits_in_the_log(number):
    take(number, "CALL_START", TEN)

    assert verify()[0] == 0


def test_a_changed_setting_counts_the_history_again(number):
    for second, kind in [(0, "CALL_START"), (8, "CALL_END")]:
        take(number, kind, TEN + timedelta(seconds=second))
    roll_up()
    assert DayCounts.objects.get().abandoned == 1

    number.short_call_s = 10
    number.save()
    roll_up()
    assert (DayCounts.objects.get().abandoned, DayCounts.objects.get().short) == (0, 1)

    number.expects_forward = False
    number.save()
    roll_up()
    assert (DayCounts.objects.get().short, DayCounts.objects.get().served_in_plan) == (0, 1)

    number.label = "Hotline"
    number.save()
    assert roll_up() == 0


def test_a_longer_silence_limit_recounts_open_calls(number):
    take(number, "CALL_START", datetime.now(UTC) - timedelta(hours=6))
    silent_calls.close_silent_calls()
    assert Call.objects.get().silent_at

    number.silent_after_h = 12
    number.save()
    silent_calls.close_silent_calls()

    assert Call.objects.get().silent_at is None


def test_rebuild_recounts_everything_in_the_current_time_zone(number, settings):
    send_history(number, 30)
    roll_up()
    settings.TIME_ZONE = "Pacific/Auckland"
    with pytest.raises(CommandError, match="rebuild_counts"):
        call_command("roll_up")
    with pytest.raises(CommandError, match="rebuild_counts"):
        call_command("verify_rollups")

    call_command("rebuild_counts", stdout=StringIO())

    assert verify()[0] == 0
    assert RollUp.objects.get().time_zone == "Pacific/Auckland"
    assert roll_up() == 0


def test_since_when_each_post_arrives(number):
    take(number, "CALL_START", TEN + timedelta(minutes=20))
    take(number, "CALL_END", TEN + timedelta(hours=3), call_uuid="b", correlation_id="b")
    take(number, "CALL_TRANSFER", TEN + timedelta(hours=4))
    roll_up()
    assert dict(FirstPost.objects.values_list("request_type", "quarter_hour")) == {
        "CALL_START": TEN + timedelta(minutes=15),
        "CALL_END": TEN + timedelta(hours=3),
    }

    take(number, "BLOCK_END", TEN, call_uuid="b", correlation_id="b")
    roll_up()

    assert FirstPost.objects.get(request_type="CALL_END").quarter_hour == TEN


def test_a_box_ticked_during_a_long_call_counts_from_the_call_that_brought_the_first_post(number):
    take(number, "CALL_START", TEN, call_uuid="long", correlation_id="long")
    take(number, "CALL_START", TEN + timedelta(minutes=20), call_uuid="brief", correlation_id="brief")
    take(number, "CALL_END", TEN + timedelta(minutes=21), call_uuid="brief", correlation_id="brief")
    take(number, "CALL_END", TEN + timedelta(minutes=40), call_uuid="long", correlation_id="long")
    roll_up()

    first = FirstPost.objects.get(request_type="CALL_END")
    assert (first.quarter_hour, first.received_at) == (TEN + timedelta(minutes=15), TEN + timedelta(minutes=21))
    assert verify()[0] == 0

    # A post that was received before it, but is stored late.
    take(number, "CALL_END", TEN + timedelta(minutes=1), call_uuid="late", correlation_id="late")
    roll_up()
    assert FirstPost.objects.get(request_type="CALL_END").quarter_hour == TEN
    assert verify()[0] == 0


def test_when_a_key_was_last_used_is_derived_when_counting(client, number):
    send(client, number, "CALL_START", "CALL_END")
    assert AccessKey.objects.get().last_used_at is None

    roll_up()

    assert AccessKey.objects.get().last_used_at == Call.objects.get().ended_at


def test_the_celery_task_records_until_when_calls_are_counted(number):
    tasks.roll_up()

    assert RollUp.objects.get().counted_at <= datetime.now(UTC)


def test_unchanged_rows_are_not_written_again(number):
    def versions():
        rows = {}
        with connection.cursor() as cursor:
            for model in COUNTED:
                cursor.execute(f"SELECT id, xmin::text FROM {model._meta.db_table}")
                rows[model.__name__] = dict(cursor.fetchall())
        return rows

    call = {"call_uuid": "one", "block_type": "ANNOUNCEMENT", "block_name": "Welcome"}
    take(number, "CALL_START", TEN, call_uuid="one")
    take(number, "BLOCK_END", TEN, **call)
    roll_up()
    before = versions()
    assert all(before.values())

    take(number, "CALL_END", TEN + timedelta(minutes=2), call_uuid="one")
    roll_up()
    after = versions()

    assert after["QuarterHourCounts"] != before["QuarterHourCounts"]
    rollups.recount([(number.pk, TEN)])
    assert versions() == after


def test_statements_are_parsed_and_planned_once_per_connection(number):
    connection.close()  # forgets the plans of other tests
    take(number, "CALL_START", TEN, call_uuid="one")
    for _ in range(3):
        with transaction.atomic():
            rollups.recount([(number.pk, TEN)])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), min(generic_plans), max(custom_plans) FROM pg_prepared_statements")
        assert cursor.fetchone() == (6, 3, 0)
        # Other statements of this connection are planned as usual.
        cursor.execute("SHOW plan_cache_mode")
        assert cursor.fetchone() == ("auto",)
    assert connection.connection.prepare_threshold is None


def test_postgresql_compiles_none_of_our_statements_and_starts_no_workers_for_them(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('jit'), current_setting('max_parallel_workers_per_gather')")
        assert cursor.fetchone() == ("off", "0")
