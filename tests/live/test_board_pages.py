"""The pages of the board: who sees which numbers there, in which order, and screens with a key."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from calls.models import NumberAccess
from live.board import pages
from live.models import BoardKey
from reports import periods
from reports.counting import rollups
from tests.factories import expire, give, make_board_key, make_number, make_staff, make_user, take
from tests.live.boards import ON

pytestmark = pytest.mark.django_db(transaction=True)

BOARD, KIOSK, STATE = "/live/board", "/live/board?kiosk=1", "/live/board/state"
CALLER = "+4917012345678"


@pytest.fixture(autouse=True)
def _read_anew():
    """Read the figures of this test, not those that the process keeps."""
    pages.figures.cache_clear()
    yield
    pages.figures.cache_clear()


@pytest.fixture
def numbers():
    return [make_number(f"+4922155400{n}", label=label, **ON) for n, label in ((301, "Ask"), (302, "Buy"))]


def ring(number, name="call-1", ago=timedelta(0)):
    for kind in ("CALL_START", "INITIATE_FORWARD 1001"):
        take(number, kind, timezone.now() - ago, call_uuid=name, correlation_id=name)


def rows_of(answer):
    """Return the texts of each row, in order: name, in plan, ringing, talking, longest wait, today, lost."""
    html = answer.content.decode().partition("<template")[0].partition("<tbody")[2]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", part, re.DOTALL) for part in html.split("<tr ")[1:]]
    return [[" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in row] for row in rows]


def screen(key):
    """Enter a key at a screen, which has no session."""
    client = Client()
    assert client.post("/live/board/key", {"key": f" {key} "}).status_code == 302
    return client


def test_people_see_the_numbers_whose_figures_they_may_see_and_links_to_what_they_may_open(client, numbers):
    own, other = numbers
    ring(own)
    ring(other, "call-2")
    anna = make_user("anna", numbers=[own], rights=[])
    client.force_login(anna)

    answer = client.get(BOARD)

    assert [row[:4] for row in rows_of(answer)] == [["All numbers", "0", "1", "0"], ["Ask", "0", "1", "0"]]
    assert f'href="/reports/numbers/{own.pk}/"' in answer.content.decode()
    assert "Ongoing calls" not in answer.content.decode()
    assert [row["name"] for row in client.get(STATE).json()["rows"]] == ["Ask"]
    give(anna, own, "calls")
    assert "Ongoing calls" in client.get(BOARD).content.decode()
    expire(anna, own)
    assert rows_of(client.get(BOARD)) == []
    assert client.get(STATE).json()["rows"] == []


def test_numbers_with_most_waiting_callers_come_first_or_all_by_name(client, numbers):
    ask, buy = numbers
    client.force_login(make_user(numbers=numbers))
    for n in range(2):
        ring(buy, f"call {n}", timedelta(seconds=30))
    ring(ask, "call-3", timedelta(seconds=90))

    assert [row[0].split()[0] for row in rows_of(client.get(BOARD))] == ["All", "Buy", "Ask"]
    assert [row[0].split()[0] for row in rows_of(client.get(f"{BOARD}?sort=name"))] == ["All", "Ask", "Buy"]
    waits = [row[4] for row in rows_of(client.get(f"{BOARD}?sort=name"))]
    assert [wait.split(":")[0] for wait in waits] == ["1", "1", "0"]


def test_what_is_not_measured_is_said_with_the_box_in_tenios(client, numbers):
    type(numbers[0]).objects.filter(pk=numbers[0].pk).update(forward_answer="off")
    client.force_login(make_user(numbers=numbers))

    answer = client.get(f"{BOARD}?sort=name")

    assert rows_of(answer)[1][1:5] == ["0", "not measured", "not measured", "not measured"]
    assert rows_of(answer)[0][2] == "0 1 of 2 numbers"
    assert "Ask: when a forward is answered" in answer.content.decode()


def test_a_call_without_an_end_is_not_counted_as_waiting(client, numbers):
    client.force_login(make_user(numbers=numbers))
    ring(numbers[0], ago=timedelta(minutes=4))

    assert rows_of(client.get(f"{BOARD}?sort=name"))[1][:3] == ["Ask 1 without an end Ongoing calls", "0", "0"]


def test_today_stands_beside_what_is_usual_by_this_time(client, numbers, monkeypatch):
    now = periods.day_start(periods.today()) + timedelta(hours=12, minutes=7)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    for week, calls in ((0, 3), (1, 5), (2, 7)):
        for n in range(calls):
            at = now - timedelta(weeks=week, hours=2)
            for seconds, kind in enumerate(("CALL_START", "INITIATE_FORWARD 1001", "CALL_END")):
                name = f"call {week} {n}"
                take(numbers[0], kind, at + 9 * timedelta(seconds=seconds), call_uuid=name, correlation_id=name)
    rollups.recount_changed(wait=True)
    client.force_login(make_user(numbers=numbers))

    row = rows_of(client.get(f"{BOARD}?sort=name"))[1]

    assert row[5:] == ["3 usually 6", "3 usually 6"]


def test_a_screen_shows_counts_of_its_numbers_but_no_caller_no_person_and_no_link(numbers):
    ring(numbers[0])
    kiosk = screen(make_board_key(numbers[0], name="Service wall"))

    answer = kiosk.get(KIOSK)

    assert [row[:3] for row in rows_of(answer)] == [["All numbers", "0", "1"], ["Ask", "0", "1"]]
    html, said = answer.content.decode(), kiosk.get(f"{STATE}?kiosk=1").content.decode()
    for hidden in (CALLER, "1001", "call-1", "Buy", "<nav", 'id="ringing"'):
        assert hidden not in f"{html} {said}", hidden
    assert [link for link in re.findall(r'href="([^"]*)"', html.partition("<body")[2]) if link[0] == "/"] == []
    assert BoardKey.objects.get().last_used_at is not None


def test_a_screen_is_not_signed_in_anywhere_and_a_person_is_no_screen(client, numbers):
    kiosk = screen(make_board_key())
    for path in ("/live/", BOARD, "/live/state", "/live/why/", "/reports/", "/admin/"):
        assert kiosk.get(path).status_code == 302, path
    assert kiosk.get(STATE).status_code == 403
    assert "sessionid" not in kiosk.cookies
    client.force_login(make_user(numbers=numbers))
    assert "Board key" in client.get(KIOSK).content.decode()
    assert client.get(f"{STATE}?kiosk=1").status_code == 403


def test_a_screen_goes_on_with_a_cookie_from_before_it_had_a_prefix(settings, numbers):
    kiosk = screen(make_board_key())
    settings.BOARD_COOKIE_NAME = "__Host-calltally_board"
    assert kiosk.get(f"{STATE}?kiosk=1").status_code == 200

    renewed = screen(make_board_key(name="Another wall"))
    assert renewed.cookies.keys() & {"calltally_board", settings.BOARD_COOKIE_NAME} == {settings.BOARD_COOKIE_NAME}
    assert renewed.get(f"{STATE}?kiosk=1").status_code == 200


@pytest.mark.parametrize("field", ["revoked_at", "until"])
def test_a_screen_whose_key_has_ended_says_so_and_asks_for_another_one(numbers, field):
    kiosk = screen(make_board_key())
    gone = {"revoked_at": timezone.now(), "until": periods.today() - timedelta(days=1)}
    BoardKey.objects.update(**{field: gone[field]})

    assert "The key of this screen was revoked or has expired." in kiosk.get(KIOSK).content.decode()
    assert kiosk.get(f"{STATE}?kiosk=1").status_code == 403


def test_another_text_opens_no_board(settings, numbers):
    key = make_board_key()
    for text in ("", key[:-1], key + "x", "x" * 5000, BoardKey.objects.get().fingerprint):
        answer = Client().post("/live/board/key", {"key": text})
        assert answer.status_code == 403
        assert "This key opens no board." in answer.content.decode()
        assert settings.BOARD_COOKIE_NAME not in answer.cookies
    assert Client(enforce_csrf_checks=True).post("/live/board/key", {"key": key}).status_code == 403


def test_operators_create_keys_for_numbers_that_they_see_and_revoke_them(client, numbers):
    operator = make_staff("operator", permissions=())
    operator.groups.add(Group.objects.get(name="operator"))
    NumberAccess.objects.filter(user=operator).delete()
    give(operator, numbers[0])
    client.force_login(operator)
    add, wanted = "/admin/live/boardkey/add/", {"name": "Wall", "until": "2030-01-01"}

    for refused in ({"numbers": [numbers[1].pk]}, {"is_for_all": "on"}, {}):
        assert client.post(add, wanted | refused).status_code == 200, refused
    answer = client.post(add, wanted | {"numbers": [numbers[0].pk]})

    (key,) = re.findall(r'<code id="board-key"[^>]*>(\w{32})</code>', answer.content.decode())
    assert [row[0] for row in rows_of(screen(key).get(KIOSK))] == ["All numbers", "Ask"]
    stored = BoardKey.objects.get()
    assert key not in str(vars(stored))
    assert not stored.is_for_all
    client.post(f"/admin/live/boardkey/{stored.pk}/revoke/")
    assert Client().post("/live/board/key", {"key": key}).status_code == 403
