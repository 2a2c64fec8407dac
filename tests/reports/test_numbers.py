"""The page Numbers lists every number that a person may see; a search among them; pins for the navigation."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.utils import timezone

from calls.models import DestinationNumber
from reports.counting import rollups
from reports.models import PinnedNumber
from reports.queries import pins
from reports.queries.pins import MOST_PINS
from tests.factories import expire, make_number, make_staff, make_user, take
from tests.reports.helpers import ALL_ON
from tests.reports.html_reader import Page
from tests.transactions import run_until_it_waits

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "/reports/numbers/"


@pytest.fixture
def numbers() -> list[DestinationNumber]:
    """Two numbers with a lost call each, of a day ago, and one without calls."""
    numbers = [
        make_number("+492214710300", label="Hotline Köln", **ALL_ON),
        make_number("+498999998770", label="Service München", **ALL_ON),
        make_number("+496990009550"),
    ]
    for number in numbers[:2]:
        for second, kind in enumerate(("CALL_START", "INITIATE_FORWARD", "CALL_END")):
            at = timezone.now() - timedelta(days=1, seconds=-9 * second)
            take(number, kind, at, call_uuid="lost")
    rollups.recount_changed(wait=True)
    return numbers


@pytest.fixture
def manager(client: Client, numbers: list[DestinationNumber]) -> User:
    """Who sees the first two numbers and is signed in."""
    user = make_user("mona", numbers=numbers[:2])
    client.force_login(user)
    return user


def page(client: Client, query: str = "") -> Page:
    answer = client.get(f"{ADDRESS}?{query}")
    assert answer.status_code == 200
    return Page(ADDRESS, answer.content.decode())


def names(client: Client, query: str = "") -> list[str]:
    return [number.name for row in client.get(f"{ADDRESS}?{query}").context["page"].rows if (number := row.number)]


def in_navigation(client: Client) -> list[str]:
    """Return the numbers in the sidebar."""
    html = client.get("/reports/").content.decode()
    side = html[html.index('id="side"') : html.index("</nav>")]
    return [text.strip() for text in re.findall(r'class="number-link"[^>]*>([^<]+)</a>', side)]


def pin(client: Client, number: DestinationNumber) -> None:
    assert client.post(ADDRESS, {"pin": number.pk}).status_code == 302


def test_it_lists_the_numbers_that_a_person_may_see_with_their_counts(client, manager):
    table = page(client, "period=yesterday").table("t-all-numbers")

    assert [(row["Number"].text, row["Calls"].text, row["Lost"].text) for row in table.rows] == [
        ("Hotline Köln", "1", "1"),
        ("Service München", "1", "1"),
    ]
    assert (table.total["Calls"].text, table.total["Lost"].text) == ("2", "2")


def test_numbers_selected_on_other_pages_do_not_shorten_the_list(client, manager, numbers):
    client.get(f"/reports/?number={numbers[0].e164[1:]}")

    assert names(client) == ["Hotline Köln", "Service München"]
    assert client.get("/reports/").context["page"].form.selected == [numbers[0]]


def test_numbers_selected_on_other_pages_have_no_chip_where_all_are_listed(client, manager, numbers):
    selected = f"number={numbers[0].e164[1:]}"
    assert "Remove filter: Hotline Köln" in client.get(f"/reports/busy-hours/?{selected}").content.decode()

    for query in ("", selected):
        html = client.get(f"{ADDRESS}?{query}").content.decode()
        assert "Remove filter" not in html
        assert 'id="reset"' not in html
    html = client.get(f"{ADDRESS}?period=yesterday&{selected}").content.decode()
    assert re.findall('Remove filter: ([^"]*)', html) == ["Yesterday"]
    # Without that chip, the numbers are still selected.
    [href] = re.findall(r'href="\?([^"]*)" id="chip-1"', html)
    client.get(f"{ADDRESS}?{href}")
    assert client.get("/reports/").context["page"].form.selected == [numbers[0]]


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("koeln", ["Hotline Köln"]),
        ("SERVICE", ["Service München"]),
        ("0221 47", ["Hotline Köln"]),
        ("%2B49 221", ["Hotline Köln"]),
        ("8770", ["Service München"]),
        ("9550", []),
        ("0", []),
        ("nothing", []),
    ],
)
def test_a_number_is_found_by_its_name_or_digits(client, manager, term, found):
    assert names(client, f"find={term}") == found


def test_a_search_keeps_the_period(client, manager):
    html = client.get(f"{ADDRESS}?period=yesterday&find=hotline").content.decode()

    form = html[html.index('role="search"') : html.index("</form>", html.index('role="search"'))]
    assert '<input type="hidden" name="period" value="yesterday">' in form
    assert "find=hotline&amp;" not in form


def test_all_numbers_are_in_the_navigation_until_one_is_pinned(client, manager, numbers):
    assert in_navigation(client) == ["Hotline Köln", "Service München"]

    pin(client, numbers[1])
    assert in_navigation(client) == ["Service München", "All 2 numbers"]

    assert client.post(ADDRESS, {"unpin": numbers[1].pk}).status_code == 302
    assert in_navigation(client) == ["Hotline Köln", "Service München"]


def test_above_twelve_numbers_the_navigation_has_the_pinned_ones_and_a_link_to_all(client, numbers):
    more = [make_number(f"+4922155400{n:03}", label=f"Number {n:02}") for n in range(MOST_PINS)]
    client.force_login(make_staff())
    assert in_navigation(client) == ["All 15 numbers"]

    for number in more:
        pin(client, number)
    pin(client, numbers[0])

    assert "You can pin 12 numbers" in client.get(ADDRESS).content.decode()
    assert in_navigation(client) == [*(number.name for number in more), "All 15 numbers"]


def test_pins_are_of_one_person_and_show_no_number_that_they_may_no_longer_see(client, manager, numbers):
    pin(client, numbers[0])
    pin(client, numbers[1])
    expire(manager, numbers[0])

    assert in_navigation(client) == ["Service München"]
    client.force_login(make_staff())
    assert len(in_navigation(client)) == 3


@pytest.mark.parametrize("field", ["pin", "unpin"])
def test_a_number_that_a_person_may_not_see_cannot_be_pinned(client, manager, numbers, field):
    PinnedNumber.objects.create(user=manager, destination_number=numbers[2])

    for value in (numbers[2].pk, 999_999, "x", ""):
        assert client.post(ADDRESS, {field: value}).status_code == 404
    assert PinnedNumber.objects.count() == 1


def test_pins_need_the_token_of_a_form(numbers):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_staff())

    assert client.post(ADDRESS, {"pin": numbers[0].pk}).status_code == 403
    assert not PinnedNumber.objects.exists()


def test_pins_go_with_the_person_and_the_number(client, manager, numbers):
    spare = make_number("+4930123456")
    other = make_user("other", numbers=[spare])
    PinnedNumber.objects.create(user=manager, destination_number=spare)
    PinnedNumber.objects.create(user=other, destination_number=spare)
    other.delete()
    assert PinnedNumber.objects.count() == 1

    spare.delete()

    assert not PinnedNumber.objects.exists()


def test_requests_at_the_same_time_cannot_pin_too_many(client, manager, numbers):
    for n in range(MOST_PINS - 1):
        number = make_number(f"+49305550{n:03}", managers=[manager])
        PinnedNumber.objects.create(user=manager, destination_number=number)
    choices = list(DestinationNumber.objects.visible_to(manager))

    with transaction.atomic():
        assert pins.pin(manager, numbers[0], choices)
        second = run_until_it_waits(lambda: pins.pin(manager, numbers[1], choices))
    second.join()

    assert PinnedNumber.objects.filter(user=manager).count() == MOST_PINS
