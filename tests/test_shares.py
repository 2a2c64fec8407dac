"""Pages and downloads hold only their share of a web process's threads, and give it back in every case."""

import logging
import threading
from io import BytesIO

import psycopg
import pytest
from django.conf import settings as django_settings
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from django.utils.html import escape

from config import checks
from config.shares import REFUSED, BrokenOff, Guard, Kind, ShareRefusal, Shares, Stream, kind_of, person_of, quiet
from tests.test_addresses import addresses

GET = {"REQUEST_METHOD": "GET", "wsgi.input": BytesIO()}


def take(shares, kind, times, person=""):
    return [shares.take(kind, person) for _ in range(times)]


@pytest.mark.parametrize(("threads", "expected"), [(16, (8, 4, 2)), (4, (2, 1, 1)), (1, (1, 1, 1)), (64, (32, 16, 8))])
def test_pages_get_half_of_the_threads_downloads_a_quarter_others_an_eighth_and_at_least_one(threads, expected):
    shares = Shares(threads)
    assert (shares.pages, shares.downloads, shares.probes) == expected
    assert shares.api == shares.probes
    assert threads < 4 or shares.pages + shares.probes < threads


def test_pages_and_downloads_share_half_of_the_threads():
    shares = Shares(16)
    assert take(shares, Kind.DOWNLOAD, 5) == [None] * 4 + [ShareRefusal.DOWNLOADS]
    assert take(shares, Kind.PAGE, 5) == [None] * 4 + [ShareRefusal.PAGES]
    assert take(shares, Kind.DOWNLOAD, 1) == [ShareRefusal.DOWNLOADS]
    assert take(shares, Kind.PROBE, 3) == [None] * 2 + [ShareRefusal.PROBES]

    shares.give_back(Kind.DOWNLOAD)
    assert shares.take(Kind.PAGE) is None


def test_the_api_holds_a_part_of_the_share_of_pages():
    shares = Shares(16)
    assert take(shares, Kind.API, 3) == [None, None, ShareRefusal.API]
    assert take(shares, Kind.PAGE, 7) == [None] * 6 + [ShareRefusal.PAGES]
    shares.give_back(Kind.API)
    assert shares.take(Kind.PAGE) is None
    assert shares.take(Kind.API) is ShareRefusal.API


def test_a_person_may_have_two_simultaneous_downloads_independent_of_others():
    shares = Shares(16)
    assert take(shares, Kind.DOWNLOAD, 3, "one") == [None, None, ShareRefusal.PERSON]
    assert take(shares, Kind.DOWNLOAD, 3, "other") == [None, None, ShareRefusal.PERSON]
    shares.give_back(Kind.DOWNLOAD, "one")
    assert shares.take(Kind.DOWNLOAD, "one") is None
    assert shares.take(Kind.PAGE) is None


def test_a_person_is_identified_by_the_session_cookie_as_django_reads_it():
    name = django_settings.SESSION_COOKIE_NAME
    assert person_of({"HTTP_COOKIE": f'a=1; {name}="abc"; b=2'}) == "abc"
    assert person_of({}) == person_of({"HTTP_COOKIE": f"{name}x=1"}) == ""


def test_every_address_that_answers_with_a_file_is_a_download():
    """A new file at another kind of address must be added to kind_of."""
    kinds = {address: kind_of(f"/{address.rstrip('$').lstrip('^').rstrip('/?')}") for address in addresses()}
    downloads = {address for address, kind in kinds.items() if kind is Kind.DOWNLOAD}
    assert downloads == {address for address in kinds if "csv" in address or "xlsx" in address}
    assert len(downloads) > 15
    assert {address for address, kind in kinds.items() if kind is Kind.API} == {
        "api/contacts/<str:source>/<path:external_id>"
    }
    assert kinds["healthz"] is kind_of("/metrics") is Kind.PROBE
    assert {address for address, kind in kinds.items() if kind is Kind.POST} == {"^tenios/posts/?$"}
    assert kind_of("/tenios/posts/") is kind_of("/tenios/posts") is Kind.POST
    assert kind_of("/static/reports/styles/base.css") is Kind.STATIC
    assert kinds["admin/"] is kinds["accounts/login/"] is kind_of("/nothing") is Kind.PAGE


# --- Given back ---


def started(_status, _headers, _exc_info=None):
    pass


def guard(answer, threads=16):
    def application(environ, start_response):
        start_response("200 OK", [])
        return answer(environ)

    return Guard(application, Shares(threads))


def ask(guarded, path="/reports/", **environ):
    return guarded(GET | {"PATH_INFO": path} | environ, started)


@pytest.mark.django_db
def test_a_response_in_memory_is_passed_on_whole_so_that_no_client_holds_its_thread():
    of_pages = guard(lambda _: HttpResponse(b"a page"))
    of_files = guard(lambda _: FileResponse(BytesIO(b"x" * 300_000)))
    assert ask(of_pages) == [b"a page"]
    assert ask(of_files, "/static/style.css") == ask(of_files, "/reports/small.xlsx") == [b"x" * 300_000]
    assert not of_pages.shares.held()
    assert not of_files.shares.held()


