"""Destinations are shown with the names of their people, to people who may see destinations, and to nobody else."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import AgentDestination
from reports.queries import forwards
from tests.factories import give, make_number, make_staff, make_superuser, make_user, take
from tests.reports.helpers import roll_up

pytestmark = pytest.mark.django_db(transaction=True)

TEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
DAY, WEEK = "from=2026-03-03&to=2026-03-03", "from=2026-03-02&to=2026-03-08"
FORWARD, ANSWER = "INITIATE_FORWARD", "FORWARD_ANSWER"
DESK, OTHER, MOBILE = "1001", "1002", "+492212345678"
TYPES = {DESK: "SIP_USER", OTHER: "SIP_USER", MOBILE: "EXTERNALNUMBER"}
NAMES = ("Meyer", "Kurz", "desk2")


def call(number, name, *steps, at=TEN):
    """Receive a call; each step is (seconds after its start, post, destination)."""
    take(number, "CALL_START", at, call_uuid=name)
    for second, kind, destination in steps:
        received_at = at + timedelta(seconds=second)
        take(number, f"{kind} {destination}", received_at, call_uuid=name, destinationType=TYPES[destination])
    take(number, "CALL_END", at + timedelta(seconds=300), call_uuid=name)


@pytest.fixture
def number(settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 2
    number = make_number(label="Hotline")
    call(number, "a", (5, FORWARD, DESK), (17, ANSWER, DESK))
    call(number, "b", (5, FORWARD, DESK), (25, FORWARD, MOBILE), (45, ANSWER, MOBILE))
    call(number, "c", (5, FORWARD, OTHER), (20, ANSWER, OTHER))
    call(number, "d", (5, FORWARD, DESK), (20, ANSWER, DESK), at=TEN + timedelta(days=1))
    roll_up()
    return number


def map_to(user, destination, day=None):
    AgentDestination.objects.create(
        user=user, destination=destination, destination_type=TYPES[destination], from_day=day
    )


@pytest.fixture
def mapped(number):
    """Anna answers at the desk until Tuesday, then Ben; both at the mobile phone; at the other desk nobody."""
    anna = make_user("anna", first_name="Anna", last_name="Meyer")
    ben = make_user("ben", first_name="Ben", last_name="Kurz")
    map_to(anna, DESK)
    map_to(ben, DESK, WEDNESDAY)
    map_to(anna, MOBILE)
    map_to(ben, MOBILE)
    return number


@pytest.fixture
def staff(client):
    user = make_staff()
    client.force_login(user)
    return user


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def shown_in(page):
    """Return the texts that stand in `bdi`: destinations, numbers and callers."""
    return [unescape(text) for text in re.findall(r"<bdi[^>]*>([^<]*)</bdi>", page.content.decode())]


def rows_of(answer):
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";" if text.startswith("start;") else ","))


def page_of(client, number, name):
    return client.get(f"/reports/calls/{number.calls.get(call_uuid=name).pk}/")


def token(destination):
    return forwards.token(forwards.named(destination, TYPES[destination]))


def test_the_page_forwarding_names_the_people_of_each_destination(client, mapped, staff):
    shown = shown_in(client.get(f"/reports/forwards/?{DAY}"))
    assert "Anna Meyer (1001)" in shown
    assert "Anna Meyer, Ben Kurz (+49 221 2345678)" in shown
    assert "1002" in shown
    assert shown.count("Anna Meyer (1001)") == 2  # the row, and tried first in the table of who stepped in


def test_a_period_names_the_people_of_all_its_days(client, mapped, staff):
    assert "Anna Meyer, Ben Kurz (1001)" in shown_in(client.get(f"/reports/forwards/?{WEEK}"))
    call(mapped, "g", (5, FORWARD, OTHER), at=TEN + timedelta(days=1))
    roll_up()
    assert "Ben Kurz (1001)" in shown_in(client.get("/reports/forwards/?from=2026-03-04&to=2026-03-04"))


def test_chips_and_sentences_of_lists_name_them(client, mapped, staff):
    page = text_of(client.get(f"/reports/calls/?{DAY}&tried_first={token(DESK)}&answered_by={token(MOBILE)}"))
    assert "Tried first at Anna Meyer (1001)" in page
    assert "Answered by Anna Meyer, Ben Kurz (+49 221 2345678)" in page
    assert "Tried at Anna Meyer, Ben Kurz (1001)" in text_of(client.get(f"/reports/calls/?{WEEK}&tried={token(DESK)}"))


def test_a_call_names_the_people_of_its_day(client, mapped, staff):
    page = text_of(page_of(client, mapped, "a"))
    assert "by Anna Meyer (1001) after" in page
    assert "Forwarding 1 to Anna Meyer (1001)" in page
    assert "Anna Meyer (1001) answered" in page
    page = text_of(page_of(client, mapped, "d"))
    assert "by Ben Kurz (1001) after" in page
    assert "Anna" not in page
    assert "by 1002 after" in text_of(page_of(client, mapped, "c"))


def test_the_admin_names_them_on_the_page_of_a_call(client, mapped):
    client.force_login(make_superuser())
    page = text_of(client.get(f"/admin/calls/call/{mapped.calls.get(call_uuid='a').pk}/change/"))
    assert "1001 (SIP_USER) Anna Meyer" in page


def test_files_have_the_names_in_a_column(client, mapped, staff):
    rows = rows_of(client.get(f"/reports/calls.csv?{WEEK}"))
    assert {row["call_uuid"]: row["answered_agents"] for row in rows} == {
        "a": "Anna Meyer",
        "b": "Anna Meyer, Ben Kurz",
        "c": "",
        "d": "Ben Kurz",
    }
    rows = rows_of(client.get(f"/reports/forwards.csv?{WEEK}&by=week"))
    assert list(rows[0])[-1] == "agents"
    assert {(row["destination"], row["agents"]) for row in rows} == {
        (DESK, "Anna Meyer, Ben Kurz"),
        (OTHER, ""),
        (MOBILE, "Anna Meyer, Ben Kurz"),
    }
    by_day = rows_of(client.get(f"/reports/forwards.csv?{WEEK}&by=day"))
    assert {(row["start"][:10], row["agents"]) for row in by_day if row["destination"] == DESK} == {
        ("2026-03-03", "Anna Meyer"),
        ("2026-03-04", "Ben Kurz"),
    }


@pytest.mark.parametrize("file", ["calls.csv", "forwards.csv"])
@pytest.mark.parametrize("format_of_file", ["", "&format=excel"])
def test_the_other_columns_are_the_same_with_and_without_people(client, number, staff, file, format_of_file):
    address = f"/reports/{file}?{DAY}{format_of_file}"
    before = cells_of(client, address)
    map_to(make_user("anna", first_name="Anna", last_name="Meyer"), DESK)
    after = cells_of(client, address)
    place = before[0].index("answered_agents" if file == "calls.csv" else "agents")
    assert {row[place] for row in before[1:]} == {""}
    assert {row[place] for row in after[1:]} == {"", "Anna Meyer"}
    assert [row[:place] + row[place + 1 :] for row in before] == [row[:place] + row[place + 1 :] for row in after]


def cells_of(client, address):
    text = b"".join(client.get(address).streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=";" if "excel" in address else ","))


def test_a_name_that_looks_like_a_formula_is_guarded(client, number, staff):
    map_to(make_user("evil", first_name="=1+1", last_name="x"), DESK)
    rows = rows_of(client.get(f"/reports/calls.csv?{DAY}"))
    assert {row["answered_agents"] for row in rows} == {"", "'=1+1 x"}


def test_names_in_markup_are_escaped(client, number, staff):
    map_to(make_user("evil", first_name="<b>", last_name="x"), DESK)
    for page in (client.get(f"/reports/forwards/?{DAY}"), page_of(client, number, "a")):
        assert "&lt;b&gt; x (1001)" in page.content.decode()
        assert "<b> x" not in page.content.decode()


def test_without_the_right_people_nothing_new_is_shown(client, mapped):
    user = make_user("lea")
    give(user, mapped, "calls", "callers", "export")
    client.force_login(user)
    pages = [f"/reports/forwards/?{DAY}", f"/reports/calls/?{DAY}", f"/reports/calls/?{DAY}&tried={token(DESK)}"]
    pages += [call.get_absolute_url() for call in mapped.calls.all()]
    for page in pages:
        text = text_of(client.get(page))
        assert not [name for name in NAMES if name in text], page
    assert {row["answered_agents"] for row in rows_of(client.get(f"/reports/calls.csv?{DAY}"))} == {""}
    assert client.get(f"/reports/forwards.csv?{DAY}").status_code == 403


def test_the_right_for_one_number_names_nobody_in_calls_to_another(client, mapped):
    other = make_number("+4930123456")
    call(other, "e", (5, FORWARD, OTHER), (17, ANSWER, OTHER))
    call(other, "f", (5, FORWARD, DESK), (17, ANSWER, DESK))
    roll_up()
    user = make_user("lea")
    give(user, mapped, "calls", "export")
    give(user, other, "calls", "people", "export")
    client.force_login(user)
    assert "Anna Meyer (1001) answered" in text_of(page_of(client, other, "f"))
    assert "Meyer" not in text_of(page_of(client, mapped, "a"))
    assert "Meyer" not in text_of(client.get(f"/reports/forwards/?{DAY}"))
    names = {row["call_uuid"]: row["answered_agents"] for row in rows_of(client.get(f"/reports/calls.csv?{DAY}"))}
    assert names == {"a": "", "b": "", "c": "", "e": "", "f": "Anna Meyer"}


def test_where_too_few_destinations_were_tried_nobody_is_named(client, mapped, staff, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 4
    for page in (f"/reports/forwards/?{DAY}", f"/reports/calls/?{DAY}&tried={token(DESK)}"):
        assert "Meyer" not in text_of(client.get(page))
    assert {row["answered_agents"] for row in rows_of(client.get(f"/reports/calls.csv?{DAY}"))} == {""}
    assert client.get(f"/reports/forwards.csv?{DAY}").status_code == 403


def reads_agents(query):
    """Whether a query reads who answers where; whether calls ring for the reader is asked with the teams of numbers."""
    return "contacts_agentdestination" in query["sql"] and "live_numberrings_team" not in query["sql"]


def test_names_are_read_by_one_query_for_each_request(client, mapped, staff):
    addresses = [
        f"/reports/forwards/?{DAY}",
        f"/reports/calls/?{DAY}&tried={token(DESK)}&answered_by={token(MOBILE)}",
        f"{mapped.calls.get(call_uuid='b').get_absolute_url()}?{DAY}&tried={token(DESK)}",
        f"/reports/calls.csv?{DAY}",
        f"/reports/forwards.csv?{DAY}",
    ]
    for address in addresses:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
            _body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert sum(map(reads_agents, queries)) == 1, address


def test_without_the_right_names_are_not_even_read(client, mapped):
    user = make_user("lea")
    give(user, mapped, "calls", "export")
    client.force_login(user)
    for address in (f"/reports/forwards/?{DAY}", f"/reports/calls/?{DAY}", f"/reports/calls.csv?{DAY}"):
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
            _body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert not list(filter(reads_agents, queries)), address
