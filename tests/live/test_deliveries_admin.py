"""The admin pages of deliveries: who sees which, who reads what was sent, and sending one again."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db.models import F

from accounts.audit.actions import Action
from accounts.models import AuditEntry, SignedInSession
from calls import showing
from live.dispatch import stored
from live.models import State
from tests.factories import PASSWORD, give, make_number, make_user
from tests.live.endpoints import CALLER, make_delivery, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/live/delivery/"


@pytest.fixture
def numbers():
    return make_number(label="Hotline"), make_number("+4930123456", label="Sales")


@pytest.fixture
def operator(client, numbers):
    """A person of the group operator who sees calls, callers and destinations of the first number; signed in."""
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    give(user, numbers[0], "calls", "callers", "people")
    client.force_login(user)
    return user


@pytest.fixture
def delivery(numbers):
    fields = {"state": State.FAILED, "status": 500, "answer": f"<i>{CALLER}?</i>", "tries": 10, "took_ms": 12}
    return make_delivery(make_endpoint("ERP", numbers[0]), numbers[0], **fields)


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def test_the_list_says_how_deliveries_went_and_names_no_caller(client, operator, delivery, numbers):
    page = client.get(LIST)
    for text in ("ERP", "call.started", "failed", "500", "12 ms"):
        assert text in text_of(page)
    assert CALLER not in page.content.decode()
    assert f"/reports/calls/{delivery.event.call_id}/" in page.content.decode()

    other = make_delivery(make_endpoint("CRM", numbers[0]), numbers[0], "call.ended")
    for query in (f"endpoint={other.endpoint_id}", "state__exact=waiting", "kind=call.ended"):
        found = client.get(f"{LIST}?{query}").context["cl"].queryset
        assert [row.pk for row in found] == [other.pk], query
    assert client.get(f"{LIST}?body__contains=4917").status_code == 400


def confirm(client):
    """Confirm who one is, as people do who signed in long ago."""
    assert client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "/"}).status_code == 302


def shown_entries():
    return AuditEntry.objects.filter(action=Action.CALLER_SHOWN)


@pytest.mark.parametrize("rights", ["calls callers people", "calls callers", "calls people"])
def test_what_was_sent_is_on_no_page_without_a_reason(client, operator, delivery, numbers, rights):
    give(operator, numbers[0], *rights.split())
    confirm(client)

    page = client.get(f"{LIST}{delivery.pk}/change/")
    assert page.status_code == 200
    assert "Late: no" in text_of(page)
    may_be_shown = rights == "calls callers people"
    assert ("Show what was sent" in text_of(page)) is may_be_shown
    asked = client.get(f"{LIST}{delivery.pk}/sent/")
    assert asked.status_code == (200 if may_be_shown else 403)
    for answer in (page, asked):
        assert CALLER not in unescape(answer.content.decode())
        assert "&lt;i&gt;" not in answer.content.decode()


def test_what_was_sent_is_shown_for_a_reason_that_the_audit_keeps(client, operator, delivery):
    confirm(client)
    page = client.post(f"{LIST}{delivery.pk}/sent/", {"reason": f"wrong contact of {CALLER}"})

    shown = page.content.decode()
    assert f"&quot;caller&quot;: &quot;{CALLER}&quot;" in shown
    assert f"&lt;i&gt;{CALLER}?&lt;/i&gt;" in shown
    entry = shown_entries().get()
    assert (entry.actor_id, entry.object_type, entry.object_id) == (
        *(operator.pk, "calls.call"),
        str(delivery.event.call_id),
    )
    assert entry.reason == "wrong contact of •••"
    assert CALLER not in client.get(f"{LIST}{delivery.pk}/sent/").content.decode()


def test_without_a_reason_or_above_the_limit_nothing_is_shown(client, operator, delivery, monkeypatch):
    monkeypatch.setattr(showing, "MOST_AN_HOUR", 1)
    confirm(client)
    address = f"{LIST}{delivery.pk}/sent/"

    page = client.post(address, {"reason": " "})
    assert "Enter why you need the whole number." in text_of(page)
    assert CALLER not in page.content.decode()
    assert CALLER in client.post(address, {"reason": "call back"}).content.decode()
    page = client.post(address, {"reason": "one more"})
    assert "which is the limit" in text_of(page)
    assert 'value="one more"' in page.content.decode()
    assert CALLER not in page.content.decode()
    assert shown_entries().count() == 1


def test_who_signed_in_long_ago_confirms_who_they_are_first(client, operator, delivery):
    SignedInSession.objects.update(signed_in_at=F("signed_in_at") - timedelta(minutes=16))
    address = f"{LIST}{delivery.pk}/sent/"
    page = client.get(address)
    assert "Confirm who you are" in text_of(page)
    assert 'name="reason"' not in page.content.decode()

    refused = client.post(address, {"reason": "call back"})
    assert refused["Location"] == f"/accounts/reauthenticate/?next={quote(address, safe='')}"
    assert not shown_entries().exists()


@pytest.mark.parametrize("rights", ["calls callers", "calls people"])
def test_what_was_sent_is_not_shown_without_both_rights(client, operator, delivery, numbers, rights):
    give(operator, numbers[0], *rights.split())
    confirm(client)
    assert client.post(f"{LIST}{delivery.pk}/sent/", {"reason": "call back"}).status_code == 403
    assert not shown_entries().exists()


@pytest.mark.parametrize("gets", ["masked", "none"])
def test_what_has_no_whole_caller_is_shown_at_once_to_who_sees_destinations(client, operator, numbers, gets):
    endpoint = make_endpoint("ERP", numbers[0], caller=gets)
    delivery = make_delivery(endpoint, numbers[0], body='{"destination": "1001"}', answer="thanks")
    address = f"{LIST}{delivery.pk}/change/"
    for rights, is_shown in (("calls people", True), ("calls callers", False)):
        give(operator, numbers[0], *rights.split())
        page = text_of(client.get(address))
        assert ('{"destination": "1001"}' in page, "thanks" in page) == (is_shown, is_shown)
        assert "Show what was sent" not in page
    assert client.get(f"{LIST}{delivery.pk}/sent/")["Location"] == address


def test_what_was_sent_while_the_endpoint_got_whole_callers_stays_hidden(client, operator, delivery):
    delivery.endpoint.caller = "none"
    delivery.endpoint.save()
    stored.narrow(delivery.endpoint)

    page = client.get(f"{LIST}{delivery.pk}/change/")
    assert CALLER not in unescape(page.content.decode())
    assert "Show what was sent" in text_of(page)


def test_deliveries_of_calls_that_one_does_not_see_do_not_exist(client, operator, delivery, numbers):
    of_other = make_delivery(make_endpoint("Both", *numbers), numbers[1], state=State.FAILED)
    of_hidden_endpoint = make_delivery(of_other.endpoint, numbers[0], state=State.FAILED)
    give(operator, numbers[0])
    for hidden in (delivery, of_other, of_hidden_endpoint):
        assert client.get(f"{LIST}{hidden.pk}/change/").status_code == 302
        assert client.post(f"{LIST}{hidden.pk}/resend/").status_code == 404
        assert client.post(f"{LIST}{hidden.pk}/sent/", {"reason": "call back"}).status_code == 404
    page = client.get(LIST)
    assert page.context["cl"].result_count == 0
    assert "Both" not in text_of(page)


def test_deliveries_are_sent_again_one_by_one_and_by_choice(client, operator, delivery, numbers):
    assert client.get(f"{LIST}{delivery.pk}/resend/").status_code == 200
    assert client.post(f"{LIST}{delivery.pk}/resend/").status_code == 302
    before = delivery.uuid
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries, delivery.uuid) == (State.WAITING, 0, before)
    assert LogEntry.objects.get(object_id=str(delivery.pk)).get_change_message() == "Sent again."

    done = make_delivery(delivery.endpoint, numbers[0], state=State.DELIVERED)
    call_of_cti = make_delivery(make_endpoint("Zammad", numbers[0], format="zammad"), numbers[0], state=State.EXPIRED)
    chosen = {"action": "resend", "_selected_action": [delivery.pk, done.pk, call_of_cti.pk]}
    page = text_of(client.post(LIST, chosen, follow=True))
    assert "1 delivery is sent again." in page
    assert "2 deliveries are not sent again" in page
    done.refresh_from_db()
    call_of_cti.refresh_from_db()
    assert (done.state, call_of_cti.state) == (State.WAITING, State.EXPIRED)


def test_who_only_views_deliveries_sends_none(client, operator, delivery):
    group = Group.objects.get(name="operator")
    may_change = group.permissions.get(codename="change_delivery")
    group.permissions.remove(may_change)
    client.force_login(operator)
    try:
        assert client.post(f"{LIST}{delivery.pk}/resend/").status_code == 403
        client.post(LIST, {"action": "resend", "_selected_action": [delivery.pk]})
        assert "resend" not in client.get(f"{LIST}{delivery.pk}/change/").content.decode()
        delivery.refresh_from_db()
        assert delivery.state == State.FAILED
    finally:
        group.permissions.add(may_change)
