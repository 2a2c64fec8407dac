"""Sends posts over kept connections as fast as they are answered, from one thread with little CPU time."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.benchmarks import made_up

PATIENCE_S = 30.0


class Invalid(Exception):  # noqa: N818 (a figure that must not be shown)
    """A post was not answered, or not with 200."""


@dataclass
class Sent:
    """The result of a run: posts answered in time, all answered posts, and the time that each of these took."""

    seconds: float = 0.0
    in_time: int = 0
    latencies_s: list[float] = field(default_factory=list)


@dataclass
class _Connection:
    socket: socket.socket
    requests: Iterator[bytes]
    sent_at: float = 0.0
    answer: bytes = b""

    def send(self) -> None:
        request = next(self.requests)
        self.sent_at = time.perf_counter()
        if self.socket.send(request) != len(request):
            raise Invalid("a post did not fit into the send buffer")


def send_posts(port: int, *, connections: int, seconds: float) -> Sent:
    """Keep one post in progress on each connection for this long, then wait for the remaining answers.

    Raise Invalid for any answer except 200."""
    sent = Sent(seconds)
    took = sent.latencies_s
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = _Connection(socket.create_connection(("127.0.0.1", port)), made_up.requests())
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.socket.setblocking(False)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        waiting = [key.data for key in selector.get_map().values()]
        under_way = len(waiting)
        until = time.perf_counter() + seconds
        try:
            for connection in waiting:
                connection.send()
            while under_way:
                ready = selector.select(PATIENCE_S)
                if not ready:
                    raise Invalid(f"{under_way} posts were not answered within {PATIENCE_S:.0f} s")
                for key, _ in ready:
                    connection = key.data
                    if not _is_answered(connection):
                        continue
                    now = time.perf_counter()
                    took.append(now - connection.sent_at)
                    if now < until:
                        sent.in_time += 1
                        connection.send()
                    else:
                        under_way -= 1
        finally:
            for connection in waiting:
                connection.socket.close()
    return sent


def _is_answered(connection: _Connection) -> bool:
    """Read more data; return whether the answer is complete. Raise Invalid if it is not 200."""
    part = connection.socket.recv(65536)
    answer = connection.answer + part
    if not part:
        raise Invalid(f"the connection was closed after {answer[:200]!r}")
    head, blank_line, content = answer.partition(b"\r\n\r\n")
    if not blank_line or not _is_whole(head.lower(), content):
        connection.answer = answer
        return False
    if not head.startswith(b"HTTP/1.1 200 "):
        raise Invalid(f"a post was answered {answer[:300]!r}")
    connection.answer = b""
    return True


def _is_whole(head: bytes, content: bytes) -> bool:
    _, _, length = head.partition(b"content-length:")
    if length:
        return len(content) >= int(length.partition(b"\r\n")[0])
    return content.endswith(b"0\r\n\r\n")  # chunked
