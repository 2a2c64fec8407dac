"""The stream of rings: for whom it is, what it brings, and when it ends."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from contacts.models import AgentDestination
from live import hub, watcher
from live.hub import Hub, Stream
from live.models import Listener, LiveProcess, Pop
from tests.factories import make_number, make_user, map_variable, take
from tests.live.rings import map_to
from tests.live.streams import in_thread, run, session_of, stream, until

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "http://127.0.0.1:8000"


@pytest.fixture
def number():
    return make_number(label="Hotline")


@pytest.fixture
def anna():
    person = make_user("anna")
    map_to(person, "1001")
    return person


def post(number, kind, **more):
    more = {"destinationType": "SIP_USER"} | more if "FORWARD" in kind else more
    take(number, kind, timezone.now(), **more)


def test_a_ring_its_answer_and_its_end_arrive_at_the_person_at_once_and_at_nobody_else(number, anna):
    ben = make_user("ben")
    map_to(ben, "1002")
    sessions = session_of(anna), session_of(ben)

    async def test(live):
        async with stream(live, sessions[0]) as browser, stream(live, sessions[1]) as other:
            assert browser.status == 200
            assert browser.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert browser.headers["x-accel-buffering"] == "no"
            assert browser.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in browser.headers["content-security-policy"]
            for each in (browser, other):
                name, state = await each.next()
                assert (name, state["rings"]) == ("state", [])
            await until(lambda: Listener.objects.count() == 2)
            await in_thread(post, number, "INITIATE_FORWARD 1001")
            name, ring = await browser.next()
            assert (name, ring["state"], ring["caller"]["text"]) == ("ring", "ringing", "+49 170 12345678")
            assert (ring["number"]["name"], ring["destination"], ring["call_url"]) == ("Hotline", "1001", "")
            await in_thread(post, number, "FORWARD_ANSWER 1001")
            assert (await browser.next())[1]["state"] == "answered"
            assert await browser.next() == ("answered", {"ring": ring["ring"], "by": ""})
            await in_thread(post, number, "CALL_END")
            assert await browser.next() == ("closed", {"ring": ring["ring"], "why": "answered", "by": ""})
            assert other.sent.empty()

    run(test)
    assert [pop.why_not for pop in Pop.objects.all()] == [""]


def test_what_the_caller_typed_is_sent_when_it_arrives_also_while_nothing_else_changes(number, anna):
    map_variable(number)
    session = session_of(anna)

    async def test(live):
        async with stream(live, session) as browser:
            await browser.next()
            await in_thread(post, number, "INITIATE_FORWARD 1001")
            first = (await browser.next())[1]
            assert first["typed"] == []
            await in_thread(lambda: post(number, "BLOCK_END COLLECT_DIGITS", collected_menu="1"))
            await in_thread(lambda: post(number, "BLOCK_END COLLECT_DIGITS", collected_ticket="4711"))
            name, ring = await browser.next()
            assert (name, ring["ring"], ring["typed"]) == ("ring", first["ring"], ["Ticket 4711"])
            await in_thread(post, number, "CALL_END")
            assert (await browser.next())[0] == "closed"

    run(test)
    assert Pop.objects.count() == 1


def test_a_stream_begins_with_what_rings_already(number, anna):
    session = session_of(anna)

    async def test(live):
        await until(LiveProcess.objects.exists)
        await in_thread(post, number, "INITIATE_FORWARD 1001")
        await until(Pop.objects.exists)
        async with stream(live, session) as browser:
            _name, state = await browser.next()
            assert [ring["state"] for ring in state["rings"]] == ["ringing"]

    run(test)
    assert Pop.objects.get().why_not == "not_connected"


def test_who_is_not_signed_in_or_has_no_rings_gets_no_stream(anna):
    nobody, disabled = make_user("nobody"), make_user("disabled")
    map_to(disabled, "1003")
    sessions = [session_of(person) for person in (nobody, disabled)]
    type(disabled).objects.filter(pk=disabled.pk).update(is_active=False)
    own = session_of(anna)

    async def test(live):
        for session, status in (("", 403), ("made-up", 403), (sessions[0], 204), (sessions[1], 403)):
            async with stream(live, session) as browser:
                assert browser.status == status
        async with stream(live, own, host="evil.example") as browser:
            assert browser.status == 400

    run(test)


@pytest.mark.parametrize("how", ["signs out", "is disabled", "gets another password", "is mapped no more"])
def test_a_stream_ends_when_its_person_may_not_listen_any_more(anna, monkeypatch, how):
    monkeypatch.setattr(watcher, "CHECK_EVERY_S", 0.0)
    session = session_of(anna)
    changes = {
        "signs out": lambda: Session.objects.all().delete(),
        "is disabled": lambda: type(anna).objects.update(is_active=False),
        "gets another password": lambda: type(anna).objects.update(password="another"),
        "is mapped no more": lambda: AgentDestination.objects.all().delete(),
    }

    async def test(live):
        async with stream(live, session) as browser:
            assert (await browser.next())[0] == "state"
            await in_thread(changes[how])
            assert await browser.next() == ("end", None)

    run(test)


def test_the_page_of_the_same_host_may_read_the_stream_at_its_own_port_and_no_other_site(anna, settings):
    session = session_of(anna)
    others = ("http://127.0.0.1:8001", "http://evil.example:8000", "https://127.0.0.1:8000")
    allowed = {PAGE: PAGE, **dict.fromkeys(others)}

    async def test(live):
        settings.LIVE_PORT = 8001
        for origin, answer in allowed.items():
            async with stream(live, session, origin=origin) as browser:
                assert browser.headers.get("access-control-allow-origin") == answer
        settings.LIVE_PORT = 0
        async with stream(live, session, origin=PAGE) as browser:
            assert "access-control-allow-origin" not in browser.headers

    run(test)


def test_a_stream_that_is_not_read_is_closed_and_the_others_go_on():
    async def test():
        streams, slow = Hub(), Stream(1, "a", "b")
        streams.add(slow)
        for _frame in range(hub.LONGEST_QUEUE + 1):
            quick = Stream(1, "c", "d")
            streams.add(quick)
            streams.deliver([(1, b"x")])
            assert quick.queue.get_nowait() == b"x"
            streams.remove(quick)
        assert slow.is_ended
        assert slow.queue.get_nowait() is None

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, test()).result()


def test_a_person_has_only_so_many_streams(monkeypatch):
    monkeypatch.setattr(hub, "MOST_OF_A_PERSON", 1)
    streams = Hub()
    streams.add(Stream(1, "a", "b"))
    streams.add(Stream(2, "a", "b"))
    with pytest.raises(hub.Full):
        streams.add(Stream(1, "a", "b"))
    assert len(streams) == 2


def test_the_process_is_known_while_it_runs_and_forgotten_afterwards(anna):
    session = session_of(anna)
    LiveProcess.objects.create(name="gone", seen_at=timezone.now() - timedelta(hours=1))

    async def test(live):
        async with stream(live, session) as browser:
            await browser.next()
            await until(lambda: Listener.objects.filter(user=anna).exists())
            await until(lambda: not LiveProcess.objects.filter(name="gone").exists())

    run(test)
    assert not LiveProcess.objects.exists()
