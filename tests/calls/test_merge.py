"""The same posts give the same call in any order, any number of times, in sequence or in parallel."""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from time import monotonic

import pytest
from django.db import connection as django_connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls import posts
from calls.ingest import silent_calls, writer
from calls.ingest.group_commit import GroupCommit, Submitted
from calls.models import Call, CallEvent, DestinationNumber
from reports.counting import rollups
from reports.counting.outcomes import OUTCOME
from reports.models import DayBlockCounts, QuarterHourBlockCounts, QuarterHourCounts
from tests.calls.test_samples import samples
from tests.factories import ACCESS_KEY, make_key, make_number, post_body, take
from tests.owner import as_owner

pytestmark = pytest.mark.django_db(transaction=True)

TEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
uuids = (f"call {number}" for number in count())


@pytest.fixture
def number():
    number = make_number("+4922155400300")
    make_key(number, ACCESS_KEY)
    return number


def parsed(body, call_uuid, at):
    body = body | {"variables": body["variables"] | {"call_uuid": call_uuid, "correlation_id": f"of {call_uuid}"}}
    return posts.parse(json.dumps(body).encode(), at)


@pytest.fixture
def write():
    """Write posts in one batch, as the writer's thread does."""
    with writer.connect() as connection:
        yield lambda batch: writer.write(connection, batch)


def outline(call_uuid):
    """Return the values that must not depend on the order of receipt."""
    call = Call.objects.annotate(outcome=OUTCOME).get(call_uuid=call_uuid)
    return {
        "outcome": call.outcome,
        "caller": call.caller_id_number,
        "flags": (call.caller_differs, call.customer_number_differs, call.weakly_identified, call.has_odd_posts),
        "events": sorted(call.events.values_list("request_type", "block_type", "destination", "caller_id_number")),
        "seen": (
            call.call_start_at is None,
            call.forwarded_at is None,
            call.answered_at is None,
            call.ended_at is None,
        ),
    }


@EXAMPLES
@given(
    chosen=st.lists(st.sampled_from(range(5)), min_size=1, max_size=9),
    shuffle=st.randoms(use_true_random=False),
    at_once=st.booleans(),
)
def test_order_repetition_and_batches_change_nothing(number, write, chosen, shuffle, at_once):
    bodies = [samples()[index] for index in chosen]
    in_order, shuffled = next(uuids), next(uuids)
    moments = [TEN + timedelta(seconds=index) for index in range(len(bodies))]

    # The same posts with the same times of receipt, written in another order: everything must be equal.
    taken = [parsed(body, in_order, at) for body, at in zip(bodies, moments, strict=True)]
    for post in taken:
        write([post])
    again = [parsed(body, shuffled, at) for body, at in zip(bodies, moments, strict=True)]
    shuffle.shuffle(again)
    if at_once:
        write(again)
    else:
        for post in again:
            write([post])
    write(again[:2])  # and some again, as after a lost answer

    assert outline(in_order) == outline(shuffled)
    ignored = ("id", "call_uuid", "correlation_id", "decided_by", "moved_from")
    first, second = (
        {name: value for name, value in row.items() if name not in ignored}
        for row in Call.objects.filter(call_uuid__in=[in_order, shuffled]).values()
    )
    assert first == second


@EXAMPLES
@given(order=st.permutations(range(5)), at_once=st.booleans())
def test_the_call_is_the_same_for_every_order_of_the_five_posts(number, write, order, at_once):
    reference, call_uuid = next(uuids), next(uuids)
    write([parsed(body, reference, TEN + timedelta(seconds=index)) for index, body in enumerate(samples())])

    received = [
        parsed(samples()[index], call_uuid, TEN + timedelta(seconds=second)) for second, index in enumerate(order)
    ]
    if at_once:
        write(received)
    else:
        for post in received:
            write([post])

    assert outline(call_uuid) == outline(reference)
    call = Call.objects.get(call_uuid=call_uuid)
    assert call.ended_at == TEN + timedelta(seconds=order.index(2))
    assert call.answered_at == TEN + timedelta(seconds=order.index(4))


