"""Period, numbers and opening hours are in every link to a report, and are kept for the next visit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from calls.models import Call, DestinationNumber, OpeningHours, Right
from reports import periods
from reports.counting import rollups
from reports.filters import presets
from reports.filters.calls_by_course import OutcomeFilter
from reports.views.number.base import ALL_PARTS, TABS
from tests.factories import PASSWORD, expire, make_number, make_staff, make_user, take
from tests.reports.html_reader import Page

pytestmark = pytest.mark.django_db(transaction=True)

FULL = ("CALL_START", "BLOCK_END SAY", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")
# URL names that are not report pages: sign-in and files.
NO_PAGES = {
    *("home", "login", "logout", "password_change", "password_change_done", "invitation", "invitation_accepted"),
    *("new_file", "file", "download_file", "session_left"),
    *("when", "definitions", "coverage"),  # addresses of earlier versions, which lead on
}
NAMES = {"from", "to", "period", "number", "opening"}


def days_ago(n: int) -> date:
    return periods.today() - timedelta(days=n)


@pytest.fixture
def numbers() -> list[DestinationNumber]:
    """Three numbers with a call on each of four days, answered or lost."""
    hours = OpeningHours.objects.create(name="Office hours")
    hours.weekly.create(weekday=1, opens_at="08:00", closes_at="18:00")
    numbers = [make_number(f"+492215540030{n}", label=f"Number {n}", opening_hours=hours) for n in range(3)]
    for number in numbers:
        for day in range(4):
            # On the same day also in its first minutes.
            at = max(timezone.now() - timedelta(days=day, minutes=20), periods.day_start(days_ago(day)))
            for n, kind in enumerate(FULL if day % 2 else FULL[:1] + FULL[2:3] + FULL[4:]):
                take(number, kind, at + timedelta(seconds=9 * n), call_uuid=f"call-{day}")
    rollups.recount_changed(wait=True)
    return numbers


@pytest.fixture
def manager(numbers: list[DestinationNumber]) -> User:
    return make_user("mona", numbers=numbers, rights=Right)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def pages_of_reports() -> Iterator[str]:
    """Yield the address of every report page in the URL configuration."""
    arguments = dict.fromkeys((*TABS, ALL_PARTS), lambda: [DestinationNumber.objects.first().pk])
    arguments["call"] = lambda: [Call.objects.first().pk]
    for pattern in get_resolver("reports.urls").url_patterns:
        assert isinstance(pattern, URLPattern)
        name = str(pattern.name)
        if name not in NO_PAGES and not name.endswith(("_csv", "_xlsx")):
            yield reverse(name, args=arguments.get(name, list)())


def links_of(client: Client, address: str) -> list[str]:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return [urljoin(address, href) for href in Page(address, answer.content.decode()).addresses if href]


def asked_by(address: str) -> dict[str, list[str]]:
    return {name: values for name, values in parse_qs(urlsplit(address).query).items() if name in NAMES}


def is_page(address: str) -> bool:
    """Return whether a page of reports is at an address: no download, and no page that asks for a reason of one."""
    path = urlsplit(address).path
    return path.startswith("/reports/") and "." not in path and path != reverse("whole_callers")


@pytest.mark.parametrize("who", ["mona", "staff"])
def test_every_link_to_a_report_carries_the_question_of_its_page(settings, numbers, manager, who):
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    user = manager if who == "mona" else make_staff()
    day = days_ago(1).isoformat()
    chosen = [numbers[0].e164, numbers[1].e164]
    wanted = {"from": [day], "to": [day], "number": chosen, "opening": ["outside"]}
    query = f"from={day}&to={day}&opening=outside" + "".join(f"&number=%2B{e164[1:]}" for e164 in chosen)
    walked = 0
    for page in pages_of_reports():
        client = signed_in(user)
        client.get(f"/reports/?{query}")
        if page == reverse("system") and not user.is_staff:
            continue
        for address in filter(is_page, links_of(client, f"{page}?{query}")):
            asked = asked_by(address)
            walked += 1
            if urlsplit(address).path == urlsplit(page).path and page != reverse("calls"):
                continue  # another period or other numbers on the same page
            if urlsplit(address).path == reverse("calls") and set(parse_qs(urlsplit(address).query)) - NAMES:
                # The calls of a count: of its own time and numbers, but never of others; those of a moment are all.
                if "at_once" in address:
                    continue
                assert set(asked.get("number", chosen)) <= {number.e164 for number in numbers}, (page, address)
                assert asked.get("opening") == ["outside"], (page, address)
                continue
            if urlsplit(address).path == reverse("calls") and page == reverse("calls"):
                continue
            if urlsplit(address).path == reverse("forwards") and "/numbers/" in page:
                assert asked["from"] == [day]
                continue
            asked.pop("period", None)
            assert asked == wanted, (page, address)
    assert walked > 100


def test_a_walk_through_all_links_never_loses_the_period(settings, numbers, manager):
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    client, day = signed_in(manager), days_ago(2).isoformat()
    waiting, seen = [f"/reports/?from={day}&to={day}"], set()
    kinds = set()
    while waiting and len(seen) < 80:
        page = waiting.pop(0)
        seen.add(page)
        # Filters on a page lead to other periods.
        here = urlsplit(page).path
        for address in filter(is_page, links_of(client, page)):
            path, asked = urlsplit(address).path, asked_by(address)
            if path == here:
                continue
            is_count = path == reverse("calls") and set(parse_qs(urlsplit(address).query)) - NAMES
            is_call = re.fullmatch(reverse("calls") + r"\d+/", path)
            if not is_count and not is_call:
                assert (asked.get("from"), asked.get("to")) == ([day], [day]), (page, address)
            kind = (here.rstrip("0123456789/"), path.rstrip("0123456789/"), bool(is_count))
            if kind not in kinds and address not in seen:
                kinds.add(kind)
                waiting.append(address)
    assert {"/reports/trend", "/reports/forwards", "/reports/calls", "/reports/numbers"} <= {kind[1] for kind in kinds}


def test_the_question_is_there_again_at_the_next_visit(numbers, manager):
    client = signed_in(manager)
    day = days_ago(3).isoformat()
    client.get(f"/reports/busy-hours/?from={day}&to={day}&number={numbers[1].e164[1:]}&opening=inside")

    for page in ("/reports/", "/reports/forwards/", "/reports/trend/"):
        form = client.get(page).context["page"].form
        assert (form.period.first, form.period.last) == (days_ago(3), days_ago(3))
        assert form.selected == [numbers[1]]
        assert form.opening == "inside"
    listed = client.get("/reports/calls/").context["page"].filter
    assert (listed.period.first, listed.period.last) == (days_ago(3), days_ago(3))
    assert listed.numbers == [numbers[1]]
    # Another user's session does not have it, and downloads depend only on their address.
    assert signed_in(make_staff()).get("/reports/").context["page"].form.selected == []


def test_an_address_with_its_own_parameters_is_a_complete_question(numbers, manager):
    client = signed_in(manager)
    client.get(f"/reports/?from={days_ago(3)}&to={days_ago(3)}&number={numbers[1].e164[1:]}")

    form = client.get(f"/reports/?from={days_ago(2)}&to={days_ago(1)}").context["page"].form
    assert (form.period.first, form.selected) == (days_ago(2), [])
    # Time steps are not part of a question.
    form = client.get("/reports/?by=hour").context["page"].form
    assert (form.period.first, form.period.last) == (days_ago(2), days_ago(1))


@pytest.mark.parametrize("query", ["period=yesterday", "from={day}&to={day}", "from={day}&to={day}&period=yesterday"])
def test_yesterday_is_another_day_tomorrow(numbers, manager, monkeypatch, query):
    client = signed_in(manager)
    client.get(f"/reports/?{query.format(day=days_ago(1))}")
    tomorrow = days_ago(-1)
    monkeypatch.setattr(periods, "today", lambda: tomorrow)

    form = client.get("/reports/trend/").context["page"].form

    assert (form.period.first, form.period.last) == (tomorrow - presets.DAY, tomorrow - presets.DAY)
    assert form.preset == presets.Preset.YESTERDAY


def test_custom_days_stay_the_same_days(numbers, manager, monkeypatch):
    client, day = signed_in(manager), days_ago(1)
    client.get(f"/reports/?from={day}&to={day}&period=days")
    tomorrow = days_ago(-1)
    monkeypatch.setattr(periods, "today", lambda: tomorrow)

    assert client.get("/reports/").context["page"].form.period.first == day


def test_the_page_of_a_number_leaves_the_numbers_that_were_chosen(numbers, manager):
    client = signed_in(manager)
    client.get(f"/reports/?from={days_ago(1)}&to={days_ago(1)}&number={numbers[1].e164[1:]}")
    client.get(f"/reports/numbers/{numbers[0].pk}/?from={days_ago(2)}&to={days_ago(2)}")

    form = client.get("/reports/").context["page"].form

    assert (form.period.first, form.selected) == (days_ago(2), [numbers[1]])


def test_the_calls_of_a_count_change_no_question(numbers, manager):
    client = signed_in(manager)
    client.get(f"/reports/?from={days_ago(3)}&to={days_ago(0)}")
    page = client.get(f"/reports/calls/?from={days_ago(1)}&to={days_ago(1)}&number={numbers[0].e164[1:]}&callbacks=no")

    assert parse_qs(page.context["question"]) == {"from": [str(days_ago(3))], "to": [str(days_ago(0))]}
    # A period chosen on the list changes it.
    chosen = f"/reports/calls/?from={days_ago(1)}&to={days_ago(1)}&period=yesterday&outcome=answered"
    assert parse_qs(client.get(chosen).context["question"])["from"] == [str(days_ago(1))]
    assert client.get("/reports/").context["page"].form.preset == presets.Preset.YESTERDAY


def test_a_page_that_refreshes_itself_does_not_change_the_stored_question(numbers, manager):
    client = signed_in(manager)
    client.get(f"/reports/?from={days_ago(3)}&to={days_ago(3)}")
    client.get("/reports/?period=today", headers={"HX-Request": "true"})
    assert client.get("/reports/").context["page"].form.period.first == days_ago(3)

    client.get("/reports/?period=yesterday", headers={"HX-Request": "true", "HX-Boosted": "true"})
    assert client.get("/reports/").context["page"].form.period.first == days_ago(1)


def test_a_number_that_is_no_longer_visible_is_forgotten(numbers, manager):
    client = signed_in(manager)
    client.get(f"/reports/?number={numbers[0].e164[1:]}&number={numbers[1].e164[1:]}")
    expire(manager, numbers[0])

    for page in ("/reports/", "/reports/trend/", "/reports/calls/", "/reports/glossary/"):
        answer = client.get(page)
        assert answer.status_code == 200
        assert numbers[0].e164[1:] not in answer.content.decode()


def test_resetting_shows_the_defaults(numbers, manager):
    client = signed_in(manager)
    first = client.get("/reports/")
    assert 'id="reset"' not in first.content.decode()
    answer = client.get(f"/reports/?from={days_ago(3)}&to={days_ago(3)}&number={numbers[0].e164[1:]}")
    (reset,) = [href for href in Page("", answer.content.decode()).addresses if "period=default" in href]

    again = client.get(f"/reports/{reset}")

    for answer in (again, client.get("/reports/")):
        form, before = answer.context["page"].form, first.context["page"].form
        assert (form.period, form.selected, form.is_asked) == (before.period, [], False)


def test_signing_out_forgets_the_question(numbers, manager):
    client = signed_in(manager)
    client.get(f"/reports/?from={days_ago(3)}&to={days_ago(3)}")
    client.post("/accounts/logout/")
    client.post("/accounts/login/", {"username": "mona", "password": PASSWORD})
    assert not client.get("/reports/").context["page"].form.is_asked


def test_a_call_leads_back_to_its_list_and_to_the_calls_beside_it_there(numbers, manager):
    client = signed_in(manager)
    query = f"from={days_ago(3)}&to={days_ago(0)}&outcome=answered"
    hrefs = [href for href in links_of(client, f"/reports/calls/?{query}") if urlsplit(href).path != "/reports/calls/"]
    calls = [href for href in hrefs if urlsplit(href).path.startswith("/reports/calls/") and is_page(href)]
    assert len(calls) == 6  # for each number, those of one and of three days ago
    walked = [calls[0]]
    while (older := links_named(client, walked[-1], "next")) and len(walked) < 9:
        walked += older
    assert walked == calls
    assert all(parse_qs(urlsplit(href).query)["outcome"] == ["answered"] for href in walked)
    back = [href for href in links_of(client, calls[0]) if urlsplit(href).path == "/reports/calls/"]
    assert f"/reports/calls/?{urlsplit(calls[0]).query}#call-{urlsplit(calls[0]).path.split('/')[-2]}" in back
    assert "1 of 6" in client.get(calls[0]).content.decode()


def links_named(client: Client, address: str, rel: str) -> list[str]:
    html = client.get(address).content.decode()
    parts = html.split(f'rel="{rel}" href="')[1:]
    return [part.partition('"')[0].replace("&amp;", "&") for part in parts]


def test_the_list_of_calls_has_the_menu_of_the_reports(numbers, manager):
    client = signed_in(manager)
    page = client.get("/reports/calls/?period=yesterday&outcome=answered")
    html = page.content.decode()
    for words in ("Today", "Yesterday", "7 days", "28 days", "Last month", "All days"):
        assert f">{words}</a>" in html
    assert 'type="date"' not in html
    menus = page.context["page"].form
    assert [link.label for link in menus.presets() if link.is_current] == ["Yesterday"]
    assert menus.period.first == days_ago(1)
    for link in menus.presets():
        asked = client.get(f"/reports/calls/?{link.query}").context["page"].filter
        assert asked[OutcomeFilter].chosen == ["answered"]
        assert asked.period is not None
    # Custom days, written as on pages.
    words = f"{days_ago(3):%-d %b %Y}"
    query = "&".join(f"{name}={value}" for name, value in menus.beside_days)
    own = client.get(f"/reports/calls/?{query}&from={words}&to={words}").context["page"].filter
    assert (own.period.first, own.period.last) == (days_ago(3), days_ago(3))
    assert own[OutcomeFilter].chosen == ["answered"]
    every = client.get(f"/reports/calls/?{menus.every_day}").context["page"].filter
    assert every.pairs() == [("period", "all"), ("outcome", "answered")]


def test_every_preset_lists_the_calls_that_reports_count(numbers, manager):
    client = signed_in(manager)
    for preset in presets.offered(periods.today()):
        count = client.get(f"/reports/?period={preset.value}").context["page"].now.offered
        rows = client.get(f"/reports/calls/?period={preset.value}").context["page"].rows
        assert len(rows) == count, preset


@pytest.mark.parametrize("text", ["15 Sep 2026", "Tue 15 Sep 2026", "15. September 2026", "15.9.2026", "15.09.26"])
def test_days_are_read_as_pages_and_people_write_them(numbers, manager, text):
    client = signed_in(manager)
    form = client.get("/reports/", {"from": text, "to": text}).context["page"].form
    assert form.period.first == form.period.last == date(2026, 9, 15)
    listed = client.get("/reports/calls/", {"from": text, "to": text}).context["page"].filter
    assert listed.period.first == listed.period.last == date(2026, 9, 15)


def test_datetimes_are_not_read_as_days(numbers, manager):
    form = signed_in(manager).get("/reports/", {"from": datetime(2026, 9, 15, 8).isoformat()}).context["page"].form  # noqa: DTZ001 (a text)
    assert "is not a valid date" in form.errors["from"]
