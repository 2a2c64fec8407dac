"""What people do with an endpoint: a test call, on and off, a new secret, sending failed deliveries again."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from live.dispatch import formats
from live.models import Delivery, State, WhyOff
from tests.factories import make_number, make_superuser
from tests.live.endpoints import make_delivery, make_endpoint
from tests.live.plain_format import HANGUP_ONLY, PLAIN_FORMATS, signature
from tests.web_server import web_server

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = "/admin/live/endpoint/"


@pytest.fixture(autouse=True)
def _plain_formats(monkeypatch):
    for name, plain in PLAIN_FORMATS.items():
        monkeypatch.setitem(formats.FORMATS, name, plain)


@pytest.fixture
def server(settings):
    settings.OUTGOING_LOOPBACK = True
    with web_server() as server:
        yield server


@pytest.fixture
def number(client):
    """A number; a superuser is signed in."""
    client.force_login(make_superuser())
    return make_number(label="Hotline")


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def post(client, endpoint, page, **values):
    answer = client.post(f"{PAGES}{endpoint.pk}/{page}/", values)
    endpoint.refresh_from_db()
    return answer


def history_of(endpoint):
    entries = LogEntry.objects.filter(object_id=str(endpoint.pk), content_type__model="endpoint")
    return [entry.get_change_message() for entry in entries.order_by("pk")]


# --- Test call -------------------------------------------------------------------------------------


def test_a_test_call_is_sent_as_a_call_would_be_while_the_endpoint_is_off(client, number, server):
    endpoint = make_endpoint(url=f"{server.url}/hook/token-4711", events=["call.started", "call.ended"])
    server.body = b"<b>taken</b>"
    page = post(client, endpoint, "test")

    assert [path for path, _headers in server.asked] == ["/hook/token-4711"] * 2
    assert [headers["x-signatures"] for _path, headers in server.asked] == [
        signature("whsec_first", body) for body in server.bodies
    ]
    assert b"Anna Meyer" in server.bodies[0]
    assert b"call.ended" in server.bodies[1]
    shown = page.content.decode()
    assert "&lt;b&gt;taken" in shown
    assert "token-4711" not in shown
    assert "The system has accepted the call" in text_of(page)
    assert Delivery.objects.count() == 0
    assert endpoint.is_on is False
    assert history_of(endpoint) == ["Sent a test call."]


def test_a_cti_system_gets_the_whole_call_but_what_it_does_not_want(client, number, server):
    endpoint = make_endpoint(format="zammad", url=f"{server.url}/cti", caller="none")
    assert "newCall" in text_of(post(client, endpoint, "test"))
    assert [re.search(rb'"kind": "(\w+)', body)[1] for body in server.bodies] == [b"newCall", b"answer", b"hangup"]
    assert b"+49" not in b"".join(server.bodies)

    server.body = HANGUP_ONLY
    page = text_of(post(client, endpoint, "test"))
    assert [path for path, _headers in server.asked[3:]] == ["/cti", "/cti/hangup"]
    assert "does not want it" in page


@pytest.mark.parametrize(
    ("status", "what_to_do"),
    [(302, "redirects"), (401, "Enter the secret there again"), (404, "nothing at this address"), (500, "Its log")],
)
def test_a_test_call_that_fails_says_what_to_do(client, number, server, status, what_to_do):
    endpoint = make_endpoint(url=server.url, events=["call.started"])
    server.status = status
    page = text_of(post(client, endpoint, "test"))
    assert "has not accepted the call" in page
    assert str(status) in page
    assert what_to_do in page


def test_after_no_answer_nothing_more_is_sent(client, number, settings):
    endpoint = make_endpoint(url="https://127.0.0.1:1/", events=["call.started", "call.ended"])
    page = text_of(post(client, endpoint, "test"))
    assert "never sends anything to this address" in page
    assert "enter the address that the machine has in your network" in page
    assert "Not sent, because there was no answer before" in page


# --- On and off ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("choice", "state"), [("send", State.WAITING), ("drop", State.SKIPPED)])
def test_what_waited_is_sent_or_dropped_as_chosen(client, number, choice, state):
    now = timezone.now()
    endpoint = make_endpoint(off_at=now, why_off=WhyOff.FAILING, failing_since=now, last_failure="no")
    delivery = make_delivery(endpoint, number, next_at=now + timedelta(hours=5), tries=9)
    page = text_of(client.get(f"{PAGES}{endpoint.pk}/change/"))
    assert "Nothing could be delivered for five days. 1 delivery waits." in page
    assert "1 delivery waits from before" in text_of(client.get(f"{PAGES}{endpoint.pk}/switch/"))
    assert post(client, endpoint, "switch").status_code == 200  # the choice is missing
    assert endpoint.is_on is False

    post(client, endpoint, "switch", waiting=choice)

    delivery.refresh_from_db()
    assert delivery.state == state
    assert (delivery.next_at <= timezone.now()) == (choice == "send")
    assert (endpoint.is_on, endpoint.off_at, endpoint.why_off, endpoint.failing_since) == (True, None, "", None)
    assert endpoint.on_since >= now
    assert "Deliveries that waited: 1" in history_of(endpoint)[0]


def test_an_endpoint_is_switched_off_and_keeps_what_waits(client, number):
    endpoint = make_endpoint(is_on=True)
    delivery = make_delivery(endpoint, number)
    assert post(client, endpoint, "switch").status_code == 302
    delivery.refresh_from_db()
    assert (endpoint.is_on, endpoint.why_off, delivery.state) == (False, "", State.WAITING)
    assert history_of(endpoint) == ["Switched off."]


# --- Secret ----------------------------------------------------------------------------------------


def test_after_a_rotation_both_secrets_sign_until_the_old_one_ends(client, number, server):
    endpoint = make_endpoint(url=server.url, events=["call.started"])
    page = post(client, endpoint, "secret", new="1")
    made = endpoint.secret
    assert made in unescape(page.content.decode())
    assert "whsec_first" not in page.content.decode()
    assert timedelta(hours=23) < endpoint.previous_until - timezone.now() <= timedelta(hours=24)
    post(client, endpoint, "test")
    signed = [signature(made, server.bodies[0]), signature("whsec_first", server.bodies[0])]
    assert server.asked[0][1]["x-signatures"].split() == signed

    post(client, endpoint, "secret", end="1")
    assert endpoint.secrets() == [made]
    said = history_of(endpoint)
    assert said == ["New secret.", "Sent a test call.", "Ended the old secret."]


def test_formats_without_overlap_or_secret_say_so(client, number):
    placetel = make_endpoint("Placetel", format="placetel")
    assert "at once" in text_of(client.get(f"{PAGES}{placetel.pk}/secret/"))
    post(client, placetel, "secret", new="1")
    assert placetel.secrets() == [placetel.secret]
    zammad = make_endpoint("Zammad", format="zammad")
    assert client.get(f"{PAGES}{zammad.pk}/secret/").status_code == 404


# --- Sending again ---------------------------------------------------------------------------------


def test_all_that_failed_since_a_moment_is_sent_again_with_its_id(client, number):
    now = timezone.now()
    endpoint = make_endpoint()
    states = {
        "failed": {"state": State.FAILED, "tries": 10},
        "older": {"state": State.FAILED, "at": now - timedelta(days=3)},
        "delivered": {"state": State.DELIVERED},
    }
    made = {name: make_delivery(endpoint, number, **more) for name, more in states.items()}
    since = timezone.localtime(now - timedelta(days=1)).strftime("%Y-%m-%d %H:%M")

    page = post(client, endpoint, "resend", since=since, count="1")
    assert "1 delivery has failed since then." in text_of(page)
    assert Delivery.objects.filter(state=State.WAITING).count() == 0
    post(client, endpoint, "resend", since=since, send="1")

    again = Delivery.objects.get(state=State.WAITING)
    assert (again.uuid, again.tries) == (made["failed"].uuid, 0)
    assert history_of(endpoint) == ["Failed deliveries sent again: 1."]


def test_calls_in_cti_formats_are_not_sent_again(client, number):
    zammad = make_endpoint("Zammad", format="zammad")
    delivery = make_delivery(zammad, number, "newCall", state=State.FAILED)
    assert client.get(f"{PAGES}{zammad.pk}/resend/").status_code == 404
    client.post(f"/admin/live/delivery/{delivery.pk}/resend/")
    delivery.refresh_from_db()
    assert delivery.state == State.FAILED
