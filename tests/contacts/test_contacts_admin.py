"""The admin pages of contacts: searched by posted texts, edited with their numbers, by people with the permission."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client

from contacts.models import Contact, ContactNumber
from tests.factories import allow, make_contact, make_user
from tests.transactions import run_until_it_waits

pytestmark = pytest.mark.django_db

CONTACTS = "/admin/contacts/contact/"


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


@pytest.fixture
def operator(client):
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client.force_login(user)
    return user


def found(client, text):
    """Search as the form does; return the contacts that are listed."""
    answer = client.post(CONTACTS, {"search": text}, follow=True)
    address, _status = answer.redirect_chain[-1]
    assert text not in address
    return [str(contact) for contact in answer.context["cl"].result_list]


def form(**fields):
    """Return the posted form of a contact with one row for a number."""
    management = {"numbers-TOTAL_FORMS": 1, "numbers-INITIAL_FORMS": 0, "numbers-0-e164": ""}
    return {"name": "Anna Meyer", "company": "", "customer_number": "", "url": "", "note": ""} | management | fields


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("meyer", ["Anna Meyer (Müller & Söhne)"]),
        ("soehne anna", ["Anna Meyer (Müller & Söhne)"]),
        ("K-1001", ["Anna Meyer (Müller & Söhne)"]),
        ("k-10", []),
        ("0171 1234567", ["Anna Meyer (Müller & Söhne)"]),
        ("+49 (171) 123 45 67", ["Anna Meyer (Müller & Söhne)"]),
        ("0171 123456", []),
        ("1234567", []),
        ("0221 47103-55", ["Kölner Bau"]),
        ("0221 47104-55", []),
    ],
)
def test_contacts_are_found_by_words_customer_number_and_whole_phone_number(client, operator, text, names):
    make_contact("Anna Meyer", "+491711234567", company="Müller & Söhne", customer_number="K-1001")
    make_contact("", company="Kölner Bau", with_extensions=["+4922147103"])
    assert found(client, text) == names


def test_numbers_are_entered_in_any_spelling_and_only_once(client, operator):
    saved = client.post(f"{CONTACTS}add/", form(**{"numbers-0-e164": "0221 / 47 10-300", "numbers-0-label": "desk"}))
    assert saved.status_code == 302
    contact = Contact.objects.get()
    assert [(number.e164, number.label) for number in contact.numbers.all()] == [("+492214710300", "desk")]

    stored = {"numbers-INITIAL_FORMS": 1, "numbers-0-id": contact.numbers.get().pk, "numbers-0-contact": contact.pk}
    again = {"numbers-TOTAL_FORMS": 2, "numbers-0-e164": "+49 221 4710300", "numbers-1-e164": "0221 4710300"}
    page = client.post(f"{CONTACTS}{contact.pk}/change/", form(**stored, **again))
    assert "This contact already has this number." in text_of(page)
    assert "is not a phone number" in text_of(client.post(f"{CONTACTS}add/", form(**{"numbers-0-e164": "none"})))
    assert ContactNumber.objects.count() == 1


def test_a_contact_needs_a_name_or_a_company(client, operator):
    assert "Enter a name or a company." in text_of(client.post(f"{CONTACTS}add/", form(name="")))
    assert not Contact.objects.exists()


def test_the_history_says_who_changed_what(client, operator):
    contact = make_contact("Anna Meyer")
    client.post(f"{CONTACTS}{contact.pk}/change/", form(company="Meyer GmbH"))
    history = text_of(client.get(f"{CONTACTS}{contact.pk}/history/"))
    assert "olga Changed Company." in history.replace("company", "Company")


def test_the_list_needs_the_same_number_of_queries_for_any_number_of_contacts(
    client, operator, django_assert_num_queries, django_assert_max_num_queries
):
    make_contact("Anna Meyer", "+491711234567")
    with django_assert_max_num_queries(12) as few:
        client.get(CONTACTS)
    for n in range(5):
        make_contact(f"Contact {n}", f"+4917112345{n}0", f"+4917112345{n}1")
    with django_assert_num_queries(len(few)):
        client.get(CONTACTS)


def test_without_the_permission_nobody_sees_or_changes_contacts_in_the_admin(client):
    contact = make_contact("Anna Meyer", "+491711234567")
    user = make_user("staff", is_staff=True)
    client.force_login(user)
    for address in ("", "add/", f"{contact.pk}/change/", f"{contact.pk}/delete/", "import/"):
        assert client.get(CONTACTS + address).status_code == 403
        assert client.post(CONTACTS + address, {"search": "Meyer"}).status_code == 403

    allow(user, "contacts.view_contact")
    user = type(user).objects.get(pk=user.pk)
    assert "+49 171 1234567" in text_of(client.get(f"{CONTACTS}{contact.pk}/change/"))
    assert client.post(f"{CONTACTS}{contact.pk}/change/", form()).status_code == 403
    assert client.get(f"{CONTACTS}import/").status_code == 403
    assert Contact.objects.get().name == "Anna Meyer"


def test_a_number_is_entered_once_for_a_contact(client, operator):
    contact = make_contact("Anna Meyer", "+492214710300")
    rows = {"numbers-TOTAL_FORMS": 2, "numbers-0-e164": "0221 4710301", "numbers-1-e164": "+49 221 4710301"}
    for posted in (rows, {"numbers-0-e164": "0221 4710300"}):
        page = client.post(f"{CONTACTS}{contact.pk}/change/", form(**posted))
        assert "This contact already has this number." in text_of(page)
    assert ContactNumber.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_add_the_same_number_at_once_the_second_reads_that_it_is_there(client, operator):
    contact = make_contact("Anna Meyer", source="crm")
    added = {"numbers-0-e164": "0221 4710300"}
    address = f"{CONTACTS}{contact.pk}/change/"
    other = Client()
    other.force_login(operator)
    answers = []

    def save():
        answers.append(other.post(address, form(**added)))

    with transaction.atomic():
        # The first one has stored the number, and is not done yet.
        list(Contact.objects.select_for_update().filter(pk=contact.pk))
        ContactNumber.objects.create(contact=contact, e164="+492214710300")
        second = run_until_it_waits(save)
    second.join()
    assert answers[0].status_code == 200
    assert "This contact already has this number." in text_of(answers[0])
    assert ContactNumber.objects.count() == 1
