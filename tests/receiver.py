"""Another system that is told what happens in calls: a web server that keeps connections open, and what it was sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request as it arrived; names of headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float  # by the monotonic clock
    connection: int


@dataclass
class Receiver:
    """What the system answers, which may be changed at any time, and what it was sent."""

    port: int
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    # Called before each answer; a test can hold it up with this, or answer by itself and return True.
    before: Callable[[BaseHTTPRequestHandler, Received], Any] | None = None
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hold(self) -> tuple[threading.Event, threading.Event]:
        """Answer nothing until the second event is set; the first one says that a request has arrived."""
        has_arrived, may_answer = threading.Event(), threading.Event()

        def before(handler: BaseHTTPRequestHandler, one: Received) -> None:
            has_arrived.set()
            may_answer.wait(60)

        self.before = before
        return has_arrived, may_answer

    def bodies(self) -> list[str]:
        return [one.body.decode() for one in self.received]


@contextmanager
def receiver(address: str = "127.0.0.1") -> Iterator[Receiver]:
    """Run a receiver on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # headers and body at once

        def setup(self) -> None:
            super().setup()
            with lock:
                said.connections += 1
                self.number = said.connections

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            one = Received(self.path, headers, body, time.monotonic(), self.number)
            said.received.append(one)
            try:
                if said.before and said.before(self, one):
                    return
                self.send_response(said.status)
                for name, value in {"Content-Length": str(len(said.body)), **said.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said.body)
                self.wfile.flush()
            except OSError:  # nobody waits for the answer any more
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # connections that are refused or left

    lock = threading.Lock()
    server = Server((address, 0), Handler)
    said = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield said
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
