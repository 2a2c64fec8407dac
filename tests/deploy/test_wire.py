"""Posts through nginx: as TENIOS sends them, malformed, and malicious."""

import contextlib
import ssl

import pytest

from calls.posts import MOST_BYTES
from tests.deploy.proxy import TENIOS
from tests.deploy.wire import chunked, head

ADDRESSES = ("/tenios/posts", "/tenios/posts/")


def is_refused(answer):
    """Return whether a request was refused, or not answered. nginx answers 501 to an unknown transfer coding."""
    return answer is None or 400 <= answer.status < 500 or answer.status == 501


# --- TLS ---


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_posts_are_accepted_over_tls_1_2_and_1_3_with_a_complete_chain(wire, version):
    context = wire.context()
    context.minimum_version = context.maximum_version = version
    with wire.connect(context) as connection:
        assert connection.stream.version() == version.name.replace("_", ".")
        assert wire.post(via=connection).status == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_an_older_tls_is_refused(wire):
    context = wire.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="alert protocol version"), wire.connect(context):
        pass


def test_the_server_prefers_the_strongest_cipher(wire):
    context = wire.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    with wire.connect(context) as connection:
        assert connection.stream.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_a_certificate_of_an_unknown_authority_is_noticed(wire):
    with pytest.raises(ssl.SSLCertVerificationError), wire.connect(ssl.create_default_context()):
        pass


# --- Addresses and hosts ---


@pytest.mark.parametrize("path", ADDRESSES)
def test_posts_are_accepted_at_both_addresses(wire, path):
    answer = wire.post(path=path)

    assert (answer.status, answer.body) == (200, b"{}")


@pytest.mark.parametrize(
    "host", ["another.example", "127.0.0.1", "[::1]:8443", "under_score.example", "CALLS.EXAMPLE.COM"]
)
def test_posts_are_accepted_for_any_host(wire, host):
    assert wire.post(host=host).status == 200


def test_a_post_of_http_1_0_needs_no_host(wire):
    assert wire.post(host=None, version="1.0").status == 200


def test_an_invalid_host_is_refused(wire):
    assert wire.post(host="a b").status == 400
    assert wire.post(host=None).status == 400


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
def test_the_address_for_posts_never_redirects(wire, path, method):
    answer = wire.ask(path, method=method, host="another.example")

    assert (answer.status, answer.all("Location")) == (405, [])


@pytest.mark.parametrize("path", [*ADDRESSES, "/tenios/posts?again", "/tenios/", "/reports/"])
def test_a_post_over_http_is_refused_and_not_redirected(wire, path):
    with wire.connect(over_tls=False) as connection:
        answer = wire.post(via=connection, path=path)

    assert (answer.status, answer.all("Location")) == (403, [])


# --- Bodies ---


def test_chunked_bodies_are_accepted(wire):
    post_id, body = wire.body()
    with wire.connect() as connection:
        connection.send(head("Transfer-Encoding: chunked"), chunked(body[:7], body[7:8], body[8:]))
        assert wire.note(post_id, connection.answer()).status == 200


def test_64_kib_are_accepted_and_not_a_byte_more(wire):
    for more, status in [(0, 200), (1, 413)]:
        for is_chunked in (False, True):
            post_id, body = wire.body()
            body += b" " * (MOST_BYTES + more - len(body))
            framing = {"length": None if is_chunked else len(body)}
            headers = ["Transfer-Encoding: chunked"] if is_chunked else []
            with wire.connect() as connection:
                connection.send(head(*headers, **framing), chunked(body) if is_chunked else body)
                assert wire.note(post_id, connection.answer()).status == status, (more, is_chunked)


