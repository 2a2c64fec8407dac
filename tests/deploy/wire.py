"""A client that sends raw HTTP, valid or not, and records which of its posts were answered 200."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.proxy import NAME, Certificate, Nginx
from tests.faults.system import ACCESS_KEY, E164

PATIENCE_S = 30  # much longer than every timeout of nginx: only a hang takes this long
SELF = "127.0.0.1"
JSON = "application/json"


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for header, value in self.headers if header.lower() == name.lower()]


class Connection:
    """A connection to nginx, with or without TLS."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self._file = stream.makefile("rb")

    def send(self, *parts: bytes) -> None:
        """Send bytes; errors are ignored if the server has closed the connection already."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.stream.sendall(b"".join(parts))

    def answer(self, *, with_body: bool = True) -> Answer | None:
        """Read an answer, of a stream only its headers; None if the connection was closed without one."""
        try:
            line = self._file.readline()
            if not line:
                return None
            status = int(line.split()[1])
            headers = []
            while (line := self._file.readline().rstrip(b"\r\n")) != b"":
                name, _, value = line.decode("latin-1").partition(":")
                headers.append((name, value.strip()))
            of_body = {name.lower(): value for name, value in headers}
            return Answer(status, headers, self._body(of_body) if with_body else b"")
        except (ConnectionResetError, ssl.SSLError):
            return None

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._file.readline(), 16):
                body += self._file.read(size)
                self._file.readline()
            self._file.readline()
            return body
        return self._file.read(int(headers["content-length"])) if "content-length" in headers else self._file.read()

    def is_closed(self) -> bool:
        """Return whether the server closes the connection."""
        try:
            return self._file.read() == b""
        except (ConnectionResetError, ssl.SSLError):
            return True

    def close(self) -> None:
        self._file.close()
        self.stream.close()


class Wire:
    """Connects to nginx and posts through it as TENIOS would."""

    def __init__(self, nginx: Nginx, certificate: Certificate) -> None:
        self.nginx = nginx
        self.certificate = certificate
        self.name = f"wire-{nginx.https_port}"
        self.answered: set[str] = set()
        self._numbers = itertools.count()

    def context(self) -> ssl.SSLContext:
        """Return a TLS context that trusts only the root, so that an incomplete chain fails."""
        context = ssl.create_default_context(cafile=str(self.certificate.root))
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        return context

    @contextlib.contextmanager
    def connect(
        self, context: ssl.SSLContext | None = None, *, over_tls: bool = True, source: str = SELF
    ) -> Iterator[Connection]:
        port = self.nginx.https_port if over_tls else self.nginx.http_port
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(socket.create_connection((SELF, port), PATIENCE_S, (source, 0)))
            if over_tls:
                context = context or self.context()
                stream = stack.enter_context(context.wrap_socket(stream, server_hostname=NAME))
            connection = Connection(stream)
            stack.callback(connection.close)
            yield connection

    @contextlib.contextmanager
    def connect_to(self, port: int) -> Iterator[Connection]:
        """Connect to another port of this machine without TLS: to Calltally itself, without nginx."""
        with socket.create_connection((SELF, port), PATIENCE_S) as stream:
            connection = Connection(stream)
            yield connection
            connection.close()

    def body(self) -> tuple[str, bytes]:
        """Return the id of a new post, and its body."""
        from tests.factories import post_body  # once Django is set up

        post_id = f"{self.name}-{next(self._numbers)}"
        return post_id, json.dumps(post_body("BLOCK_END", E164, ACCESS_KEY, post_id=post_id)).encode()

    def post(self, *more: str, via: Connection | None = None, **how: Any) -> Answer | None:
        """Send a good post, on a new connection unless one is passed; `more` are headers. Return the answer."""
        post_id, body = self.body()
        with contextlib.ExitStack() as stack:
            connection = via or stack.enter_context(self.connect())
            connection.send(head(*more, length=len(body), **how), body)
            return self.note(post_id, connection.answer())

    def note(self, post_id: str, answer: Answer | None) -> Answer | None:
        """Record a post that was answered 200: exactly these posts must be stored."""
        if answer and answer.status == 200:
            self.answered.add(post_id)
        return answer

    def ask(self, path: str, *more: str, body: bytes = b"", over_tls: bool = True, **how: Any) -> Answer:
        """Request a page; return the answer."""
        how = {"method": "GET", "media_type": None, "length": len(body) or None} | how
        with self.connect(over_tls=over_tls) as connection:
            connection.send(head(*more, path=path, **how), body)
            answer = connection.answer()
        assert answer
        return answer


@contextlib.contextmanager
def proxy_before(port: int, folder: Path, certificate: Certificate) -> Iterator[Wire]:
    """Run another nginx, in front of a port; yield a client of it."""
    nginx = Nginx(folder / "nginx", certificate, port, port)
    try:
        nginx.start()
        yield Wire(nginx, certificate)
    finally:
        nginx.stop()


def head(
    *more: str,
    length: int | None = None,
    path: str = "/tenios/posts",
    host: str | None = NAME,
    method: str = "POST",
    media_type: str | None = JSON,
    version: str = "1.1",
) -> bytes:
    """Return a request line with headers; `more` are further headers, sent unchanged."""
    lines = [f"{method} {path} HTTP/{version}"]
    lines += [f"Host: {host}"] if host is not None else []
    lines += [f"Content-Type: {media_type}"] if media_type else []
    lines += [f"Content-Length: {length}"] if length is not None else []
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1")


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
