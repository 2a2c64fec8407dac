"""The stream of calls that ring, over HTTPS through nginx: each event arrives at once, and only for who may have it."""

from __future__ import annotations

import json

import pytest

from tests.deploy.proxy import NAME
from tests.deploy.wire import head
from tests.faults.streams import DESK, make_listener
from tests.faults.system import ACCESS_KEY, E164

STREAM = "/live/events"


def lines_of(connection):
    """Yield the lines of a stream, whose pieces nginx passes on as chunks."""
    for line in connection._file:
        text = line.decode().strip()
        if text.startswith(("event: ", "data: ", ":")):
            yield text


def test_a_ring_arrives_through_nginx_while_the_stream_stays_open(sender, system):
    cookie = make_listener(system)
    with sender.connect() as connection:
        connection.send(head(f"Cookie: {cookie}", path=STREAM, method="GET", media_type=None))
        assert b" 200 " in connection._file.readline()
        lines = lines_of(connection)
        assert next(lines) == "event: state"
        assert "rings" in next(lines)
        named = {"destination_number": E164, "call_uuid": "through nginx", "caller_id_number": "+4917012345678"}
        post = {
            "requestType": "INITIATE_FORWARD",
            "customerNumber": 200000,
            "accessKey": ACCESS_KEY,
            "destination": DESK,
            "destinationType": "SIP_USER",
            "variables": named | {"correlation_id": "through nginx"},
        }
        assert sender.ask("/tenios/posts", method="POST", media_type="application/json", body=json.dumps(post).encode())
        assert next(lines) == "event: ring"
        assert json.loads(next(lines).removeprefix("data: "))["caller"]["text"] == "+49 170 12345678"


@pytest.mark.parametrize(("host", "status"), [(NAME, 403), ("another.example", 421)])
def test_others_get_no_stream(sender, host, status):
    assert sender.ask(STREAM, host=host).status == status
