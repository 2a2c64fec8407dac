"""Access to numbers is given on the pages of users, and people give only what they have."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone

from calls.access import Rights
from calls.models import DestinationNumber, NumberAccess, Right
from tests.factories import allow, give, make_number, make_superuser, make_user

OTHER = "+4922155400301"
USERS = "/admin/auth/user/"
NUMBERS = "/admin/calls/destinationnumber/"
OF_A_USER_ADMIN = (
    *(f"auth.{name}" for name in ("view_user", "add_user", "change_user")),
    *(f"calls.{name}" for name in ("view_numberaccess", "change_numberaccess", "view_destinationnumber")),
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def numbers():
    return make_number(label="Hotline Köln"), make_number(OTHER, label="Shop")


def make_opener(name, *permissions):
    """Create a user who may open the admin, with these permissions."""
    user = make_user(name, is_staff=True)
    allow(user, *permissions)
    return user


@pytest.fixture
def editor(client):
    """A user admin without access to any number, signed in."""
    user = make_opener("editor", *OF_A_USER_ADMIN)
    client.force_login(user)
    return user


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def address_of(person):
    return f"{USERS}{person.pk}/change/"


def boxes(page):
    """Return whether each box of access is ticked and whether it can be changed, by its name."""
    found = re.findall(r'<input type="checkbox" name="access-(\w+-\w+)"([^>]*)>', page.content.decode())
    return {name: ("checked" in rest.split(), "disabled" not in rest.split()) for name, rest in found}


def form_of(client, person):
    """Return what a browser would send of the page of a user."""
    html = client.get(address_of(person)).content.decode()
    sent = {"first_name": person.first_name, "last_name": person.last_name}
    for field in re.findall(r"<input [^>]*>", html):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', field))
        if "name" not in attributes or re.search(r"\sdisabled\b", field) or attributes["name"] == "csrfmiddlewaretoken":
            continue
        if attributes.get("type") == "checkbox":
            if re.search(r"\schecked\b", field):
                sent[attributes["name"]] = "on"
        elif attributes.get("type") not in {"submit", "radio"}:
            sent[attributes["name"]] = unescape(attributes.get("value", ""))
    return sent


def save(client, person, *ticked, cleared=(), **more):
    """Open the page of a user, tick and clear boxes, and save it; return the page that is shown then."""
    sent = form_of(client, person) | dict.fromkeys(ticked, "on") | more
    return client.post(address_of(person), {k: v for k, v in sent.items() if k not in cleared}, follow=True)


def access_of(person):
    """Return the access of a user as it is stored, by the e164 of the number; blank for all numbers."""
    rows = NumberAccess.objects.filter(user=person).select_related("destination_number")
    return {
        row.destination_number.e164 if row.destination_number else "": ({str(right) for right in row.rights}, row.until)
        for row in rows
    }


# --- Giving access ---------------------------------------------------------------------------------


def test_access_is_given_and_taken_on_one_form_and_the_history_says_it_by_name(client, numbers):
    hotline, shop = numbers
    superuser = make_superuser()
    client.force_login(superuser)
    person = make_user("anna", first_name="Anna", last_name="Muster")
    give(person, hotline)
    give(person, shop, "people")

    save(
        client,
        person,
        f"access-{hotline.pk}-calls",
        f"access-{hotline.pk}-callers",
        cleared=[f"access-{shop.pk}-people"],
    )

    assert access_of(person) == {
        hotline.e164: ({"figures", "calls", "callers"}, None),
        shop.e164: ({"figures"}, None),
    }
    row = NumberAccess.objects.get(destination_number=hotline)
    assert row.granted_by == superuser
    assert timezone.now() - row.granted_at < timedelta(minutes=1)
    history = text_of(client.get(f"{USERS}{person.pk}/history/"))
    assert "Hotline Köln: calls and callers added; Shop: people removed" in history
    assert "Anna Muster: calls and callers added" in text_of(client.get(f"{NUMBERS}{hotline.pk}/history/"))
    assert "Anna Muster: people removed" in text_of(client.get(f"{NUMBERS}{shop.pk}/history/"))


def test_all_numbers_and_a_last_day_are_given_and_the_row_goes_when_it_is_cleared(client, numbers):
    client.force_login(make_superuser())
    person = make_user()
    last_day = timezone.localdate() + timedelta(days=30)

    save(client, person, "access-all-figures", **{"access-all-until": last_day.isoformat()})
    assert access_of(person) == {"": ({"figures"}, last_day)}

    save(client, person, cleared=["access-all-figures"])
    assert access_of(person) == {}
    assert "All numbers: figures removed" in text_of(client.get(f"{USERS}{person.pk}/history/"))


@pytest.mark.parametrize(
    ("ticked", "until", "said"),
    [
        (["calls"], "", "Hotline Köln: tick figures as well"),
        (["figures", "callers"], "", "Hotline Köln: callers and export need calls."),
        (["figures", "export"], "", "Hotline Köln: callers and export need calls."),
        (["figures"], "2020-01-01", "Hotline Köln: the last day is in the past."),
        (["figures"], "soon", "Hotline Köln: Enter a valid date."),
    ],
)
def test_access_that_makes_no_sense_is_refused_with_a_sentence(client, numbers, ticked, until, said):
    client.force_login(make_superuser())
    person, hotline = make_user(), numbers[0]

    page = save(
        client,
        person,
        *(f"access-{hotline.pk}-{right}" for right in ticked),
        **{f"access-{hotline.pk}-until": until},
    )

    assert said in text_of(page)
    assert access_of(person) == {}
    assert f'name="access-{hotline.pk}-figures"' in page.content.decode()


def test_an_unchanged_form_changes_nothing(client, numbers):
    client.force_login(make_superuser())
    person = make_user()
    give(person, numbers[0], "calls", until=timezone.localdate() - timedelta(days=3))
    before = NumberAccess.objects.values().get()

    save(client, person)

    assert NumberAccess.objects.values().get() == before


def test_rows_that_the_page_did_not_show_stay(client, numbers):
    client.force_login(make_superuser())
    person = make_user()
    sent = form_of(client, person)
    give(person, make_number("+4930123456"), "calls")
    assert save(client, person).status_code == 200

    client.post(address_of(person), sent)
    client.post(address_of(person), {k: v for k, v in sent.items() if not k.startswith("access-")})

    assert access_of(person) == {"+4930123456": ({"figures", "calls"}, None)}


# --- People give only what they have ---------------------------------------------------------------


def test_only_what_the_editor_has_can_be_ticked(client, editor, numbers):
    hotline = numbers[0]
    give(editor, hotline, "calls")

    page = client.get(address_of(make_user()))

    assert "Hotline Köln" in text_of(page)
    assert "Shop" not in text_of(page)
    assert boxes(page) == {
        **{f"all-{right.value}": (False, False) for right in Right},
        f"{hotline.pk}-figures": (False, True),
        f"{hotline.pk}-calls": (False, True),
        f"{hotline.pk}-callers": (False, False),
        f"{hotline.pk}-people": (False, False),
        f"{hotline.pk}-export": (False, False),
    }


def test_a_row_with_more_than_the_editor_has_is_shown_and_stays(client, editor, numbers):
    hotline = numbers[0]
    person = make_user()
    give(editor, hotline, "calls")
    give(person, hotline, "calls", "callers")

    page = client.get(address_of(person))
    of_row = {name: state for name, state in boxes(page).items() if name.startswith(f"{hotline.pk}-")}
    assert not any(is_open for _is_ticked, is_open in of_row.values())
    assert [name.partition("-")[2] for name, (is_ticked, _o) in of_row.items() if is_ticked] == [
        "figures",
        "calls",
        "callers",
    ]

    save(client, person, first_name="Anna")
    person.refresh_from_db()
    assert person.first_name == "Anna"
    assert access_of(person) == {hotline.e164: ({"figures", "calls", "callers"}, None)}


@pytest.mark.parametrize("box", ["{hotline}-callers", "{shop}-figures", "all-figures", "999999-figures", "x-figures"])
def test_a_form_that_gives_more_changes_nothing_and_says_so(client, editor, numbers, box):
    hotline, shop = numbers
    person = make_user()
    give(editor, hotline, "calls")
    name = "access-" + box.format(hotline=hotline.pk, shop=shop.pk)

    for more in ({}, {"access-rows": f"all,{hotline.pk},{shop.pk}"}):
        page = save(
            client, person, name, f"access-{hotline.pk}-figures", f"access-{hotline.pk}-calls", **more, first_name="A"
        )
        assert "you may give only access that you have yourself" in text_of(page)

    person.refresh_from_db()
    assert person.first_name == ""
    assert access_of(person) == {}
    assert not LogEntry.objects.exists()


def test_access_is_not_given_for_longer_than_the_editor_has_it(client, editor, numbers):
    hotline = numbers[0]
    last_day = timezone.localdate() + timedelta(days=10)
    give(editor, hotline, until=last_day)
    person = make_user()
    box, field = f"access-{hotline.pk}-figures", f"access-{hotline.pk}-until"

    for until in ("", (last_day + timedelta(days=1)).isoformat()):
        assert "your own access ends on" in text_of(save(client, person, box, **{field: until}))
    assert access_of(person) == {}

    save(client, person, box, **{field: last_day.isoformat()})
    assert access_of(person) == {hotline.e164: ({"figures"}, last_day)}


def test_people_cannot_change_their_own_access(client, editor, numbers):
    give(editor, numbers[0], "calls", until=timezone.localdate() + timedelta(days=1))
    before = access_of(editor)

    page = client.get(address_of(editor))
    assert not any(is_open for _is_ticked, is_open in boxes(page).values())
    page = save(client, editor, f"access-{numbers[0].pk}-figures", **{f"access-{numbers[0].pk}-until": ""})

    assert "you may give only access that you have yourself" in text_of(page)
    assert access_of(editor) == before


@pytest.mark.parametrize("lacking", ["calls.change_numberaccess", "auth.change_user"])
def test_giving_access_needs_its_permission(client, numbers, lacking):
    user = make_opener("editor", *(name for name in OF_A_USER_ADMIN if name != lacking))
    client.force_login(user)
    give(user, None, "calls")
    person = make_user()

    page = client.get(address_of(person))
    assert not any(is_open for _is_ticked, is_open in boxes(page).values())
    client.post(address_of(person), {"username": person.username, "access-rows": "all", "access-all-figures": "on"})

    assert access_of(person) == {}


def test_the_password_of_who_sees_more_is_not_set(client, editor, numbers):
    person = make_user()
    give(person, numbers[0])
    before = User.objects.values().get(pk=person.pk)
    sent = {"password1": "battery staple horse", "password2": "battery staple horse", "usable_password": "true"}

    page = client.post(f"{USERS}{person.pk}/password/", sent | {"set-password": "1"}, follow=True)
    assert "may do or see more than you" in text_of(page)
    assert User.objects.values().get(pk=person.pk) == before

    give(editor, numbers[0])
    client.post(f"{USERS}{person.pk}/password/", sent | {"set-password": "1"})
    person.refresh_from_db()
    assert person.check_password("battery staple horse")


def test_who_gave_access_is_not_deleted(client, numbers):
    client.force_login(make_superuser())
    giver, receiver = make_user("giver"), make_user("receiver")
    NumberAccess.objects.create(user=receiver, destination_number=numbers[0], granted_by=giver)

    for person in (giver, receiver):
        client.post(f"{USERS}{person.pk}/delete/", {"post": "yes"})

    assert [user.username for user in User.objects.exclude(is_superuser=True)] == ["giver"]


def test_who_sees_more_is_not_deleted_and_the_page_names_no_number(client, numbers):
    editor = make_opener("editor", *OF_A_USER_ADMIN, "auth.delete_user")
    client.force_login(editor)
    give(editor, numbers[0])
    more, same = make_user("more"), make_user("same")
    for person, number in ((more, numbers[1]), (same, numbers[0])):
        give(person, number)

    for person in (more, same):
        pages = [
            client.get(f"{USERS}{person.pk}/delete/"),
            client.post(USERS, {"action": "delete_selected", "_selected_action": [person.pk]}),
        ]
        for page in pages:
            assert page.status_code == 200
            assert "Shop" not in text_of(page)
            assert ("may do or see more than you" in text_of(page)) == (person is more)
        client.post(f"{USERS}{person.pk}/delete/", {"post": "yes"})

    assert {user.username for user in User.objects.all()} == {"editor", "more"}


def test_deleting_a_number_names_nobody_who_has_access(client, numbers):
    operator = make_opener("operator", "calls.view_destinationnumber", "calls.delete_destinationnumber")
    client.force_login(operator)
    give(operator, numbers[0])
    give(make_user("somebody"), numbers[0])

    page = client.get(f"{NUMBERS}{numbers[0].pk}/delete/")

    assert "Hotline Köln" in text_of(page)
    assert "somebody" not in text_of(page)
    assert "access to numbers" not in text_of(page).lower()
    client.post(f"{NUMBERS}{numbers[0].pk}/delete/", {"post": "yes"})
    assert not DestinationNumber.objects.filter(pk=numbers[0].pk).exists()


def test_disabling_ends_access_to_numbers_at_once(client, numbers):
    client.force_login(make_superuser())
    person = make_user()
    give(person, numbers[0])
    theirs = type(client)()
    theirs.force_login(person)
    assert theirs.get(f"/reports/numbers/{numbers[0].pk}/").status_code == 200

    save(client, person, cleared=["is_active"])

    assert theirs.get(f"/reports/numbers/{numbers[0].pk}/").status_code == 302
    person.refresh_from_db()
    assert not Rights.of(person).anywhere("figures")


def test_the_history_of_a_user_names_only_numbers_that_the_reader_sees(client, editor, numbers):
    hotline, shop = numbers
    person = make_user()
    client.force_login(make_superuser())
    save(client, person, f"access-{hotline.pk}-figures", f"access-{shop.pk}-figures")

    give(editor, hotline)
    client.force_login(editor)
    history = text_of(client.get(f"{USERS}{person.pk}/history/"))

    assert "Hotline Köln: figures added" in history
    assert "Shop" not in history


def test_the_history_of_a_number_names_people_only_to_those_who_may_see_their_access(client, editor, numbers):
    hotline = numbers[0]
    person, superuser = make_user("anna"), make_superuser("mastermind")
    client.force_login(superuser)
    save(client, person, f"access-{hotline.pk}-figures")
    save(client, superuser, f"access-{hotline.pk}-calls", f"access-{hotline.pk}-figures")
    operator = make_opener("operator", "calls.view_destinationnumber")
    for reader in (editor, operator):
        give(reader, hotline)

    history = {}
    for reader in (editor, operator):
        client.force_login(reader)
        history[reader] = client.get(f"{NUMBERS}{hotline.pk}/history/").content.decode()

    assert "anna: figures added" in history[editor]
    assert "mastermind: " not in history[editor]
    assert "figures added" not in history[operator]


# --- Access that an update made --------------------------------------------------------------------


def test_access_that_was_not_given_in_the_admin_is_listed_and_confirmed(client, numbers):
    client.force_login(make_superuser())
    person, other = make_user("anna"), make_user("boris")
    give(person, numbers[0], "calls")
    NumberAccess.objects.create(user=other, granted_by=person)

    listed = client.get(f"{USERS}?access=unconfirmed").context["cl"].queryset
    assert [user.username for user in listed] == ["anna"]
    save(client, person)
    assert NumberAccess.objects.get(user=person).granted_by is None

    save(client, person, "access-confirm")

    assert NumberAccess.objects.get(user=person).granted_by.is_superuser
    assert access_of(person) == {numbers[0].e164: ({"figures", "calls"}, None)}
    assert not client.get(f"{USERS}?access=unconfirmed").context["cl"].queryset
    assert "Hotline Köln: confirmed" in text_of(client.get(f"{USERS}{person.pk}/history/"))


def test_who_does_not_see_all_numbers_is_told_that_others_are_not_listed(client, editor, numbers):
    person, said = make_user(), "Only numbers that you see yourself are listed."
    give(editor, numbers[0])
    assert said in text_of(client.get(address_of(person)))

    give(editor)
    assert said not in text_of(client.get(address_of(person)))


def test_who_only_reads_users_is_offered_no_password(client):
    client.force_login(make_opener("reader", "auth.view_user"))
    html = client.get(address_of(make_user())).content.decode()
    form = html.partition('id="content-main"')[2].partition("</form>")[0]
    assert "First name" in form
    assert "password" not in form.lower()


def test_a_long_table_has_a_search(client):
    client.force_login(make_superuser())
    person = make_user()
    for n in range(30):
        make_number(f"+49221554003{n:02}")
    assert "access-search" not in client.get(address_of(person)).content.decode()

    make_number("+4930123456")
    assert "access-search" in client.get(address_of(person)).content.decode()


# --- Pages of numbers ------------------------------------------------------------------------------


def test_the_page_of_a_number_shows_who_has_access(client, editor, numbers):
    hotline = numbers[0]
    give(editor, hotline)
    anna, boris, clara = make_user("anna"), make_user("boris"), make_user("clara")
    give(anna, hotline, "calls", "callers")
    give(boris, None, until=timezone.localdate())
    give(clara, hotline, until=timezone.localdate() - timedelta(days=1))
    give(make_user("dora", is_active=False), hotline)

    page = client.get(f"{NUMBERS}{hotline.pk}/change/")

    words = text_of(page)
    assert f'<a href="{address_of(anna)}">anna</a>' in page.content.decode()
    assert "figures, calls and callers" in words
    assert "figures (for all numbers)" in words
    assert "clara" not in words
    assert "dora" not in words
    assert client.get(NUMBERS).context["cl"].queryset.get().people_count == 3


def test_who_adds_a_number_sees_it(client):
    user = make_opener("operator", *(f"calls.{a}_destinationnumber" for a in ("view", "add", "change")))
    client.force_login(user)
    settings = {"short_call_s": 5, "service_level_s": 20, "silent_after_h": 4, "e164": OTHER, "_save": "Save"}
    settings |= dict.fromkeys(
        ["call_start", "block_end", "initiate_forward", "forward_answer", "call_end"], "automatic"
    )

    answer = client.post(
        f"{NUMBERS}add/", settings | {"access_keys-TOTAL_FORMS": 0, "access_keys-INITIAL_FORMS": 0}, follow=True
    )

    assert answer.status_code == 200
    assert "Create access key" in text_of(answer)
    assert access_of(user) == {OTHER: ({"figures"}, None)}
