"""What browsers ask of the pages' processes: their own rings, what they showed, and a test."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core import checks
from django.utils import timezone

from calls.models import Call, Right
from contacts.models import LinkTemplate
from live import feed, state
from live.models import LiveProcess, Pop
from tests.factories import give, make_contact, make_number, make_staff, make_user, map_variable, take
from tests.live.rings import map_to, ring

pytestmark = pytest.mark.django_db(transaction=True)

STATE, SHOWN, TEST = "/live/state", "/live/shown", "/live/test"


@pytest.fixture
def number():
    return make_number(label="Hotline")


@pytest.fixture
def anna(client):
    person = make_user("anna")
    map_to(person, "1001")
    client.force_login(person)
    return person


def note(client, **ids):
    return client.post(SHOWN, json.dumps(ids), content_type="application/json").status_code


def test_a_person_sees_their_own_rings_with_the_whole_caller_and_nothing_else(client, number, anna):
    own = ring(anna, number, at=timezone.now())
    ring(make_user("ben"), number, "1002", at=timezone.now())
    (shown,) = client.get(STATE).json()["rings"]
    assert (shown["ring"], shown["state"], shown["destination"]) == (own.pk, "ringing", "1001")
    assert shown["caller"] == {"text": "+49 170 12345678", "is_withheld": False, "country": ""}
    assert shown["number"] == {"id": number.pk, "name": "Hotline", "e164": number.e164}
    assert (shown["by"], shown["call_url"]) == ("", "")
    give(anna, number, Right.CALLS)
    assert client.get(STATE).json()["rings"][0]["call_url"] == f"/reports/calls/{own.event.call_id}/"


def test_it_says_how_often_the_caller_called_before_and_how_that_ended(client, number, anna):
    before = timezone.now() - timedelta(days=3)
    for name, day in (("first", 1), ("second", 2)):
        take(number, "CALL_START", before + timedelta(days=day), call_uuid=name, correlation_id=name)
        take(number, "FORWARD_ANSWER", before + timedelta(days=day), call_uuid=name, correlation_id=name)
    ring(anna, number, at=timezone.now())
    earlier = client.get(STATE).json()["rings"][0]["earlier"]
    assert (earlier["calls"], earlier["last_outcome"]) == (2, "Answered")
    assert earlier["last_at"].startswith(f"{before + timedelta(days=2):%Y-%m-%d}")


def test_a_foreign_and_a_withheld_caller_are_said_to_be_that(client, number, anna):
    ring(anna, number, at=timezone.now(), caller="+33123456789")
    ring(anna, number, at=timezone.now(), caller="anonymous")
    foreign, withheld = (row["caller"] for row in client.get(STATE).json()["rings"])
    assert (foreign["country"], foreign["is_withheld"]) == ("FR", False)
    assert withheld == {"text": "", "is_withheld": True, "country": ""}


def test_without_rings_it_costs_few_queries_and_says_whether_calls_can_ring(
    client, anna, django_assert_max_num_queries, settings
):
    with django_assert_max_num_queries(6):  # three of them sign the person in
        answer = client.get(STATE).json()
    assert (answer["connected"], answer["stream_url"], answer["rings"]) == (True, "/live/events", [])
    assert answer["profile"] == {"pops": True, "notification": True, "open_at_once": False, "sound": False}
    settings.LIVE_PORT = 8001
    assert client.get(STATE, headers={"host": "localhost:8000"}).json()["stream_url"] == (
        "http://localhost:8001/live/events"
    )
    client.force_login(make_user("nobody"))
    assert client.get(STATE).json()["connected"] is False


def test_what_was_on_a_screen_is_noted_once_and_only_for_ones_own_rings(client, number, anna):
    own = ring(anna, number, at=timezone.now(), why_not="not_connected")
    late = ring(anna, number, at=timezone.now(), why_not="late", closed_at=timezone.now())
    others = ring(make_user("ben"), number, "1002", at=timezone.now())
    assert note(client, shown=[own.pk, late.pk, others.pk], opened=[]) == 204
    own.refresh_from_db()
    first = own.shown_at
    assert (own.why_not, own.opened_at) == ("", None)
    assert note(client, shown=[own.pk], opened=[own.pk]) == 204
    own.refresh_from_db()
    assert own.shown_at == first
    assert own.opened_at > first
    assert set(Pop.objects.exclude(pk=own.pk).values_list("shown_at", "opened_at")) == {(None, None)}


@pytest.mark.parametrize(
    "body", ["", "[]", '{"shown": ["x"]}', '{"shown": 1}', '{"shown": [null]}', '{"shown": [1e999]}', "[" * 10_000]
)
def test_what_is_no_list_of_rings_is_refused(client, anna, body):
    assert client.post(SHOWN, body, content_type="application/json").status_code == 400


def test_a_test_rings_for_the_person_alone_and_ends_by_itself(client, anna):
    feed.feed()
    assert client.post(TEST).status_code == 204
    (shown,) = client.get(STATE).json()["rings"]
    assert (shown["call"], shown["state"], shown["number"]["name"]) == (None, "ringing", "Test call")
    client.force_login(make_user("ben"))
    assert client.get(STATE).json()["rings"] == []
    Pop.objects.update(rang_at=timezone.now() - timedelta(minutes=1))
    feed.feed(sweeps=True)
    assert Pop.objects.get().state == "closed"


def test_system_metrics_and_checks_say_whether_calls_are_shown(client, number):
    client.force_login(make_staff())
    system = "/reports/system/"
    assert "No people are named at destinations or in teams" in client.get(system).content.decode()
    map_to(make_user("anna"), "1001")
    assert "No live process is running" in client.get(system).content.decode()
    assert [warning.id for warning in state.check(databases=["default"])] == ["calltally.W037"]
    process = LiveProcess.objects.create(name="web-1 4711", streams=3, boards=2, delay_p50_ms=30.0, delay_p99_ms=80.0)
    page = client.get(system).content.decode()
    assert "3 browsers are connected." in page
    assert "99 were read within 80 ms" in page
    assert "2 live boards are open." in page
    LiveProcess.objects.filter(pk=process.pk).update(delay_p99_ms=9884.0)
    assert "99 were read within 9.9 s" in client.get(system).content.decode()
    LiveProcess.objects.filter(pk=process.pk).update(delay_p99_ms=80.0)
    assert state.check(databases=["default"]) == []
    assert state.check in checks.registry.registry.deployment_checks
    LiveProcess.objects.filter(pk=process.pk).update(clock_offset_s=-7)
    assert "The clock of web-1 differs" in client.get(system).content.decode()
    assert [warning.id for warning in state.check(databases=["default"])] == ["calltally.W038"]
    metrics = client.get("/metrics", headers={"host": "10.0.0.1:8000"}).content.decode()
    assert "calltally_live_streams 3.0" in metrics
    assert "calltally_live_people 1.0" in metrics
    assert "calltally_live_boards 2.0" in metrics


def test_an_answered_call_whose_end_did_not_arrive_is_no_longer_shown_as_going_on(client, number, anna):
    now = timezone.now()
    goes_on = ring(anna, number, answered_at=now - timedelta(hours=3))
    ring(anna, number, answered_at=now - timedelta(hours=5), shown_at=now)
    silent = ring(anna, number, answered_at=now - timedelta(minutes=5), shown_at=now)
    Call.objects.filter(pk=silent.call.pk).update(silent_at=now)

    assert [shown["ring"] for shown in client.get(STATE).json()["rings"]] == [goes_on.pk]
    assert client.get("/live/").content.decode().count("Answered, end unknown") == 2


def test_a_ring_names_the_contact_of_the_caller_and_links_to_their_record(client, number, anna):
    make_contact("Erika Muster", "+4917012345678", company="Muster GmbH", customer_number="K 1", important=True)
    make_contact("Max Muster", "+4917012345678")
    LinkTemplate.objects.create(name="CRM", url="https://crm.example/?tel={caller}&id={customer_number}")
    ring(anna, number, at=timezone.now())
    (shown,) = client.get(STATE).json()["rings"]
    contact = shown["contact"]
    assert (contact["name"], contact["company"], contact["customer_number"]) == ("Erika Muster", "Muster GmbH", "K 1")
    assert (contact["important"], contact["others"]) == (True, 1)
    assert shown["links"] == [
        {
            "label": "CRM (Erika Muster)",
            "url": "https://crm.example/?tel=%2B4917012345678&id=K%201",
            "target": "calltally-links",
        }
    ]


def test_of_a_number_with_extensions_a_ring_names_the_company_alone(client, number, anna):
    make_contact("Erika Muster", company="Muster GmbH", with_extensions=["+4917012345"])
    ring(anna, number, at=timezone.now())
    contact = client.get(STATE).json()["rings"][0]["contact"]
    assert (contact["name"], contact["company"]) == ("Muster GmbH", "")


def test_a_ring_shows_what_the_caller_typed_and_leads_there_first(client, number, anna):
    map_variable(number, url="https://helpdesk.example/{value}")
    map_variable(number, "customer")
    make_contact("Erika Muster", customer_number="58213")
    LinkTemplate.objects.create(name="CRM", url="https://crm.example/{customer_number}")
    typed = {"collected_ticket": "4711", "collected_customer": "58213", "collected_pin": "987654"}
    pop = ring(anna, number, at=timezone.now(), caller="anonymous", variables=typed)
    answer = client.get(STATE)
    (shown,) = answer.json()["rings"]
    assert shown["typed"] == ["Ticket 4711", "Customer 58213"]
    assert (shown["contact"]["name"], shown["caller"]["is_withheld"]) == ("Erika Muster", True)
    assert [(link["label"], link["url"]) for link in shown["links"]] == [
        ("Ticket", "https://helpdesk.example/4711"),
        ("CRM", "https://crm.example/58213"),
    ]
    assert "987654" not in answer.content.decode()

    pop.closed_at = timezone.now()
    pop.save()
    page = " ".join(client.get("/live/").content.decode().split())
    assert "<bdi>Ticket 4711</bdi>" in page
    assert "Erika Muster" in page
