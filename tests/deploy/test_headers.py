"""Headers for browsers: once on every answer, whether it comes from Calltally or from nginx itself."""

import contextlib
import re

import pytest

from tests.deploy.proxy import NAME
from tests.deploy.wire import head, proxy_before
from tests.faults.streams import make_listener
from tests.faults.system import wait_until
from tests.ports import free_port

YEAR = ["max-age=31536000"]


def assert_is_safe(answer, hsts=YEAR):
    (policy,) = answer.all("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.all("X-Content-Type-Options") == ["nosniff"]
    assert answer.all("Strict-Transport-Security") == hsts


def media_type(answer):
    (media_type,) = answer.all("Content-Type")
    return media_type


@pytest.mark.parametrize(
    ("path", "how", "status"),
    [
        ("/accounts/login/", {}, 200),
        ("/nowhere/", {}, 404),
        ("/static/nowhere.css", {}, 404),
        ("/reports/calls.csv", {}, 302),
        ("/tenios/posts", {}, 405),
        ("/tenios/posts", {"method": "POST", "body": b"{", "media_type": "application/json"}, 400),
        ("/healthz", {}, 200),
        ("/live/events", {}, 403),
        ("/api/contacts/erp/1", {"method": "PUT", "body": b"{}", "media_type": "application/json"}, 401),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_answers_of_calltally_have_each_header_once(wire, path, how, status):
    answer = wire.ask(path, **how)

    assert answer.status == status
    assert_is_safe(answer)


def test_a_post_and_a_stream_have_each_header_once(wire, system):
    assert_is_safe(wire.post())
    cookie = make_listener(system)
    with wire.connect() as connection:
        connection.send(head(f"Cookie: {cookie}", path="/live/events", method="GET", media_type=None))
        answer = connection.answer(with_body=False)

    assert (answer.status, media_type(answer)) == (200, "text/event-stream; charset=utf-8")
    assert_is_safe(answer)


def test_static_files_name_their_charset_and_have_each_header_once(wire):
    page = wire.ask("/accounts/login/").body
    for ending, start in {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}.items():
        path = re.search(rf'"(/static/[^"]+\.{ending})'.encode(), page).group(1).decode()
        answer = wire.ask(path)
        assert media_type(answer) in {f"{start}; charset=utf-8", f'{start}; charset="utf-8"'}
        assert_is_safe(answer)


@pytest.mark.parametrize(
    ("path", "how", "status"),
    [
        ("/tenios/posts", {"method": "POST", "length": 70_000}, 413),
        ("/accounts/login/", {"method": "POST", "length": 2_000_000}, 413),
        ("/accounts/login/", {"host": "another.example"}, 421),
        ("/live/events", {"host": "another.example"}, 421),
        ("/accounts/login/", {"host": "a b"}, 400),
        ("/accounts/login/", {"method": "TRACE"}, 405),
        (f"/{'x' * 9000}", {}, 414),
        ("/metrics", {}, 404),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_answers_of_nginx_itself_have_them_and_name_their_charset(wire, path, how, status):
    answer = wire.ask(path, **how)

    assert (answer.status, media_type(answer)) == (status, "text/html; charset=utf-8")
    assert_is_safe(answer)


def test_so_have_answers_to_an_address_with_too_many_requests(wire):
    answers, held = [], []

    def is_refused():
        for connection in held:
            connection.send(b" ")  # or nginx closes it after 5 s
        with wire.connect(source="127.0.0.9") as connection:
            answers.append(wire.post(via=connection))
        return answers[-1].status == 429

    with contextlib.ExitStack() as stack:
        for _ in range(64):
            held.append(stack.enter_context(wire.connect(source="127.0.0.9")))
            held[-1].send(head(length=60_000))
            for connection in held:
                connection.send(b" ")
        wait_until(is_refused, what="a refused request")

    assert_is_safe(answers[-1])


def test_so_have_answers_while_calltally_is_down(tmp_path, certificate):
    with proxy_before(free_port(), tmp_path, certificate) as dead:
        for path in ("/accounts/login/", "/tenios/posts", "/live/events"):
            answer = dead.ask(path)
            assert answer.status == 502
            assert_is_safe(answer)


@pytest.mark.parametrize(
    ("path", "how", "status"),
    [("/reports/", {}, 301), ("/tenios/posts", {}, 403), ("/reports/", {"host": "another.example"}, 421)],
)
def test_over_http_there_is_no_hsts(wire, path, how, status):
    answer = wire.ask(path, over_tls=False, **how)

    assert answer.status == status
    assert_is_safe(answer, hsts=[])


def test_http_at_the_port_of_https_gets_no_hsts(wire):
    with wire.connect_to(wire.nginx.https_port) as connection:
        connection.send(head(path="/reports/", method="GET", media_type=None))
        answer = connection.answer()

    assert answer.status == 400
    assert_is_safe(answer, hsts=[])


@pytest.mark.parametrize("host", [NAME, "another.example"])
@pytest.mark.parametrize(
    "path", ["/metrics", "//metrics", "/%6detrics", "/x/../metrics", "/healthz", "/api/contacts/erp/1", "/live/events"]
)
def test_programs_are_not_redirected_from_http(wire, path, host):
    answer = wire.ask(path, "Authorization: Bearer secret", host=host, over_tls=False)

    assert (answer.status, answer.all("Location")) == (403, [])
