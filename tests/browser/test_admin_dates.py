"""The admin's calendar reads and writes dates as the pages show them."""

from datetime import date

import pytest
from playwright.sync_api import expect

from calls.models import OpeningHours
from tests.factories import PASSWORD, make_staff

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_calendar_opens_at_the_date_shown_and_what_it_writes_is_saved(live_server, sign_in):
    make_staff("admin")
    hours = OpeningHours.objects.create(name="Office hours")
    hours.days.create(day=date(2031, 3, 4))
    address = f"{live_server.url}/admin/calls/openinghours/{hours.pk}/change/"
    page = sign_in("admin", PASSWORD)
    page.goto(address)
    field = page.locator("#id_days-0-day")
    expect(field).to_have_value("04 Mar 2031")

    page.locator("#days-0 .datetimeshortcuts a").nth(1).click()
    calendar = page.locator("#calendarbox0")
    expect(calendar.locator("caption")).to_have_text("March 2031")
    calendar.get_by_role("link", name="17", exact=True).click()
    expect(field).to_have_value("17 Mar 2031")
    page.locator("#id_days-0-opens_at").fill("8:00")
    page.locator("#id_days-0-closes_at").fill("12:15")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/calls/openinghours/")

    page.goto(address)
    expect(field).to_have_value("17 Mar 2031")
    expect(page.locator("#id_days-0-opens_at")).to_have_value("08:00")
    expect(page.locator("#id_days-0-closes_at")).to_have_value("12:15")
