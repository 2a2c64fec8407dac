"""The WSGI application of the intake process: posts and /healthz, without anything of pages."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connections
from django.test import RequestFactory

from calls.models import CallEvent
from config.intake_wsgi import application, shares
from config.shares import Kind
from tests.factories import ACCESS_KEY, make_key, make_number, post_body

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parent.parent.parent


def ask(path, method="GET", body=None, **environ):
    """Return (status, headers, body) of a request."""
    data = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
    request = RequestFactory().generic(method, path, **data)
    answered = []
    content = b"".join(application(request.environ | environ, lambda *answer: answered.append(answer)))
    ((status, headers),) = answered
    return status, dict(headers), content


@pytest.mark.parametrize("path", ["/tenios/posts", "/tenios/posts/"])
def test_a_post_is_stored(path):
    number = make_number()
    make_key(number, ACCESS_KEY)

    status, headers, content = ask(path, "POST", post_body("CALL_START", number))

    assert (status, headers["Content-Type"], content) == ("200 OK", "application/json", b"{}")
    assert CallEvent.objects.count() == 1


def test_a_post_opens_no_database_connection_of_its_thread():
    number = make_number()
    make_key(number, ACCESS_KEY)
    connections.close_all()

    assert ask("/tenios/posts", "POST", post_body("CALL_START", number))[0] == "200 OK"
    assert connections["default"].connection is None


def test_health_is_answered():
    status, _, content = ask("/healthz")

    assert status == "200 OK"
    assert json.loads(content)["status"] == "ok"


def test_waiting_probes_leave_threads_for_posts():
    number = make_number()
    make_key(number, ACCESS_KEY)
    held = 0
    try:
        while not shares.take(Kind.PROBE):
            held += 1
        status, headers, _ = ask("/healthz")
        assert (status, headers["Retry-After"]) == ("503 Service Unavailable", "1")
        assert ask("/tenios/posts", "POST", post_body("CALL_START", number))[0] == "200 OK"
    finally:
        for _ in range(held):
            shares.give_back(Kind.PROBE)
    assert held == shares.probes
    assert ask("/healthz")[0] == "200 OK"
    assert not shares.held()


@pytest.mark.parametrize("path", ["/", "/reports/", "/admin/", "/metrics", "/tenios/", "/healthz/", "/static/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_all_other_addresses_are_not_found(path, method, caplog):
    status, headers, content = ask(path, method)

    assert (status, json.loads(content)) == ("404 Not Found", {"error": "not_found"})
    assert "Set-Cookie" not in headers
    assert not caplog.text  # clients that try addresses do not fill the log


def test_an_unreadable_header_is_answered_with_400():
    answer = ask("/tenios/posts", "POST", CONTENT_TYPE="application/json; charset*=bogus''%41")

    assert (answer[0], answer[2]) == ("400 Bad Request", b'{"error": "bad_header"}')


def test_the_apps_of_pages_are_not_loaded():
    """Runs in a separate process, because the process of the tests has loaded all apps."""
    pages = {"config.urls", "config.warming", "reports", "xlsxwriter"}
    program = f"import sys, config.intake_wsgi; print({pages} & set(sys.modules))"
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "set()\n", done.stderr
