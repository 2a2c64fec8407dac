"""The stream of the board: who sees which numbers, what is sent, and when it ends."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from calls.models import Call, DestinationNumber, Right
from live import watcher
from live.board import caster, figures, messages, rules
from live.board.figures import BoardFigures
from live.board.rules import State
from live.models import BoardKey, LiveProcess
from tests.conftest import and_in_full
from tests.factories import PASSWORD, give, make_board_key, make_number, make_user, take, take_back
from tests.live import boards
from tests.live.boards import ON
from tests.live.streams import in_thread, run, session_of, stream, until
from tests.owner import as_owner
from tests.totp import set_up, sign_in

pytestmark = pytest.mark.django_db(transaction=True)

COOKIE = django_settings.BOARD_COOKIE_NAME


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """Have the board read more often than once a second."""
    for module, name in ((caster, "EVERY_S"), (figures, "COUNTED_EVERY_S")):
        monkeypatch.setattr(module, name, 0.02)


@pytest.fixture
def numbers():
    return [make_number(f"+4922155400{n}", label=f"Hotline {n}", **ON) for n in (301, 302)]


def post(number, kind, name="call-1", ago=timedelta(0)):
    take(number, kind, timezone.now() - ago, call_uuid=name, correlation_id=name)


def screen(key):
    """Enter a key at a screen; return its cookie."""
    client = Client()
    assert client.post("/live/board/key", {"key": key}).status_code == 302
    cookie = client.cookies[COOKIE]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/", True, "Lax")
    assert key not in cookie.value
    return f"{COOKIE}={cookie.value}"


async def rows_of(browser):
    """Return the rows of the next message that has some."""
    while True:
        name, message = await browser.next()
        assert name == "board", name
        if message["rows"]:
            return {row["name"]: row for row in message["rows"]}


async def piece_with_rows(browser):
    """Return the next message that has rows, as it is sent."""
    while b'"rows": [{' not in (body := (await browser.piece())["body"]):
        assert body.startswith(b"event: board")
    return body


def test_a_person_sees_their_numbers_as_they_change_although_no_call_rings_for_them(numbers):
    own, other = numbers
    session = session_of(make_user("anna", numbers=[own], rights=[]))

    async def test(live):
        async with stream(live, session, query="board=1") as browser:
            assert browser.status == 200
            rows = await rows_of(browser)
            assert {name: row["in_plan"] for name, row in rows.items()} == {own.name: 0}
            await in_thread(post, other, "CALL_START")
            await in_thread(post, own, "CALL_START")
            assert (await rows_of(browser))[own.name]["in_plan"] == 1
            await in_thread(post, own, "INITIATE_FORWARD 1001")
            row = (await rows_of(browser))[own.name]
            assert (row["in_plan"], row["ringing"], row["wait"] != "") == (0, 1, True)
            await in_thread(post, own, "CALL_END")
            row = (await rows_of(browser))[own.name]
            assert (row["ringing"], row["wait"]) == (0, "")

    run(test)


def test_open_boards_of_people_and_of_screens_are_noted_until_they_end(numbers, monkeypatch):
    monkeypatch.setattr(watcher, "RENEW_EVERY_S", 0.0)
    session, cookie = session_of(make_user("anna", numbers=numbers)), screen(make_board_key(*numbers))

    async def test(live):
        async with stream(live, session, query="board=1"):
            async with stream(live, query="board=1&kiosk=1", cookie=cookie):
                await until(LiveProcess.objects.filter(boards=2, streams=0).exists)
            await until(LiveProcess.objects.filter(boards=1).exists)
        await until(LiveProcess.objects.filter(boards=0).exists)

    run(test)


def test_who_may_see_no_figures_gets_no_board_and_a_session_is_no_key(numbers):
    cookie = screen(make_board_key())
    session = session_of(make_user("nobody"))

    async def test(live):
        for asked, status in (
            ({"query": "board=1"}, 403),
            ({"query": "board=1", "cookie": cookie}, 403),
            ({"query": "", "cookie": cookie}, 403),
            ({"session": session, "query": "board=1"}, 204),
            ({"session": session, "query": "board=1&kiosk=1"}, 403),
            ({"query": "board=1&kiosk=1", "cookie": f"{COOKIE}=made-up"}, 403),
            ({"query": "board=1&kiosk=1", "cookie": cookie}, 200),
        ):
            async with stream(live, **asked) as browser:
                assert browser.status == status, asked

    run(test)


@pytest.mark.parametrize("how", ["signs out", "is disabled", "may see no number"])
def test_a_board_ends_when_its_person_may_not_see_it_any_more(numbers, monkeypatch, how):
    monkeypatch.setattr(caster, "CHECK_EVERY_S", 0.0)
    anna = make_user("anna", numbers=numbers)
    session = session_of(anna)
    changes = {
        "signs out": lambda: Session.objects.all().delete(),
        "is disabled": lambda: type(anna).objects.update(is_active=False),
        "may see no number": lambda: [take_back(anna, number) for number in numbers],
    }

    async def test(live):
        async with stream(live, session, query="board=1") as browser:
            await rows_of(browser)
            await in_thread(changes[how])
            while (message := await browser.next())[0] == "board":
                assert not message[1]["rows"]
            assert message == ("end", None)

    run(test)


@pytest.mark.parametrize("passed", [False, True])
def test_a_board_ends_once_a_second_factor_is_required_that_its_session_has_not_passed(
    numbers, monkeypatch, settings, passed
):
    settings.MFA_REQUIRED = "staff"
    monkeypatch.setattr(caster, "CHECK_EVERY_S", 0.0)
    anna, client = make_user("anna", numbers=numbers, rights=[]), Client()
    sign_in(client, "anna", PASSWORD)
    if passed:
        set_up(client)

    async def test(live):
        async with stream(live, client.session.session_key, query="board=1") as browser:
            await rows_of(browser)
            await in_thread(give, anna, numbers[0], Right.CALLS)
            await in_thread(post, numbers[0], "CALL_START")
            if passed:
                assert (await rows_of(browser))[numbers[0].name]["in_plan"] == 1
            else:
                while (message := await browser.next())[0] == "board":
                    pass
                assert message == ("end", None)

    run(test)


def test_other_rights_show_other_numbers_on_the_same_stream(numbers, monkeypatch):
    monkeypatch.setattr(caster, "CHECK_EVERY_S", 0.0)
    anna = make_user("anna", numbers=numbers[:1])
    session = session_of(anna)

    async def test(live):
        async with stream(live, session, query="board=1") as browser:
            assert set(await rows_of(browser)) == {numbers[0].name}
            await in_thread(give, anna, numbers[1])
            assert set(await rows_of(browser)) == {number.name for number in numbers}

    run(test)


@pytest.mark.parametrize("field", ["revoked_at", "until"])
def test_a_key_that_is_revoked_or_expires_ends_its_screens_and_no_others(numbers, monkeypatch, field):
    monkeypatch.setattr(caster, "CHECK_EVERY_S", 0.0)
    cookies = screen(make_board_key(numbers[0])), screen(make_board_key(name="Other"))
    gone = {"revoked_at": timezone.now(), "until": timezone.localdate() - timedelta(days=1)}

    async def test(live):
        asked = {"query": "board=1&kiosk=1"}
        async with stream(live, **asked, cookie=cookies[0]) as own, stream(live, **asked, cookie=cookies[1]) as other:
            assert set(await rows_of(own)) == {numbers[0].name}
            assert len(await rows_of(other)) == 2
            await in_thread(lambda: BoardKey.objects.filter(name="Service team").update(**{field: gone[field]}))
            while (message := await own.next())[0] == "board":
                assert not message[1]["rows"]
            assert message == ("end", None)
            await in_thread(post, numbers[1], "CALL_START")
            assert (await rows_of(other))[numbers[1].name]["in_plan"] == 1
        async with stream(live, **asked, cookie=cookies[0]) as browser:
            assert browser.status == 403

    run(test)
    assert BoardKey.objects.get(name="Other").last_used_at is not None


def test_streams_of_the_same_numbers_share_one_message(numbers):
    people = [make_user(f"person {n}", numbers=numbers) for n in range(3)]
    sessions = [session_of(person) for person in people]

    async def test(live):
        async with (
            stream(live, sessions[0], query="board=1") as one,
            stream(live, sessions[1], query="board=1") as two,
            stream(live, sessions[2], query="board=1") as three,
        ):
            for browser in (one, two, three):
                await rows_of(browser)
            await in_thread(post, numbers[0], "CALL_START")
            got = [await piece_with_rows(browser) for browser in (one, two, three)]
            assert got[0] is got[1] is got[2]

    run(test)


def test_the_stream_goes_on_when_the_database_comes_back(numbers):
    session = session_of(make_user("anna", numbers=numbers))
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s"

    def cut():
        with as_owner(), connection.cursor() as cursor:
            cursor.execute(kill, [connection.settings_dict["NAME"]])

    async def test(live):
        async with stream(live, session, query="board=1") as browser:
            await rows_of(browser)
            await in_thread(cut)
            await in_thread(post, numbers[0], "CALL_START")
            assert (await rows_of(browser))[numbers[0].name]["in_plan"] == 1

    run(test)


@pytest.mark.parametrize("restarts", and_in_full([40], 200))
def test_a_process_that_starts_anew_reads_the_open_calls_from_the_table(numbers, restarts):
    """While five times as many calls go on, of which few have an end: nothing is invented and nothing is left."""
    chance = random.Random(200)
    limits = {number.pk: rules.TALK_ALLOWED for number in numbers}
    now = timezone.now()
    stored = []
    for n in range(5 * restarts):
        number, at = chance.choice(numbers), now - timedelta(seconds=chance.choice((1, 30, 170, 3500, 4000, 9000)))
        for kind, later in boards.history(chance):
            at += later
            if at <= now:
                stored.append((number, kind, f"call {n}", at))
    chance.shuffle(stored)
    for place in range(restarts):
        piece = stored[place::restarts]
        for number, kind, name, at in piece:
            take(number, kind, at, call_uuid=name, correlation_id=name)
        before, snapshot, after = timezone.now(), BoardFigures().read(), timezone.now()
        if place % 20 == 19:
            message = messages.whole(snapshot, None)
            # A call may have passed a limit while it was read.
            assert counted(message) in [by_the_rules(limits, numbers, moment) for moment in (before, after)], place
    assert Call.objects.filter(ended_at=None).count() > restarts


def counted(message):
    return {row["number"]: {state.value: row[state] for state in State} for row in message["rows"]}


def by_the_rules(limits, numbers, moment):
    """Return how many calls of each number stand in each state at a moment."""
    standings = list(boards.standings(limits, moment))
    return {
        number.pk: {
            state.value: sum(call.destination_number_id == number.pk and one.state == state for call, one in standings)
            for state in State
        }
        for number in numbers
    }


def test_a_state_whose_message_does_not_arrive_is_not_measured():
    for name, settings, not_measured in (
        ("301", ON, set()),
        ("302", ON | {"call_end": "off"}, {"in_plan", "ringing", "talking", "no_end", "wait"}),
        ("303", ON | {"initiate_forward": "automatic"}, {"in_plan", "ringing"}),
        ("304", ON | {"forward_answer": "off"}, {"ringing", "talking", "wait"}),
        ("305", ON | {"call_start": "off"}, {"in_plan", "wait"}),
    ):
        number = make_number(f"+4922155400{name}", label=name, **settings)
        post(number, "CALL_START", name)
        (row,) = messages.whole(BoardFigures().read(), frozenset([number.pk]))["rows"]
        assert {key for key in figures.RESTS_ON if row[key] is None} == not_measured, name
    message = messages.whole(BoardFigures().read(), None)
    assert message["all"]["of"]["ringing"] == [2, 5]
    assert message["all"]["in_plan"] == 2


def test_callbacks_are_no_calls_and_nobody_waits_where_calls_go_to_no_one(numbers):
    DestinationNumber.objects.filter(pk=numbers[0].pk).update(expects_forward=False)
    post(numbers[0], "CALL_START")
    take(numbers[1], "CALL_START", timezone.now(), call_uuid="back", correlation_id="back", callback_id="7")

    rows = {row["name"]: row for row in messages.whole(BoardFigures().read(), None)["rows"]}

    of_announcements = rows[numbers[0].name]
    assert [of_announcements[key] for key in ("in_plan", "ringing", "wait")] == [1, "", ""]
    assert rows[numbers[1].name]["in_plan"] == 0
