"""The week in the form of opening hours: presets, copying a day, and what is drawn beside it."""

import pytest
from django.core.exceptions import ValidationError
from playwright.sync_api import expect

from calls.admin.week_fields import read_day
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
    page.get_by_role("button", name="Around the clock").click()
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Mon–Sat 08:00–20:00").click()
    page.get_by_role("button", name="Mon–Fri 08:00–12:00, 13:00–17:00").click()
    lunch = "08:00–12:00, 13:00–17:00"
    assert texts(page) == [lunch, lunch, "08:00–20:00", ""]  # what Saturday had stays
    expect(page.locator("[data-said]")).to_have_text(f"Week filled. Mon–Fri {lunch}")

    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/calls/openinghours/")
    weekly = dict.fromkeys(range(1, 6), ((480, 720), (780, 1020))) | {6: ((480, 1200),)}
    assert OpeningHours.objects.get().schedule().weekly == weekly


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
    row, monday = page.locator(".field-weekday_1"), page.get_by_label("Monday")
    monday.fill("8 bis 12 Uhr und 13:30-24")
    assert row.evaluate(DRAWN) == [[480, 240], [810, 630]]
    monday.fill("nothing yet")
    assert row.evaluate(DRAWN) == []
    monday.press("Tab")
    expect(monday).to_have_attribute("aria-invalid", "true")
    assert not findings(page)


def test_hours_that_cannot_be_read_stay_as_typed_and_are_named(page):
    page.get_by_label("Name").fill("Office")
    page.get_by_label("Monday").fill("8-12, later")
    page.get_by_label("Tuesday").fill("8-12")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".field-weekday_1")).to_contain_text("“later” is not a time from and to.")
    expect(page.get_by_label("Monday")).to_be_focused()
    assert page.get_by_label("Monday").input_value() == "8-12, later"
    assert not findings(page)
    assert not OpeningHours.objects.exists()


# Whether a text is read, or left and refused, in both languages of the form.
WRITTEN = [
    "8-12", "0830 - 1745", "8h-9h30", "8 Uhr - 12 Uhr", "7-800", "8-12,", "8-12;;13-18", "closed", "-", "22-0", "0–24",
    "8:75-12", "8-12 13:60-18", "8-123-5", "8:00-12:0013:00-18:00", "8-12 13-18", "8-12uhr", "closed, 8-12", "8-12.",
    "8.5-12", "8:10-12", "12-8", "8-12, 11-13", "8-25", ",", "٨-١٢", "8-24:15",
]  # fmt: skip


def test_the_page_reads_hours_as_the_server_does(page):
    monday, wrong = page.get_by_label("Monday"), []
    for written in WRITTEN:
        monday.fill(written)
        monday.dispatch_event("change")
        drawn = [[x, x + width] for x, width in page.locator(".field-weekday_1").evaluate(DRAWN)]
        is_refused = monday.get_attribute("aria-invalid") == "true"
        try:
            stored = [list(span) for span in read_day(written)]
        except ValidationError:
            stored = None
        if (None if is_refused else drawn) != stored or (is_refused and monday.input_value() != written):
            wrong.append((written, drawn, is_refused, stored))
    assert not wrong