def test_two_identical_block_ends_are_two_blocks(number):
    for second in (1, 2):
        take(number, "BLOCK_END ANNOUNCEMENT", TEN + timedelta(seconds=second))
    rollups.recount_changed(wait=True)

    counts = DayBlockCounts.objects.get()
    assert (counts.blocks, counts.calls) == (2, 1)


def test_the_same_post_written_twice_is_one_event(number, write):
    post = parsed(post_body("BLOCK_END", number), "a", TEN)

    assert write([post]) == write([post, post]) == {str(post.ingest_id)}
    assert CallEvent.objects.count() == 1


def write_apart(*batches):
    """Write batches on a separate connection, as another process does."""
    with writer.connect() as connection:
        for batch in batches:
            assert len(writer.write(connection, batch)) == len(batch)


def run_at_once(tasks):
    with ThreadPoolExecutor(len(tasks)) as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result()


def test_posts_of_one_call_written_in_parallel_merge_into_one_call(number):
    run_at_once(
        [
            partial(
                write_apart,
                *(
                    [parsed(body, f"call at once {minute}", TEN + timedelta(minutes=minute, seconds=index))]
                    for minute in range(20)
                ),
            )
            for index, body in enumerate(samples())
        ]
    )

    assert Call.objects.count() == 20
    assert {call.events.count() for call in Call.objects.all()} == {5}
    assert {call.first_post_at.second for call in Call.objects.all()} == {0}


def test_large_parallel_batches_of_the_same_calls_do_not_deadlock(number):
    def batch(seed):
        together = [
            parsed(body, f"call {index}", TEN + timedelta(seconds=index)) for index in range(25) for body in samples()
        ]
        Random(seed).shuffle(together)
        return together

    run_at_once([partial(write_apart, *(batch(f"{worker} {round_}") for round_ in range(4))) for worker in range(4)])

    assert Call.objects.count() == 25
    assert CallEvent.objects.count() == 25 * 5 * 16


def test_an_older_post_that_arrives_later_moves_the_call_and_both_quarter_hours_are_counted(number):
    take(number, "CALL_END", TEN + timedelta(minutes=16))
    rollups.recount_changed(wait=True)
    assert QuarterHourCounts.objects.get().quarter_hour == TEN + timedelta(minutes=15)

    take(number, "BLOCK_END", TEN + timedelta(minutes=14))
    rollups.recount_changed(wait=True)

    assert QuarterHourCounts.objects.get().quarter_hour == TEN
    assert QuarterHourBlockCounts.objects.get().quarter_hour == TEN


def test_the_caller_is_that_of_the_earliest_start_even_if_withheld(number):
    take(number, "BLOCK_END", TEN, caller_id_number="+491701111111")
    take(number, "CALL_START", TEN + timedelta(seconds=2), caller_id_number="+491702222222")
    assert Call.objects.get().caller_id_number == "+491702222222"

    take(number, "CALL_START", TEN + timedelta(seconds=1), caller_id_number="anonymous")

    call = Call.objects.get()
    assert (call.caller_id_number, call.caller_differs) == ("", True)


def test_without_a_start_the_caller_is_that_of_the_earliest_post_that_names_one(number):
    take(number, "CALL_END", TEN + timedelta(seconds=9), caller_id_number="+491709999999")
    take(number, "BLOCK_END", TEN + timedelta(seconds=2), caller_id_number="0170 2222222")
    take(number, "BLOCK_END", TEN + timedelta(seconds=1), caller_id_number=None)

    assert Call.objects.get().caller_id_number == "+491702222222"


def test_a_customer_number_that_differs_from_the_numbers_own_is_a_contradiction(number):
    take(number, "CALL_START", TEN, customerNumber=200000)
    assert not Call.objects.contradicting().exists()
    assert not Call.objects.get().customer_number_differs

    DestinationNumber.objects.update(customer_number="300000")
    assert Call.objects.contradicting().get().customer_number_differs

    DestinationNumber.objects.update(customer_number="200000")
    assert not Call.objects.contradicting().exists()
    assert not Call.objects.get().customer_number_differs


