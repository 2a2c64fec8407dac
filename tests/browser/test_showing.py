"""What contains a whole caller is shown for a reason, in the browser: from the admin to it and back."""

import pytest
from playwright.sync_api import expect

from accounts.models import AuditEntry
from tests.factories import PASSWORD, make_number, make_superuser
from tests.live.endpoints import CALLER, make_delivery, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def delivery():
    number = make_number(label="Hotline")
    return make_delivery(make_endpoint("ERP", number), number)


def test_what_was_sent_is_shown_for_a_reason(live_server, sign_in, delivery):
    make_superuser("root")
    page = sign_in("root", PASSWORD)
    page.goto(f"{live_server.url}/admin/live/delivery/{delivery.pk}/change/")
    expect(page.get_by_text(CALLER)).to_have_count(0)

    page.get_by_role("link", name="Show what was sent").click()
    page.get_by_role("textbox", name="What do you need it for?").fill("wrong contact")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("pre.sent").first).to_contain_text(CALLER)
    assert AuditEntry.objects.get(action="caller_shown").reason == "wrong contact"

    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("link", name="Show what was sent")).to_be_visible()


def test_a_call_in_the_admin_leads_to_where_its_caller_is_shown(live_server, sign_in, delivery):
    make_superuser("root")
    page = sign_in("root", PASSWORD)
    page.goto(f"{live_server.url}/admin/calls/call/{delivery.event.call_id}/change/")

    page.get_by_role("link", name="Show the whole number").click()
    page.get_by_text("Show the whole number").click()
    page.get_by_role("textbox", name="What do you need it for?").fill("call back")
    page.get_by_role("button", name="Show", exact=True).click()

    expect(page.locator("#caller")).to_contain_text("Shown to you")
