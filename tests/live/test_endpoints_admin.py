"""The admin pages of endpoints: who sets up which, what they ask, and that no address and no secret is shown."""

import re
from datetime import timedelta
from html import unescape
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.utils import timezone

from live.dispatch import formats, outbox
from live.models import Delivery, Endpoint, State
from tests.factories import give, make_number, make_superuser, make_user, take
from tests.live.endpoints import make_delivery, make_endpoint
from tests.live.plain_format import PLAIN_FORMATS
from tests.transactions import run_until_it_waits

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = "/admin/live/endpoint/"
ZAMMAD = "https://zammad.example.com/api/v1/cti/the-token-4711"
EVERY_EVENT = ["call.started", "call.ended"]


@pytest.fixture(autouse=True)
def _plain_formats(monkeypatch):
    for name, plain in PLAIN_FORMATS.items():
        monkeypatch.setitem(formats.FORMATS, name, plain)


@pytest.fixture
def numbers():
    return make_number(label="Hotline"), make_number("+4930123456", label="Sales")


@pytest.fixture
def operator(client, numbers):
    """A person of the group operator who may see everything of the first number; signed in."""
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    give(user, numbers[0], "calls", "callers", "people")
    client.force_login(user)
    return user


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def fields(*numbers, **more):
    chosen = {"numbers": [number.pk for number in numbers]} if numbers else {"all_numbers": "on"}
    return {"name": "Zammad", "address": ZAMMAD, "caller": "whole", "rows": "call", **chosen, **more}


def add(client, named, values):
    return client.post(f"{PAGES}add/?format={named}", values)


def test_the_format_is_chosen_first_and_the_form_asks_what_it_needs(client, operator):
    assert "format=zammad" in client.get(f"{PAGES}add/").content.decode()
    assert "listed in its caller log" in text_of(client.get(f"{PAGES}add/"))
    asked = {
        name: set(client.get(f"{PAGES}add/?format={name}").context["adminform"].form.fields)
        for name in ("webhook", "zammad", "sipgate", "placetel")
    }
    every = {"name", "address", "all_numbers", "numbers", "caller"}
    assert asked["webhook"] == every | {"events"}
    assert asked["zammad"] == asked["sipgate"] == every | {"rows"}
    assert asked["placetel"] == every | {"rows", "secret"}
    assert "api/v1/cti/TOKEN" in client.get(f"{PAGES}add/?format=zammad").content.decode()
    assert 'value="masked"' not in client.get(f"{PAGES}add/?format=zammad").content.decode()
    assert 'value="masked"' in client.get(f"{PAGES}add/?format=webhook").content.decode()