def test_two_spellings_of_a_caller_are_not_a_contradiction(number):
    take(number, "CALL_START", TEN, caller_id_number="+4917012345678")
    take(number, "CALL_END", TEN, caller_id_number="0170 12345678")

    assert not Call.objects.get().caller_differs
    assert not Call.objects.contradicting().exists()
    assert Call.objects.get().caller_id_number == "+4917012345678"


@pytest.mark.parametrize(
    "withheld",
    [
        None,
        "",
        " ",
        "anonymous",
        "Anonymous",
        "unknown",
        "restricted",
        "unavailable",
        "private",
        "0",
        "0000000000",
        "+0000",
        "000 000",
    ],
)
def test_withheld_callers_are_blank(number, withheld):
    take(number, "CALL_START", TEN, caller_id_number=withheld)

    assert Call.objects.get().caller_id_number == ""


# --- Posts without call_uuid -----------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_post_without_call_uuid_joins_the_call_of_its_correlation_id_in_any_order(number, order):
    steps = [
        lambda: take(number, "CALL_START", TEN, call_uuid="u", correlation_id="c"),
        lambda: take(number, "FORWARD_ANSWER", TEN + timedelta(seconds=20), call_uuid=None, correlation_id="c"),
        lambda: take(number, "CALL_END", TEN + timedelta(minutes=20), call_uuid=None, correlation_id="c"),
    ]
    for index in order:
        steps[index]()
        rollups.recount_changed(wait=True)
    writer.reunite_calls()
    rollups.recount_changed(wait=True)

    call = Call.objects.get()
    assert (call.call_uuid, call.weak_key, call.weakly_identified) == ("u", "", True)
    assert (call.first_post_at, call.ended_at) == (TEN, TEN + timedelta(minutes=20))
    assert call.answered_at == TEN + timedelta(seconds=20)
    assert call.events.count() == 3
    counts = QuarterHourCounts.objects.get()
    assert (counts.quarter_hour, counts.offered, counts.answered) == (TEN, 1, 1)


def plan_among_many_calls(number, statement):
    """Return PostgreSQL's plan of a statement for a number with 20,000 calls, a tenth of them with withheld callers."""
    with writer.connect() as connection:
        connection.execute(
            """INSERT INTO calls_call (destination_number_id, call_uuid, weak_key, correlation_id, callback_id,
              first_post_at, last_post_at, ended_at, decided_by, caller_id_number, customer_number,
              weakly_identified, has_odd_posts)
            SELECT %s, 'call ' || n, '', 'c ' || n, '', moment, moment, CASE WHEN n > 100 THEN moment END, '{}',
              CASE WHEN n %% 10 > 0 THEN 'caller ' || n ELSE '' END, '', false, false
            FROM generate_series(1, 20000) AS n, (SELECT now() AS moment) AS clock""",
            [number.id],
        )
        with as_owner(connection):
            connection.execute("ANALYZE calls_call")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        post = parsed(post_body("CALL_START", number), None, datetime.now(UTC))
        parameters = {"posts": json.dumps([posts.as_row(post)])} if "%(posts)s" in statement else None
        return "\n".join(line for (line,) in connection.execute(f"EXPLAIN {statement}", parameters))


@pytest.mark.parametrize("statement", [writer.KEEP_POSTS, writer.WAITING_CALLS], ids=["keep", "reunite"])
def test_a_call_is_found_by_an_index_on_correlation_id(number, statement):
    assert "Scan using call_correlation" in plan_among_many_calls(number, statement)


def test_the_open_call_of_a_caller_is_found_by_the_index_of_open_calls(number):
    plan = plan_among_many_calls(number, writer.KEEP_POSTS)

    assert "call_open" in plan
    assert "call_caller_begins" not in plan


