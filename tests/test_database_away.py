"""While the database is down, locked or too slow, pages answer 503 with an explanation; 500 is for errors of ours."""

import codecs
import socket
import threading
import time

import psycopg
import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, ProgrammingError, connection
from django.test import Client

from calls.ingest import writer
from calls.ingest.spool import open_spool
from calls.log_limits import OnceAMinute
from config import time_limits
from config.time_limits import Limit, TimeIsUp, limited
from reports import unavailable
from reports.exports import csv_files
from tests.factories import ACCESS_KEY, PASSWORD, make_key, make_number, make_staff, make_user

pytestmark = pytest.mark.django_db(transaction=True)

AWAY = ("/reports/", "/reports/calls/", "/reports/calls.csv", "/reports/counts.xlsx", "/admin/", "/reports/system/")


@pytest.fixture(autouse=True)
def _says_again(monkeypatch):
    monkeypatch.setattr(unavailable, "_log_limit", OnceAMinute())
    monkeypatch.setattr(unavailable, "_waiting", (0.0, None))
    yield
    connection.close()  # a session keeps its last limit


@pytest.fixture
def spool(tmp_path, settings):
    settings.SPOOL_FOLDER = tmp_path / "spool"
    return open_spool()


@pytest.fixture
def staff(client):
    client.force_login(make_staff())
    client.raise_request_exception = False
    return client


@pytest.fixture
def away(monkeypatch):
    """Make the database unavailable to pages."""
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    connection.close()
    yield
    monkeypatch.undo()
    connection.close()


def test_every_page_says_that_the_database_is_down_and_how_many_posts_wait(staff, away, spool, caplog):
    for path in AWAY:
        answer = staff.get(path)
        page = answer.content.decode()
        assert answer.status_code == 503
        assert int(answer["Retry-After"]) > 0
        assert "The database does not answer" in page
        assert "Calltally keeps all messages" in page
        assert 'http-equiv="refresh"' in page
        assert answer["Cache-Control"] == "private, no-store"
        assert "Content-Security-Policy" in answer.headers
    said = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 1
    assert said[0].exc_info is None
    assert "pages are answered 503" in said[0].getMessage()


def test_the_api_says_that_the_database_is_down(client, away):
    answer = client.put("/api/contacts/erp/17", {"name": "Anna"}, headers={"authorization": "Bearer any"})
    assert (answer.status_code, answer.json()) == (503, {"error": "unavailable"})
    assert int(answer["Retry-After"]) > 0


def test_posts_that_wait_are_counted_on_the_page(staff, away, spool, monkeypatch):
    monkeypatch.setattr(unavailable, "_waiting", (time.monotonic() + 60, 12))
    assert "12 messages are waiting." in staff.get("/reports/").content.decode()


def test_a_form_that_was_sent_is_reported_as_not_saved_and_is_not_sent_again(client, away, spool):
    client.raise_request_exception = False
    answer = client.post("/accounts/login/", {"username": "manager", "password": PASSWORD})
    page = answer.content.decode()
    assert answer.status_code == 503
    assert "may not have been saved" in page
    assert "refresh" not in page


def test_a_sign_in_without_a_database_shows_its_form(client, away):
    assert client.get("/accounts/login/").status_code == 200


def caused(kind, cause):
    error = kind("as Django says it")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_away"),
    [
        (OperationalError("the connection is lost"), True),
        (caused(OperationalError, psycopg.errors.QueryCanceled()), True),
        (caused(OperationalError, psycopg.errors.AdminShutdown()), True),
        (caused(OperationalError, psycopg.errors.CannotConnectNow()), True),
        (caused(OperationalError, psycopg.errors.TooManyConnections()), True),
        (caused(OperationalError, psycopg.errors.DiskFull()), True),
        (caused(OperationalError, psycopg.errors.LockNotAvailable()), True),
        (caused(OperationalError, TimeIsUp("over its limit")), True),
        (psycopg.OperationalError("raised by COPY, which Django does not wrap"), True),
        (caused(OperationalError, psycopg.errors.DeadlockDetected()), False),
        (caused(ProgrammingError, psycopg.errors.UndefinedTable()), False),
        (caused(IntegrityError, psycopg.errors.UniqueViolation()), False),
        (caused(DataError, psycopg.errors.DivisionByZero()), False),
        (KeyError("ours"), False),
    ],
)
def test_only_temporary_database_errors_are_503(error, is_away):
    assert unavailable.is_away(error) is is_away


def test_misuse_of_a_working_connection_is_500():
    connection.ensure_connection()
    error = caused(InterfaceError, psycopg.InterfaceError("the cursor is closed"))
    assert not unavailable.is_away(error)
    connection.close()
    assert unavailable.is_away(error)


def test_an_error_of_ours_is_500(staff, monkeypatch):
    def fail(*_):
        raise ProgrammingError("ours")

    monkeypatch.setattr("reports.views.glossary.page_of", fail)
    answer = staff.get("/reports/glossary/")
    assert answer.status_code == 500
    assert "Retry-After" not in answer.headers


