"""The week in the form of opening hours: presets, copying a day, and what is drawn beside it."""

import pytest
from playwright.sync_api import expect

from calls.models import OpeningHours
from tests.browser.axe import findings
from tests.factories import PASSWORD, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

# The spans that are drawn in the row of a weekday, in minutes.
DRAWN = "row => [...row.querySelectorAll('.open')].map(({ x, width }) => [x, width].map((n) => n.baseVal.value))"


@pytest.fixture
def page(live_server, sign_in):
    make_staff("admin")
    page = sign_in("admin", PASSWORD)
    page.goto(f"{live_server.url}/admin/calls/openinghours/add/")
    return page


def texts(page):
    return [page.get_by_label(day).input_value() for day in ("Monday", "Friday", "Saturday", "Sunday")]


def test_a_preset_fills_the_week(page):
    page.get_by_label("Name").fill("Office")
    page.get_by_role("button", name="Mon–Sat 08:00–20:00").click()
    page.get_by_role("button", name="Mon–Fri with a lunch break").click()
    assert texts(page) == ["08:00–12:00, 13:00–17:00", "08:00–12:00, 13:00–17:00", "", ""]
    expect(page.locator("[data-said]")).to_have_text("Week filled. Mon–Fri with a lunch break")

    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/calls/openinghours/")
    assert OpeningHours.objects.get().schedule().weekly == dict.fromkeys(range(1, 6), ((480, 720), (780, 1020)))


def test_a_day_is_copied_to_others_with_the_keyboard(page):
    page.get_by_label("Tuesday").fill("9-12, 14-18")
    menu = page.locator(".field-weekday_2 summary")
    menu.press("Enter")
    page.locator(".field-weekday_2").get_by_role("button", name="Monday to Friday").press("Enter")
    assert texts(page) == ["09:00–12:00, 14:00–18:00", "09:00–12:00, 14:00–18:00", "", ""]
    expect(menu).to_be_focused()
    expect(page.locator("[data-said]")).to_have_text("Tuesday copied to: Monday to Friday.")

    menu.press("Enter")
    page.locator(".field-weekday_2").get_by_role("button", name="Sunday").press("Enter")
    assert texts(page)[2:] == ["", "09:00–12:00, 14:00–18:00"]


def test_hours_are_drawn_while_they_are_typed(page):
    row = page.locator(".field-weekday_1")
    page.get_by_label("Monday").fill("8 bis 12 Uhr und 13:30-24")
    assert row.evaluate(DRAWN) == [[480, 240], [810, 630]]
    page.get_by_label("Monday").fill("nothing yet")
    assert row.evaluate(DRAWN) == []
    assert not findings(page)


def test_hours_that_cannot_be_read_stay_as_typed_and_are_named(page):
    page.get_by_label("Name").fill("Office")
    page.get_by_label("Monday").fill("8-12, later")
    page.get_by_label("Tuesday").fill("8-12")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".field-weekday_1")).to_contain_text("“later” is not a time from and to.")
    assert page.get_by_label("Monday").input_value() == "8-12, later"
    assert not findings(page)
    assert not OpeningHours.objects.exists()
