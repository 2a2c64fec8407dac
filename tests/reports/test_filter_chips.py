"""What is set in the bar of filters: a chip for each filter removes just this one, and a link resets all of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client

from calls.models import DestinationNumber, OpeningHours
from reports import periods
from reports.counting import rollups
from reports.filters.presets import Preset
from reports.filters.report_filter import ReportForm
from tests.factories import make_number, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def numbers() -> list[DestinationNumber]:
    """Five numbers, open in office hours, with a call three days ago."""
    hours = OpeningHours.objects.create(name="Office hours")
    numbers = [make_number(f"+492215540030{n}", label=f"Number {n}", opening_hours=hours) for n in range(5)]
    take(numbers[0], "CALL_START", periods.day_start(day(3)) + timedelta(hours=9))
    rollups.recount_changed(wait=True)
    return numbers


@pytest.fixture
def manager(numbers: list[DestinationNumber]) -> User:
    return make_user("mona", numbers=numbers)


@pytest.fixture
def chips(manager: User) -> Callable[..., dict[str, str]]:
    """What returns the chips of a query string, each with what removes it."""

    def chips(query: str, **options: Any) -> dict[str, str]:
        form = ReportForm(QueryDict(query), manager, **options)
        return {chip.label: chip.query_without for chip in form.chips()}

    return chips


def day(ago: int) -> date:
    return periods.today() - timedelta(days=ago)


def named(*numbers: DestinationNumber) -> str:
    return "&".join(f"number={number.e164[1:]}" for number in numbers)


def read(query: str, user: User) -> ReportForm:
    return ReportForm(QueryDict(query), user)


def test_without_a_choice_there_are_no_chips(chips):
    assert chips("") == {}
    # Those are the days of a first visit.
    assert chips("period=7-days") == {}
    assert chips("period=yesterday", default=Preset.YESTERDAY) == {}


def test_each_filter_has_a_chip_that_removes_just_this_one(numbers, manager, chips):
    query = f"period=yesterday&{named(*numbers[:2])}&opening=inside"
    found = chips(query)

    assert list(found) == ["Yesterday", "Number 0", "Number 1", "During opening hours"]
    asked = read(query, manager)
    without_days = read(found["Yesterday"], manager)
    assert (without_days.preset, without_days.selected, without_days.opening) == ("7-days", numbers[:2], "inside")
    assert "Yesterday" not in chips(found["Yesterday"])
    without_number = read(found["Number 0"], manager)
    assert (without_number.period, without_number.selected) == (asked.period, [numbers[1]])
    without_hours = read(found["During opening hours"], manager)
    assert (without_hours.preset, without_hours.selected, without_hours.opening) == ("yesterday", numbers[:2], "all")


def test_many_numbers_share_a_chip(numbers, manager, chips):
    found = chips(named(*numbers[:4]))

    assert list(found) == ["4 of 5 numbers"]
    assert read(found["4 of 5 numbers"], manager).selected == []


def test_other_days_are_named_by_their_dates(chips):
    [label] = chips(f"from={day(4)}&to={day(3)}")

    assert label == periods.Period(day(4), day(3)).label


def test_the_page_of_a_number_has_no_chip_of_numbers(numbers, chips):
    assert list(chips(f"period=today&{named(*numbers[:2])}", number=numbers[0])) == ["Today"]


def test_what_a_page_shows_besides_is_kept(chips):
    found = chips("period=today&opening=inside&by=hour", kept=[("show", "lost")])

    assert found["Today"] == "opening=inside&by=hour&show=lost"


def test_the_last_chip_resets_the_filters_for_the_next_visit(numbers, manager):
    client = Client()
    client.force_login(manager)
    page = client.get("/reports/trend/?period=yesterday").context["page"]
    [chip] = page.form.chips()

    client.get(f"/reports/trend/?{chip.query_without}")

    html = client.get("/reports/").content.decode()
    assert 'id="set-filters"' not in html
    assert 'id="reset"' not in html


@pytest.mark.parametrize("page", ["", "trend/", "busy-hours/", "forwards/", "numbers/", "calls/"])
def test_every_report_shows_what_is_set(numbers, manager, page):
    client = Client()
    client.force_login(manager)

    html = client.get(f"/reports/{page}?period=28-days&opening=inside").content.decode()

    assert 'aria-label="Remove filter: 28 days"' in html
    assert 'aria-label="Remove filter: During opening hours"' in html
    assert html.count('id="reset"') == 1
