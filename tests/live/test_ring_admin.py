"""The admin pages of the rings of numbers: numbers one sees, teams by name."""

import re
from html import unescape
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection

from live.models import NumberRings
from tests.factories import give, make_number, make_superuser, make_user

pytestmark = pytest.mark.django_db(transaction=True)

RINGS = "/admin/live/numberrings/"


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


@pytest.fixture
def numbers():
    return make_number(label="Hotline"), make_number("+4930123456", label="Sales")


@pytest.fixture
def operator(client, numbers):
    """A person of the group operator who sees the first number; signed in."""
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    give(user, numbers[0])
    client.force_login(user)
    return user


def form_of(number=None, **fields):
    return {"pop_on": "forward", "ring_timeout_s": 60} | ({"destination_number": number.pk} if number else {}) | fields


def test_operators_set_up_how_the_numbers_ring_that_they_see(client, operator, numbers):
    hotline, sales = numbers
    anna = make_user("anna", first_name="Anna", last_name="Meyer")
    page = client.get(f"{RINGS}add/").content.decode()
    assert "Hotline" in page
    assert "Sales" not in page
    assert client.post(f"{RINGS}add/", form_of(sales)).status_code == 200
    assert client.post(f"{RINGS}add/", form_of(hotline, team=[anna.pk], pop_on="start")).status_code == 302

    rings = NumberRings.objects.get()
    assert (rings.destination_number, rings.pop_on, rings.ring_timeout_s) == (hotline, "start", 60)
    assert [*rings.team.all()] == [anna]
    hidden = NumberRings.objects.create(destination_number=sales)
    assert "Sales" not in text_of(client.get(RINGS))
    assert client.get(f"{RINGS}{hidden.pk}/change/").status_code == 302


def test_the_history_says_by_name_who_joined_and_left_the_team(client, operator, numbers):
    anna = make_user("anna", first_name="Anna", last_name="Meyer")
    rings = NumberRings.objects.create(destination_number=numbers[0])
    address = f"{RINGS}{rings.pk}/"
    client.post(f"{address}change/", form_of(team=[anna.pk]))
    client.post(f"{address}change/", form_of(ring_timeout_s=30))

    history = text_of(client.get(f"{address}history/"))

    assert "olga Anna Meyer added to the team" in history
    assert "Anna Meyer removed from the team" in history
    assert "rings for at most" in history.casefold()


def test_people_whom_one_may_not_name_stay_in_the_team_unseen(client, operator, numbers):
    boss, anna = make_superuser("boss"), make_user("anna")
    rings = NumberRings.objects.create(destination_number=numbers[0])
    rings.team.add(boss)
    address = f"{RINGS}{rings.pk}/change/"
    assert "boss" not in client.get(address).content.decode()
    assert client.post(address, form_of(team=[anna.pk])).status_code == 302
    assert {*rings.team.all()} == {boss, anna}
    assert "Select a valid choice" in text_of(client.post(address, form_of(team=[boss.pk])))

    client.force_login(boss)
    assert client.post(address, form_of(team=[])).status_code == 302
    assert not rings.team.exists()
    client.force_login(operator)
    history = text_of(client.get(address.replace("change", "history")))
    assert "anna removed from the team" in history
    assert "boss removed" not in history


def test_only_the_permission_changes_it(client, numbers):
    viewer = make_user("vera", is_staff=True)
    give(viewer, numbers[0])
    rings = NumberRings.objects.create(destination_number=numbers[0])
    client.force_login(viewer)
    for address in (RINGS, f"{RINGS}add/", f"{RINGS}{rings.pk}/change/", f"{RINGS}{rings.pk}/delete/"):
        assert client.get(address).status_code == 403
        assert client.post(address, form_of(numbers[0], pop_on="never")).status_code == 403
    rings.refresh_from_db()
    assert rings.pop_on == "forward"


def test_going_back_to_the_defaults_deletes_the_row(client, operator, numbers):
    rings = NumberRings.objects.create(destination_number=numbers[0], pop_on="never")
    rings.team.add(make_user("anna"))
    assert "back to the defaults" in text_of(client.get(f"{RINGS}{rings.pk}/delete/"))
    assert client.post(f"{RINGS}{rings.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not NumberRings.objects.exists()


def test_the_update_lets_operators_change_rings_unless_their_group_was_changed():
    group = Group.objects.get(name="operator")
    names = {"view_numberrings", "change_numberrings", "view_pop"}
    of_live = group.permissions.filter(content_type__app_label="live")
    of_rings = of_live.filter(codename__in=names)
    assert {*of_rings.values_list("codename", flat=True)} == names
    before = {*group.permissions.values_list("pk", flat=True)}
    # Later updates give more of this app.
    without_later = before - {*of_live.exclude(codename__in=names).values_list("pk", flat=True)}
    update = import_module("live.migrations.0002_let_operators_change_rings").let_operators_change_rings
    try:
        with connection.schema_editor() as editor:
            group.permissions.remove(*of_live)
            update(apps, editor)
            assert {*group.permissions.values_list("pk", flat=True)} == without_later
            group.permissions.remove(*of_live, group.permissions.get(codename="view_system"))
            update(apps, editor)
            assert not of_live.all().exists()
    finally:
        group.permissions.set(before)


def test_editors_add_themselves_only_where_they_may_see_callers(client, operator, numbers):
    hotline, _sales = numbers
    refused = client.post(f"{RINGS}add/", form_of(hotline, team=[operator.pk]))
    assert "Ask a colleague to add you." in text_of(refused)
    assert not NumberRings.objects.exists()

    give(operator, hotline, "calls", "callers")
    assert client.post(f"{RINGS}add/", form_of(hotline, team=[operator.pk])).status_code == 302
    give(operator, hotline)
    rings = NumberRings.objects.get()
    changed = client.post(f"{RINGS}{rings.pk}/change/", form_of(hotline, team=[operator.pk], ring_timeout_s=30))
    assert changed.status_code == 302
