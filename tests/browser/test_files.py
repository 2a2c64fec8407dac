"""A large workbook, from the menu of a page to the file on disk."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from reports.exports import workbook_jobs
from reports.models import Workbook, WorkbookState
from reports.views import downloads
from tests.browser.test_layout import STICKS_OUT, take_call
from tests.factories import PASSWORD, make_number, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _large(monkeypatch, tmp_path, settings):
    settings.FILES_FOLDER = tmp_path / "files"
    monkeypatch.setattr(downloads, "ROWS_AT_ONCE", 0)
    take_call(make_number(label="Hotline", managers=[make_user("manager")]))


def progressed(**fields):
    """Change the only job as its worker would."""
    Workbook.objects.update(heartbeat_at=timezone.now() + timedelta(minutes=1), **fields)


def test_a_large_workbook_is_requested_and_its_page_says_when_it_is_ready(live_server, sign_in):
    page = sign_in("manager", PASSWORD)
    assert page.locator("nav.sidebar").evaluate("sidebar => sidebar.scrollWidth - sidebar.clientWidth") == 0
    page.goto(f"{live_server.url}/reports/calls/")
    page.locator("#export summary").click()
    page.locator("#export a[href*='.xlsx']").click()
    page.get_by_role("button", name="Create workbook").click()

    expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
    progressed(state=WorkbookState.WORKING, attempts=1, rows=250_000, of_rows=1_000_000)
    expect(page.locator("#live")).to_contain_text("250,000 of 1,000,000 rows")
    progressed(state=WorkbookState.WAITING, attempts=0)
    workbook_jobs.make_waiting()
    expect(page.get_by_role("heading", name="Ready")).to_be_visible()
    expect(page.locator("#finished")).to_have_text("The workbook is ready.")
    with page.expect_download() as got:
        page.get_by_role("link", name="Download").click()
    assert got.value.suggested_filename == "calls.xlsx"
    assert got.value.path().read_bytes()[:2] == b"PK"


def test_the_menu_gives_a_file_with_the_chosen_time_step(live_server, sign_in):
    page = sign_in("manager", PASSWORD)
    page.goto(f"{live_server.url}/reports/")
    page.locator("#export summary").click()
    page.get_by_label("Time step").select_option("hour")
    with page.expect_download() as got:
        page.locator("tr", has=page.locator("#export-counts")).get_by_role("link", name="CSV", exact=True).click()

    assert got.value.suggested_filename.startswith("counts-by-hour-")
    assert "by=hour" not in page.locator("tr", has=page.locator("#export-calls")).inner_html()


def test_the_pages_of_workbooks_fit_a_phone_in_every_state(live_server, sign_in):
    page = sign_in("manager", PASSWORD, width=320, height=640)
    page.goto(f"{live_server.url}/reports/files/")
    assert page.evaluate(STICKS_OUT) == 0
    page.goto(f"{live_server.url}/reports/files/new/?kind=calls&from=2026-01-01&to=2026-12-31")
    assert page.evaluate(STICKS_OUT) == 0
    page.get_by_role("button", name="Create workbook").click()
    states = [
        {"state": WorkbookState.WORKING, "attempts": 1, "rows": 250_000, "of_rows": 1_000_000},
        {"state": WorkbookState.READY, "file_name": "x", "size": 105_000_000, "finished_at": timezone.now()},
        {"state": WorkbookState.FAILED, "error": "The server has no disk space for it. " * 3},
    ]
    job = page.url
    for fields in states:
        progressed(**fields)
        for address in (job, f"{live_server.url}/reports/files/"):
            page.goto(address)
            assert page.evaluate(STICKS_OUT) == 0, (address, fields["state"])