@pytest.mark.django_db
def test_a_download_holds_its_share_until_it_is_closed():
    closed = []

    def pieces():
        try:
            yield b"one"
            yield b"two"
        finally:
            closed.append(True)

    guarded = guard(lambda _: StreamingHttpResponse(pieces()))
    answer = ask(guarded, "/reports/calls.csv", HTTP_COOKIE="sessionid=abc")
    assert next(answer) == b"one"
    assert guarded.shares.held() == {Kind.DOWNLOAD: 1}
    answer.close()
    assert closed == [True]
    answer.close()
    assert not guarded.shares.held()


@pytest.mark.django_db
@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_a_share_is_given_back_after_every_exception(error):
    def fail(_):
        raise error

    guarded = guard(fail)
    with pytest.raises(error):
        ask(guarded)
    assert not guarded.shares.held()


@pytest.mark.django_db
def test_a_download_that_loses_the_database_is_broken_off_and_logged_once(caplog, monkeypatch):
    monkeypatch.setattr(Stream, "_said_at", 0.0)

    def pieces():
        yield b"one"
        raise psycopg.OperationalError("the connection is lost")

    guarded = guard(lambda _: StreamingHttpResponse(pieces()))
    for _ in range(2):
        answer = ask(guarded, "/reports/calls.csv")
        assert next(answer) == b"one"
        with pytest.raises(BrokenOff) as broken:
            next(answer)
        answer.close()
    assert not guarded.shares.held()
    (record,) = caplog.records
    assert (record.getMessage(), record.exc_info) == ("a download was broken off: OperationalError", None)
    assert broken.value.__suppress_context__


def test_the_server_logs_no_second_traceback():
    make = logging.makeLogRecord
    assert not quiet(make({"msg": "Application callable raised an exception\nconfig.shares.BrokenOff"}))
    assert quiet(make({"msg": "Application callable raised an exception\nKeyError"}))


def test_posts_are_never_counted():
    reached = threading.Event()
    guarded = guard(lambda environ: reached.set() or [b"{}"], threads=1)
    guarded.shares.take(Kind.PAGE)
    assert ask(guarded, "/tenios/posts") == [b"{}"]
    assert reached.is_set()
    assert guarded.shares.held() == {Kind.PAGE: 1}


# --- Answers to refused requests ---


def refused(path, why, method="get"):
    return getattr(Client(), method)(path, **{REFUSED: why.value})


@pytest.mark.parametrize(
    ("path", "why", "status", "says"),
    [
        ("/reports/?by=day&from=2026-01-01", ShareRefusal.PAGES, 503, "The server is busy"),
        ("/admin/", ShareRefusal.PAGES, 503, "The server is busy"),
        ("/reports/calls.csv", ShareRefusal.DOWNLOADS, 429, "Too many downloads are running"),
        ("/reports/calls.csv", ShareRefusal.PERSON, 429, "Two of your downloads are still running"),
    ],
)
def test_a_refusal_gives_reason_and_retry_time_without_a_database(path, why, status, says):
    """This test has no database, so that a query would fail."""
    answer = refused(path, why)
    page = answer.content.decode()

    assert answer.status_code == status
    assert int(answer["Retry-After"]) > 0
    assert says in page
    assert ('http-equiv="refresh"' in page) is (status == 503)
    assert f'href="{escape(path)}"' in page
    assert answer["Cache-Control"] == "private, no-store"
    for header in ("Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "Permissions-Policy"):
        assert header in answer.headers
    assert "<script>" not in page
    assert "style=" not in page
    assert not answer.cookies


def test_a_refused_request_of_the_api_is_answered_in_json():
    answer = refused("/api/contacts/erp/17", ShareRefusal.API, "put")
    assert (answer.status_code, answer.json()) == (429, {"error": "too_many"})
    assert int(answer["Retry-After"]) > 0
    assert answer["Cache-Control"] == "private, no-store"


def test_a_refused_form_is_not_sent_again_automatically():
    page = refused("/accounts/login/", ShareRefusal.PAGES, "post").content.decode()
    assert "Your changes were not saved" in page
    assert "refresh" not in page


def test_a_probe_beyond_its_share_is_answered_busy():
    guarded = guard(lambda _: [b"{}"])
    take(guarded.shares, Kind.PROBE, 2)
    answers = []
    body = guarded(
        RequestFactory().get("/healthz").environ, lambda status, headers: answers.append((status, dict(headers)))
    )
    ((status, headers),) = answers
    assert (status, body) == ("503 Service Unavailable", [b'{"status": "busy"}'])
    assert headers["Retry-After"] == "1"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_a_visitor_cannot_cause_refusals_for_others():
    assert Client().get("/accounts/login/", headers={"calltally.refused": "pages"}).status_code == 200


def test_too_few_threads_cause_a_warning_that_says_what_to_set(settings):
    settings.WEB_THREADS = 4
    assert not checks.threads()
    settings.WEB_THREADS = 3
    (warning,) = checks.threads()
    assert (warning.id, "Set WEB_THREADS to at least 4" in warning.hint) == ("calltally.W004", True)
