"""The list of calls and the page of a call in the browser: rows that open, a note that stays."""

import re

import pytest
from playwright.sync_api import expect

from calls.models import Call
from contacts.models import CallNote
from tests.factories import PASSWORD, make_number, make_superuser, send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def calls(client):
    number = make_number(label="Hotline")
    for n in range(3):
        send(client, number, "CALL_START", call_uuid=f"call {n}", correlation_id=f"call {n}")
        send(client, number, "BLOCK_END SAY", call_uuid=f"call {n}", correlation_id=f"call {n}")
    make_superuser("root")
    return list(Call.objects.order_by("-first_post_at"))


def test_a_click_anywhere_in_a_row_opens_its_call_which_leads_back_to_the_row(live_server, sign_in, calls):
    page = sign_in("root", PASSWORD)
    page.goto(f"{live_server.url}/reports/calls/")
    row = page.locator(f"#call-{calls[1].pk}")
    row.get_by_text("Spoken text").click(force=True)  # the link of the row lies over its cells

    expect(page).to_have_url(re.compile(f"/reports/calls/{calls[1].pk}/"))
    expect(page.get_by_role("navigation", name="Other calls")).to_contain_text("2 of 3")
    page.get_by_role("link", name="Next call").click()
    expect(page).to_have_url(re.compile(f"/reports/calls/{calls[2].pk}/"))
    page.locator("#to-list").click()
    expect(page.locator("#t-list tbody tr:target")).to_have_attribute("id", f"call-{calls[2].pk}")


def test_a_note_that_was_begun_stays_when_the_caller_is_shown(live_server, sign_in, calls):
    page = sign_in("root", PASSWORD)
    page.goto(f"{live_server.url}{calls[0].get_absolute_url()}")
    page.get_by_label("Note", exact=True).fill("Wants an offer")
    page.get_by_label("Result").select_option("call_back")

    page.get_by_text("Show the whole number").click()
    page.get_by_role("textbox", name="What do you need it for?").fill("call back")
    page.get_by_role("button", name="Show", exact=True).click()

    expect(page.locator("#caller")).to_contain_text("Shown to you")
    expect(page.get_by_role("button", name="Copy")).to_be_visible()
    expect(page.get_by_label("Note", exact=True)).to_have_value("Wants an offer")
    expect(page.get_by_label("Result")).to_have_value("call_back")
    assert not CallNote.objects.exists()