def test_an_endpoint_is_added_off_and_its_address_is_shown_nowhere(client, operator, numbers):
    added = add(client, "zammad", fields(numbers[0]))

    endpoint = Endpoint.objects.get()
    assert added.url == f"{PAGES}{endpoint.pk}/change/"
    assert "Send a test call now" in text_of(client.get(added.url))
    assert (endpoint.format, endpoint.url, endpoint.is_on) == ("zammad", ZAMMAD, False)
    change = f"{PAGES}{endpoint.pk}/change/"
    assert client.post(change, fields(numbers[0], address="", rows="ring")).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.rows) == (ZAMMAD, "ring")
    for page in (change, PAGES, f"{PAGES}{endpoint.pk}/history/", f"{PAGES}{endpoint.pk}/test/"):
        shown = client.get(page)
        assert shown.status_code == 200
        assert "the-token" not in shown.content.decode()
    assert "zammad.example.com" in text_of(client.get(PAGES))
    assert "token" not in "".join(LogEntry.objects.values_list("change_message", flat=True))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"address": "zammad.example.com/api"}, "Enter a complete address"),
        ({"address": "http://zammad.example.com/api"}, "must begin with https://"),
        ({"address": ""}, "This field is required"),
        ({"numbers": []}, "Choose at least one number"),
        ({"caller": "masked"}, "Select a valid choice"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_enter(client, operator, numbers, more, why):
    page = add(client, "zammad", fields(numbers[0]) | more)
    assert (page.status_code, Endpoint.objects.count()) == (200, 0)
    assert why in text_of(page)


@pytest.mark.parametrize(
    "case",
    [
        "none: nothing",
        "people none: nothing",
        "calls none: nothing",
        "calls people none: sets it up",
        "calls people masked: sets it up",
        "calls people whole: nothing",
        "calls callers whole: nothing",
        "calls callers people whole: sets it up",
    ],
)
def test_a_system_gets_no_more_than_who_sets_it_up_may_see(client, operator, numbers, case):
    *rights, caller = case.partition(":")[0].split()
    may = case.endswith("sets it up")
    hotline, sales = numbers
    give(operator, hotline, *rights)
    values = fields(hotline, caller=caller, events=EVERY_EVENT)

    add(client, "webhook", values)
    assert Endpoint.objects.exists() is may
    Endpoint.objects.all().delete()
    # Neither a number that one does not see, nor all.
    for more in (fields(hotline, sales, caller=caller, events=EVERY_EVENT), fields(caller=caller, events=EVERY_EVENT)):
        assert add(client, "webhook", more).status_code == 200
    # Nor by changing one that somebody else set up.
    endpoint = make_endpoint("Of the boss", hotline, caller=caller)
    taken = values | {"name": "Mine", "address": "https://evil.example/"}
    assert (client.post(f"{PAGES}{endpoint.pk}/change/", taken).status_code != 403) is may
    for page in ("test", "switch", "secret", "resend"):
        assert (client.get(f"{PAGES}{endpoint.pk}/{page}/").status_code == 200) is may
        assert may or client.post(f"{PAGES}{endpoint.pk}/{page}/").status_code == 403
    endpoint.refresh_from_db()
    assert (endpoint.name == "Mine") is may


def test_an_endpoint_of_a_number_that_one_does_not_see_does_not_exist(client, operator, numbers):
    hidden = [
        make_endpoint("Of every number"),
        make_endpoint("Both", *numbers),
        make_endpoint("Sales only", numbers[1]),
    ]
    for endpoint in hidden:
        assert endpoint.name not in text_of(client.get(PAGES))
        for page in ("change", "delete", "history"):
            assert client.get(f"{PAGES}{endpoint.pk}/{page}/").status_code == 302
        for page in ("test", "switch", "secret", "resend"):
            assert client.post(f"{PAGES}{endpoint.pk}/{page}/").status_code == 404
    assert not Endpoint.objects.filter(is_on=True).exists()


def test_a_secret_is_made_shown_once_and_stored_encrypted(client, operator, numbers):
    page = add(client, "webhook", fields(numbers[0], events=EVERY_EVENT))
    made = re.search(r"whsec_[\w+/=]+", unescape(page.content.decode()))[0]
    endpoint = Endpoint.objects.get()
    assert endpoint.secret == made
    assert made not in str(Endpoint.objects.values().get())
    for address in (f"{PAGES}{endpoint.pk}/change/", f"{PAGES}{endpoint.pk}/history/", f"{PAGES}{endpoint.pk}/secret/"):
        assert made not in client.get(address).content.decode()


def test_another_host_gets_a_new_secret(client, operator, numbers):
    endpoint = make_endpoint("ERP", numbers[0])
    change = f"{PAGES}{endpoint.pk}/change/"
    values = fields(numbers[0], name="ERP", events=EVERY_EVENT)
    same_host = values | {"address": "https://erp.example.com/other"}
    assert client.post(change, same_host).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.secret, endpoint.url) == ("whsec_first", "https://erp.example.com/other")

    page = client.post(change, values | {"address": "https://elsewhere.example/"})
    endpoint.refresh_from_db()
    assert endpoint.secrets() == [endpoint.secret] != ["whsec_first"]
    assert endpoint.secret in unescape(page.content.decode())


def test_a_secret_of_placetel_is_entered_or_made(client, operator, numbers):
    assert add(client, "placetel", fields(numbers[0], secret="of the CRM")).status_code == 302
    endpoint = Endpoint.objects.get()
    assert endpoint.secret == "of the CRM"
    change = f"{PAGES}{endpoint.pk}/change/"
    assert client.post(change, fields(numbers[0], address="", secret="")).status_code == 302
    endpoint.refresh_from_db()
    assert endpoint.secret == "of the CRM"
    assert client.post(change, fields(numbers[0], address="https://other.example/", secret="")).status_code == 200
    endpoint.refresh_from_db()
    assert endpoint.secret != "of the CRM"


