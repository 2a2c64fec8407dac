"""Requests to addresses that people entered: never to this machine, the database, or a network that is not allowed.

The host is resolved once, each of its addresses is judged, and the connection is made to an address that was judged; so
a name that resolves differently a moment later leads nowhere else. Redirects are not followed, proxies of the
environment are not used, and time and length of the answer are limited."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils.translation import gettext as _

from accounts.addresses import Address, Network
from calls.exchanges import (
    CONNECTS_WITHIN_S,
    LONGEST_ANSWER,
    READS_WITHIN_S,
    Answer,
    Connection,
    NoAnswer,
    Reason,
    Request,
    timed_out,
    tls_context,
)

__all__ = ["LONGEST_ANSWER", "Answer", "Connections", "NoAnswer", "Reason", "send", "tls_context"]

# A host with more addresses is tried at these alone; all of them are judged.
MOST_TRIED = 3
DEFAULT_HEADERS = {"User-Agent": "Calltally", "Accept-Encoding": "identity"}
# Connections that stay open: how many to a host and port, and for how long.
MOST_OPEN, OPEN_FOR_S = 2, 60.0

_PUBLIC_V6 = ip_network("2000::/3")
_PRIVATE_V6 = ip_network("fc00::/7")
_THIS_NETWORK = ip_network("0.0.0.0/8")


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    within_s: float = CONNECTS_WITHIN_S + READS_WITHIN_S,
    cut_at: int | None = None,
) -> Answer:
    """Send a request and return the answer; raise NoAnswer.

    It takes `within_s` at most, with everything. The answer may have LONGEST_ANSWER bytes, or with `cut_at` is cut
    after so many; redirects are answers."""
    deadline = time.monotonic() + within_s
    request = _prepare(method, url, headers or {}, body)
    with contextlib.closing(_connect(request, deadline)) as connection:
        return connection.exchange(request, deadline, cut_at=cut_at)


class Connections:
    """Sends requests as `send` does, over connections that stay open for the next request; for all threads.

    The address is judged when a connection is made. A connection stays open for OPEN_FOR_S at most, so a host that has
    another address since is found there a minute later."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int, bool], list[Connection]] = defaultdict(list)
        self._lock = threading.Lock()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        within_s: float = CONNECTS_WITHIN_S + READS_WITHIN_S,
        cut_at: int | None = None,
    ) -> Answer:
        """Send a request and return the answer; raise NoAnswer.

        If a connection that was open breaks before any byte of the answer, because the other side closed it at this
        moment, the request is sent once more over a new one."""
        deadline = time.monotonic() + within_s
        request = _prepare(method, url, headers or {}, body)
        if open_connection := self._take(request):
            try:
                return self._exchange(open_connection, request, deadline, cut_at=cut_at)
            except NoAnswer as error:
                if error.reason is not Reason.BROKEN or open_connection.has_received:
                    raise
        return self._exchange(_connect(request, deadline), request, deadline, cut_at=cut_at)

    def close(self, *, older_than_s: float = 0.0) -> None:
        """Close connections that no request uses; with OPEN_FOR_S, those that are not used again in any case."""
        with self._lock:
            every = [one for several in self._idle.values() for one in several]
            old = [one for one in every if time.monotonic() - one.opened_at >= older_than_s]
            for key, several in list(self._idle.items()):
                self._idle[key] = [one for one in several if one not in old]
                if not self._idle[key]:
                    del self._idle[key]
        for one in old:
            one.close()

    def _exchange(self, connection: Connection, request: Request, deadline: float, *, cut_at: int | None) -> Answer:
        try:
            answer = connection.exchange(request, deadline, cut_at=cut_at)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            idle = self._idle[_key(request)]
            stays = connection.may_stay_open and not _is_old(connection) and len(idle) < MOST_OPEN
            if stays:
                idle.append(connection)
        if not stays:
            connection.close()
        return answer

    def _take(self, request: Request) -> Connection | None:
        while True:
            with self._lock:
                idle = self._idle.get(_key(request))
                connection = idle.pop() if idle else None
            if connection is None or (not _is_old(connection) and connection.is_idle()):
                return connection
            connection.close()


def _key(request: Request) -> tuple[str, int, bool]:
    return request.host, request.port, request.is_encrypted


def _is_old(connection: Connection) -> bool:
    return time.monotonic() - connection.opened_at >= OPEN_FOR_S


@lru_cache(maxsize=256)  # judging and encoding an address takes half of the time of a request
def _addressed(method: str, url: str) -> requests.PreparedRequest:
    return requests.Request(method, url).prepare()


def _prepare(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Request:
    try:
        prepared = _addressed(method, url).copy()
        prepared.prepare_headers({**DEFAULT_HEADERS, **headers})
        prepared.prepare_body(body, None)
        parts = urlsplit(prepared.url or "")
        host, port, is_encrypted = parts.hostname or "", parts.port, parts.scheme == "https"
        lines = [f"{prepared.method} {prepared.path_url} HTTP/1.1", f"Host: {parts.netloc}"]
        # Without cookies, proxies and passwords of the environment: these belong to sessions of `requests`.
        lines += [f"{name}: {value}" for name, value in prepared.headers.items()]
        head = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
    except (requests.RequestException, ValueError):
        raise NoAnswer(Reason.NO_ADDRESS, _("The address or the header cannot be sent.")) from None
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        raise NoAnswer(Reason.NO_ADDRESS, _("This is not a complete address."))
    content = head + b"\r\n" + (body or b"")
    return Request(str(prepared.method), host, port or (443 if is_encrypted else 80), is_encrypted, content)


def _connect(request: Request, deadline: float) -> Connection:
    """Return a connection to an address of the host that is allowed; raise NoAnswer."""
    addresses = judged(request.host, request.port, is_encrypted=request.is_encrypted, deadline=deadline)
    for place, address in enumerate(addresses):
        if deadline <= time.monotonic():
            raise timed_out()
        try:
            return Connection(address, request, deadline)
        except NoAnswer as error:
            if error.reason is not Reason.NOT_REACHED or place + 1 == len(addresses):
                raise
    raise NoAnswer(Reason.NOT_RESOLVED, _("The host has no address."))


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
    if address.is_loopback:
        said = _(
            "%(host)s leads to the machine on which Calltally runs. Calltally never sends anything to this address. If "
            "the system runs there, too, enter the address that the machine has in your network."
        )
        return said % values
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
        raise timed_out()
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
