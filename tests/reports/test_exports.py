"""CSV files: their columns and rows, what is empty, and that they stream."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from accounts.audit.downloads import Download
from calls.models import Call, DestinationNumber
from reports.counting import rollups
from reports.counting.outcomes import Outcome
from reports.exports import csv_files
from reports.exports.file_names import file_name
from reports.periods import Grain, Period, day_start
from reports.queries import counts
from tests.factories import make_number, take
from tests.reports.helpers import ALL_ON, DAY, EVERYTHING, NOON, OTHER, call, rows, text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_groups_are_shown(settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 0


TODAY = Period(DAY, DAY)
COUNTS = (
    "start,end,destination_number,label,offered,answered,missed,abandoned,short,served_in_plan,in_progress,"
    "end_unknown,service_level,time_to_answer_s,ring_s,talk_s,unclassified,lost,reached"
)
BLOCKS = "start,end,destination_number,label,block_type,blocks,calls,last_in_call"
CALLS = (
    "call_uuid,correlation_id,customer_number,destination_number,label,caller_id_number,started_at,forwarded_at,"
    "answered_at,ended_at,outcome,time_to_answer_s,ring_s,talk_s,blocks,last_block_type,forwards,"
    "answered_destination,answered_destination_type,answered_agents,caller_contact,note_result,note,waited_s"
)


def test_columns_are_in_the_documented_order():
    assert text(csv_files.counts_csv([], TODAY, Grain.DAY)) == COUNTS + "\n"
    assert text(csv_files.blocks_csv([], TODAY, Grain.DAY)) == BLOCKS + "\n"
    assert text(csv_files.calls_csv(Call.objects.all(), EVERYTHING)) == CALLS + "\n"


def test_counts_of_a_day():
    number = make_number(label="Hotline Köln", **ALL_ON)
    call(number, "quick", NOON, S=0, F=2, A=12, E=112)
    call(number, "slow", NOON, S=0, F=10, A=43, E=344)
    call(number, "no start", NOON, F=0, A=4, E=24)
    call(number, "missed", NOON, S=0, F=5, E=60)
    call(number, "short", NOON, S=0, E=2)
    make_number(OTHER, **ALL_ON)
    rollups.recount_changed()

    assert text(csv_files.counts_csv([number], Period(DAY - timedelta(days=3), DAY), Grain.DAY)) == (
        f"{COUNTS}\n"
        "2026-09-15T00:00:00+02:00,2026-09-16T00:00:00+02:00,+4922155400300,Hotline Köln,"
        "5,3,1,0,1,0,0,0,0.3333,27.5,15.7,140.3,0,1,0.7500\n"
    )


def test_shares_and_averages_of_no_calls_are_empty():
    number = make_number(**ALL_ON)
    call(number, "short", NOON, S=0, E=2)
    rollups.recount_changed()

    [row] = rows(csv_files.counts_csv([number], TODAY, Grain.HOUR))

    assert (row["start"], row["end"]) == ("2026-09-15T12:00:00+02:00", "2026-09-15T13:00:00+02:00")
    assert [row[name] for name in ("service_level", "time_to_answer_s", "ring_s", "talk_s")] == [""] * 4
    assert (row["short"], row["answered"], row["unclassified"], row["label"]) == ("1", "0", "0", "")


def test_what_is_not_measured_is_empty_and_counts_as_unclassified():
    number = make_number()
    call(number, "before", NOON - timedelta(hours=3), S=0, E=30)
    call(number, "missed", NOON - timedelta(hours=2), S=0, F=5, E=30)
    call(number, "answered", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()

    nine, ten, twelve = rows(csv_files.counts_csv([number], TODAY, Grain.HOUR))
    [day] = rows(csv_files.counts_csv([number], TODAY, Grain.DAY))

    names = ("offered", "answered", "missed", "abandoned", "short", "in_progress", "unclassified", "talk_s")
    assert [nine[name] for name in names] == ["1", "", "", "", "0", "0", "1", ""]
    assert [ten[name] for name in names] == ["1", "", "", "0", "0", "0", "1", ""]
    assert [twelve[name] for name in names] == ["1", "1", "0", "0", "0", "0", "0", "100.0"]
    assert [day[name] for name in names] == ["3", "1", "0", "0", "0", "0", "2", "100.0"]


def test_what_does_not_apply_is_empty():
    number = make_number(expects_forward=False)
    call(number, "one", NOON, S=0, B=3, E=30)
    rollups.recount_changed()

    [row] = rows(csv_files.counts_csv([number], TODAY, Grain.DAY))

    assert (row["answered"], row["missed"], row["abandoned"], row["service_level"]) == ("", "", "", "")
    assert (row["served_in_plan"], row["unclassified"]) == ("1", "0")


def test_counts_are_the_same_as_on_pages():
    numbers = [make_number(**ALL_ON), make_number(OTHER)]
    for n, number in enumerate(numbers):
        for hour in range(30):
            start = NOON + timedelta(minutes=47 * hour)
            call(number, f"a{hour}", start, S=0, F=2, **({"A": 12} if hour > 3 * n else {}), E=112)
            call(number, f"b{hour}", start, S=0, E=1 + hour)
    rollups.recount_changed()
    period = Period(DAY - timedelta(days=2), DAY + timedelta(days=3))

    for grain in Grain:
        of_numbers = [(number, row) for number in numbers for row in counts.by_bucket([number], period, grain)]
        shown = sorted((pair for pair in of_numbers if pair[1].offered), key=lambda pair: pair[1].bucket.start)
        exported = rows(csv_files.counts_csv(numbers, period, grain))
        assert len(shown) == len(exported)
        for (number, row), cells in zip(shown, exported, strict=True):
            assert datetime.fromisoformat(cells["start"]) == row.bucket.start
            assert datetime.fromisoformat(cells["end"]) == row.bucket.end
            assert cells["destination_number"] == number.e164
            assert int(cells["offered"]) == row.offered
            assert int(cells["unclassified"]) == row.unclassified
            for outcome in Outcome.values:
                assert cells[outcome] == ("" if row[outcome].value is None else str(row[outcome].value))
            for name, key, digits in (("talk_s", "talk", 1), ("service_level", "service_level", 4)):
                value = row[key].value
                assert cells[name] == ("" if value is None else f"{value:.{digits}f}")


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_the_quarter_hours_of_a_day_whose_clock_changes_add_up_and_have_distinct_times(day, hours):
    number = make_number(**ALL_ON)
    for n in range(hours * 4):
        call(number, f"call {n}", day_start(day) + timedelta(minutes=15 * n), B=0, E=30)
    rollups.recount_changed()
    period = Period(day, day)

    quarter_hours = rows(csv_files.counts_csv([number], period, Grain.QUARTER_HOUR))
    [whole] = rows(csv_files.counts_csv([number], period, Grain.DAY))

    assert len(quarter_hours) == hours * 4
    assert len({row["start"] for row in quarter_hours}) == hours * 4
    assert sum(int(row["offered"]) for row in quarter_hours) == int(whole["offered"]) == hours * 4
    blocks = rows(csv_files.blocks_csv([number], period, Grain.QUARTER_HOUR))
    [blocks_of_day] = rows(csv_files.blocks_csv([number], period, Grain.DAY))
    assert sum(int(row["blocks"]) for row in blocks) == int(blocks_of_day["blocks"]) == hours * 4
    assert (whole["start"][-6:], whole["end"][-6:]) in {("+01:00", "+02:00"), ("+02:00", "+01:00")}


def test_blocks_by_number_and_type():
    number = make_number(label="Shop", **ALL_ON)
    take(number, "BLOCK_END QUEUE", NOON)
    take(number, "BLOCK_END QUEUE", NOON + timedelta(seconds=5))
    take(number, "BLOCK_END ANNOUNCEMENT", NOON + timedelta(seconds=9))
    take(number, "CALL_END", NOON + timedelta(seconds=30))
    rollups.recount_changed()

    where = "2026-09-15T12:00:00+02:00,2026-09-15T12:15:00+02:00,+4922155400300,Shop"
    assert text(csv_files.blocks_csv([number], TODAY, Grain.QUARTER_HOUR)) == (
        f"{BLOCKS}\n{where},ANNOUNCEMENT,1,1,1\n{where},QUEUE,2,1,0\n"
    )


def test_blocks_that_are_not_measured_are_empty():
    number = make_number(**ALL_ON | {"block_end": "off"})
    call(number, "one", NOON, S=0, B=3, E=30)
    rollups.recount_changed()

    [row] = rows(csv_files.blocks_csv([number], TODAY, Grain.DAY))

    assert (row["blocks"], row["calls"], row["last_in_call"]) == ("", "", "")


def test_a_call_has_all_its_columns():
    number = make_number(label="Shop", **ALL_ON)
    posts = (
        ("CALL_START", 0.0),
        ("BLOCK_END ANNOUNCEMENT", 9),
        ("BLOCK_END QUEUE", 10),
        ("INITIATE_FORWARD +492212345678", 10.5),
        ("INITIATE_FORWARD +492212345679", 11),
        ("FORWARD_ANSWER +492212345679", 22.25),
        ("FORWARD_ANSWER +492212345670", 30),
        ("CALL_END", 280.125),
    )
    for kind, second in posts:
        take(number, kind, NOON + timedelta(seconds=second), call_uuid="uuid-1", correlation_id="correlation-1")

    row = (
        "uuid-1,correlation-1,200000,+4922155400300,Shop,+4917012345678,2026-09-15T12:00:00.000+02:00,"
        "2026-09-15T12:00:10.500+02:00,2026-09-15T12:00:22.250+02:00,2026-09-15T12:04:40.125+02:00,answered,"
        "22.250,11.750,257.875,2,QUEUE,2,+492212345679,EXTERNALNUMBER,,,,,22.250"
    )
    masked = row.replace("+4917012345678", "+4917012345•••")
    assert text(csv_files.calls_csv(Call.objects.all(), EVERYTHING, whole_callers=True)) == f"{CALLS}\n{row}\n"
    assert text(csv_files.calls_csv(Call.objects.all(), EVERYTHING)) == f"{CALLS}\n{masked}\n"
    assert (
        text(csv_files.calls_csv(Call.objects.all(), whole_callers=True)).splitlines()[1].count("+4917012345•••") == 1
    )


def test_calls_are_oldest_first_and_only_those_selected():
    number, other = make_number(**ALL_ON), make_number(OTHER, **ALL_ON)
    call(number, "second", NOON, S=0, E=2)
    call(number, "first", NOON - timedelta(hours=1), S=0, E=2)
    call(other, "of another", NOON, S=0, E=2)
    call(number, "of the next day", TODAY.end, S=0, E=2)

    asked = number.calls.filter(first_post_at__gte=TODAY.start, first_post_at__lt=TODAY.end)

    assert [row["call_uuid"] for row in rows(csv_files.calls_csv(asked.order_by("-first_post_at")))] == [
        "first",
        "second",
    ]
    picked = Call.objects.filter(pk__in=list(asked.values_list("pk", flat=True))).select_related()
    assert len(rows(csv_files.calls_csv(picked))) == 2
    assert [row["call_uuid"] for row in rows(csv_files.calls_csv(asked.order_by("-first_post_at")[:1]))] == ["second"]
    assert len(rows(csv_files.calls_csv(Call.objects.filter(events__request_type="CALL_END").distinct()))) == 4
    # Characters that have a meaning for the database client are plain text.
    assert rows(csv_files.calls_csv(asked.filter(call_uuid__contains="100%s %(x)s"))) == []


def test_outcomes_that_are_not_measured_at_the_time_of_the_call_are_empty():
    number = make_number()
    call(number, "before", NOON - timedelta(hours=1), S=0, E=30)
    call(number, "missed", NOON - timedelta(minutes=30), S=0, F=5, E=30)
    call(number, "answered", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()

    exported = rows(csv_files.calls_csv(Call.objects.all(), EVERYTHING))

    assert [(row["outcome"], row["forwards"], row["blocks"]) for row in exported] == [
        ("", "", ""),
        ("", "1", ""),
        ("answered", "1", ""),
    ]
    assert [row["talk_s"] for row in exported] == ["", "", "100.000"]


def test_how_long_a_caller_waited_is_until_the_answer_or_the_end():
    number = make_number(**ALL_ON)
    tape = make_number("+4922155400399", expects_forward=False, **ALL_ON)
    call(number, "answered", NOON, S=0, F=2, A=12, E=112)
    call(number, "missed", NOON + timedelta(minutes=1), S=0, F=5, E=30)
    call(number, "abandoned", NOON + timedelta(minutes=2), S=0, E=9)
    call(number, "short", NOON + timedelta(minutes=3), S=0, E=3)
    call(number, "without its start", NOON + timedelta(minutes=4), F=0, E=30)
    call(number, "ongoing", NOON + timedelta(minutes=5), S=0, F=3)
    call(tape, "tape", NOON + timedelta(minutes=6), S=0, E=40)

    def waited():
        rollups.recount_changed()
        return [row["waited_s"] for row in rows(csv_files.calls_csv(Call.objects.all(), EVERYTHING))]

    assert waited() == ["12.000", "30.000", "9.000", "3.000", "", "", ""]

    DestinationNumber.objects.update(initiate_forward="off")
    assert waited() == ["12.000", "", "", "3.000", "", "", ""]  # whether they were lost is not measured


def test_lost_and_reached_are_the_last_columns_of_counts():
    number = make_number(**ALL_ON)
    call(number, "answered", NOON, S=0, F=2, A=12, E=112)
    call(number, "missed", NOON, S=0, F=5, E=30)
    call(number, "abandoned", NOON, S=0, E=9)
    rollups.recount_changed()

    [row] = rows(csv_files.counts_csv([number], TODAY, Grain.DAY))
    assert list(row.items())[-2:] == [("lost", "2"), ("reached", "0.3333")]

    DestinationNumber.objects.update(forward_answer="off")
    number.refresh_from_db()
    [row] = rows(csv_files.counts_csv([number], TODAY, Grain.DAY))
    assert (row["lost"], row["reached"]) == ("", "")


def test_outcomes_of_calls_add_up_to_the_counts():
    number = make_number()
    for n in range(40):
        start = NOON + timedelta(minutes=9 * n)
        call(
            number, f"call {n}", start, S=0, **({"F": 2} if n % 3 else {}), **({"A": 9} if n % 6 == 5 else {}), E=n + 10
        )
    rollups.recount_changed()

    listed = [row["outcome"] for row in rows(csv_files.calls_csv(Call.objects.all(), EVERYTHING))]
    [counted] = rows(csv_files.counts_csv([number], TODAY, Grain.DAY))

    for outcome in Outcome.values:
        assert listed.count(outcome) == int(counted[outcome])
    assert listed.count("") == int(counted["unclassified"]) > 0


def test_a_callback_is_listed_as_such_and_has_no_figures():
    number = make_number(**ALL_ON)
    for kind, second in (("CALL_START", 0), ("INITIATE_FORWARD", 2), ("FORWARD_ANSWER", 9), ("CALL_END", 30)):
        take(number, kind, NOON + timedelta(seconds=second), callback_id="callback-1")
    rollups.recount_changed()

    [row] = rows(csv_files.calls_csv(Call.objects.all(), EVERYTHING))

    assert (row["outcome"], row["time_to_answer_s"], row["ring_s"], row["talk_s"]) == ("callback", "", "", "")
    assert row["answered_at"] == "2026-09-15T12:00:09.000+02:00"
    assert rows(csv_files.counts_csv([number], TODAY, Grain.DAY)) == []


def test_a_download_is_a_file_that_no_cache_keeps():
    noted = Download("counts.csv", {})
    response = csv_files.download(noted, file_name("counts", TODAY), csv_files.counts_csv([], TODAY, Grain.DAY))

    assert response.streaming
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="counts-2026-09-15.csv"'
    assert response["Cache-Control"] == "private, no-store"
    assert b"".join(response).decode() == COUNTS + "\n"
    assert file_name("calls", Period(DAY, DAY + timedelta(days=1))) == "calls-2026-09-15-2026-09-16.csv"


@pytest.mark.slow
def test_a_client_that_disconnects_leaves_the_connection_usable():
    number = make_number(**ALL_ON)
    start = datetime(2026, 9, 15, tzinfo=UTC)
    Call.objects.bulk_create(
        Call(
            destination_number=number,
            call_uuid=f"call {n}",
            first_post_at=start,
            last_post_at=start,
            decided_by=[],
        )
        for n in range(20_000)
    )
    noted = Download("calls.csv", {})
    response = csv_files.download(noted, "calls.csv", csv_files.calls_csv(Call.objects.all(), EVERYTHING))
    pieces = iter(response)
    first = next(pieces)
    assert csv_files.PIECE_BYTES <= len(first) < 2 * csv_files.PIECE_BYTES

    response.close()

    assert not connection.in_atomic_block
    assert Call.objects.count() == 20_000
    with connection.cursor() as cursor:
        cursor.execute("SHOW TimeZone")
        assert cursor.fetchone() == ("UTC",)
    assert len(rows(csv_files.calls_csv(Call.objects.all(), EVERYTHING))) == 20_000


def test_excel_gets_semicolons_decimal_commas_and_times_it_can_read():
    number = make_number(label="Hotline Köln", **ALL_ON)
    call(number, "quick", NOON, S=0, F=2, A=12, E=112)
    call(number, "missed", NOON, S=0, F=5, E=60)
    rollups.recount_changed()

    file = b"".join(csv_files.counts_csv([number], TODAY, Grain.DAY, excel=True))
    assert file.startswith(b"\xef\xbb\xbf")
    assert file.decode("utf-8-sig") == (
        f"{COUNTS.replace(',', ';')}\n"
        "2026-09-15 00:00:00;2026-09-16 00:00:00;+49 22155400300;Hotline Köln;"
        "2;1;1;0;0;0;0;0;0,5000;12,0;10,0;100,0;0;1;0,5000\n"
    )
    calls = b"".join(csv_files.calls_csv(Call.objects.all(), EVERYTHING, excel=True)).decode("utf-8-sig")
    header, first, _second = calls.splitlines()
    assert header == CALLS.replace(",", ";")
    assert ";2026-09-15 12:00:00;2026-09-15 12:00:02;" in first
    assert ";12,000;10,000;100,000;" in first


def test_planners_get_every_quarter_hour_in_utc_without_a_header():
    number = make_number(**ALL_ON)
    other = make_number(OTHER, **ALL_ON | {"forward_answer": "off"})
    call(number, "one", NOON, S=0, F=2, A=12, E=112)
    call(number, "two", NOON, S=0, F=2, A=12, E=113)
    call(number, "missed", NOON, S=0, F=5, E=60)
    call(other, "other", NOON, S=0, F=5, E=60)
    rollups.recount_changed()
    october = Period(date(2026, 10, 25), date(2026, 10, 25))

    lines = text(csv_files.planner_csv([number, other], TODAY)).splitlines()
    assert len(lines) == 2 * 96
    assert lines[0] == f"2026-09-14 22:00,{number.e164},0,0,0"
    assert f"2026-09-15 10:00,{number.e164},3,2,101" in lines  # 100.5 s, rounded to the second
    assert f"2026-09-15 10:00,{OTHER},1,," in lines
    assert lines == sorted(lines, key=lambda line: (line.split(",")[1] != number.e164, line))
    assert len(text(csv_files.planner_csv([number], october)).splitlines()) == 100


def test_excel_and_planners_are_served_by_address(client):
    from tests.factories import make_staff

    number = make_number(label="Hotline", **ALL_ON)
    call(number, "quick", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()
    client.force_login(make_staff())
    query = "from=2026-09-15&to=2026-09-15"

    for name in ("counts", "blocks", "calls"):
        answer = client.get(f"/reports/{name}.csv?{query}&format=excel")
        assert b"".join(answer.streaming_content).startswith(b"\xef\xbb\xbf"), name
    planner = client.get(f"/reports/planner.csv?{query}")
    assert planner["Content-Disposition"] == 'attachment; filename="planner-2026-09-15.csv"'
    assert len(b"".join(planner.streaming_content).splitlines()) == 96
    overview = client.get(f"/reports/?{query}").content.decode()
    assert "&amp;format=excel" in overview
    assert "/reports/planner.csv?" in overview
