"""Requests to addresses that people entered: which are allowed, and how each ends within its limits."""

import threading
from ipaddress import ip_address, ip_network

import pytest

from calls import outgoing
from calls.outgoing import NoAnswer, Reason, why_refused
from tests.web_server import make_certificate, web_server

NETWORKS = [ip_network("192.168.10.0/24"), ip_network("fd00:1::/64"), ip_network("0.0.0.0/0"), ip_network("::/0")]
PUBLIC, PRIVATE = (None, Reason.NEEDS_HTTPS, None), (Reason.PRIVATE, Reason.PRIVATE, None)
NEVER = (Reason.NEVER_ALLOWED,) * 3


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", PUBLIC),
        ("2606:4700::1111", PUBLIC),
        ("10.0.0.5", PRIVATE),
        ("172.16.0.1", PRIVATE),
        ("192.168.10.7", PRIVATE),
        ("100.64.0.1", PRIVATE),
        ("fd00:1::5", PRIVATE),
        ("127.0.0.1", NEVER),
        ("127.8.8.8", NEVER),
        ("::1", NEVER),
        ("0.0.0.0", NEVER),
        ("0.1.2.3", NEVER),
        ("::", NEVER),
        ("169.254.169.254", NEVER),
        ("fe80::1", NEVER),
        ("fec0::1", NEVER),
        ("224.0.0.1", NEVER),
        ("ff02::1", NEVER),
        ("255.255.255.255", NEVER),
        ("240.0.0.1", NEVER),
        ("::ffff:8.8.8.8", NEVER),
        ("::ffff:127.0.0.1", NEVER),
        ("::ffff:192.168.10.7", NEVER),
        ("::127.0.0.1", NEVER),
        ("64:ff9b::7f00:1", NEVER),
        ("64:ff9b:1::a00:1", NEVER),
        ("2002:7f00:1::", NEVER),
        ("2002:808:808::1", NEVER),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", NEVER),
        ("198.51.100.9", NEVER),
    ],
)
def test_public_addresses_need_https_private_ones_the_setting_and_the_rest_are_never_asked(address, expected):
    """Asked with https, with http, and with http and all networks allowed."""
    address, database = ip_address(address), [ip_address("198.51.100.9"), ip_address("192.168.10.9")]

    def judge(**how):
        return why_refused(address, database=database, **how)

    answers = (
        judge(is_encrypted=True),
        judge(is_encrypted=False),
        judge(is_encrypted=False, networks=NETWORKS),
    )
    if expected == PUBLIC:  # a public network in the setting allows nothing
        expected = (None, Reason.NEEDS_HTTPS, Reason.NEEDS_HTTPS)
    assert answers == expected


def test_the_database_is_never_asked_and_this_machine_only_while_developing():
    own = ip_address("192.168.10.9")
    assert why_refused(own, is_encrypted=True, networks=NETWORKS) is None
    assert why_refused(own, is_encrypted=True, networks=NETWORKS, database=[own]) is Reason.NEVER_ALLOWED
    assert why_refused(ip_address("127.0.0.1"), is_encrypted=False, allows_loopback=True) is None


@pytest.fixture
def here(settings):
    settings.OUTGOING_LOOPBACK = True


@pytest.fixture
def server(here):
    with web_server() as server:
        yield server


def refusal(url, **how):
    with pytest.raises(NoAnswer) as raised:
        outgoing.send("GET", url, **how)
    assert str(raised.value)
    return raised.value.reason


