"""The format of sipgate.io: each field of each step, and which addresses of an answer are followed."""

from urllib.parse import parse_qsl

import pytest

from live.dispatch import formats
from live.dispatch.formats.base import Verdict
from live.dispatch.formats.sipgate import LONGEST_XML
from live.dispatch.steps import ANSWER, CANCEL, FORWARDED, HANGUP, NEW_CALL, NORMAL
from live.models import Format, Rows
from tests.live.formats.told import ANSWERED, END, FORWARD, START, answer, bodies, rows

SIPGATE = formats.of(Format.SIPGATE)
URL = "https://crm.example.com/sipgate?key=7"
TWO_RINGS = ((START, 0), (FORWARD, 5, "1001"), (FORWARD, 6, "+492215550100"), (ANSWERED, 9, "1001"), (END, 60))


def told(steps, people=(), **fields):
    return [parse_qsl(body) for body in bodies(Format.SIPGATE, steps, people, **fields)]


def of_row(event, to="4922155400300", call_id="1", of_call="1"):
    return [
        ("event", event),
        ("from", "4917012345678"),
        ("to", to),
        ("direction", "in"),
        ("callId", call_id),
        ("origCallId", of_call),
        ("xcid", of_call),
    ]


def test_a_call_is_one_row():
    new, answered, over = told(rows(Rows.CALL, *TWO_RINGS), ("Anna Meyer", "Ben Schulz"))
    assert new == [
        *of_row("newCall"),
        *(("user[]", "Anna Meyer"), ("user[]", "Ben Schulz")),
        *[("userId[]", "4922155400300")] * 2,
        *[("fullUserId[]", "4922155400300")] * 2,
    ]
    assert answered == [
        *of_row("answer"),
        *(("user", "Anna Meyer, Ben Schulz"), ("userId", "1001"), ("fullUserId", "1001")),
        ("answeringNumber", "1001"),
    ]
    assert over == [*of_row("hangup"), ("cause", NORMAL), ("answeringNumber", "1001")]


def test_each_ring_is_a_row_that_was_diverted_from_the_number():
    steps = [step for step in rows(Rows.RING, *TWO_RINGS) if step.ring == 3]
    diverted = ("diversion", "4922155400300")
    destination = "492215550100"
    new, over = told(steps, ("Ben Schulz",))
    assert new == [
        *of_row("newCall", destination, "3-ring", "48211"),
        *(("user[]", "Ben Schulz"), ("userId[]", destination), ("fullUserId[]", destination)),
        diverted,
    ]
    assert over == [*of_row("hangup", destination, "3-ring", "48211"), ("cause", FORWARDED), diverted]


def test_without_people_the_user_is_the_destination_or_the_number():
    (from_start, *_rest) = told(rows(Rows.CALL, (START, 0), (END, 9)))
    (from_forward, *_rest) = told(rows(Rows.CALL, (FORWARD, 0, "1001"), (END, 9)))
    assert dict(from_start)["user[]"] == "Sales"
    assert dict(from_forward)["user[]"] == "1001"


def test_a_withheld_caller_is_anonymous_and_brackets_are_percent_encoded():
    (body, over) = bodies(Format.SIPGATE, rows(Rows.CALL, (START, 0), (END, 9)), ("Jörg Ähr",), caller="")
    assert "&user%5B%5D=J%C3%B6rg+%C3%84hr&" in body
    assert "from=anonymous" in body
    assert "[" not in body
    assert f"cause={CANCEL}" in over


def followed(xml, kind=NEW_CALL, status=200, url=URL):
    return SIPGATE.follow_up(url, kind, answer(status, xml))


def test_the_answer_says_where_answer_and_hangup_go():
    addresses = 'onAnswer="https://crm.example.com/a" onHangup="https://crm.example.com/h?x=1&amp;y=2"'
    both = followed(f'<?xml version="1.0" encoding="utf-8"?>\n<Response {addresses}><Play/></Response>')
    assert both == {ANSWER: "https://crm.example.com/a", HANGUP: "https://crm.example.com/h?x=1&y=2"}
    assert SIPGATE.address(URL, NEW_CALL, {}) == URL
    assert SIPGATE.address(URL, ANSWER, both) == "https://crm.example.com/a"
    assert SIPGATE.address(URL, HANGUP, both) == "https://crm.example.com/h?x=1&y=2"


def test_without_an_address_neither_answer_nor_hangup_is_sent():
    for said in ("", "ok", "<Response/>", '{"onAnswer": "https://crm.example.com/a"}'):
        assert followed(said) == {}
    assert SIPGATE.address(URL, ANSWER, {}) == ""
    assert SIPGATE.address(URL, HANGUP, {ANSWER: "https://crm.example.com/a"}) == ""


def test_only_an_answer_to_a_new_call_that_was_taken_is_followed():
    xml = '<Response onHangup="https://crm.example.com/h"/>'
    assert followed(xml) == {HANGUP: "https://crm.example.com/h"}
    assert followed(xml, ANSWER) == followed(xml, status=500) == followed(xml, status=302) == {}


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.com/h",
        "http://crm.example.com/h",
        "https://crm.example.com:8443/h",
        "https://crm.example.com.evil.example/h",
        "https://crm.example.com@evil.example.com/h",
        "https://user@crm.example.com/h",
        "https://evil.example.com\\@crm.example.com/h",
        "//crm.example.com/h",
        "/h",
        "h",
        "file:///etc/passwd",
        "http://127.0.0.1/h",
        "http://[::1]/h",
        "http://169.254.169.254/latest/meta-data",
        "https://crm.example.com:99999/h",
        "https://crm.example.com/ h",
        "https://crm.example.com/&#10;h",
        "https://[crm.example.com/h",
        "https://crm.example.com/" + "h" * 2000,
    ],
)
def test_another_origin_is_never_followed(address):
    assert followed(f'<Response onHangup="{address}"/>') == {}


def test_the_same_origin_may_be_spelled_otherwise():
    for address in ("https://CRM.example.com/h", "https://crm.example.com:443/h", "HTTPS://crm.example.com/h"):
        assert followed(f'<Response onHangup="{address}"/>') == {HANGUP: address}
    assert followed('<Response onHangup="http://10.0.0.7:8080/h"/>', url="http://10.0.0.7:8080/calls")


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE r><Response onHangup="https://crm.example.com/h"/>',
        '<!DOCTYPE r [<!ENTITY a "x">]><Response onHangup="https://crm.example.com/&a;"/>',
        '<!DOCTYPE r SYSTEM "https://evil.example.com/r.dtd"><Response onHangup="https://crm.example.com/h"/>',
        '<Response onHangup="https://crm.example.com/&nobody;"/>',
        '<Response onHangup="https://crm.example.com/h">',
        '<Response onHangup="https://crm.example.com/h"/><Response/>',
        '<Other onHangup="https://crm.example.com/h"/>',
        '<Other><Response onHangup="https://crm.example.com/h"/></Other>',
        '<?xml version="1.0" encoding="utf-7"?><Response onHangup="https://crm.example.com/h"/>',
        '<Response onHangup="https://crm.example.com/h"/>' + " " * LONGEST_XML,
    ],
)
def test_what_is_no_plain_short_response_is_not_read(xml):
    assert followed(xml) == {}


def test_what_answers_mean():
    for status, verdict in ((200, "DELIVERED"), (204, "DELIVERED"), (302, "RETRY"), (404, "RETRY"), (500, "RETRY")):
        assert SIPGATE.judge(NEW_CALL, answer(status)) is Verdict[verdict]
