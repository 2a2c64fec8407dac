"""The admin pages of look-ups: the secret is never shown, and staff see how a question goes."""

from html import unescape

import pytest
from django.contrib.auth.models import Group

from contacts.models import Lookup
from tests.factories import allow, give, make_number, make_user
from tests.web_server import web_server

pytestmark = pytest.mark.django_db

PAGES = "/admin/contacts/lookup/"
SECRET = "Bearer of-the-CRM-4711"


@pytest.fixture
def server(settings):
    settings.OUTGOING_LOOPBACK = True
    with web_server() as server:
        server.answers([{"name": "Anna Meyer", "page": "https://crm.example.com/1"}, {"name": "Ben"}])
        yield server


@pytest.fixture
def operator(client):
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    give(user, None, "calls", "callers")
    client.force_login(user)
    return user


def fields(server, **more):
    values = {"name": "CRM", "url": f"{server.url}/?tel={{caller}}", "name_path": "name", "url_path": "page"}
    return values | {"header_name": "Authorization", "secret": SECRET} | more


def add(client, server, **more):
    page = client.post(f"{PAGES}add/", fields(server, **more))
    assert page.status_code == 302, page.context["errors"]
    return Lookup.objects.get()


def tried(client, lookup, caller="0171 1234567"):
    return unescape(client.post(f"{PAGES}{lookup.pk}/try/", {"caller": caller}).content.decode())


def test_a_secret_is_sent_but_never_shown_and_stays_until_it_is_replaced(client, operator, server):
    lookup = add(client, server)
    change = f"{PAGES}{lookup.pk}/change/"
    assert SECRET not in str(Lookup.objects.values().get())
    client.post(change, fields(server, secret="", note_path="note"))
    for page in (change, PAGES, f"{PAGES}{lookup.pk}/history/", f"{PAGES}{lookup.pk}/try/"):
        assert SECRET not in client.get(page).content.decode()
    assert SECRET not in tried(client, lookup)
    assert server.asked[0][1]["authorization"] == SECRET

    client.post(change, fields(server, secret="another"))
    tried(client, lookup)
    assert server.asked[1][1]["authorization"] == "another"
    client.post(change, fields(server, secret="", header_name=""))
    assert Lookup.objects.get().header_secret == ""


def test_a_secret_goes_to_no_other_host_than_the_one_it_was_entered_for(client, operator, server):
    lookup = add(client, server)
    elsewhere = fields(server, url="https://evil.example/?tel={caller}", secret="")
    page = client.post(f"{PAGES}{lookup.pk}/change/", elsewhere)
    assert "Enter the secret again" in page.content.decode()
    assert Lookup.objects.get().url == lookup.url
    assert client.post(f"{PAGES}{lookup.pk}/change/", elsewhere | {"secret": "new"}).status_code == 302


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"secret": ""}, "Enter the secret"),
        ({"header_name": ""}, "Enter the header"),
        ({"secret": "two\nlines"}, "in one line"),
        ({"secret": "ä"}, "in one line"),
    ],
)
def test_header_and_secret_belong_together(client, operator, server, more, why):
    page = client.post(f"{PAGES}add/", fields(server, **more))
    assert (page.status_code, Lookup.objects.count()) == (200, 0)
    assert why in page.content.decode()


def test_staff_try_a_look_up_and_see_what_was_found(client, operator, server):
    page = tried(client, add(client, server))
    for text in ("/?tel=%2B491711234567", ">200<", "Anna Meyer", "https://crm.example.com/1"):
        assert text in page
    assert ">1</td>" in page  # more records
    server.answers([])
    assert "does not know this caller" in tried(client, Lookup.objects.get())
    assert "errors" in tried(client, Lookup.objects.get(), caller="nobody")
    assert len(server.asked) == 2


def test_staff_are_told_what_is_wrong(client, operator, server, settings):
    lookup = add(client, server)
    server.status, server.body = 200, b"<html>"
    assert "not JSON" in tried(client, lookup)
    server.answers({"surname": "Meyer"})
    assert "The record has: surname" in tried(client, lookup)
    server.status = 401
    assert "Check the header and its secret" in tried(client, lookup)
    Lookup.objects.update(header_secret="of another key")
    assert "Enter it again" in tried(client, lookup)
    Lookup.objects.update(header_secret="", header_name="", url="https://nobody.invalid/{caller}")
    assert "No host is known" in tried(client, lookup)
    Lookup.objects.update(url="http://10.0.0.1/{caller}")
    assert "OUTGOING_PRIVATE_NETWORKS" in tried(client, lookup)
    settings.OUTGOING_LOOPBACK = False
    Lookup.objects.update(url=f"{server.url}/{{caller}}")
    assert "never sends anything to this address" in tried(client, lookup)


def test_who_only_sees_look_ups_cannot_have_them_asked(client, server):
    lookup = Lookup.objects.create(name="CRM", url=f"{server.url}/{{caller}}")
    user = make_user("vera", is_staff=True)
    allow(user, "contacts.view_lookup")
    client.force_login(user)
    page = client.get(f"{PAGES}{lookup.pk}/change/").content.decode()
    assert "CRM" in page
    assert "/try/" not in page
    assert 'name="secret"' not in page
    assert client.post(f"{PAGES}{lookup.pk}/try/", {"caller": "0171 1234567"}).status_code == 403
    assert server.asked == []


def test_only_who_may_see_all_callers_has_them_sent_to_an_address(client, operator, server):
    lookup = add(client, server)
    give(operator, None, "calls")
    give(operator, make_number(), "calls", "callers")

    assert client.get(f"{PAGES}add/").status_code == 403
    assert client.post(f"{PAGES}{lookup.pk}/change/", fields(server, name="mine")).status_code == 403
    assert client.post(f"{PAGES}{lookup.pk}/try/", {"caller": "0171 1234567"}).status_code == 403
    assert Lookup.objects.get().name == "CRM"