def test_posts_with_only_a_correlation_id_are_one_call_until_one_names_its_call_uuid(number):
    for second, kind in enumerate(["CALL_START", "BLOCK_END", "CALL_END"]):
        take(number, kind, TEN + timedelta(seconds=second), call_uuid=None, correlation_id="c")

    call = Call.objects.get()
    assert (call.call_uuid, call.correlation_id, call.events.count()) == ("", "c", 3)


def test_calls_are_reunited_in_the_order_in_which_posts_lock_them(number):
    take(number, "CALL_START", TEN, call_uuid="u", correlation_id="z")
    take(number, "CALL_START", TEN, call_uuid=None, correlation_id="c")
    take(number, "CALL_END", TEN, call_uuid="u", correlation_id="c")
    lock = "SELECT FROM calls_call WHERE call_uuid = %s FOR UPDATE"
    with writer.connect() as batch, writer.connect() as watch, ThreadPoolExecutor(1) as pool:
        with batch.transaction():
            batch.execute(lock, [""])  # as a batch does: ordered by keys, the weak call first
            reunited = pool.submit(in_thread, writer.reunite_calls)
            wait_until_one_waits(watch)
            batch.execute(lock, ["u"])
        assert reunited.result() == 1

    assert Call.objects.get().events.count() == 3


def in_thread(task):
    try:
        return task()
    finally:
        django_connection.close()


def wait_until_one_waits(watch):
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until = monotonic() + 20
    while watch.execute(waiting).fetchone() == (0,):
        assert monotonic() < until


def test_a_post_is_written_although_its_statement_was_cancelled_by_a_deadlock(number):
    for call_uuid in ("a", "b"):
        take(number, "CALL_START", TEN, call_uuid=call_uuid, correlation_id=call_uuid)
    batches = writer.Writer("calltally writer")
    group = GroupCommit("writer", batches.write, batches.close)
    lock = "SELECT FROM calls_call WHERE call_uuid = %s FOR UPDATE"
    with writer.connect() as other, writer.connect() as watch, other.transaction():
        with as_owner(other):
            other.execute("SET LOCAL deadlock_timeout = '1min'")  # so that the batch is cancelled
        other.execute(lock, ["b"])
        ends = [parsed(post_body("CALL_END", number), call_uuid, TEN + timedelta(minutes=1)) for call_uuid in "ab"]
        with group._starting:  # so that both are in one batch
            futures = [Future(), Future()]
            for end, future in zip(ends, futures, strict=True):
                group._queue.put(Submitted(end, future))
        taken = group.submit(parsed(post_body("BLOCK_END", number), "a", TEN + timedelta(minutes=1)))
        wait_until_one_waits(watch)
        other.execute(lock, ["a"])
    try:
        assert all(future.result(20) for future in [taken, *futures])
    finally:
        group.close()

    assert Call.objects.exclude(ended_at=None).count() == 2


def test_a_post_without_any_id_joins_the_open_call_of_its_caller(number):
    known = {"caller_id_number": "0170 12345678", "correlation_id": None}
    take(number, "CALL_START", TEN, call_uuid="u", **known)
    take(number, "FORWARD_ANSWER", TEN + timedelta(seconds=9), call_uuid=None, **known)

    call = Call.objects.get()
    assert (call.weakly_identified, call.answered_at) == (True, TEN + timedelta(seconds=9))


def test_a_post_without_any_id_creates_a_weakly_identified_call_if_none_is_open(number):
    nameless = {"call_uuid": None, "correlation_id": None}
    take(number, "CALL_START", TEN, call_uuid="u", correlation_id=None)
    take(number, "CALL_END", TEN + timedelta(seconds=5), call_uuid="u", correlation_id=None)
    take(number, "CALL_START", TEN + timedelta(seconds=9), **nameless)
    take(number, "CALL_END", TEN + timedelta(seconds=20), **nameless)
    take(number, "CALL_START", TEN + timedelta(seconds=30), caller_id_number="+491705555555", **nameless)

    calls = list(Call.objects.order_by("first_post_at"))
    assert [(call.weakly_identified, call.events.count()) for call in calls] == [(False, 2), (True, 2), (True, 1)]


