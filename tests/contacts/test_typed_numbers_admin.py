"""The admin pages of typed numbers: only numbers that one sees, only variables that were seen, never what was typed."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from contacts import seen_variables
from contacts.models import TypedNumber
from tests.factories import give, make_number, make_user, map_variable, take

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = "/admin/contacts/typednumber/"
SECRET = "864209"


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def receive(number, at=None, **variables):
    name = f"call {timezone.now().timestamp()}"
    at = at or timezone.now() - timedelta(hours=1)
    take(number, "BLOCK_END COLLECT_DIGITS", at, call_uuid=name, correlation_id=name, **variables)


@pytest.fixture
def numbers():
    return make_number(label="Hotline"), make_number("+4930123456", label="Sales")


@pytest.fixture
def operator(client, numbers):
    """A person of the group operator who sees figures of the first number; signed in."""
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    give(user, numbers[0])
    client.force_login(user)
    return user


def form_of(variable="collected_ticket", **fields):
    return {"variable": variable, "kind": "ticket", "label": "Ticket", "pattern": r"\d{4,8}", "url": ""} | fields


def test_operators_choose_a_variable_that_was_seen_and_read_only_what_it_looks_like(client, operator, numbers):
    hotline, sales = numbers
    for ticket in (SECRET, "97531"):
        receive(hotline, collected_ticket=ticket, collected_menu="1", collected_word="Pumpe")
    receive(hotline, collected_menu="2")
    receive(sales, collected_of_sales="1")
    receive(hotline, timezone.now() - timedelta(days=31), collected_long_ago="1")
    step = text_of(client.get(f"{TYPED}add/"))
    assert "Hotline" in step
    assert "Sales" not in step

    page = client.get(f"{TYPED}add/?number={hotline.pk}").content.decode()
    offered = re.findall(r'<option value="(collected[^"]*)">([^<]*)', page)
    assert [text for _name, text in offered] == [
        "collected_menu: in 3 calls, 1 digit",
        "collected_ticket: in 2 calls, 5 to 6 digits",
        "collected_word: in 2 calls, 5 characters",
    ]
    assert SECRET not in page

    url = "https://helpdesk.example.com/{value}"
    answer = client.post(f"{TYPED}add/?number={hotline.pk}", form_of(url=url))
    assert answer.status_code == 302
    typed = TypedNumber.objects.get()
    assert (typed.destination_number, typed.variable, typed.kind) == (hotline, "collected_ticket", "ticket")
    assert (typed.label, typed.pattern, typed.url) == ("Ticket", r"\d{4,8}", url)
    again = client.post(f"{TYPED}add/?number={hotline.pk}", form_of(label="Other"))
    assert "This variable of the number is already used." in text_of(again)


@pytest.mark.parametrize("variable", ["collected_of_sales", "collected_never", "caller_id_number"])
def test_a_variable_that_was_not_seen_on_this_number_is_not_accepted(client, operator, numbers, variable):
    receive(numbers[0], collected_ticket=SECRET)
    receive(numbers[1], collected_of_sales="1")
    answer = client.post(f"{TYPED}add/?number={numbers[0].pk}", form_of(variable))
    assert "Select a valid choice" in text_of(answer)
    assert not TypedNumber.objects.exists()


def test_names_that_hold_a_phone_number_or_cannot_be_found_are_not_offered(numbers):
    hotline = numbers[0]
    receive(hotline, **{"of 0170 12345678": "1", 'a"b': "1", "größe": "1", "x" * 65: "1", "fine one": "1", "": "1"})
    assert [seen.name for seen in seen_variables.of_number(hotline)] == ["fine one"]


def test_numbers_that_one_does_not_see_do_not_exist(client, operator, numbers):
    sales = numbers[1]
    receive(sales, collected_ticket=SECRET)
    hidden = map_variable(sales, label="Hidden")
    foreign, missing = (client.get(f"{TYPED}add/?number={pk}") for pk in (sales.pk, 987654))
    assert text_of(foreign) == text_of(missing)
    assert "Hidden" not in text_of(client.get(TYPED))
    assert client.get(f"{TYPED}{hidden.pk}/change/").status_code == 302
    assert client.post(f"{TYPED}{hidden.pk}/change/", form_of(label="Changed")).status_code == 302
    assert client.post(f"{TYPED}{hidden.pk}/delete/", {"post": "yes"}).status_code == 302
    assert "collected_ticket" not in text_of(client.post(f"{TYPED}add/?number={sales.pk}", form_of()))
    hidden.refresh_from_db()
    assert (hidden.label, TypedNumber.objects.count()) == ("Hidden", 1)


def test_what_is_wrong_is_said_in_words(client, operator, numbers):
    typed = map_variable(numbers[0])
    address = f"{TYPED}{typed.pk}/change/"
    wrong = client.post(address, form_of(pattern="[0-9", url="https://helpdesk.example.com/{number_typed}"))
    assert "This pattern cannot be read: brackets [] not balanced. Enter for example" in text_of(wrong)
    assert "{number_typed} is not known. You can use {value} {caller}" in text_of(wrong)
    assert client.post(address, form_of("other", pattern=r"[A-Z]\d+", label="Case")).status_code == 302
    typed.refresh_from_db()
    assert (typed.pattern, typed.label, typed.variable) == (r"[A-Z]\d+", "Case", "collected_ticket")


def test_only_the_permission_changes_them(client, numbers):
    typed = map_variable(numbers[0])
    client.force_login(make_user("vera", is_staff=True, numbers=numbers))
    for address in (TYPED, f"{TYPED}add/", f"{TYPED}{typed.pk}/change/", f"{TYPED}{typed.pk}/delete/"):
        assert client.get(address).status_code == 403
        assert client.post(address, form_of(label="Changed")).status_code == 403
    typed.refresh_from_db()
    assert typed.label == "Ticket"


def test_who_does_not_see_whole_callers_cannot_remove_what_hides_a_variable(client, operator, numbers):
    hotline, sales = numbers
    give(operator, sales, "calls", "callers")
    kept, removed = map_variable(hotline), map_variable(sales)
    assert client.post(f"{TYPED}{kept.pk}/delete/", {"post": "yes"}).status_code == 403
    both = {"action": "delete_selected", "_selected_action": [kept.pk, removed.pk], "post": "yes"}
    assert client.post(TYPED, both).status_code == 403
    assert TypedNumber.objects.count() == 2

    client.post(f"{TYPED}{removed.pk}/delete/", {"post": "yes"})
    assert TypedNumber.objects.get() == kept
