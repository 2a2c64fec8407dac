"""Signed webhooks: each field as docs/endpoints/webhooks.md has it, signatures, and what answers mean."""

import base64
import hashlib
import hmac
import json
import re
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from standardwebhooks import Webhook

from live.dispatch.formats import webhooks
from live.dispatch.formats.base import Identifier, Match, Sending, Verdict
from live.dispatch.steps import Event, Step
from live.kinds import Kind
from live.models import EventType
from tests.live.formats.told import AT, answer, facts

FORMAT = webhooks.Webhooks()
PAGE = Path(__file__).parents[3] / "docs/endpoints/webhooks.md"
RINGING = Step(EventType.RINGING, Event(7, AT, Kind.FORWARD, "1001", "SIP_USER"), 0, "1001", "SIP_USER")
CONTACT = Match("exact", "erp", "4711", "Anna Beispiel", "Beispiel GmbH", "K-4711", "https://crm.example.com/4711")


def ringing():
    """The call of the example in the docs."""
    return facts(
        started_at=AT - timedelta(seconds=9, milliseconds=250),
        forwarded_at=AT,
        matches=[CONTACT],
        identifiers=[Identifier("ticket", "Ticket", "20311")],
    )


def data_of(step=RINGING, *, is_late=False, people=(), **fields):
    return json.loads(FORMAT.body(step, facts(**fields), people, is_late=is_late))["data"]


def test_the_example_of_the_docs_is_what_is_sent():
    [example, *_] = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    sent = json.loads(FORMAT.body(RINGING, ringing(), ("Ben Schulz",), is_late=False))

    assert json.loads(example) == sent
    assert list(json.loads(example)["data"]) == list(sent["data"]), "in another order"


def test_the_docs_list_every_field_and_no_other():
    listed = re.findall(
        r"^\| `([a-z_\[\].]+)` \|", PAGE.read_text().partition("## Fields")[2].partition("\n## ")[0], re.M
    )
    sent = json.loads(FORMAT.body(RINGING, ringing(), ("Ben Schulz",), is_late=False))
    data = sent["data"]
    names = [
        *(name for name in sent if name != "data"),
        *data,
        *(f"matches[].{name}" for name in data["matches"][0]),
        *(f"identifiers[].{name}" for name in data["identifiers"][0]),
        "cause",
    ]

    assert sorted(listed) == sorted(names)


def test_the_docs_list_every_event():
    section = PAGE.read_text().partition("## Events")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(call\.[a-z]+)` \|", section, re.M) == EventType.values


def test_what_there_is_not_is_null_and_never_missing():
    whole = json.loads(FORMAT.body(RINGING, ringing(), ("Ben Schulz",), is_late=False))["data"]
    bare = Step(EventType.STARTED, Event(7, AT, Kind.START))
    data = data_of(bare, call_uuid="", correlation_id="", caller="", is_withheld=True)

    assert list(data) == list(whole)
    nulls = {name for name, value in data.items() if value is None}
    assert nulls == {
        *("call_uuid", "correlation_id", "caller", "destination", "destination_type"),
        *("started_at", "forwarded_at", "answered_at", "ended_at"),
    }
    assert (data["withheld"], data["people"], data["matches"], data["identifiers"]) == (True, [], [], [])


def test_late_and_callbacks_are_marked_and_a_cause_is_there_if_there_is_one():
    assert data_of(is_late=True)["late"] is True
    assert data_of(is_callback=True)["callback"] is True
    assert data_of(Step("call.ended", RINGING.event, cause="noAnswer"))["cause"] == "noAnswer"
    assert "cause" not in data_of()


def test_the_time_is_that_of_the_event_in_utc():
    berlin = AT.astimezone(ZoneInfo("Europe/Berlin"))
    silent = Step(EventType.SILENT, RINGING.event, at=berlin + timedelta(hours=4))
    assert json.loads(FORMAT.body(silent, facts(), (), is_late=False))["timestamp"] == "2026-03-02T13:15:04.000000Z"


def test_all_secrets_sign_id_time_and_body():
    old, new = webhooks.new_secret(), webhooks.new_secret()
    sending = Sending("msg_1", EventType.RINGING, "{„ä“}".encode(), [new, old], AT)
    headers = FORMAT.headers(sending)
    signed = b"msg_1.%d." % AT.timestamp() + sending.body
    expected = [
        "v1," + base64.b64encode(hmac.new(base64.b64decode(secret[6:]), signed, hashlib.sha256).digest()).decode()
        for secret in (new, old)
    ]

    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(AT.timestamp())),
        "webhook-signature": " ".join(expected),
    }


def test_a_signature_is_that_of_the_library():
    secret = webhooks.new_secret()
    body = FORMAT.body(RINGING, ringing(), ("Ben Schulz",), is_late=False)
    assert webhooks.signature(secret, "msg_1", int(AT.timestamp()), body.encode()) == Webhook(secret).sign(
        "msg_1", AT, body
    )


def test_a_new_secret_is_32_random_bytes_and_what_is_no_secret_is_refused():
    one, other = webhooks.new_secret(), webhooks.new_secret()
    assert one != other
    assert one.startswith("whsec_")
    assert len(webhooks.key_of(one)) == 32
    for wrong in ("", "whsec_", "whsec_%%%", "whsec_" + base64.b64encode(b"x" * 23).decode(), "passwort"):
        with pytest.raises(ValueError, match="not a secret of Standard Webhooks"):
            webhooks.key_of(wrong)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((status, Verdict.DELIVERED) for status in (200, 201, 202, 204, 299)),
        *((status, Verdict.RETRY) for status in (300, 301, 302, 307, 400, 401, 404, 409, 429, 500, 502, 503, 504)),
        (410, Verdict.GONE),
    ],
)
def test_only_2xx_is_delivered_and_410_is_gone(status, verdict):
    assert FORMAT.judge(EventType.RINGING, answer(status)) is verdict


def test_tries_are_those_that_the_specification_proposes():
    after, times = timedelta(0), []
    for pause in FORMAT.pauses:
        after += pause
        times.append(after)
    hours = [timedelta(hours=hours, minutes=35, seconds=5) for hours in (0, 2, 7, 17, 31, 51, 75)]
    assert times == [timedelta(seconds=5), timedelta(minutes=5, seconds=5), *hours]
    assert FORMAT.expires_after is None


def test_every_step_goes_to_the_address_of_the_endpoint():
    url = "https://crm.example.com/calls"
    assert FORMAT.address(url, EventType.ENDED, {}) == url
    assert (
        FORMAT.follow_up(url, EventType.STARTED, answer(200, '<Response onHangup="https://crm.example.com/x"/>')) == {}
    )