def test_an_answer_comes_with_its_status_and_body(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # not used
    server.answers({"name": "Anna"}, status=404)
    answer = outgoing.send("GET", f"{server.url}/find?tel=%2B49", headers={"X-Key": "secret"})
    assert (answer.status, answer.body) == (404, b'{"name": "Anna"}')
    [(path, headers)] = server.asked
    assert (path, headers["x-key"], headers["host"]) == ("/find?tel=%2B49", "secret", f"127.0.0.1:{server.port}")
    assert "cookie" not in headers


def test_this_machine_is_not_asked_in_production_and_hears_nothing(server, settings):
    settings.OUTGOING_LOOPBACK = False
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"):
        assert refusal(f"http://{host}:{server.port}/") is Reason.NEVER_ALLOWED
    assert server.asked == []


def test_every_address_of_a_host_is_judged_and_the_connection_made_to_one_of_them(server, settings, monkeypatch):
    """The resolver is a stranger that answers something else each time, as an attacker's would."""
    answers = [["127.0.0.1"], ["8.8.8.8"], ["127.0.0.1", "10.0.0.1"], ["8.8.8.8", "169.254.169.254"]]

    def resolve(host, port, *more, **kind):
        if host == "db":
            return [(2, 1, 6, "", ("192.168.10.9", port))]
        if host != "crm.example.com":
            return real(host, port, *more, **kind)
        return [(2, 1, 6, "", (address, port)) for address in answers.pop(0)]

    real = outgoing.socket.getaddrinfo
    monkeypatch.setattr(outgoing.socket, "getaddrinfo", resolve)
    outgoing.send("GET", f"http://crm.example.com:{server.port}/")
    assert server.asked[0][1]["host"] == f"crm.example.com:{server.port}"
    assert len(answers) == 3  # resolved once
    assert refusal("http://crm.example.com/") is Reason.NEEDS_HTTPS
    assert refusal("https://crm.example.com/") is Reason.PRIVATE
    assert refusal("https://crm.example.com/") is Reason.NEVER_ALLOWED

    settings.OUTGOING_PRIVATE_NETWORKS = NETWORKS
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "db")
    assert refusal("http://192.168.10.9/") is Reason.NEVER_ALLOWED


def test_a_redirect_is_an_answer_and_is_not_followed(server):
    server.status, server.headers = 302, {"Location": f"{server.url}/elsewhere"}
    assert outgoing.send("GET", f"{server.url}/").status == 302
    assert [path for path, _headers in server.asked] == ["/"]


def test_an_answer_has_at_most_64_kb(server):
    server.body = b"x" * outgoing.LONGEST_ANSWER
    assert len(outgoing.send("GET", server.url).body) == outgoing.LONGEST_ANSWER
    server.body += b"x"
    assert refusal(server.url) is Reason.TOO_LONG


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_an_answer_that_never_ends_is_given_up_in_time(server, part):
    left = threading.Event()

    def drip(handler):
        """Send a byte often enough for any time limit of single reads; end long after the limit of the whole."""
        try:
            handler.wfile.write(part)
            for _byte in range(1000):
                handler.wfile.write(b"x")
                left.wait(0.02)
        except OSError:
            left.set()
        return True

    server.before = drip
    assert refusal(server.url, within_s=0.3) is Reason.TIMED_OUT  # had it waited for the end, it would be BROKEN
    assert left.wait(20)  # the connection was closed


def test_who_does_not_listen_and_who_is_not_known_are_told_apart(here):
    with web_server() as gone:
        url = gone.url
    assert refusal(url) is Reason.NOT_REACHED
    assert refusal("https://nobody.invalid/") is Reason.NOT_RESOLVED
    for url in ("ftp://crm.example.com/", "https://user@crm.example.com/", "crm.example.com", "https://[crm/"):
        assert refusal(url) is Reason.NO_ADDRESS
    assert refusal("https://crm.example.com/", headers={"X-Key": "two\r\nlines"}) is Reason.NO_ADDRESS


def test_the_certificate_has_to_be_for_the_host_and_from_a_known_authority(here, tmp_path, monkeypatch):
    certificate = make_certificate(tmp_path / "server.pem", "localhost")
    with web_server(certificate) as server:
        outgoing.tls_context.cache_clear()
        assert refusal(f"https://localhost:{server.port}/") is Reason.CERTIFICATE
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        outgoing.tls_context.cache_clear()
        try:
            assert outgoing.send("GET", f"https://localhost:{server.port}/").status == 200
            assert refusal(f"https://127.0.0.1:{server.port}/") is Reason.CERTIFICATE
        finally:
            outgoing.tls_context.cache_clear()
