"""A request and its answer over a connection to one address, within limits of time and length.

Which addresses are allowed, calls.outgoing decides."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from accounts.addresses import Address

CONNECTS_WITHIN_S = 5.0
READS_WITHIN_S = 15.0
LONGEST_ANSWER = 64 * 1024
# With headers, and with all that the encoding in chunks adds.
MOST_RECEIVED = 16 * LONGEST_ANSWER
PIECE = 8 * 1024


class Reason(Enum):
    """Why a request got no answer."""

    NO_ADDRESS = "no address"
    NOT_RESOLVED = "not resolved"
    NEVER_ALLOWED = "never allowed"
    PRIVATE = "private"
    NEEDS_HTTPS = "needs https"
    CERTIFICATE = "certificate"
    NOT_REACHED = "not reached"
    TIMED_OUT = "timed out"
    TOO_LONG = "too long"
    BROKEN = "broken"


class NoAnswer(Exception):  # noqa: N818 (named for what happened)
    """A request got no answer. The text says why, in words for those who entered the address."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def timed_out() -> NoAnswer:
    return NoAnswer(Reason.TIMED_OUT, _("There was no complete answer in time."))


@dataclass(frozen=True)
class Answer:
    """What was answered, whatever the status."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """A request as it is sent: `content` is all of it, from the first line to the end of the body."""

    method: str
    host: str
    port: int
    is_encrypted: bool
    content: bytes


class Connection:
    """An open connection to an address; with TLS, the certificate has to be for the host. Used by one thread."""

    def __init__(self, address: Address, request: Request, deadline: float) -> None:
        """Connect; raise NoAnswer."""
        self.opened_at = time.monotonic()
        # Whether another request may be sent after the last answer.
        self.may_stay_open = False
        self._host = request.host
        plain = _Plain(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        self._socket: _Plain | _Encrypted = plain
        try:
            plain.settimeout(min(CONNECTS_WITHIN_S, _left_s(deadline)))
            plain.connect((str(address), request.port))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if request.is_encrypted:
                self._socket = self._encrypted(plain, deadline)
        except BaseException as error:
            self._socket.close()
            if isinstance(error, OSError):
                raise self._not_reached(error) from None
            raise

    def _encrypted(self, plain: _Plain, deadline: float) -> _Encrypted:
        """Return the socket with TLS, which names the host and checks that the certificate is for it."""
        plain.settimeout(_left_s(deadline))
        try:
            return tls_context().wrap_socket(plain, server_hostname=self._host)  # type: ignore[return-value]
        except TimeoutError:
            raise timed_out() from None
        except ssl.SSLError as error:
            said = _("The certificate of %(host)s is not valid, or the connection is not encrypted: %(error)s.")
            values = {"host": self._host, "error": _of_tls(error)}
            raise NoAnswer(Reason.CERTIFICATE, said % values) from None
        except OSError:
            raise self._broken() from None

    def exchange(self, request: Request, deadline: float, *, cut_at: int | None) -> Answer:
        """Send a request and return its answer; raise NoAnswer. With `cut_at`, no more of its body is read."""
        self.may_stay_open = False
        self._socket.deadline, self._socket.received = deadline, 0
        try:
            self._socket.settimeout(_left_s(deadline))
            self._socket.sendall(request.content)
            with contextlib.closing(http.client.HTTPResponse(self._socket, method=request.method)) as response:
                response.begin()
                return Answer(response.status, self._body_of(response, cut_at), dict(response.headers))
        except TimeoutError:
            raise timed_out() from None
        except (http.client.HTTPException, OSError, ValueError):
            raise self._broken() from None

    def _body_of(self, response: http.client.HTTPResponse, cut_at: int | None) -> bytes:
        """Return the body as it is sent: encoded texts would be longer once they are decoded."""
        pieces, length = [], 0
        while piece := response.read(PIECE):
            pieces.append(piece)
            length += len(piece)
            if cut_at is not None and length >= cut_at:
                return b"".join(pieces)[:cut_at]
            if length > LONGEST_ANSWER:
                text = _("The answer is longer than %(kb)d kB.") % {"kb": LONGEST_ANSWER // 1024}
                raise NoAnswer(Reason.TOO_LONG, text)
        if response.length:  # fewer bytes than it announced
            raise self._broken()
        self.may_stay_open = not response.will_close
        return b"".join(pieces)

    @property
    def has_received(self) -> bool:
        """Whether a byte of an answer to the last request has arrived."""
        return bool(self._socket.received)

    def is_idle(self) -> bool:
        """Return whether nothing has arrived since the last answer, not even the end of the connection."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return not waiting.poll(0)

    def close(self) -> None:
        self._socket.close()

    def _not_reached(self, error: OSError) -> NoAnswer:
        if isinstance(error, TimeoutError):
            said = _("%(host)s did not accept the connection in time.")
        else:
            said = _("%(host)s does not accept connections.")
        return NoAnswer(Reason.NOT_REACHED, said % {"host": self._host})

    def _broken(self) -> NoAnswer:
        said = _("%(host)s closed the connection without a complete answer.")
        return NoAnswer(Reason.BROKEN, said % {"host": self._host})


class _Timed:
    """A socket that sends and receives nothing after a deadline, also if the answer arrives byte by byte."""

    deadline = 0.0
    received = 0

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(_left_s(self.deadline))  # type: ignore[attr-defined]
        count: int = super().recv_into(*arguments)  # type: ignore[misc]
        self.received += count
        if self.received > MOST_RECEIVED:
            raise ConnectionAbortedError
        return count


class _Plain(_Timed, socket.socket):
    pass


class _Encrypted(_Timed, ssl.SSLSocket):
    pass


def _left_s(deadline: float) -> float:
    """Return how long a step may take; raise TimeoutError if there is no time left."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return min(left_s, READS_WITHIN_S)


def _of_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(error.reason or "TLS")


@lru_cache(1)
def tls_context() -> ssl.SSLContext:
    """Return the authorities that this machine trusts, where a company adds its own, and those of Mozilla."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    context.sslsocket_class = _Encrypted
    return context
