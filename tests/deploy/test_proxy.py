"""nginx in front: pages only over HTTPS, headers that cannot be forged, a log without callers, and no lost posts."""

import http.server
import json
import os
import re
import signal
import threading
import urllib.parse

import pytest

from tests.deploy.conftest import PASSWORD
from tests.deploy.proxy import NAME, PROXY_SECRET
from tests.deploy.wire import JSON, head, proxy_before
from tests.faults.system import ACCESS_KEY, wait_until
from tests.ports import free_port

FORM = "application/x-www-form-urlencoded"


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the headers of the request, each as often as it was sent."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        content = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def echo():
    """The port of a server in place of Calltally that answers with what nginx passes on."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def cookies(answer):
    return {line.partition("=")[0]: line for line in answer.all("Set-Cookie")}


# --- Pages ---


def test_pages_redirect_from_http_to_https_for_the_host_name(wire):
    answer = wire.ask("/reports/?from=2026-11-01", over_tls=False)

    assert (answer.status, answer.all("Location")) == (301, [f"https://{NAME}/reports/?from=2026-11-01"])


@pytest.mark.parametrize("over_tls", [True, False])
def test_pages_are_not_served_for_other_host_names(wire, over_tls):
    assert wire.ask("/accounts/login/", host="another.example", over_tls=over_tls).status == 421


def test_signing_in_over_https_sets_secure_cookies(wire):
    page = wire.ask("/accounts/login/")
    token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page.body).group(1).decode()
    form = urllib.parse.urlencode({"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token}).encode()
    csrf = cookies(page)["__Host-csrftoken"]

    answer = wire.ask(
        "/accounts/login/",
        f"Cookie: {csrf.partition(';')[0]}",
        f"Origin: https://{NAME}",
        body=form,
        method="POST",
        media_type=FORM,
    )

    assert answer.status == 302
    assert not urllib.parse.urlsplit(answer.all("Location")[0]).scheme
    assert "; Secure" in csrf
    assert "; Secure" in cookies(answer)["__Host-sessionid"]
    assert "; Secure" in cookies(answer)["__Host-calltally_device"]


def test_the_cookie_of_a_screen_is_secure_and_of_this_host_alone(wire, system):
    is_made, printed = system.run("from tests.factories import make_board_key; print('key', make_board_key())")
    assert is_made, printed
    key = re.search(r"^key (\w+)$", printed, re.MULTILINE).group(1)
    page = wire.ask("/live/board?kiosk=1")
    token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page.body).group(1).decode()

    answer = wire.ask(
        "/live/board/key",
        f"Cookie: {cookies(page)['__Host-csrftoken'].partition(';')[0]}",
        f"Origin: https://{NAME}",
        body=urllib.parse.urlencode({"key": key, "csrfmiddlewaretoken": token}).encode(),
        method="POST",
        media_type=FORM,
    )

    cookie = cookies(answer)["__Host-calltally_board"]
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie


def test_a_static_file_is_served(wire):
    sheet = re.search(rb'href="(/static/[^"]+\.css)"', wire.ask("/accounts/login/").body).group(1).decode()

    assert wire.ask(sheet).status == 200


def test_health_is_answered_for_monitoring(wire):
    answer = wire.ask("/healthz", "X-Forwarded-For: 127.0.0.1")

    assert json.loads(answer.body) == {"status": "ok"}
    assert (answer.all("X-Content-Type-Options"), answer.all("Cache-Control")) == (["nosniff"], ["no-store"])


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics?x", "//metrics", "/%6detrics", "/x/../metrics"])
def test_metrics_are_not_served_to_other_hosts(wire, path):
    assert wire.ask(path).status == 404


def test_an_answer_names_no_version_and_a_post_gets_no_cookie(wire):
    answer = wire.post(media_type=f"{JSON}; charset=utf-8")

    assert (answer.status, answer.all("Server"), answer.all("Set-Cookie")) == (200, ["nginx"], [])


# --- Headers ---


def test_headers_that_a_client_forges_are_overwritten(echo, tmp_path, certificate):
    claims = [
        "X-Forwarded-For: 80.239.139.193",
        "x-forwarded-for: 10.0.0.1, 10.0.0.2",
        "X_Forwarded_For: 80.239.139.193",
        "X-Forwarded-Proto: http",
        "X_Forwarded_Proto: http",
        "Calltallyproxy: a-guess 80.239.139.193 https",
        "CALLTALLYPROXY: another-guess 80.239.139.193 https",
        "Connection: keep-alive, X-Forwarded-For, Calltallyproxy",
    ]
    with proxy_before(echo, tmp_path, certificate) as wire, wire.connect(source="127.0.0.7") as connection:
        received = json.loads(wire.post(*claims, via=connection).body)

    handed_on = {name: [value for other, value in received if other == name] for name, _ in received}
    assert handed_on["x-forwarded-for"] == ["127.0.0.7"]
    assert handed_on["x-forwarded-proto"] == ["https"]
    assert handed_on["calltallyproxy"] == [f"{PROXY_SECRET} 127.0.0.7 https"]
    assert handed_on["host"] == [NAME]
    assert handed_on["connection"] == ["close"]
    assert not [name for name in handed_on if "_" in name]


def last_flags(system):
    with system.database() as database:
        (flags,) = database.execute("SELECT flags FROM calls_callevent ORDER BY id DESC LIMIT 1").fetchone()
    return [flag for flag in flags if flag.startswith("foreign_address")]


HYPHENS, UNDERSCORES = "X-Forwarded-For: 80.239.139.193", "X_Forwarded_For: 80.239.139.193"
GUESS = "Calltallyproxy: a-guess-of-the-secret-0123456789 80.239.139.193 https"
CLAIMS = [
    [],
    [HYPHENS],
    [UNDERSCORES],
    [HYPHENS, UNDERSCORES],
    [UNDERSCORES, HYPHENS],
    [GUESS],
    [GUESS, "calltallyproxy: 80.239.139.193"],
    [UNDERSCORES, GUESS, HYPHENS],
]
OURS = f"Calltallyproxy: {PROXY_SECRET} 127.0.0.7 https"


@pytest.mark.parametrize("claims", CLAIMS)
def test_through_nginx_a_sender_has_its_own_address_despite_forged_headers(wire, system, claims):
    with wire.connect(source="127.0.0.7") as connection:
        assert wire.post(*claims, via=connection).status == 200

    assert last_flags(system) == ["foreign_address 127.0.0.7"]


@pytest.fixture(params=["intake", "web"])
def port(request, intake, system):
    """The ports of both processes that receive posts, without nginx."""
    return intake.port if request.param == "intake" else system.port


@pytest.mark.parametrize("claims", CLAIMS)
def test_without_the_secret_the_address_is_unknown(wire, system, port, claims):
    """As through a proxy that passes on all headers and adds no proof that it is ours."""
    with wire.connect_to(port) as connection:
        assert wire.post(*claims, via=connection).status == 200

    assert last_flags(system) == ["foreign_address unknown"]


@pytest.mark.parametrize("claims", [claims for claims in CLAIMS if GUESS not in claims])
@pytest.mark.parametrize("comes_first", [True, False])
def test_with_the_secret_no_other_header_is_read_in_any_order(wire, system, port, claims, comes_first):
    headers = [OURS, *claims] if comes_first else [*claims, OURS]
    with wire.connect_to(port) as connection:
        assert wire.post(*headers, via=connection).status == 200

    assert last_flags(system) == ["foreign_address 127.0.0.7"]


@pytest.mark.parametrize("headers", [[OURS, GUESS], [GUESS, OURS], [OURS, OURS]])
def test_a_proxy_that_appends_its_header_to_a_forged_one_is_not_trusted(wire, system, port, headers):
    """granian joins headers of one name with commas."""
    with wire.connect_to(port) as connection:
        assert wire.post(*headers, via=connection).status == 200

    assert last_flags(system) == ["foreign_address unknown"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([OURS], 200),
        ([OURS, "X-Forwarded-Proto: http"], 200),
        ([OURS.replace("https", "http"), "X-Forwarded-Proto: https", "X_Forwarded_Proto: https"], 301),
        (["X-Forwarded-Proto: https", "X_Forwarded_Proto: https"], 301),
        ([GUESS], 301),
        ([], 301),
    ],
)
def test_only_with_the_secret_a_page_counts_as_requested_over_https(wire, system, headers, status):
    with wire.connect_to(system.port) as connection:
        connection.send(head(*headers, path="/accounts/login/", method="GET", media_type=None))

        assert connection.answer().status == status


def test_no_log_contains_a_caller_or_a_key(wire, tmp_path, certificate):
    secret = "+4917012345678"
    with proxy_before(free_port(), tmp_path, certificate) as dead:
        for each in (wire, dead):
            for over_tls in (True, False):
                each.ask(f"/reports/calls/?caller={secret}", f"Referer: https://{NAME}/?{secret}", over_tls=over_tls)
        assert dead.post().status == 502
    wire.post()

    for nginx in (wire.nginx, dead.nginx):
        logs = {path.name: path.read_text() for path in nginx.folder.glob("*.log")}
        assert "POST /tenios/posts" in logs["calltally.log"]
        assert "GET /reports/calls/" in logs["calltally.log"]
        for name, text in logs.items():
            assert secret not in text, name
            assert ACCESS_KEY not in text, name
            assert PROXY_SECRET not in text, name
    assert "Connection refused" in logs["error.log"]  # the post's error can be read


# --- Reloads of Calltally ---


@pytest.mark.slow
def test_no_post_is_refused_while_the_web_server_reloads(wire, system):
    before = set(system.web_workers())
    os.kill(system.pid("config.serve"), signal.SIGHUP)
    answers = []

    def is_renewed():
        answers.extend(wire.post().status for _ in range(10))
        return not before & set(system.web_workers())

    wait_until(is_renewed, what="new processes")
    assert set(answers) == {200}
