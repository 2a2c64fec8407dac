"""With long labels, every page of ours fits its window and its paper; wider parts scroll in their own box."""

from functools import partial

import pytest
from django.template.loader import render_to_string

from tests.browser.everypage import MANAGER, STAFF, error_pages, furnish
from tests.browser.fitting import PAPERS, WINDOWS, faults
from tests.chromium import COMPLETE
from tests.conftest import and_in_full
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

# For a manager, whose pages have less on them and a very long name at their top.
WINDOWS_OF_MANAGER, PAPERS_OF_MANAGER = and_in_full([320], *WINDOWS[1:]), and_in_full([688], 1017)


def test_no_page_scrolls_sideways(live_server, sign_in, open_window):
    installation = furnish()
    all_faults = []
    door = open_window(width=320)
    door.goto(f"{live_server.url}/accounts/login/")
    all_faults += faults(door, "/accounts/login/")
    for who, windows, papers in (
        (STAFF, WINDOWS, PAPERS),
        (MANAGER, WINDOWS_OF_MANAGER, PAPERS_OF_MANAGER),
    ):
        page = sign_in(who, PASSWORD, width=320)
        for address in installation.pages():
            if who == MANAGER and not address.startswith("/reports/"):
                continue
            page.set_viewport_size({"width": 320, "height": 900})
            answer = page.goto(f"{live_server.url}{address}")
            assert "text/html" in answer.headers["content-type"], f"{address} is no page: name it in NO_PAGES"
            page.wait_for_function(COMPLETE)
            all_faults += faults(page, f"{address} as {who[:9]}", windows, papers)
    assert not all_faults, "\n".join(all_faults)


def _fulfill(answer, route):
    route.fulfill(**answer)


def test_no_error_page_scrolls_sideways(live_server, open_window):
    page, all_faults = open_window(width=320), []
    for template in error_pages():
        answer = {"body": render_to_string(template), "content_type": "text/html"}
        page.route("**/error/", partial(_fulfill, answer))
        page.goto(f"{live_server.url}/error/")
        all_faults += faults(page, template)
    assert not all_faults, "\n".join(all_faults)
