"""What operators are told of endpoints: the page System status, metrics, a notice and a mail. And what is deleted."""

from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from live import tasks
from live.models import Delivery, DispatchProcess, State, WhyOff
from reports import monitoring
from tests.factories import allow, give, make_number, make_staff, make_superuser, make_user
from tests.live.endpoints import make_delivery, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _closed():
    yield
    monitoring.close()


@pytest.fixture
def number():
    return make_number(label="Hotline")


@pytest.fixture
def mails(settings, mailoutbox):
    settings.SENDS_MAIL, settings.PUBLIC_URL = True, "https://calls.example.com"
    return mailoutbox


def system(client):
    client.force_login(User.objects.filter(username="staff").first() or make_staff())
    return unescape(client.get("/reports/system/").content.decode())


def scrape(client):
    return client.get("/metrics", headers={"host": "10.0.0.1:8000"}).content.decode().splitlines()


def test_system_says_how_each_endpoint_goes(client, number):
    now = timezone.now()
    make_endpoint("Quiet")
    make_endpoint("Well", is_on=True, delivered_at=now)
    failing = make_endpoint("Failing", is_on=True, failing_since=now, last_failure="Answered 500.")
    make_delivery(failing, number)
    make_endpoint("Gone", why_off=WhyOff.GONE, off_at=now)
    late = make_endpoint("Late", is_on=True, delivered_at=now)
    for _ in range(2):
        make_delivery(late, number, at=now - timedelta(hours=1))

    page = system(client)

    assert "Endpoint Quiet" not in page
    for text in ("Endpoint Well", "Last delivery:", "Answered 500.", "1 delivery waits", "Switched off by Calltally"):
        assert text in page
    assert "2 deliveries wait, the oldest since" in page
    assert page.count("Send it a test call") == 2
    assert page.count("Deliveries are late.") == 1


def test_system_and_metrics_say_whether_a_dispatcher_works(client, number):
    endpoint = make_endpoint("ERP", is_on=True)
    assert "No dispatcher is running" in system(client)
    assert "calltally_dispatcher_up 0.0" in scrape(client)

    DispatchProcess.objects.create(name="host 1", works=True)
    assert "It is running, and nothing waits for it." in system(client)
    assert "calltally_dispatcher_up 1.0" in scrape(client)
    make_delivery(
        endpoint, number, at=timezone.now() - timedelta(minutes=5), next_at=timezone.now() - timedelta(minutes=5)
    )
    assert "It is behind" in system(client)

    endpoint.is_on = False
    endpoint.save()
    assert "dispatcher" not in system(client).casefold()


def test_metrics_count_deliveries_by_endpoint_and_state(client, number):
    now = timezone.now()
    endpoint = make_endpoint(is_on=True)
    make_delivery(endpoint, number, at=now - timedelta(seconds=100))
    make_delivery(endpoint, number, state=State.DELIVERED)
    make_delivery(endpoint, number, state=State.DELIVERED, at=now - timedelta(hours=1))
    make_endpoint("Gone", why_off=WhyOff.GONE)
    make_endpoint("Failing", is_on=True, failing_since=now)

    lines = scrape(client)

    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    own = f'calltally_deliveries{{endpoint="{endpoint.pk}",state="%s"}}'
    assert (values[own % "waiting"], values[own % "delivered"], values[own % "failed"]) == ("1.0", "1.0", "0.0")
    assert 100 <= float(values["calltally_deliveries_oldest_seconds"]) < 160
    assert values["calltally_endpoints_on"] == "2.0"
    assert values["calltally_endpoints_switched_off"] == values["calltally_endpoints_failing"] == "1.0"


def operator(name, *numbers, email=True):
    user = make_user(name, is_staff=True, email=f"{name}@example.com" if email else "")
    allow(user, "live.change_endpoint", "live.view_endpoint")
    for number in numbers:
        give(user, number)
    return user


def test_operators_who_see_an_endpoint_get_one_mail_when_it_was_switched_off(client, number, mails):
    operator("olga", number)
    operator("otto", make_number("+4930123456"))
    operator("without", number, email=False)
    make_user("staff", is_staff=True, email="staff@example.com")
    endpoint = make_endpoint("ERP", number, why_off=WhyOff.GONE, off_at=timezone.now(), url="https://x.example/token")
    make_endpoint("By hand", number, off_at=timezone.now())

    tasks.tell_switched_off()
    tasks.tell_switched_off()

    (mail,) = mails
    assert mail.to == ["olga@example.com"]
    assert mail.subject == "Calltally: events are no longer sent to ERP"
    for text in ("gone (410)", "send a test call", "https://calls.example.com/admin/live/endpoint/"):
        assert text in mail.body
    assert "token" not in mail.body
    client.force_login(make_superuser())
    client.post(f"/admin/live/endpoint/{endpoint.pk}/switch/")
    endpoint.refresh_from_db()
    assert endpoint.is_on
    type(endpoint).objects.update(is_on=False, why_off=WhyOff.FAILING)
    tasks.tell_switched_off()
    assert [mail.to for mail in mails[1:]] == [["olga@example.com"]]


def test_without_a_mail_server_nothing_is_sent_and_nothing_noted(number, mailoutbox):
    operator("olga", number)
    endpoint = make_endpoint("ERP", number, why_off=WhyOff.GONE)
    tasks.tell_switched_off()
    assert mailoutbox == []
    assert not endpoint.off_told.exists()


def test_the_admin_notes_a_switched_off_endpoint_for_who_sees_it(client, number):
    endpoint = make_endpoint("ERP", number, why_off=WhyOff.FAILING, off_at=timezone.now())
    for user, is_told in ((operator("olga", number), True), (operator("otto"), False)):
        client.force_login(user)
        page = client.get("/admin/").content.decode()
        assert ("The endpoint ERP was switched off: Nothing could be delivered for five days." in page) is is_told
        assert (f"/admin/live/endpoint/{endpoint.pk}/change/" in page) is is_told


def test_deliveries_are_deleted_after_a_week_and_those_that_can_still_be_sent_after_a_month(number):
    now, endpoint = timezone.now(), make_endpoint()
    kept = [
        make_delivery(endpoint, number, state=State.DELIVERED, at=now - timedelta(days=6)),
        make_delivery(endpoint, number, state=State.FAILED, at=now - timedelta(days=29)),
        make_delivery(endpoint, number, state=State.WAITING, at=now - timedelta(days=8)),
    ]
    kept.append(make_delivery(endpoint, number, state=State.EXPIRED, at=now - timedelta(days=8)))
    zammad = make_endpoint("Zammad", format="zammad")
    make_delivery(zammad, number, "newCall", state=State.EXPIRED, at=now - timedelta(days=8))
    for state in (State.DELIVERED, State.SKIPPED):
        make_delivery(endpoint, number, state=state, at=now - timedelta(days=8))
    make_delivery(endpoint, number, state=State.FAILED, at=now - timedelta(days=31))

    tasks.delete_old_deliveries()

    assert {*Delivery.objects.values_list("pk", flat=True)} == {delivery.pk for delivery in kept}
