"""The client of a request behind trusted proxies, in every spelling and despite forged headers."""

import pytest

from accounts.addresses import client_of, read_address, read_network

TENIOS = "80.239.139.193"
STRANGER = "203.0.113.9"
PROXIES = [read_network(text) for text in ("127.0.0.1", "::1", "10.0.0.0/8", "2001:db8:1::/48")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # No proxy
        (TENIOS, None, TENIOS),
        (TENIOS, "", TENIOS),
        (TENIOS, STRANGER, TENIOS),
        (STRANGER, TENIOS, STRANGER),
        (STRANGER, f"{TENIOS}, 127.0.0.1", STRANGER),
        (STRANGER, "127.0.0.1", STRANGER),
        ("2001:db8:2::7", TENIOS, "2001:db8:2::7"),
        ("::ffff:80.239.139.193", None, TENIOS),
        ("::FFFF:50EF:8BC1", None, TENIOS),
        ("", None, None),
        ("", TENIOS, None),
        ("unix:", TENIOS, None),
        ("localhost", TENIOS, None),
        # One proxy
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "   ", "127.0.0.1"),
        ("127.0.0.1", TENIOS, TENIOS),
        ("127.0.0.1", f" {TENIOS} ", TENIOS),
        ("127.0.0.1", f"\t{TENIOS}", TENIOS),
        ("::1", TENIOS, TENIOS),
        ("::ffff:127.0.0.1", TENIOS, TENIOS),
        ("10.255.255.255", TENIOS, TENIOS),
        ("11.0.0.1", TENIOS, "11.0.0.1"),
        ("127.0.0.2", TENIOS, "127.0.0.2"),
        # Addresses that the client forges are on the left, and are ignored
        ("127.0.0.1", f"{TENIOS}, {STRANGER}", STRANGER),
        ("127.0.0.1", f"{TENIOS},{STRANGER}", STRANGER),
        ("127.0.0.1", f"{TENIOS}, {TENIOS}, {STRANGER}", STRANGER),
        ("127.0.0.1", f"127.0.0.1, {STRANGER}", STRANGER),
        ("127.0.0.1", f"10.0.0.1, {STRANGER}", STRANGER),
        ("127.0.0.1", f"garbage, {TENIOS}", TENIOS),
        ("127.0.0.1", f"{'x' * 5000}, {TENIOS}", TENIOS),
        ("127.0.0.1", f", {TENIOS}", TENIOS),
        ("127.0.0.1", f",,,,{TENIOS}", TENIOS),
        # Several proxies
        ("127.0.0.1", f"{TENIOS}, 10.1.2.3", TENIOS),
        ("127.0.0.1", f"{TENIOS}, 10.1.2.3, 10.1.2.4", TENIOS),
        ("127.0.0.1", f"{TENIOS}, {STRANGER}, 10.1.2.3", STRANGER),
        ("127.0.0.1", f"{TENIOS}, 2001:db8:1::5", TENIOS),
        ("127.0.0.1", f"{TENIOS}, 2001:db8:2::5", "2001:db8:2::5"),
        ("2001:db8:1::5", f"{TENIOS}, ::1", TENIOS),
        ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "10.1.2.3, 10.1.2.4", "10.1.2.3"),
        ("127.0.0.1", f"{TENIOS}, ::ffff:10.1.2.3", TENIOS),
        # With ports, brackets and zones
        ("127.0.0.1", f"{TENIOS}:54321", TENIOS),
        ("127.0.0.1", f"{TENIOS}:0", TENIOS),
        ("127.0.0.1:54321", TENIOS, TENIOS),
        ("[::1]:54321", TENIOS, TENIOS),
        ("127.0.0.1", "[2001:db8:2::7]:443", "2001:db8:2::7"),
        ("127.0.0.1", "[2001:db8:2::7]", "2001:db8:2::7"),
        ("127.0.0.1", "2001:db8:2::7", "2001:db8:2::7"),
        ("127.0.0.1", "2001:DB8:2:0:0:0:0:7", "2001:db8:2::7"),
        ("127.0.0.1", "fe80::7%eth0", "fe80::7"),
        ("127.0.0.1", "[fe80::7%eth0]:80", "fe80::7"),
        ("127.0.0.1", "[::ffff:80.239.139.193]:443", TENIOS),
        ("127.0.0.1", "::ffff:80.239.139.193", TENIOS),
        # Values that a trusted proxy should never write: the client is unknown
        ("127.0.0.1", "unknown", None),
        ("127.0.0.1", "_hidden", None),
        ("127.0.0.1", f"{TENIOS}, ", None),
        ("127.0.0.1", f"{TENIOS}, unknown", None),
        ("127.0.0.1", f"{TENIOS}, unknown, 10.1.2.3", None),
        ("127.0.0.1", f'"{TENIOS}"', None),
        ("127.0.0.1", f"for={TENIOS}", None),
        ("127.0.0.1", f"{TENIOS};{STRANGER}", None),
        ("127.0.0.1", f"{TENIOS} {STRANGER}", None),
        ("127.0.0.1", f"{TENIOS}:", None),
        ("127.0.0.1", f"{TENIOS}:65536", None),
        ("127.0.0.1", f"{TENIOS}:８０", None),
        ("127.0.0.1", f"{TENIOS}/32", None),
        ("127.0.0.1", "080.239.139.193", None),
        ("127.0.0.1", "80.239.139", None),
        ("127.0.0.1", "80.239.139.256", None),
        ("127.0.0.1", "1357876161", None),
        ("127.0.0.1", "0x50ef8bc1", None),
        ("127.0.0.1", "[2001:db8:2::7", None),
        ("127.0.0.1", "[2001:db8:2::7]x", None),
        ("127.0.0.1", "[2001:db8:2::7]:x", None),
        ("127.0.0.1", "2001:db8:2::7::1", None),
        ("127.0.0.1", f"{TENIOS}\0", None),
        ("127.0.0.1", "localhost", None),
    ],
)
def test_the_client_is_the_right_most_address_that_is_not_a_trusted_proxy(peer, forwarded, client):
    meta = {"REMOTE_ADDR": peer} | ({} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded})

    actual = client_of(meta, PROXIES)

    assert (None if actual is None else str(actual)) == client