def test_a_post_without_any_id_does_not_join_a_call_older_than_the_silence_limit(number):
    nameless = {"call_uuid": None, "correlation_id": None}
    take(number, "CALL_START", TEN, **nameless)
    take(number, "CALL_START", TEN + timedelta(hours=5), **nameless)

    assert Call.objects.count() == 2


def test_parallel_posts_without_any_id_make_one_call(number):
    body = post_body("BLOCK_END", number, call_uuid=None, correlation_id=None)
    nameless = [posts.parse(json.dumps(body).encode(), TEN + timedelta(seconds=second)) for second in range(8)]
    run_at_once([partial(write_apart, [post]) for post in nameless])

    assert Call.objects.get().events.count() == 8


def test_a_key_cannot_write_into_a_call_of_another_number(number):
    other = make_number("+4930123456")
    take(number, "CALL_START", TEN, call_uuid="same")
    take(other, "CALL_END", TEN, call_uuid="same")

    assert Call.objects.count() == 2
    assert DestinationNumber.objects.filter(calls__call_uuid="same").distinct().count() == 2


# --- Silence ---------------------------------------------------------------------------------


def test_a_call_without_posts_for_the_limit_falls_silent_and_is_counted_again(number):
    now = datetime.now(UTC)
    take(number, "CALL_START", now - timedelta(hours=4, minutes=1), call_uuid="old")
    take(number, "CALL_START", now - timedelta(hours=3, minutes=59), call_uuid="young")
    take(number, "CALL_END", now - timedelta(hours=9), call_uuid="ended")
    rollups.recount_changed(wait=True)

    assert silent_calls.close_silent_calls() == 1
    assert silent_calls.close_silent_calls() == 0
    rollups.recount_changed(wait=True)

    assert Call.objects.exclude(silent_at=None).get().call_uuid == "old"
    assert sum(counts.end_unknown for counts in QuarterHourCounts.objects.all()) == 1


def test_closing_silent_calls_waits_neither_for_posts_nor_for_a_change_of_the_limit(number):
    silent = datetime.now(UTC) - timedelta(hours=5)
    for call_uuid in ("a", "b"):
        take(number, "CALL_START", silent, call_uuid=call_uuid, correlation_id=call_uuid)
    with writer.connect() as other:
        with other.transaction():
            other.execute("UPDATE calls_destinationnumber SET silent_after_h = 6")
            assert silent_calls.close_silent_calls() == 0
            other.execute("UPDATE calls_destinationnumber SET silent_after_h = 4")
        with other.transaction():
            other.execute("SELECT FROM calls_call WHERE call_uuid = 'a' FOR UPDATE")
            assert silent_calls.close_silent_calls() == 1

    assert silent_calls.close_silent_calls() == 1


def test_a_changed_silence_limit_locks_calls_in_the_order_in_which_posts_do(number):
    for call_uuid in ("b", "a"):
        take(number, "CALL_START", datetime.now(UTC) - timedelta(hours=5), call_uuid=call_uuid)
    silent_calls.close_silent_calls()
    number.silent_after_h = 6
    lock = "SELECT FROM calls_call WHERE call_uuid = %s FOR UPDATE"
    with writer.connect() as batch, writer.connect() as watch, ThreadPoolExecutor(1) as pool:
        with batch.transaction():
            batch.execute(lock, ["a"])
            saved = pool.submit(in_thread, number.save)
            wait_until_one_waits(watch)
            batch.execute(lock, ["b"])
        saved.result()

    assert Call.objects.filter(silent_at=None).count() == 2


def test_the_writer_connects_with_every_option_of_the_database(db, monkeypatch):
    options = {"options": "-c search_path=elsewhere,public", "keepalives_idle": 7, "sslmode": "prefer"}
    monkeypatch.setitem(django_connection.settings_dict, "OPTIONS", options)
    with writer.connect() as connection:
        assert connection.execute("SHOW search_path").fetchone() == ("elsewhere,public",)
        assert connection.execute("SHOW lock_timeout").fetchone() == ("1500ms",)
        assert connection.info.get_parameters()["keepalives_idle"] == "7"
