"""Another system is asked who calls while it rings: the ring never waits, and the answer is added to it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from contacts import lookups
from contacts.lookup_format import Found
from contacts.lookups import Asked
from contacts.models import LinkTemplate, Lookup, LookupAnswer
from live import asking
from tests.factories import make_contact, make_number, make_staff, make_user, take
from tests.live.rings import CALLER, map_to, ring
from tests.live.streams import in_thread, run, session_of, stream, until
from tests.web_server import web_server

pytestmark = pytest.mark.django_db(transaction=True)

ANNA = Found("Anna Meyer", "Meyer GmbH", "1001", "https://erp.example/1001", "Pays late")
LINK = {"label": "ERP", "url": "https://erp.example/1001", "target": "calltally-links"}


@pytest.fixture
def number():
    return make_number(label="Hotline")


@pytest.fixture
def anna(client):
    person = make_user("anna")
    map_to(person, "1001")
    client.force_login(person)
    return person


@pytest.fixture
def server(settings):
    settings.OUTGOING_LOOPBACK = True
    with web_server() as server:
        server.answers([{"name": "Anna Meyer", "page": "https://erp.example/1001"}])
        yield server


@pytest.fixture
def held(server):
    """The server answers once this is set."""
    may_answer = threading.Event()
    server.before = lambda _handler: may_answer.wait(10) and None
    yield may_answer
    may_answer.set()


@pytest.fixture
def patient(monkeypatch):
    """Leave a busy machine the time to answer."""
    monkeypatch.setattr(lookups, "WHILE_IT_RINGS_S", 20.0)
    monkeypatch.setattr(asking, "WAITS_AT_MOST_S", 20.0)


def make_lookup(server=None, name="ERP"):
    url = f"{server.url}/?tel={{caller}}" if server else "https://erp.example/?tel={caller}"
    return Lookup.objects.create(name=name, url=url, is_on=True, name_path="name", url_path="page")


def post(number, kind, caller=CALLER):
    name = f"call of {caller}"
    more = {"call_uuid": name, "correlation_id": name, "destinationType": "SIP_USER"}
    take(number, kind, timezone.now(), caller_id_number=caller, **more)


def shown_now(client):
    (shown,) = client.get("/live/state").json()["rings"]
    return shown


# --- While it rings --------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
def test_a_ring_comes_first_and_the_answer_is_added_for_each_person_by_one_question(client, number, anna, server, held):
    make_lookup(server)
    ben = make_user("ben")
    map_to(ben, "1001")
    sessions = session_of(anna), session_of(ben)

    async def test(live):
        async with stream(live, sessions[0]) as browser, stream(live, sessions[1]) as other:
            for each in (browser, other):
                await each.next()
            await in_thread(post, number, "INITIATE_FORWARD 1001")
            rings = {}
            for each in (browser, other):
                name, rings[each] = await each.next()
                assert (name, rings[each]["contact"], rings[each]["links"]) == ("ring", None, [])
            await until(lambda: server.asked)
            held.set()
            for each in (browser, other):
                name, data = await each.next()
                assert (name, data["ring"], data["links"]) == ("caller", rings[each]["ring"], [LINK])
                assert data["contact"]["name"] == "Anna Meyer"
        async with stream(live, sessions[0]) as again:
            _name, state = await again.next()
            assert state["rings"][0]["contact"]["name"] == "Anna Meyer"

    run(test)
    assert [path for path, _headers in server.asked] == ["/?tel=%2B4917012345678"]
    assert shown_now(client)["links"] == [LINK]


def test_a_system_that_never_answers_delays_nothing_and_rests_after_five_failures(client, number, anna, server, held):
    lookup = make_lookup(server)
    session = session_of(anna)

    async def test(live):
        async with stream(live, session) as browser:
            await browser.next()
            for n in range(5):
                await in_thread(post, number, "INITIATE_FORWARD 1001", f"+491701234567{n}")
                assert (await browser.next())[0] == "ring"
            await until(lambda: Lookup.objects.get().failures == 5)
            await in_thread(post, number, "INITIATE_FORWARD 1001", "+4917012345679")
            assert (await browser.next())[0] == "ring"
            await in_thread(post, number, "CALL_END", "+4917012345679")
            assert (await browser.next())[0] == "closed"

    run(test)
    assert len(server.asked) == 5
    assert LookupAnswer.objects.count() == 0
    assert lookups.asked_now() == []
    client.force_login(make_staff())
    page = client.get("/reports/system/").content.decode()
    assert "The last 5 questions failed" in page
    assert "There was no complete answer in time." in page
    Lookup.objects.filter(pk=lookup.pk).update(failures=0)
    assert "Asked who calls while it rings." in client.get("/reports/system/").content.decode()


@pytest.mark.usefixtures("patient")
def test_nobody_is_asked_about_withheld_callers_or_by_look_ups_that_are_off(number, anna, server):
    make_lookup(server)
    off = make_lookup(server, "Another")
    Lookup.objects.filter(pk=off.pk).update(is_on=False)
    session = session_of(anna)

    async def test(live):
        async with stream(live, session) as browser:
            await browser.next()
            for caller in ("anonymous", "", CALLER):
                await in_thread(post, number, "INITIATE_FORWARD 1001", caller)
                assert (await browser.next())[0] == "ring"
            assert (await browser.next())[0] == "caller"

    run(test)
    assert len(server.asked) == 1


# --- What is shown ---------------------------------------------------------------------------------


def answered(found, name="ERP"):
    lookup = make_lookup(name=name)
    lookups.keep(lookup, lookups.claim(lookup, CALLER, ""), Asked(0.1, 200, found))


def test_of_a_caller_whom_only_the_other_system_knows_everything_is_shown_its_link_first(client, number, anna):
    answered(ANNA)
    LinkTemplate.objects.create(name="CRM", url="https://crm.example/{customer_number}")
    LinkTemplate.objects.create(name="New", url="https://crm.example/new", shown_when="nobody")
    ring(anna, number, at=timezone.now())
    shown = shown_now(client)
    contact = shown["contact"]
    assert (contact["name"], contact["company"]) == ("Anna Meyer", "Meyer GmbH")
    assert (contact["customer_number"], contact["note"], contact["others"]) == ("1001", "Pays late", 0)
    assert [(link["label"], link["url"]) for link in shown["links"]] == [
        ("ERP", "https://erp.example/1001"),
        ("CRM", "https://crm.example/1001"),
    ]


def test_our_own_contact_wins_for_the_name_and_note_and_link_are_added(client, number, anna):
    answered(ANNA)
    make_contact("Anna Klein", CALLER, company="Klein KG", note="Speaks French")
    LinkTemplate.objects.create(name="CRM", url="https://crm.example/{caller}")
    ring(anna, number, at=timezone.now())
    shown = shown_now(client)
    contact = shown["contact"]
    assert (contact["name"], contact["company"], contact["note"]) == (
        *("Anna Klein", "Klein KG"),
        "Speaks French\nPays late",
    )
    assert [link["label"] for link in shown["links"]] == ["CRM", "ERP"]


def test_of_a_known_company_the_other_system_says_who_calls(client, number, anna):
    answered(Found("Anna Meyer"))
    make_contact("Erika Muster", company="Muster GmbH", with_extensions=["+4917012345"])
    ring(anna, number, at=timezone.now())
    contact = shown_now(client)["contact"]
    assert (contact["name"], contact["company"]) == ("Anna Meyer", "Muster GmbH")


def test_an_answer_is_shown_only_to_those_for_whom_it_rings_and_until_it_expires(client, number, anna):
    answered(ANNA)
    ring(anna, number, at=timezone.now())
    ring(make_user("ben"), number, "1002", at=timezone.now(), caller="+4930123456")
    assert shown_now(client)["contact"]["name"] == "Anna Meyer"
    client.force_login(make_user("vera"))
    assert client.get("/live/state").json()["rings"] == []
    client.force_login(anna)
    LookupAnswer.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert shown_now(client)["contact"] is None