def test_what_was_written_for_more_is_not_sent_after_an_endpoint_gets_less(client, operator, numbers):
    endpoint = make_endpoint("ERP", numbers[0])
    delivery = make_delivery(endpoint, numbers[0])
    change = f"{PAGES}{endpoint.pk}/change/"
    values = fields(numbers[0], name="ERP", address="", events=EVERY_EVENT)
    client.post(change, values | {"name": "CRM"})
    delivery.refresh_from_db()
    assert delivery.state == State.WAITING

    client.post(change, values | {"caller": "none"})
    delivery.refresh_from_db()
    endpoint.refresh_from_db()
    assert (delivery.state, endpoint.caller) == (State.SKIPPED, "none")
    client.post(f"/admin/live/delivery/{delivery.pk}/resend/")
    delivery.refresh_from_db()
    assert delivery.state == State.SKIPPED


def test_deleting_an_endpoint_deletes_its_deliveries(client, operator, numbers):
    endpoint = make_endpoint("ERP", numbers[0])
    make_delivery(endpoint, numbers[0])
    page = text_of(client.get(f"{PAGES}{endpoint.pk}/delete/"))
    assert "ERP, with its deliveries" in page
    assert "Deliveries: 1" in page
    assert client.post(f"{PAGES}{endpoint.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Endpoint.objects.exists()


@pytest.fixture
def adds(numbers):
    """An endpoint that is on, a message for it, and a function that does something while deliveries are added."""
    since = timezone.now() - timedelta(days=1)
    endpoint = make_endpoint("ERP", numbers[0], is_on=True, on_since=since, caller="whole", events=EVERY_EVENT)
    outbox.fill()
    take(numbers[0], "CALL_START", timezone.now(), call_uuid="a")

    def meanwhile(task):
        with transaction.atomic():
            assert outbox.fill().deliveries == 1
            thread = run_until_it_waits(task)
        thread.join()
        return endpoint

    return meanwhile, endpoint


def test_an_endpoint_is_deleted_while_deliveries_are_added_and_neither_fails(client, operator, adds):
    meanwhile, endpoint = adds
    answers = []
    meanwhile(lambda: answers.append(client.post(f"{PAGES}{endpoint.pk}/delete/", {"post": "yes"}).status_code))
    assert answers == [302]
    assert not Delivery.objects.exists()
    assert not Endpoint.objects.exists()


def test_what_is_being_added_for_more_is_not_sent_either(client, operator, numbers, adds):
    meanwhile, endpoint = adds
    values = fields(numbers[0], name="ERP", address="", events=EVERY_EVENT, caller="none")
    meanwhile(lambda: client.post(f"{PAGES}{endpoint.pk}/change/", values))
    endpoint.refresh_from_db()
    assert (endpoint.caller, Delivery.objects.get().state) == ("none", State.SKIPPED)


def test_the_settings_list_endpoints_among_the_connections(client):
    client.force_login(make_superuser())
    group = text_of(client.get("/admin/")).partition("Connections")[2].partition("Problems")[0]
    assert "Endpoints" in group


def test_the_update_lets_operators_run_endpoints_unless_their_group_was_changed():
    module = import_module("live.migrations.0007_let_operators_run_endpoints")
    group = Group.objects.get(name="operator")
    own = group.permissions.filter(content_type__app_label="live", codename__in=module.PERMISSIONS)
    assert {*own.values_list("codename", flat=True)} == {*module.PERMISSIONS}
    before = {*group.permissions.values_list("pk", flat=True)}
    try:
        with connection.schema_editor() as editor:
            group.permissions.remove(*own)
            module.let_operators_run_endpoints(apps, editor)
            assert {*group.permissions.values_list("pk", flat=True)} == before
            group.permissions.remove(*own, group.permissions.get(codename="view_system"))
            module.let_operators_run_endpoints(apps, editor)
            assert not own.all().exists()
    finally:
        group.permissions.set(before)
