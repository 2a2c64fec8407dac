"""Rows of counts store which of the five posts were measured, and are updated when that changes."""

import io
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from calls.models import Arrives, RequestType
from reports.counting import count_tables, measured, rollups, verification
from reports.models import DayCounts, FirstPost, HourOfWeekCounts, MonthCounts, QuarterHourCounts
from tests.factories import make_number, take
from tests.owner import as_owner
from tests.reports.helpers import roll_up

pytestmark = pytest.mark.django_db(transaction=True)

TEN = datetime(2026, 6, 8, 8, 0, tzinfo=UTC)  # a Monday, 10:00 in Berlin
CALL_START, BLOCK_END, INITIATE_FORWARD, FORWARD_ANSWER, CALL_END = (measured.BITS[name] for name in RequestType.values)


def bits_by_hour():
    rows = QuarterHourCounts.objects.order_by("quarter_hour").values_list("quarter_hour", "measured")
    return {(quarter_hour - TEN) // timedelta(hours=1): bits for quarter_hour, bits in rows}


def call(number, hour, *kinds):
    for second, kind in enumerate(kinds):
        take(number, kind, TEN + timedelta(hours=hour, seconds=second), call_uuid=f"call at {hour}")


def test_the_bits_of_the_five_posts_never_change():
    assert measured.BITS == {
        "CALL_START": 1, "BLOCK_END": 2, "INITIATE_FORWARD": 4, "FORWARD_ANSWER": 8, "CALL_END": 16,
    }  # fmt: skip


def test_a_post_is_measured_from_the_quarter_hour_of_its_first_one():
    number = make_number()
    call(number, 0, "CALL_START")
    call(number, 1, "CALL_START", "CALL_END")
    call(number, 2, "CALL_START")
    roll_up()

    assert bits_by_hour() == {0: CALL_START, 1: CALL_START | CALL_END, 2: CALL_START | CALL_END}
    for table in (DayCounts, MonthCounts):
        rows = table.objects.order_by("measured").values_list("measured", "offered")
        assert list(rows) == [(CALL_START, 1), (CALL_START | CALL_END, 2)]
    assert HourOfWeekCounts.objects.filter(hour=11).values_list("measured", flat=True).get() == CALL_START | CALL_END


def test_an_older_first_post_that_comes_late_changes_what_was_measured_before():
    number = make_number()
    call(number, 0, "CALL_START")
    call(number, 3, "CALL_START", "CALL_END")
    roll_up()
    assert bits_by_hour() == {0: CALL_START, 3: CALL_START | CALL_END}

    take(number, "CALL_END", TEN + timedelta(seconds=20), call_uuid="call at 0")
    roll_up()

    assert bits_by_hour() == {0: CALL_START | CALL_END, 3: CALL_START | CALL_END}
    assert DayCounts.objects.get().offered == 2


def test_a_first_post_may_move_to_a_later_quarter_hour():
    number = make_number()
    long_call = {"call_uuid": "long call"}
    take(number, "CALL_START", TEN, **long_call)
    take(number, "CALL_END", TEN + timedelta(hours=2), **long_call)
    call(number, 1, "CALL_START")
    roll_up()
    assert bits_by_hour() == {0: CALL_START | CALL_END, 1: CALL_START | CALL_END}

    # Received before the other CALL_END, for a call that began later.
    take(number, "CALL_END", TEN + timedelta(hours=1, minutes=5), call_uuid="call at 1")
    roll_up()

    assert bits_by_hour() == {0: CALL_START, 1: CALL_START | CALL_END}


@pytest.mark.parametrize("request_type", RequestType.values)
def test_a_setting_decides_for_the_whole_history(request_type):
    number = make_number()
    call(number, 0, "CALL_START")
    call(number, 1, *RequestType.values)
    roll_up()
    bit = measured.BITS[request_type]
    automatic = [bits & bit for bits in bits_by_hour().values()]

    for setting, expected in [(Arrives.OFF, [0, 0]), (Arrives.ON, [bit, bit]), (Arrives.AUTOMATIC, automatic)]:
        setattr(number, request_type.lower(), setting)
        number.save()
        roll_up()
        assert [bits & bit for bits in bits_by_hour().values()] == expected


def test_verify_finds_and_fixes_wrong_measured_bits():
    number = make_number()
    call(number, 0, "CALL_START", "CALL_END")
    roll_up()
    QuarterHourCounts.objects.update(measured=measured.EVERY_POST)

    with pytest.raises(SystemExit):
        call_command("verify_rollups", stdout=io.StringIO())
    call_command("verify_rollups", "--fix", stdout=io.StringIO())

    assert bits_by_hour() == {0: CALL_START | CALL_END}
    call_command("verify_rollups", stdout=io.StringIO())


def test_fixing_a_first_post_fixes_what_was_measured():
    number = make_number()
    call(number, 0, "CALL_START", "CALL_END")
    call(number, 1, "CALL_START")
    roll_up()
    FirstPost.objects.filter(request_type="CALL_END").delete()

    call_command("verify_rollups", "--fix", stdout=io.StringIO())

    assert list(verification.differences()) == []
    assert set(bits_by_hour().values()) == {CALL_START | CALL_END}


@pytest.mark.parametrize("seed", range(4))
def test_every_row_says_what_was_measured_after_any_history(seed):
    chance = Random(seed)
    numbers = [make_number(f"+4922155400{n:03}") for n in range(3)]
    for _step in range(25):
        number = chance.choice(numbers)
        match chance.randrange(8):
            case 0:
                setattr(number, chance.choice(RequestType.values).lower(), chance.choice(Arrives.values))
                number.save()
            case 1:
                roll_up()
            case 2 if chance.randrange(3) == 0:
                rollups.rebuild()
            case _:
                hour = chance.randrange(60)
                kinds = chance.sample(RequestType.values, chance.randrange(1, 4))
                begun = TEN + timedelta(hours=hour)
                callback = {"callback_id": "one"} if chance.randrange(6) == 0 else {}
                for kind in kinds:
                    at = begun + timedelta(seconds=chance.randrange(5000))
                    take(number, kind, at, call_uuid=f"call {hour} of {number.pk}", **callback)
    roll_up()
    rows = QuarterHourCounts.objects.values_list("destination_number_id", "quarter_hour", "measured")
    first_posts = measured.first_posts([number.pk for number in numbers])
    settings = {number.pk: {name: number.arrives(name) for name in RequestType.values} for number in numbers}

    def arrives(number, request_type, quarter_hour):
        setting = settings[number][request_type]
        if setting == Arrives.AUTOMATIC:
            return first_posts.get((number, request_type), measured.NEVER) <= quarter_hour
        return setting == Arrives.ON

    assert rows
    for number, quarter_hour, bits in rows:
        assert bits == sum(bit for name, bit in measured.BITS.items() if arrives(number, name, quarter_hour))


def test_an_update_fills_what_was_measured_before_it():
    numbers = [make_number(), make_number("+4922155400301", forward_answer=Arrives.OFF)]
    for number in numbers:
        call(number, 0, "CALL_START", "BLOCK_END QUEUE", "CALL_END")
        call(number, 1, "CALL_START", "INITIATE_FORWARD +4922111", "FORWARD_ANSWER +4922112", "CALL_END")
        call(number, 24 * 30, "CALL_START", "INITIATE_FORWARD +4922111", "CALL_END")
    roll_up()
    [(_app, newest)] = MigrationExecutor(connection).loader.graph.leaf_nodes("reports")
    before = rows_of_counts()
    migrate("0008_measured")
    try:
        # Without columns that later migrations add: they are empty again, until counts are rebuilt.
        columns = {name: set(rows[0]) for name, rows in rows_of_counts().items() if rows}
        with connection.cursor() as cursor:
            for table in count_tables.TABLES:
                times = [name for name in table.sums if name.endswith("_us")]
                empty = ", ".join(["measured = NULL", *(f"{name} = 0" for name in times)])
                for name in (table.of_quarter_hours, table.of_days, table.of_months):
                    cursor.execute(f"UPDATE {name} SET {empty}")
            cursor.execute(f"UPDATE {count_tables.HOURS} SET measured = NULL")
            # One row per day, as in older versions.
            cursor.execute("DELETE FROM reports_daycounts WHERE offered = 1 AND answered = 0")
    finally:
        migrate(newest)

    after = rows_of_counts()
    for name, of_table in columns.items():
        kept = [{column: row[column] for column in of_table} for row in before[name]]
        filled = [{column: row[column] for column in of_table} for row in after[name]]
        assert sorted(filled, key=str) == sorted(kept, key=str), name
    assert QuarterHourCounts.objects.filter(time_to_answer_us__gt=0).exists()


def rows_of_counts():
    """Return the rows of each table of counts, without their ids."""
    names = [name for table in count_tables.TABLES for name in (table.of_quarter_hours, table.of_days, table.of_months)]
    rows = {}
    with connection.cursor() as cursor:
        for name in (*names, count_tables.HOURS):
            cursor.execute(f"SELECT * FROM {name}")
            columns = [column.name for column in cursor.description]
            rows[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
            for row in rows[name]:
                del row["id"]
    return rows


def migrate(name):
    with as_owner():
        executor = MigrationExecutor(connection)
        executor.migrate([("reports", name)])
