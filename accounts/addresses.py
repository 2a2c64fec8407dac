"""IP addresses: the client of a request behind trusted proxies, and the networks an address belongs to."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


# Addresses outside the internet: this machine, private networks, link-local networks.
OUR_WALLS = [
    ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7", "fe80::/10")
]


# The header that carries PROXY_SECRET, the client's address and the scheme, separated by spaces. Its name has no hyphen
# because a WSGI server puts `X-Forwarded-For` and `X_Forwarded_For` into the same variable, so a client could forge it.
PROXY_HEADER = "HTTP_CALLTALLYPROXY"
# A request with one of these headers was passed on by a proxy.
FORWARDING_HEADERS = (
    PROXY_HEADER,
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
    "HTTP_VIA",
)


def client_of_request(meta: Mapping[str, str]) -> Address | None:
    """Return the client's address from a request's META, by the proxy settings; None if unknown."""
    return client_of(meta, settings.TRUSTED_PROXIES, settings.PROXY_SECRET)


def client_of(meta: Mapping[str, str], proxies: Iterable[Network], secret: str = "") -> Address | None:
    """Return the right-most address of a request that is not a trusted proxy; None if it cannot be determined.

    With a secret, only PROXY_HEADER is read, and the result is None unless the header holds the secret. Without one,
    X-Forwarded-For is read, but only if a trusted proxy passed the request on: each proxy appends the address that it
    was called from, so anything left of the first untrusted address may be forged."""
    if secret:
        return read_address(_read_proxy_header(meta, secret)[0])
    proxies = list(proxies)
    forwarded = meta.get("HTTP_X_FORWARDED_FOR", "")
    hops = forwarded.split(",") if forwarded.strip() else []
    client = read_address(meta.get("REMOTE_ADDR", ""))
    while client is not None and hops and is_in(client, proxies):
        client = read_address(hops.pop())
    return client


def scheme_of(meta: Mapping[str, str], secret: str) -> str:
    """Return the scheme of the client's request to the proxy, such as `https`; empty without the secret."""
    return _read_proxy_header(meta, secret)[1]


def is_of_this_machine(meta: Mapping[str, str]) -> bool:
    """Return whether a request came from a loopback address and through no proxy.

    True as well for a proxy on this machine that adds no header."""
    peer = read_address(meta.get("REMOTE_ADDR", ""))
    return peer is not None and peer.is_loopback and not any(name in meta for name in FORWARDING_HEADERS)


@lru_cache(maxsize=256)
def read_address(text: str) -> Address | None:
    """Return the address in a text as proxies write it, with or without port, brackets and zone; None if invalid."""
    text = text.strip()
    if text.startswith("["):
        text, closed, port = text[1:].partition("]")
        if not closed or (port and not _is_port(port)):
            return None
    elif text.count(":") == 1:
        text, colon, port = text.partition(":")
        if not _is_port(colon + port):
            return None
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def read_network(text: str) -> Network:
    """Return the network of `192.0.2.1` or `192.0.2.0/24`. Raise ValueError with a hint at what to write instead."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise ValueError(
            f"{text.strip()!r} is not an address or a network such as 192.0.2.0/24 or 2001:db8::/32"
        ) from error
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        network = ip_network(f"{mapped}/{network.prefixlen - 96}", strict=False)
    if "/" in text and network.prefixlen < network.max_prefixlen and not _is_network_address(text, network):
        raise ValueError(f"{text.strip()} is a host within a network. Enter {network} or only the host's address")
    return network


def read_networks(text: str) -> list[Network]:
    """Return the networks of a text, one per line; `#` starts a comment. Raise ValueError as read_network does."""
    written = (line.partition("#")[0].strip() for line in text.splitlines())
    return [read_network(line) for line in written if line]


def is_in(address: Address, networks: Iterable[Network]) -> bool:
    """Return whether one of the networks contains the address."""
    return any(address in network for network in networks)


def neighbourhood(address: Address) -> Address | Network:
    """Return what to rate-limit for an address: its `/64` for IPv6, because a subscriber has 2⁶⁴ of those addresses."""
    return ip_network(f"{address}/64", strict=False) if isinstance(address, IPv6Address) else address


def _read_proxy_header(meta: Mapping[str, str], secret: str) -> tuple[str, str]:
    """Return address and scheme from PROXY_HEADER; two empty texts if the header does not hold the secret."""
    words = meta.get(PROXY_HEADER, "").split(" ")
    if len(words) != 3 or not hmac.compare_digest(words[0].encode("utf-8", "replace"), secret.encode()):
        return "", ""
    return words[1], words[2]


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isascii() and text[1:].isdigit() and int(text[1:]) < 65536


def _is_network_address(text: str, network: Network) -> bool:
    host = read_address(text.strip().partition("/")[0])
    return host == network.network_address