def test_a_session_that_the_database_did_not_save_is_503(rf):
    def failed(cause):
        error, update = SessionInterrupted("its session is gone"), UpdateError()
        error.__context__, update.__context__ = update, cause
        return unavailable.bad_request(rf.get("/reports/"), error)

    assert failed(OperationalError("away")).status_code == 503
    assert failed(KeyError("deleted")).status_code == 400


# --- Limits ---


def within(seconds):
    return limited(Limit(seconds))


def connect():
    """Connect as a request does that is within its limit."""
    with within(10):
        connection.close()
        connection.ensure_connection()


def wait_until_nothing_sleeps():
    """Wait until no statement sleeps; without the server's check for gone clients, it would run to its end."""
    sleeping = "SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    until = time.monotonic() + 30
    with writer.connect() as other:
        while other.execute(sleeping).fetchone() is not None:
            assert time.monotonic() < until


def test_a_statement_over_its_limit_is_cancelled_and_the_connection_survives(monkeypatch):
    monkeypatch.setattr(time_limits, "STATEMENT_SOONER_S", 8.9)
    with within(9.0), connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("1s",)
        with pytest.raises(OperationalError) as slow:
            cursor.execute("SELECT pg_sleep(60)")
        assert isinstance(slow.value.__cause__, psycopg.errors.QueryCanceled)
        assert connection.is_usable()


def test_outside_of_a_web_request_nothing_is_limited():
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
    assert time_limits.current() is None


def test_each_request_has_its_own_limit_on_a_kept_connection():
    def shown(seconds):
        with within(seconds), connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return cursor.fetchone()[0]

    assert [shown(time_limits.PAGE_S), shown(time_limits.SAVE_S), shown(time_limits.PAGE_S)] == ["9s", "59s", "9s"]


def test_a_request_over_its_limit_is_cut_and_its_thread_serves_the_next(monkeypatch):
    monkeypatch.setattr(time_limits, "STATEMENT_SOONER_S", -60)  # as if the server's own timeout did not work
    connect()
    with within(0.3) as limit, connection.cursor() as cursor, pytest.raises(OperationalError) as cut:
        cursor.execute("SELECT pg_sleep(60)")
    assert limit.was_cut
    assert unavailable.is_away(cut.value)
    assert connection.connection is None

    with within(10), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    wait_until_nothing_sleeps()


def test_a_request_over_its_limit_cannot_connect():
    connection.close()
    with within(0.5), pytest.raises(OperationalError, match="for too long"):
        connection.ensure_connection()


def test_a_cut_does_not_affect_a_socket_that_reuses_a_descriptor():
    with within(10):
        connection.ensure_connection()
        line, number = connection.socket_handle, connection.connection.fileno()
        connection.close()
    pairs = [socket.socketpair()]
    while number not in {end.fileno() for pair in pairs for end in pair}:
        pairs.append(socket.socketpair())
    line.cut()
    for ours, other in pairs:
        with ours, other:
            ours.sendall(b"still there")
            assert other.recv(64) == b"still there"


def test_the_watchdog_does_not_affect_other_requests(monkeypatch):
    monkeypatch.setattr(time_limits, "STATEMENT_SOONER_S", -60)
    answers = []

    def asks(seconds, sleeps_s):
        try:
            connect()
            with within(seconds), connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(%s)", [sleeps_s])
                answers.append("answered")
        except OperationalError:
            answers.append("cut")
        finally:
            connection.close()

    threads = [threading.Thread(target=asks, args=case) for case in ((0.3, 60), (30, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["cut", "answered"]
    wait_until_nothing_sleeps()


def test_a_locked_table_is_reported_before_a_download_begins(client, monkeypatch):
    """The status is sent with the first piece; otherwise an incomplete file would look complete."""
    number = make_number()
    make_key(number, ACCESS_KEY)
    client.force_login(make_user(numbers=[number]))
    client.raise_request_exception = False
    monkeypatch.setattr(time_limits, "PIECE_S", 0.5)
    with writer.connect() as other, other.transaction():
        other.execute("LOCK TABLE calls_call IN ACCESS EXCLUSIVE MODE")
        with within(0.5):
            answer = client.get("/reports/calls.csv")
    assert answer.status_code == 503
    assert "attachment" not in answer.get("Content-Disposition", "")


@pytest.mark.parametrize("excel", [False, True])
def test_a_slow_reader_of_a_download_is_not_cut_off_by_a_statement_timeout(monkeypatch, excel):
    monkeypatch.setattr(time_limits, "STATEMENT_SOONER_S", 8.9)  # a statement may take one second
    with within(9):
        file = b"".join(csv_files._copy("SELECT pg_sleep(0.3)::text, n FROM generate_series(1, 5) AS n", excel=excel))
    assert file.count(b"\n") == 6
    assert file.startswith(codecs.BOM_UTF8) is excel


def test_visitors_without_a_session_do_not_wait_for_the_database():
    assert Client().get("/reports/calls.csv").status_code == 302
