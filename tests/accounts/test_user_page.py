"""The page of a user in the settings: what is often changed on top, the rest folded below."""

import re

import pytest
from django.contrib.auth.models import Group

from tests.factories import make_number, make_superuser, make_user

pytestmark = pytest.mark.django_db


def test_groups_are_boxes_and_what_is_seldom_changed_is_folded(client):
    make_number(label="Hotline")
    person = make_user("mara")
    client.force_login(make_superuser("root"))
    html = client.get(f"/admin/auth/user/{person.pk}/change/").content.decode()

    assert len(re.findall(r'<input type="checkbox" name="groups"', html)) == Group.objects.count() > 0
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", html.partition('id="content-main"')[2])
    assert headings == ["What the person may do", "Access to numbers", "Single permissions", "Sign-in and dates"]
    folded = re.findall(r"<details>.*?</details>", html.partition('id="content-main"')[2], re.DOTALL)
    assert [re.search(r"<h2[^>]*>([^<]+)", part)[1] for part in folded] == headings[2:]


def test_what_is_folded_is_open_where_it_has_an_error(client):
    person = make_user("mara")
    client.force_login(make_superuser("root"))
    sent = {"username": "mara", "date_joined_0": "yesterday", "date_joined_1": "noon"}
    html = client.post(f"/admin/auth/user/{person.pk}/change/", sent).content.decode()

    assert "Enter a valid date" in html
    folded = re.findall(r"<details>.*?</details>", html.partition('id="content-main"')[2], re.DOTALL)
    assert all("date_joined" not in part for part in folded)
