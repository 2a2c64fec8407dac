"""Requests to addresses that people entered: never to this machine, the database, or a network that is not allowed.

The host is resolved once, each of its addresses is judged, and the connection is made to an address that was judged; so
a name that resolves differently a moment later leads nowhere else. Redirects are not followed, proxies of the
environment are not used, and time and length of the answer are limited."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils.translation import gettext as _
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Timeout

from accounts.addresses import Address, Network

CONNECTS_WITHIN_S = 5.0
READS_WITHIN_S = 15.0
LONGEST_ANSWER = 64 * 1024
# A host with more addresses is tried at these alone; all of them are judged.
MOST_TRIED = 3
DEFAULT_HEADERS = {"User-Agent": "Calltally", "Accept-Encoding": "identity"}

_PUBLIC_V6 = ip_network("2000::/3")
_PRIVATE_V6 = ip_network("fc00::/7")
_THIS_NETWORK = ip_network("0.0.0.0/8")


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


@dataclass(frozen=True)
class Answer:
    """What was answered, whatever the status."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    within_s: float = CONNECTS_WITHIN_S + READS_WITHIN_S,
) -> Answer:
    """Send a request and return the answer; raise NoAnswer.

    It takes `within_s` at most, with everything. The answer may have LONGEST_ANSWER bytes; redirects are answers."""
    deadline = time.monotonic() + within_s
    prepared, host, port = _prepare(method, url, headers or {}, body)
    addresses = judged(host, port, is_encrypted=url.lower().startswith("https:"), deadline=deadline)
    for place, address in enumerate(addresses):
        try:
            return _send_to(address, host, prepared, deadline)
        except NoAnswer as error:
            if error.reason is not Reason.NOT_REACHED or place + 1 == len(addresses):
                raise
    raise NoAnswer(Reason.NOT_RESOLVED, _("The host has no address."))


def _prepare(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[requests.PreparedRequest, str, int]:
    """Return the request, its host and its port."""
    try:
        prepared = requests.Request(method, url, headers={**DEFAULT_HEADERS, **headers}, data=body).prepare()
        parts = urlsplit(prepared.url or "")
        host, port = parts.hostname or "", parts.port
    except (requests.RequestException, ValueError):
        raise NoAnswer(Reason.NO_ADDRESS, _("The address or the header cannot be sent.")) from None
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        raise NoAnswer(Reason.NO_ADDRESS, _("This is not a complete address."))
    prepared.headers["Host"] = parts.netloc
    return prepared, host, port or (443 if parts.scheme == "https" else 80)


# --- Which addresses are allowed ---------------------------------------------------------------


def judged(host: str, port: int, *, is_encrypted: bool, deadline: float) -> list[Address]:
    """Return the addresses of a host, at most MOST_TRIED; raise NoAnswer if any of them is not allowed."""
    addresses = resolved(host, port, deadline)
    database = _database_addresses(deadline)
    for address in addresses:
        reason = why_refused(
            address,
            is_encrypted=is_encrypted,
            networks=settings.OUTGOING_PRIVATE_NETWORKS,
            database=database,
            allows_loopback=settings.OUTGOING_LOOPBACK,
        )
        if reason is not None:
            raise NoAnswer(reason, _said(reason, host, address))
    return addresses[:MOST_TRIED]


def why_refused(
    address: Address,
    *,
    is_encrypted: bool,
    networks: Sequence[Network] = (),
    database: Collection[Address] = (),
    allows_loopback: bool = False,
) -> Reason | None:
    """Return why nothing is sent to an address; None if it is allowed.

    Public addresses need https. Private ones are allowed by `networks`, with http too."""
    if address.is_loopback:
        return None if allows_loopback else Reason.NEVER_ALLOWED
    if address in database:
        return Reason.NEVER_ALLOWED
    if _is_public(address):
        return None if is_encrypted else Reason.NEEDS_HTTPS
    if not _is_private(address):
        return Reason.NEVER_ALLOWED
    return None if any(address in network for network in networks) else Reason.PRIVATE


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    # Addresses that carry an IPv4 address lead to it: those of 6to4 and Teredo; mapped and NAT64 ones lie outside.
    return address in _PUBLIC_V6 and address.is_global and address.sixtofour is None and address.teredo is None


def _is_private(address: Address) -> bool:
    """Return whether an address may belong to a private network."""
    if isinstance(address, IPv6Address):
        return address in _PRIVATE_V6
    is_special = address.is_multicast or address.is_link_local or address.is_reserved or address in _THIS_NETWORK
    return not address.is_global and not is_special


def _said(reason: Reason, host: str, address: Address) -> str:
    values = {"host": host, "address": address}
    if reason is Reason.NEEDS_HTTPS:
        return _("%(host)s is outside your network, so the address must begin with https://.") % values
    if reason is Reason.PRIVATE:
        return (
            _(
                "%(host)s is %(address)s, an address of a private network. Your administrator can allow this network "
                "by OUTGOING_PRIVATE_NETWORKS."
            )
            % values
        )
    return _("%(host)s is %(address)s. Calltally never sends anything to this address.") % values


def resolved(host: str, port: int, deadline: float) -> list[Address]:
    """Return all addresses of a host, each once; raise NoAnswer."""
    with contextlib.suppress(ValueError):
        return [ip_address(host)]
    answer: list[Any] = []

    def ask() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            answer.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))

    # The resolver has no time limit of ours, so it is not waited for longer.
    asking = threading.Thread(target=ask, name="resolver", daemon=True)
    asking.start()
    asking.join(max(0.0, deadline - time.monotonic()))
    if asking.is_alive():
        raise _timed_out()
    addresses = dict.fromkeys(ip_address(address[0].partition("%")[0]) for *_more, address in answer)
    if not addresses:
        raise NoAnswer(Reason.NOT_RESOLVED, _("No host is known by the name %(host)s.") % {"host": host})
    return list(addresses)


