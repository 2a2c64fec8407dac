"""Refused pages and downloads in a browser: it waits longer, keeps what it shows, and says why."""

import re
from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from reports.counting import rollups
from tests.factories import PASSWORD, make_number, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)

OVERVIEW = re.compile(r":\d+/reports/(\?.*)?$")


def take_call(number, n=0):
    """Receive and count a call of an hour ago."""
    at = timezone.now() - timedelta(hours=1) + timedelta(minutes=n)
    for kind in ("CALL_START", "CALL_END"):
        take(number, kind, at, call_uuid=f"c{n}", correlation_id=f"c{n}")
    rollups.recount_changed(wait=True)


def test_refreshes_back_off_and_keep_the_figures_until_one_succeeds(sign_in, open_window):
    number = make_number(label="Hotline", managers=[make_user("manager")])
    take_call(number)
    page = open_window()
    page.clock.install()
    sign_in("manager", PASSWORD, page)
    expect(page.locator("#sentence")).to_contain_text("1 call")
    take_call(number, 1)
    asked = []

    def refuse(route):
        asked.append(page.evaluate("Date.now()"))
        route.fulfill(status=503, headers={"Retry-After": "5"}, body="busy")

    page.route(OVERVIEW, refuse)
    while len(asked) < 4:
        page.clock.run_for(10_000)
        page.wait_for_load_state("networkidle")
    pauses_s = [round((later - earlier) / 1000) for earlier, later in pairwise(asked)]
    expect(page.locator("#sentence")).to_contain_text("1 call")
    assert pauses_s == sorted(pauses_s)
    assert pauses_s[0] >= 20
    assert pauses_s[1] >= 40
    assert pauses_s[2] >= 80

    page.unroute(OVERVIEW)
    with page.expect_response(OVERVIEW):
        page.clock.run_for(300_000)
    expect(page.locator("#sentence")).to_contain_text("2 calls")
    with page.expect_response(OVERVIEW):
        page.clock.run_for(11_000)


def test_a_refresh_waits_as_long_as_the_server_asks_for(sign_in, open_window):
    number = make_number(label="Hotline", managers=[make_user("manager")])
    take_call(number)
    page = open_window()
    page.clock.install()
    sign_in("manager", PASSWORD, page)
    asked = []

    def refuse(route):
        asked.append(page.evaluate("Date.now()"))
        route.fulfill(status=503, headers={"Retry-After": "100"}, body="busy")

    page.route(OVERVIEW, refuse)
    while len(asked) < 2:
        page.clock.run_for(10_000)
        page.wait_for_load_state("networkidle")
    assert asked[1] - asked[0] >= 100_000


def test_a_refused_download_shows_an_error_page(sign_in):
    number = make_number(label="Hotline", managers=[make_user("manager")])
    take_call(number)
    page = sign_in("manager", PASSWORD)
    page.route(
        "**/*.csv*",
        lambda route: route.fulfill(
            status=429, headers={"Retry-After": "5"}, content_type="text/html", body="<h1>Wait</h1>"
        ),
    )
    page.get_by_text("Export", exact=False).first.click()
    page.locator('a[href*=".csv"]:visible').first.click()
    expect(page.get_by_role("heading", name="Wait")).to_be_visible()


def test_a_refused_page_of_tabs_loads_as_a_whole_and_retries(live_server, sign_in):
    number = make_number(label="Hotline", managers=[make_user("manager")])
    take_call(number)
    page = sign_in("manager", PASSWORD)
    page.goto(f"{live_server.url}/reports/numbers/{number.pk}/")
    page.route(
        "**/reports/numbers/**",
        lambda route: route.fulfill(
            status=503, headers={"Retry-After": "5"}, content_type="text/html", body="<h1>Busy</h1>"
        ),
    )
    page.locator("#by-hour, #by-day").locator("visible=true").last.click()
    expect(page.get_by_role("heading", name="Busy")).to_be_visible()
