"""The admin pages of deliveries: who sees which, who reads what was sent, and sending one again."""

import re
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group

from live.models import State
from tests.factories import give, make_number, make_user
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


@pytest.mark.parametrize("rights", ["calls callers people", "calls callers", "calls people"])
def test_what_was_sent_is_shown_to_who_sees_callers_and_destinations(client, operator, delivery, numbers, rights):
    shown = rights == "calls callers people"
    give(operator, numbers[0], *rights.split())
    page = client.get(f"{LIST}{delivery.pk}/change/")
    assert page.status_code == 200
    assert "Late: no" in text_of(page)
    assert (CALLER in unescape(page.content.decode())) is shown
    assert ("&lt;i&gt;" in page.content.decode()) is shown


def test_deliveries_of_calls_that_one_does_not_see_do_not_exist(client, operator, delivery, numbers):
    of_other = make_delivery(make_endpoint("Both", *numbers), numbers[1], state=State.FAILED)
    of_hidden_endpoint = make_delivery(of_other.endpoint, numbers[0], state=State.FAILED)
    give(operator, numbers[0])
    for hidden in (delivery, of_other, of_hidden_endpoint):
        assert client.get(f"{LIST}{hidden.pk}/change/").status_code == 302
        assert client.post(f"{LIST}{hidden.pk}/resend/").status_code == 404
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
