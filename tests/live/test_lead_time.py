"""Lead time on the page of a number: how long before the answer a ring was on a screen."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from tests.factories import give, make_number, make_user
from tests.live.rings import ring

pytestmark = pytest.mark.django_db(transaction=True)

AT = timezone.now() - timedelta(hours=1)


def rows_of(page):
    cells = re.findall(r"<t[hd] [^>]*>(.*?)</t[hd]>", page.content.decode().partition("</thead>")[2], re.DOTALL)
    texts = [" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in cells]
    return [texts[n : n + 4] for n in range(0, len(texts), 4)]


def answered(user, number, shown_after=None, answered_after=10):
    """Store a ring that was shown and answered so many seconds after it began."""
    shown_at = None if shown_after is None else AT + timedelta(seconds=shown_after)
    ring(user, number, at=AT, shown_at=shown_at, answered_at=AT + timedelta(seconds=answered_after))


def test_it_is_the_median_of_what_was_shown_before_the_answer_and_its_share(client, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 3
    number, other = make_number(label="Hotline"), make_number("+4930123456")
    anna, ben = make_user("anna"), make_user("ben")
    for shown_after in (1, 4, 6):
        answered(anna, number, shown_after)
    answered(ben, number, 12)  # after the answer
    answered(ben, number, None)
    answered(ben, other, 1)
    ring(ben, number, at=AT, shown_at=AT)  # not answered
    lead = make_user("lead")
    client.force_login(lead)
    address = f"/live/lead-time/{number.pk}/"
    assert client.get(address).status_code == 404

    give(lead, number, "people")
    assert rows_of(client.get(address)) == [["All people", "5", "60 %", "6 s"]]

    settings.FORWARDS_LEAST_DESTINATIONS = 2
    assert rows_of(client.get(address)) == [
        ["anna", "3", "100 %", "6 s"],
        ["ben", "2", "0 %", "–"],
        ["All people", "5", "60 %", "6 s"],
    ]
    give(lead, number)
    assert len(rows_of(client.get(address))) == 1
    give(lead, other)
    assert rows_of(client.get(f"/live/lead-time/{other.pk}/")) == [["All people", "1", "100 %", "9 s"]]


def test_it_links_to_its_meaning_in_the_glossary(client):
    number, anna = make_number(), make_user("anna")
    answered(anna, number, 1)
    give(anna, number)
    client.force_login(anna)
    part = client.get(f"/live/lead-time/{number.pk}/").content.decode()
    address, anchor = re.search(r'href="([^"#]+)#([^"]+)"', part).groups()
    assert f'<tr id="{anchor}">' in client.get(address).content.decode()


def test_a_number_without_answered_rings_says_nothing(client):
    number = make_number()
    reader = make_user("reader", numbers=[number])
    ring(reader, number)
    client.force_login(reader)
    assert client.get(f"/live/lead-time/{number.pk}/").content.strip() == b""
    tab = client.get(f"/reports/numbers/{number.pk}/data/").content.decode()
    assert f'hx-get="/live/lead-time/{number.pk}/"' in tab