def test_expect_100_continue_is_answered(wire):
    post_id, body = wire.body()
    with wire.connect() as connection:
        connection.send(head("Expect: 100-continue", length=len(body)))
        assert connection.stream.recv(64) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(body)
        assert wire.note(post_id, connection.answer()).status == 200


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_incomplete_body_is_not_a_post(wire, is_chunked):
    _, body = wire.body()
    with wire.connect() as connection:
        half = body[: len(body) // 2]
        if is_chunked:
            connection.send(head("Transfer-Encoding: chunked"), b"%x\r\n" % len(body), half)
        else:
            connection.send(head(length=len(body)), half)


def test_pipelined_posts_are_answered_in_order(wire):
    posts = [wire.body() for _ in range(5)]
    with wire.connect() as connection:
        connection.send(*(head(length=len(body)) + body for _, body in posts))
        answers = [wire.note(post_id, connection.answer()) for post_id, _ in posts]

    assert [answer.status for answer in answers] == [200] * 5


# --- Wrong lengths, and request smuggling ---


def test_a_body_longer_than_its_length_is_not_read_on(wire):
    _, body = wire.body()
    with wire.connect() as connection:
        connection.send(head("Connection: close", length=len(body) - 1), body)
        assert connection.answer().status == 400


@pytest.mark.parametrize(
    "lengths",
    [
        ["-1"],
        ["abc"],
        ["+20"],
        ["0x20"],
        ["1e3"],
        ["99999999999999999999"],
        ["{right}", "{right}"],
        ["{right}", "5"],
        ["5, {right}"],
    ],
    ids=repr,
)
def test_an_invalid_length_is_refused(wire, lengths):
    _, body = wire.body()
    headers = [f"Content-Length: {length.format(right=len(body))}" for length in lengths]
    with wire.connect() as connection:
        connection.send(head(*headers), body)
        assert is_refused(connection.answer())


@pytest.mark.parametrize(
    "coding",
    [
        ["Transfer-Encoding: chunked", "Content-Length: {length}"],
        ["Content-Length: {length}", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: identity, chunked"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked, chunked"],
        ["Transfer-Encoding : chunked"],
        ["Content-Length : {length}"],
    ],
    ids=repr,
)
def test_no_second_post_can_be_smuggled_in_the_body_of_a_first(wire, coding):
    _, smuggled = wire.body()
    hidden = b"0\r\n\r\n" + head(length=len(smuggled)) + smuggled
    headers = [line.format(length=len(hidden)) for line in coding]
    with wire.connect() as connection:
        connection.send(head(*headers), hidden)
        assert is_refused(connection.answer())
        assert connection.answer() is None


@pytest.mark.parametrize("size", [b"-1", b"zz", b"0x5", b"fffffffffffffffff", b""], ids=repr)
def test_a_chunk_without_a_valid_size_is_refused(wire, size):
    _, body = wire.body()
    with wire.connect() as connection:
        connection.send(head("Transfer-Encoding: chunked"), size, b"\r\n", body, b"\r\n0\r\n\r\n")
        assert is_refused(connection.answer())


# --- Headers ---


@pytest.mark.parametrize(
    "request_head",
    [
        head(f"X-Long: {'x' * 40_000}", length=2),
        head(*(f"X-Many-{number}: {'x' * 1000}" for number in range(60)), length=2),
        head(path=f"/tenios/posts?{'x' * 40_000}", length=2),
    ],
    ids=["one long header", "many headers", "a long address"],
)
def test_huge_headers_are_refused(wire, request_head):
    with wire.connect() as connection:
        connection.send(request_head, b"{}")
        answer = connection.answer()

    assert answer is None or answer.status in {400, 414, 431}


@pytest.mark.parametrize(
    "nonsense",
    [b"\x16\x03\x01\x00\x05hello\r\n\r\n", b"\x00" * 64, b"POST\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ids=["TLS in TLS", "zeros", "no address", "HTTP/2"],
)
def test_nonsense_is_refused(wire, nonsense):
    with wire.connect() as connection:
        connection.send(nonsense)
        assert is_refused(connection.answer())


# --- Slow and simultaneous senders ---


@pytest.mark.slow
def test_clients_that_stop_half_way_are_disconnected_and_others_are_served_meanwhile(wire):
    _, body = wire.body()
    halves = {
        "nothing": b"",
        "a line": b"POST /tenios/posts HT",
        "headers": head(length=len(body))[:-4],
        "a body": head(length=len(body)) + body[:9],
        "a chunk": head("Transfer-Encoding: chunked") + b"%x\r\n" % len(body) + body[:9],
    }
    with contextlib.ExitStack() as stack:
        stuck = {name: stack.enter_context(wire.connect()) for name in halves}
        for name, connection in stuck.items():
            connection.send(halves[name])
        assert wire.post().status == 200

        for name, connection in stuck.items():
            answer = connection.answer()
            assert answer is None or answer.status == 408, name
            assert connection.is_closed(), name


def test_an_address_may_send_64_simultaneous_posts_and_tenios_any_number(wire):
    _, body = wire.body()

    def hold(stack, source, count):
        for _ in range(count):
            connection = stack.enter_context(wire.connect(source=source))
            connection.send(head(length=len(body)), body[:9])

    def post_from(source):
        with wire.connect(source=source) as connection:
            return wire.post(via=connection).status

    with contextlib.ExitStack() as stack:
        hold(stack, "127.0.0.1", 64)
        hold(stack, TENIOS, 70)

        assert post_from("127.0.0.1") == 429
        assert post_from("127.0.0.2") == 200
        assert post_from(TENIOS) == 200
