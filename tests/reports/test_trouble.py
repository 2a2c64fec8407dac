"""The navigation says beside Data quality how many of a person's numbers have trouble, on every page."""

import re
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from calls.models import DestinationNumber
from reports.counting import rollups
from reports.queries import trouble
from tests.factories import make_number, make_staff, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)

COMPLETE = ("CALL_START", "BLOCK_END", "CALL_END")


def call(number, *kinds, at=None):
    at = at or timezone.now() - timedelta(hours=1)
    for n, kind in enumerate(kinds):
        take(number, kind, at + timedelta(seconds=10 * n), call_uuid=f"{number.pk} {at}")
    rollups.recount_changed(wait=True)


def said(client, path="/reports/glossary/"):
    """Return what the two places of the navigation say, as a screen reader reads them."""
    page = client.get(path).content.decode()
    links = re.findall(r'<a class="navigation-link" href="/reports/data-quality/[^>]*>(.*?)</a>', page, re.DOTALL)
    # The count is there for the eye alone; what is hidden from it is not read.
    links = [re.sub(r'<span class="trouble" aria-hidden="true">\d+</span>', "", link) for link in links]
    return [" ".join(re.sub(r"<[^>]+>", " ", link).split()) for link in links]


def test_the_navigation_counts_the_numbers_with_trouble_that_a_person_sees(client):
    fine, lacking = make_number(label="Fine"), make_number("+4930123456", label="Lacking")
    call(fine, *COMPLETE)
    call(lacking, "CALL_START", "CALL_END")
    client.force_login(make_user("of both", numbers=[fine, lacking]))
    assert said(client) == ["Data quality 1 number needs attention"] * 2
    assert "Data quality needs attention" in client.get("/reports/").content.decode()  # on More

    client.force_login(make_user("of one", numbers=[fine]))
    assert said(client) == ["Data quality"] * 2
    assert "Data quality needs attention" not in client.get("/reports/").content.decode()


def test_a_silent_number_and_its_missing_messages_are_counted_once(client):
    number = make_number(label="Hotline")
    for week in range(1, 5):
        for n in range(16):
            at = timezone.now() - timedelta(weeks=week, minutes=15 * n)
            take(number, "CALL_START", at, call_uuid=f"{week} {n}")
    call(number, "CALL_START", at=timezone.now() - timedelta(hours=5))
    client.force_login(make_staff())

    assert said(client) == ["Data quality 1 number needs attention"] * 2
    assert said(client, "/admin/") == ["Data quality 1 number needs attention"] * 2
    overview = client.get("/reports/").content.decode()
    assert "Hotline: no calls received since" in overview
    assert "1 number sends incomplete data." in client.get("/reports/data-quality/").content.decode()


def test_it_is_read_again_after_a_minute_and_at_once_on_data_quality(client, monkeypatch):
    number = make_number(label="Hotline")
    call(number, "CALL_START", "CALL_END")
    client.force_login(make_user(numbers=[number]))
    assert said(client) == ["Data quality 1 number needs attention"] * 2

    DestinationNumber.objects.update(block_end="off")
    assert said(client) == ["Data quality 1 number needs attention"] * 2
    later = time.monotonic() + trouble.KEPT_S + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert said(client) == ["Data quality"] * 2

    DestinationNumber.objects.update(block_end="automatic")
    assert said(client, "/reports/data-quality/") == ["Data quality 1 number needs attention"] * 2


def test_pages_read_it_once_a_minute(client, django_assert_num_queries):
    numbers = [make_number(f"+492215540030{n}") for n in range(3)]
    client.force_login(make_user(numbers=numbers))
    client.get("/reports/glossary/")

    with django_assert_num_queries(0):
        assert trouble.count_troubled(numbers) == 0
