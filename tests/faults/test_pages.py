"""Posts are answered in time despite pages and downloads: stalled downloads, workbooks, a database that hangs.

In each round 60 pages are open and reload continuously, as dashboards do."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.conftest import full_or
from tests.faults.readers import Tabs, ask_for_workbook, sign_in, stalled_downloads
from tests.faults.system import (
    LEAST_INSIDE,
    Round,
    System,
    frozen,
    judge,
    locked,
    prepare,
    tree_of,
    under_load,
    wait_until,
)

pytestmark = pytest.mark.faults

CALLS = full_or(200_000, 30_000)  # a download of them is larger than the sockets' buffers
OPEN_PAGES = 60
EVERY_S = 5.0
PATHS = [
    "/reports/",
    "/reports/busy-hours/",
    "/reports/trend/",
    "/reports/calls/",
    "/reports/data-quality/",
    "/admin/calls/call/",
    "/accounts/login/",
]
# Allowed answers to a page: success, or temporarily unavailable.
HONEST = {"200", "302", "503"}
PAGE_WITHIN_S = 20.0  # 10 s for the database, and the rest for a busy machine
DAYS = "from=2020-01-01&to=2100-01-01"


@pytest.fixture(scope="module")
def busy(prepared, tmp_path_factory):
    """A system with so many calls that downloads are large."""
    folder = tmp_path_factory.mktemp("pages")
    folder.chmod(0o711)
    system = System(folder / "var")
    backfill = ["backfill", f"--calls={CALLS}", "--days=30", "--numbers=5", "--seed=1"]
    try:
        # Before it runs: its worker would count again and again what is not complete yet.
        system.start(prepare(system.home, backfill, ["roll_up"], of=prepared))
        yield system
    finally:
        system.stop()


@pytest.fixture
def endure_with_pages(busy, note):
    """Return a function that subjects a system to a fault under load and open pages, and checks the result."""

    def endured(fault, hold_s, cookies=None, honest=HONEST):
        cookies = cookies or sign_in(busy, 1)
        tabs = Tabs(busy.port, cookies[:1], PATHS, tabs=OPEN_PAGES, every_s=EVERY_S)
        with under_load(busy, "pages") as client:
            of = Round("pages", client)
            tabs.start()
            try:
                wait_until(lambda: len(tabs.pages) >= 10, what="the first pages")
                of.began = time.monotonic()
                with fault():
                    client.hold(hold_s, posts=LEAST_INSIDE + 20)
                of.ended = time.monotonic()
                wait_until(lambda: is_as_ever(tabs, of.ended), 60, "every page as ever")
            finally:
                tabs.stop()
        note(f"{tabs.figures()}; {judge(busy, of)}")
        assert of.inside() >= LEAST_INSIDE, of.figures()
        assert {line.answer for line in of.client.sent} == {"200"}, of.figures()
        assert {page.answer for page in tabs.pages} <= honest, tabs.figures()
        assert all(page.retry_after for page in tabs.pages if page.answer == "503")
        assert max(page.took_s for page in tabs.pages) < PAGE_WITHIN_S, tabs.figures()

    return endured


def is_as_ever(tabs, moment):
    """Return whether each page was answered successfully since a moment."""
    return {page.path for page in tabs.asked_since(moment) if page.answer in {"200", "302"}} == set(PATHS)


@pytest.mark.parametrize("people", [1, 30], ids=["one-person", "thirty-people"])
@pytest.mark.parametrize("number", range(full_or(5, 1)))
def test_sixty_stalled_downloads(busy, endure_with_pages, people, number):
    cookies = sign_in(busy, people)

    @contextlib.contextmanager
    def fault():
        with contextlib.ExitStack() as open_ones:

            def some_let_in():
                """Request 60 downloads. While 60 pages are being loaded, all may be refused; then request again."""
                asked = open_ones.enter_context(stalled_downloads(busy.port, cookies, f"/reports/calls.csv?{DAYS}", 60))
                wait_until(lambda: not asked.statuses()[""] or {"200", "429"} <= set(asked.statuses()), what="answers")
                return asked if asked.statuses()["200"] else None

            stalled = wait_until(some_let_in, what="some let in")
            wait_until(lambda: stalled.statuses()["429"], what="some not let in")
            yield
            found = stalled.statuses()
            assert set(found) <= {"200", "429", ""}, found

    endure_with_pages(fault, full_or(60, 8), cookies)


@pytest.mark.parametrize("number", range(full_or(5, 1)))
def test_the_database_is_frozen(busy, endure_with_pages, number):
    """The database is frozen for longer than the time limit of pages."""
    endure_with_pages(lambda: frozen(tree_of(busy.postmaster())), full_or(60, 15))


LOCKED = ["calls_call, calls_callevent", "auth_user, django_session", "reports_rollup, calls_destinationnumber"]


@pytest.mark.parametrize("tables", full_or(LOCKED, [", ".join(LOCKED)]))
@pytest.mark.parametrize("number", range(full_or(3, 1)))
def test_tables_are_locked(busy, endure_with_pages, tables, number):
    endure_with_pages(lambda: locked(busy, tables), full_or(60, 12))


@pytest.mark.parametrize("number", range(full_or(3, 1)))
def test_workbooks_of_ten_people(busy, endure_with_pages, number):
    """Ten people request workbooks at the same time, three each in the full form; all are made while posts and pages
    continue."""
    cookies = sign_in(busy, 10)
    today = datetime.now(UTC).date()
    lasts = [today - timedelta(days=4 + number * 3 + shift) for shift in range(full_or(3, 1))]
    queries = [f"from={last - timedelta(days=full_or(4, 1))}&to={last}" for last in lasts]

    def states():
        with busy.database() as connection:
            return dict(connection.execute("SELECT state, count(*) FROM reports_workbook GROUP BY state").fetchall())

    before = states().get("ready", 0)
    asked = [(cookie, query) for query in queries for cookie in cookies]

    @contextlib.contextmanager
    def fault():
        with ThreadPoolExecutor(len(asked)) as people:
            list(people.map(lambda question: ask_until_taken(busy.port, *question), asked))
        yield
        wait_until(lambda: states().get("ready", 0) >= before + len(asked), full_or(600, 180), "all workbooks")

    endure_with_pages(fault, full_or(60, 8), cookies)
    assert set(states()) == {"ready"}


def ask_until_taken(port, cookie, query):
    """Repeat the request while too many pages are being loaded, as people do."""
    wait_until(
        lambda: ask_for_workbook(port, cookie, query).startswith("/reports/files/"), 60, "a workbook that is asked for"
    )
