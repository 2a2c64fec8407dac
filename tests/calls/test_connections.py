"""Connections that stay open for the next request: when they are used again, and when not."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from calls import outgoing
from calls.outgoing import Connections, NoAnswer, Reason
from tests.receiver import receiver


@pytest.fixture
def other(settings):
    settings.OUTGOING_LOOPBACK = True
    with receiver() as other:
        yield other


@pytest.fixture
def connections():
    connections = Connections()
    yield connections
    connections.close()


def post(connections, other, body=b"{}", **how):
    return connections.send("POST", f"{other.url}/calls", body=body, **how)


def test_requests_after_each_other_use_one_connection(connections, other):
    for n in range(3):
        other.body = f"answer {n}".encode()
        assert post(connections, other, f"request {n}".encode()).body == other.body
    assert other.bodies() == ["request 0", "request 1", "request 2"]
    assert other.connections == 1
    connections.close()
    post(connections, other)
    assert other.connections == 2


def test_a_connection_is_judged_when_it_is_made_and_is_not_kept_for_longer_than_a_minute(
    connections, other, monkeypatch
):
    """The name leads elsewhere soon after the first request: the open connection is not affected, a new one is."""
    answers = [["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "::ffff:127.0.0.1"], ["127.0.0.1"]]

    def resolve(host, port, *more, **kind):
        assert host == "crm.example.com"
        return [(2, 1, 6, "", (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = f"http://crm.example.com:{other.port}/"
    for _n in range(2):
        assert connections.send("POST", url).status == 200
    assert len(answers) == 3
    monkeypatch.setattr(outgoing, "OPEN_FOR_S", 0.0)
    for _n in range(2):
        with pytest.raises(NoAnswer) as raised:
            connections.send("POST", url)
        assert raised.value.reason is Reason.NEVER_ALLOWED
    assert connections.send("POST", url).status == 200
    assert other.connections == 2
    assert other.received[0].headers["host"] == f"crm.example.com:{other.port}"


def test_at_most_two_connections_stay_open_to_one_host(connections, other):
    begun = threading.Barrier(3)

    def wait_for_all(_handler, _one):
        begun.wait(60)

    other.before = wait_for_all
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _n: post(connections, other), range(3)))
    assert other.connections == 3
    begun = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _n: post(connections, other), range(2)))
    assert other.connections == 3
    assert len({one.connection for one in other.received[3:]} | {0}) == 3


def test_a_connection_that_the_other_side_closed_meanwhile_is_replaced(connections, other):
    def answer_and_close(handler, _one):
        handler.close_connection = True

    other.before = answer_and_close
    for _n in range(3):
        assert post(connections, other).status == 200
    assert len(other.received) == 3


def test_a_request_is_sent_once_more_if_the_open_connection_breaks_before_the_answer_and_only_then(connections, other):
    def close_at_once(handler, one):
        """Answer the first request of each connection; close instead of answering the next one."""
        if sum(before.connection == one.connection for before in other.received) > 1:
            handler.wfile.write(begins_with)
            handler.wfile.flush()
            handler.close_connection = True
            return True
        return False

    other.before, begins_with = close_at_once, b""
    post(connections, other, b"first")
    assert post(connections, other, b"second").status == 200
    assert other.bodies() == ["first", "second", "second"]
    begins_with = b"HTTP/1.1"
    with pytest.raises(NoAnswer) as raised:
        post(connections, other, b"third")
    assert raised.value.reason is Reason.BROKEN
    assert other.bodies()[3:] == ["third"]


def test_a_long_answer_is_cut_where_its_status_is_enough_and_the_connection_is_closed(connections, other):
    other.body = b"x" * (outgoing.LONGEST_ANSWER + 1)
    for _n in range(2):
        answer = post(connections, other, cut_at=10_000)
        assert (answer.status, len(answer.body)) == (200, 10_000)
    assert other.connections == 2
    with pytest.raises(NoAnswer) as raised:
        post(connections, other)
    assert raised.value.reason is Reason.TOO_LONG


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nokay\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nokay",
        b"HTTP/1.0 200 OK\r\n\r\nokay",
    ],
)
def test_answers_in_other_shapes_are_read(connections, other, answer):
    def answer_so(handler, _one):
        handler.wfile.write(answer)
        handler.wfile.flush()
        handler.close_connection = b"HTTP/1.0" in answer
        return True

    other.before = answer_so
    for _n in range(2):
        got = post(connections, other)
        assert (got.status, got.body) == (200, b"okay")


def test_an_answer_that_is_cut_off_is_no_answer(connections, other):
    def cut_off(handler, _one):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nokay")
        handler.wfile.flush()
        handler.close_connection = True
        return True

    other.before = cut_off
    with pytest.raises(NoAnswer) as raised:
        post(connections, other)
    assert raised.value.reason is Reason.BROKEN
