"""*Test this key* says what the intake would say of a key, for one number, and sends and stores nothing."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from calls import access_keys
from calls.models import Call, RefusedPost
from tests.factories import allow, give, make_key, make_number, make_staff, make_user, post, post_body

NUMBERS = "/admin/calls/destinationnumber/"
TEST = NUMBERS + "keys/test/"
KEY, OTHER_KEY = "brought-key-0123456789", "another-key-0123456789"
OTHER = "+4922155400301"

pytestmark = pytest.mark.django_db(transaction=True)


def answer_to(client, number, access_key):
    """Return what is said of a key, and whether it is accepted."""
    page = client.post(f"{TEST}?number={number.pk}", {"access_key": access_key})
    html = page.content.decode()
    assert access_key not in html
    found = re.search(r'<ul class="messagelist" role="status">\s*<li ([^>]*)>(.*?)</li>', html, re.DOTALL)
    return unescape(found[2]), "error" not in found[1]


@pytest.fixture
def staff(client):
    client.force_login(make_staff())
    return client


@pytest.mark.parametrize("spelling", [KEY, f"  {KEY} "])
def test_a_key_is_accepted_if_the_intake_accepts_it(staff, spelling):
    number = make_number(label="Hotline")
    make_key(number, KEY)

    said, is_accepted = answer_to(staff, number, spelling)

    assert is_accepted
    assert said.startswith("The key is known, active and issued to Hotline")
    assert not Call.objects.exists()
    assert post(staff, post_body("CALL_START", number, spelling)).status_code == 200


@pytest.mark.parametrize(
    ("issued", "said"),
    [
        ({}, "has expired"),
        ({"expires_at": None, "revoked_at": timedelta(days=-1)}, "was revoked"),
        ({"expires_at": None, "valid_from": timedelta(days=2)}, "is valid from"),
    ],
)
def test_a_key_that_is_not_active_is_refused_with_the_reason(staff, issued, said):
    number, now = make_number(), timezone.now()
    make_key(number, KEY)
    times = {"valid_from": timedelta(days=-2), "expires_at": timedelta(days=-1)} | issued
    number.access_keys.update(**{name: value and now + value for name, value in times.items()})

    words, is_accepted = answer_to(staff, number, KEY)

    assert not is_accepted
    assert said in words
    assert post(staff, post_body("CALL_START", number, KEY)).status_code == 403


def test_a_key_of_other_numbers_is_refused_and_names_those_that_the_person_sees(client):
    own, second, foreign = make_number(label="Hotline"), make_number(OTHER, label="Sales"), make_number("+4930123456")
    make_key(second, KEY)
    make_key(foreign, OTHER_KEY)
    user = make_user("operator", is_staff=True)
    allow(user, "calls.change_destinationnumber")
    give(user, own)
    give(user, second)
    client.force_login(user)

    said, is_accepted = answer_to(client, own, KEY)
    assert not is_accepted
    assert "but to: Sales" in said

    said, is_accepted = answer_to(client, own, OTHER_KEY)
    assert not is_accepted
    assert said == answer_to(client, own, "a-key-that-nobody-has-ever-had")[0]
    assert client.post(f"{TEST}?number={foreign.pk}", {"access_key": OTHER_KEY})["Location"] == NUMBERS


def test_testing_a_key_keeps_no_message_and_says_when_the_last_one_came(staff):
    number = make_number()
    make_key(number, KEY)
    answer_to(staff, number, OTHER_KEY)
    assert not RefusedPost.objects.exists()
    page = staff.get(f"{TEST}?number={number.pk}").content.decode()
    assert "None counted yet" in page

    number.access_keys.update(last_used_at="2026-11-28T13:05:00Z")

    assert "28 Nov 2026, 14:05" in staff.get(f"{TEST}?number={number.pk}").content.decode()


def test_the_page_with_a_new_key_tests_it_in_a_tab_of_its_own(staff):
    number = make_number(label="Hotline")
    address = f"{NUMBERS}keys/issue/?number={number.pk}"
    newest = re.search(r'name="newest" value="(\d+)"', staff.get(address).content.decode())[1]
    page = staff.post(address, {"newest": newest, "access_key": ""}).content.decode()

    form = re.search(r'<form method="post" target="_blank" action="([^"]+)">(.*?)</form>', page, re.DOTALL)
    access_key = re.search(r'name="access_key" value="([^"]+)"', form[2])[1]

    assert form[1] == f"{TEST}?number={number.pk}"
    assert answer_to(staff, number, access_key)[1]


def test_the_page_of_a_key_leads_to_the_test_of_its_number(staff):
    number = make_number()
    access_keys.issue_key(number, access_key=KEY)

    page = staff.get(f"/admin/calls/accesskey/{number.access_keys.get().pk}/change/").content.decode()

    assert f'href="{TEST}?number={number.pk}"' in page