def test_without_trusted_proxies_headers_are_ignored():
    assert client_of({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": TENIOS}, []) == read_address("127.0.0.1")


SECRET = "the-secret-of-the-proxy-0123456789"


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (f"{SECRET} {TENIOS} https", TENIOS),
        (f"{SECRET} {TENIOS} http", TENIOS),
        (f"{SECRET} 2001:db8:2::7 https", "2001:db8:2::7"),
        (f"{SECRET} ::ffff:{TENIOS} https", TENIOS),
        (f"{SECRET} unknown https", None),
        (f"{SECRET} {TENIOS}", None),
        (f"{SECRET}", None),
        (f"{SECRET} {TENIOS} https more", None),
        (f"{SECRET}  {TENIOS} https", None),
        (f"{SECRET}\t{TENIOS}\thttps", None),
        (f"{SECRET[:-1]} {TENIOS} https", None),
        (f"{SECRET}x {TENIOS} https", None),
        (f"{SECRET.upper()} {TENIOS} https", None),
        (f"{SECRET},{SECRET} {TENIOS} https", None),
        (f"{SECRET} {STRANGER} https,{SECRET} {TENIOS} https", None),
        (f" {TENIOS} https", None),
        (f"\xe4\udc80 {TENIOS} https", None),
        ("", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("peer", ["127.0.0.1", TENIOS])
def test_with_a_secret_the_client_is_the_address_in_the_header_with_the_secret(peer, header, client):
    meta = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": TENIOS, "HTTP_X_REAL_IP": TENIOS}
    meta |= {} if header is None else {"HTTP_CALLTALLYPROXY": header}

    actual = client_of(meta, PROXIES, SECRET)

    assert (None if actual is None else str(actual)) == client


def test_without_a_secret_the_header_is_not_read():
    meta = {"REMOTE_ADDR": STRANGER, "HTTP_CALLTALLYPROXY": f"{SECRET} {TENIOS} https"}

    assert str(client_of(meta, PROXIES)) == STRANGER
    assert str(client_of(meta | {"HTTP_CALLTALLYPROXY": f" {TENIOS} https"}, PROXIES)) == STRANGER


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("80.239.139.193", "80.239.139.193/32"),
        (" 192.0.2.0/24 ", "192.0.2.0/24"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_a_network_is_read_from_an_address_or_a_prefix(text, network):
    assert str(read_network(text)) == network


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("192.0.2.7/24", "Enter 192.0.2.0/24 or only the host's address"),
        ("192.0.2.0/33", "'192.0.2.0/33' is not an address"),
        ("tenios.de", "'tenios.de' is not an address"),
        ("", "'' is not an address"),
    ],
)
def test_the_error_for_an_invalid_network_says_what_to_write(text, told):
    with pytest.raises(ValueError, match=told):
        read_network(text)
