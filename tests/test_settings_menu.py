"""The settings, Django's admin, have the frame of report pages and a menu of what a person may open."""

import re
from html import unescape

import pytest
from django.conf import settings
from django.contrib import admin
from django.urls import reverse

from tests.factories import allow, give, make_number, make_staff, make_user

NUMBERS = "/admin/calls/destinationnumber/"

pytestmark = pytest.mark.django_db


def links_of(page, name):
    """Return the links of a navigation: words and addresses, and which of them is of the page itself."""
    html = re.search(rf'<nav [^>]*aria-label="{name}"[^>]*>(.*?)</nav>', page.content.decode(), re.DOTALL)[1]
    links = re.findall(r"<a\b([^>]*)>(.*?)</a>", html, re.DOTALL)
    words = [" ".join(unescape(re.sub(r"<[^>]+>", "", text)).split()) for _attributes, text in links]
    addresses = [re.search(r'href="([^"]*)"', attributes)[1] for attributes, _text in links]
    current = [word for word, (attributes, _text) in zip(words, links, strict=True) if "aria-current" in attributes]
    return dict(zip(words, addresses, strict=True)), current


def test_every_list_of_the_admin_is_in_the_menu_once():
    entries = [entry for _name, group in settings.SETTINGS_MENU for entry in group if isinstance(entry, str)]
    assert sorted(entries) == sorted(model._meta.label_lower for model in admin.site._registry)


def test_the_menu_has_what_a_person_may_open_and_says_where_they_are(client):
    user = make_user("keys", is_staff=True)
    allow(user, "calls.view_accesskey", "calls.view_destinationnumber")
    client.force_login(user)

    menu, current = links_of(client.get("/admin/calls/accesskey/"), "Settings")

    assert menu == {"Numbers": NUMBERS, "Access keys": "/admin/calls/accesskey/", "Why no pop": "/live/why/"}
    assert current == ["Access keys"]


def test_pages_of_an_object_say_to_which_list_it_belongs(client):
    client.force_login(make_staff())
    number = make_number(label="Hotline")

    for action in ("change", "delete", "history"):
        page = client.get(f"{NUMBERS}{number.pk}/{action}/")
        assert links_of(page, "Settings")[1] == ["Numbers"]
        assert links_of(page, "Breadcrumbs")[0] == {"Settings": "/admin/", "Numbers": NUMBERS}
    # A list and an object have their names as headings, not what Django asks to do with them.
    assert "<h1>Numbers</h1>" in client.get(NUMBERS).content.decode()
    change = client.get(f"{NUMBERS}{number.pk}/change/").content.decode()
    assert "<h1>Hotline (+49 221 55400300)</h1>" in change
    assert "<title>Hotline (+49 221 55400300) · Calltally</title>" in " ".join(change.split()).replace(
        "> ", ">"
    ).replace(" <", "<")


def test_the_page_of_all_settings_has_every_group_and_adds_what_a_person_may_add(client):
    client.force_login(make_staff())

    html = client.get("/admin/").content.decode()

    assert "<h1>Settings</h1>" in html
    assert re.findall(r'<section class="settings-group">\s*<h2>([^<]*)', html) == [
        "Numbers",
        "People",
        "Connections",
        "Problems",
        "Technical",
    ]
    assert f'href="{NUMBERS}add/"' in html
    assert 'href="/admin/calls/accesskey/add/"' not in html  # keys are created on the pages of numbers


def test_the_side_bar_is_that_of_reports_with_the_numbers_that_a_person_sees(client):
    own = make_number(label="Hotline")
    make_number("+4930123456", label="Shop")
    user = make_user("anna", is_staff=True)
    allow(user, "calls.view_openinghours")
    give(user, own, "calls")
    client.force_login(user)

    of_settings, current = links_of(client.get("/admin/calls/openinghours/"), "Main")
    of_reports, _current = links_of(client.get(reverse("glossary")), "Main")

    assert "Hotline" in of_settings
    assert list(of_settings) == list(of_reports)
    assert "Shop" not in of_settings
    assert current == ["Settings"]


def test_people_without_any_number_or_permission_get_the_frame(client):
    client.force_login(make_user("nobody", is_staff=True))

    page = client.get("/admin/")

    assert links_of(page, "Main")[0]["Overview"] == "/reports/"
    assert NUMBERS not in page.content.decode()


def test_windows_that_pages_open_have_no_frame(client):
    client.force_login(make_staff())

    html = client.get("/admin/calls/openinghours/add/?_popup=1").content.decode()

    assert 'name="_popup" value="1"' in html
    assert 'aria-label="Main"' not in html
    assert "settings-menu" not in html
