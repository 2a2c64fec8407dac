"""Every page at 390 and 1440 px, light and dark, empty and full: nothing overflows sideways, no error is logged.

`make screenshots` keeps full pages under var/screenshots; `make pictures` writes the first screen of the pages shown in
the documentation. Otherwise there are no pictures."""

import base64
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command

from calls.models import Call, DestinationNumber
from reports.periods import today
from tests.chromium import COMPLETE
from tests.factories import PASSWORD, make_staff, make_user
from tests.pictures import LARGEST_PICTURE, pictures_shown

pytestmark = pytest.mark.django_db(transaction=True)

KEEP = os.environ.get("CALLTALLY_SCREENSHOTS", "")
PICTURES = os.environ.get("CALLTALLY_PICTURES", "")
CALLS_A_WEEK = 2_000 if KEEP or PICTURES else 100
WINDOWS = [(1440, 900, "light"), (390, 844, "dark")]
if KEEP or PICTURES:
    WINDOWS += [(1440, 900, "dark"), (390, 844, "light")]


def write_webp(page, path):
    """Write what the window shows, in the best quality that is small enough to commit."""
    session = page.context.new_cdp_session(page)
    for quality in range(90, 20, -5):
        answer = session.send("Page.captureScreenshot", {"format": "webp", "quality": quality})
        image = base64.b64decode(answer["data"])
        if len(image) < LARGEST_PICTURE:
            break
    path.write_bytes(image)


@pytest.fixture
def picture(tmp_path, live_server):
    """Return a function that opens an address, keeps a picture, and checks that nothing overflows."""
    folder = Path(KEEP or PICTURES or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    wide = []

    def taken(page, name, address=None):
        scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
        name = f"{name}-{page.viewport_size['width']}-{scheme}"
        if PICTURES and name not in {Path(link).stem for link in pictures_shown()}:
            return
        if address:
            page.goto(f"{live_server.url}{address}")
        page.wait_for_function(COMPLETE)
        size = page.viewport_size
        if page.evaluate("document.documentElement.scrollWidth") > size["width"]:
            wide.append(name)
        if PICTURES:
            write_webp(page, folder / f"{name}.webp")
        if not KEEP:
            return
        # As high as the page, so that elements fixed to the window's edges are at the page's edges.
        page.set_viewport_size(size | {"height": max(size["height"], page.evaluate("document.body.scrollHeight"))})
        page.screenshot(path=folder / f"{name}.png", full_page=True)
        page.set_viewport_size(size)

    yield taken
    assert not wide, f"wider than the window: {wide}"


def test_pages_without_any_call(live_server, open_window, sign_in, picture):
    make_staff("admin")
    make_user("manager")
    for width, height, scheme in WINDOWS:
        page = open_window(width, height, scheme)
        picture(page, "sign-in", "/accounts/login/")
        staff = sign_in("admin", PASSWORD, page)
        picture(staff, "overview-empty")
        picture(staff, "calls-empty", "/reports/calls/")
        manager = sign_in("manager", PASSWORD, width=width, height=height, scheme=scheme)
        picture(manager, "overview-no-numbers")


def test_pages_full_of_calls(live_server, sign_in, picture, capsys):
    call_command("demo", url=live_server.url, once=True, calls_a_week=CALLS_A_WEEK)
    make_staff("admin")
    number = DestinationNumber.objects.get(label="Hotline Köln")
    call = Call.objects.filter(destination_number=number, events__request_type="FORWARD_ANSWER", ended_at__isnull=False)
    call = call.order_by("-first_post_at").first()
    week = f"from={today() - timedelta(days=7)}&to={today() - timedelta(days=1)}"
    for width, height, scheme in WINDOWS:
        page = sign_in("admin", PASSWORD, width=width, height=height, scheme=scheme)
        picture(page, "overview", f"/reports/?{week}")
        picture(page, "number", f"/reports/numbers/{number.pk}/?{week}")
        picture(page, "busy-hours", f"/reports/busy-hours/?{week}")
        picture(page, "trend", f"/reports/trend/?{week}")
        picture(page, "forwards", f"/reports/forwards/?{week}")
        picture(page, "calls", f"/reports/calls/?{week}&outcome=missed")
        picture(page, "call", f"/reports/calls/{call.pk}/")
        picture(page, "data-quality", "/reports/data-quality/")
        picture(page, "glossary", "/reports/glossary/")
        picture(page, "system", "/reports/system/")
        if scheme == "light":
            picture(page, "admin-number", f"/admin/calls/destinationnumber/{number.pk}/change/")
            picture(page, "admin-hours", f"/admin/calls/openinghours/{number.opening_hours_id}/change/")
            picture(page, "overview-outside", f"/reports/?{week}&opening=outside")
            picture(page, "forwards-empty", "/reports/forwards/?from=2001-01-01&to=2001-01-02")