def _database_addresses(deadline: float) -> set[Address]:
    """Return the addresses of the database's host; none if it is reached through a socket of this machine."""
    hosts = str(settings.DATABASES["default"].get("HOST") or "").split(",")
    found: set[Address] = set()
    for host in hosts:
        if host and not host.startswith("/"):
            with contextlib.suppress(NoAnswer):
                found |= {*resolved(host, 5432, deadline)}
    return found


# --- The connection ----------------------------------------------------------------------------


def _send_to(address: Address, host: str, prepared: requests.PreparedRequest, deadline: float) -> Answer:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise _timed_out()
    with _Limit(left_s) as limit, contextlib.closing(_Adapter(address, host, limit.watch)) as adapter:
        try:
            timeout = Timeout(connect=min(CONNECTS_WITHIN_S, left_s), read=min(READS_WITHIN_S, left_s))
            sent = adapter.send(prepared, stream=True, timeout=timeout)  # type: ignore[arg-type]
            with contextlib.closing(sent) as response:
                body = b"".join(_pieces(response.raw))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            if limit.is_over:
                raise _timed_out() from None
            raise _no_answer(error, host) from None
    if limit.is_over:  # what was read until then may be less than the whole answer
        raise _timed_out()
    return Answer(response.status_code, body, dict(response.headers))


def _pieces(raw: Any) -> Iterator[bytes]:
    """Yield the answer as it is sent: encoded texts would be longer once they are decoded."""
    length = 0
    while piece := raw.read(16 * 1024, decode_content=False):
        length += len(piece)
        if length > LONGEST_ANSWER:
            raise NoAnswer(Reason.TOO_LONG, _("The answer is longer than %(kb)d kB.") % {"kb": LONGEST_ANSWER // 1024})
        yield piece


def _no_answer(error: Exception, host: str) -> NoAnswer:
    """Return what an error of `requests` means."""
    if isinstance(error, requests.exceptions.SSLError):
        said = _("The certificate of %(host)s is not valid, or the connection is not encrypted: %(error)s.")
        return NoAnswer(Reason.CERTIFICATE, said % {"host": host, "error": _of_tls(error)})
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return NoAnswer(Reason.NOT_REACHED, _("%(host)s did not accept the connection in time.") % {"host": host})
    if isinstance(error, requests.exceptions.ReadTimeout) or "timed out" in str(error).lower():
        return _timed_out()
    if error.args and isinstance(getattr(error.args[0], "reason", None), NewConnectionError):
        return NoAnswer(Reason.NOT_REACHED, _("%(host)s does not accept connections.") % {"host": host})
    return NoAnswer(Reason.BROKEN, _("%(host)s closed the connection without a complete answer.") % {"host": host})


def _of_tls(error: BaseException) -> str:
    """Return what TLS says, without the address that the error of `requests` contains."""
    cause: Any = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError):
            return str(cause.reason or "")
        inner = [part for part in cause.args if isinstance(part, BaseException)]
        cause = getattr(cause, "reason", None) or (inner[0] if inner else None) or cause.__cause__
        if not isinstance(cause, BaseException):
            break
    return "TLS"


def _timed_out() -> NoAnswer:
    return NoAnswer(Reason.TIMED_OUT, _("There was no complete answer in time."))


class _Limit:
    """Ends the connection of a request when its time is over, also if the answer arrives byte by byte."""

    def __init__(self, within_s: float) -> None:
        self.is_over = False
        self._watched: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(within_s, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Limit:
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        with self._lock:
            for watched in self._watched:
                watched.close()
            self._watched = []

    def watch(self, connection: socket.socket) -> None:
        """Watch a connection by a copy of its socket, because TLS takes over the original."""
        with self._lock:
            self._watched.append(connection.dup())
            if self.is_over:
                self._shut_down()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut_down()

    def _shut_down(self) -> None:
        for watched in self._watched:
            with contextlib.suppress(OSError):
                watched.shutdown(socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Connects to one address, with the certificate of the host. Used without a session of `requests`, so nothing of
    the environment applies, and no redirect is read."""

    def __init__(self, address: Address, host: str, watch: Callable[[socket.socket], None]) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self._address, self._host, self._watch = address, host, watch

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        host_params, _pool_kwargs = self.build_connection_pool_key_attributes(request, verify, cert)
        is_encrypted = host_params["scheme"] == "https"
        # TLS names the host, and checks that the certificate is for it.
        tls = {"ssl_context": _tls_context(), "server_hostname": self._host} if is_encrypted else {}
        to_address = host_params | {"host": str(self._address)}
        pool = self.poolmanager.connection_from_host(**to_address, pool_kwargs=tls)
        pool.ConnectionCls = _watched(pool.ConnectionCls, self._watch)
        return pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"  # by the context, which has the authorities


def _watched(connection_class: Any, watch: Callable[[socket.socket], None]) -> Any:
    """Return a class of connections that have each new socket watched."""

    class Watched(connection_class):
        def _new_conn(self) -> socket.socket:
            connection: socket.socket = super()._new_conn()
            watch(connection)
            return connection

    assert issubclass(Watched, HTTPConnection)  # noqa: S101 (for readers: urllib3 may change)
    return Watched


@lru_cache(1)
def _tls_context() -> ssl.SSLContext:
    """Return the authorities that this machine trusts, where a company adds its own, and those of Mozilla."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context
