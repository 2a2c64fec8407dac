"""Overview, number, first run, sign-in and errors, tested by their addresses."""

import hashlib
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.models import Call, DestinationNumber, Right
from reports import periods
from reports.counting import rollups
from reports.models import RollUp
from reports.periods import Grain
from tests.factories import PASSWORD, make_number, make_staff, make_user, take
from tests.owner import as_owner
from tests.reports import html_reader
from tests.reports.helpers import NUMBER_TABS, tabs_of

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = (
    *("/reports/", "/reports/calls/", "/reports/forwards/", "/reports/busy-hours/", "/reports/trend/"),
    *("/reports/numbers/", "/reports/data-quality/"),
)


def sign_in(client, user):
    client.force_login(user)
    return client


def counted(number, *kinds, at=None, **more):
    """Receive and count a call whose posts are seconds apart."""
    at = at or timezone.now() - timedelta(days=1)
    for n, kind in enumerate(kinds):
        take(number, kind, at + timedelta(seconds=10 * n), **more)
    rollups.recount_changed()


class Attributes(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def tags(answer):
    return Attributes(answer.content.decode()).tags


def test_the_home_page_leads_to_the_overview_or_to_sign_in(client):
    assert client.get("/")["Location"] == "/reports/"
    for page in (*PAGES, "/reports/counts.csv", "/reports/calls/1/", "/reports/numbers/1/"):
        assert client.get(page)["Location"].startswith("/accounts/login/?next=/reports/")


def test_signing_in_says_what_went_wrong_and_leads_on(client):
    make_user("mona")
    answer = client.post("/accounts/login/", {"username": "mona", "password": "no"})
    assert "The user name or password is wrong" in answer.content.decode()
    answer = client.post("/accounts/login/", {"username": "mona", "password": PASSWORD, "next": "/reports/calls/"})
    assert answer["Location"] == "/reports/calls/"
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert client.get("/accounts/logout/").status_code == 405


def test_a_password_can_be_changed(client):
    sign_in(client, make_user("mona"))
    assert client.get("/accounts/password_change/").status_code == 200
    new = "a wholly other staple"
    answer = client.post(
        "/accounts/password_change/",
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
        follow=True,
    )
    assert "Password changed" in answer.content.decode()
    assert client.post("/accounts/login/", {"username": "mona", "password": new}).status_code == 302


def test_personal_pages_are_not_cached(client):
    number = make_number()
    counted(number, "CALL_START")
    sign_in(client, make_staff())
    for page in (*PAGES, *tabs_of(number), Call.objects.get().get_absolute_url(), "/reports/calls.csv"):
        assert set(client.get(page)["Cache-Control"].split(", ")) == {"private", "no-store"}, page


def test_pages_are_read_with_get_only(client):
    sign_in(client, make_staff())
    assert client.post("/reports/").status_code == 405
    assert client.post("/reports/counts.csv").status_code == 405


def test_before_the_first_call_staff_see_the_next_step(client, settings):
    settings.PUBLIC_URL = "https://calls.example.com"
    sign_in(client, make_staff())
    assert "/admin/calls/destinationnumber/add/" in client.get("/reports/").content.decode()
    make_number("+492214710300")
    html = client.get("/reports/").content.decode()
    assert "https://calls.example.com/tenios/posts" in html
    assert "&quot;" not in html.partition("<pre")[0].partition("htmx-config")[0]
    assert "+492214710300" in html
    assert html.count("not yet") == 5


def test_before_the_first_call_a_manager_sees_whom_to_ask(client):
    sign_in(client, make_user("mona"))
    html = client.get("/reports/").content.decode()
    assert "No number is assigned to you" in html
    assert "curl" not in html


def test_the_overview_counts_and_links_to_exactly_the_calls_it_counts(client):
    number = make_number(label="Hotline")
    at = timezone.now() - timedelta(days=1)
    counted(number, "CALL_START", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END", at=at, call_uuid="a")
    counted(number, "CALL_START", "INITIATE_FORWARD", "CALL_END", at=at, call_uuid="b")
    counted(number, "CALL_START", "BLOCK_END SAY", "CALL_END", at=at, call_uuid="c")
    counted(number, "CALL_START", "CALL_END", at=at, call_uuid="d", callback_id="7")
    sign_in(client, make_staff())

    for page in ("/reports/", f"/reports/numbers/{number.pk}/", f"/reports/numbers/{number.pk}/?by=quarter-hour"):
        answer = client.get(page)
        html = answer.content.decode()
        assert re.search(r'<b><a href="[^"]+" data-figure="offered" data-calls="3">3</a> calls</b>', html)
        assert re.search(r'<a href="[^"]+" data-figure="lost" data-calls="2">2</a> calls were lost', html)
        assert 'We reached <span class="nowrap">33 %' in html
        counts = re.findall(r'<a href="(/reports/calls/\?[^"]+)"[^>]* data-calls="(\d+)">', html)
        assert len(counts) > 8
        for href, count in counts:
            rows = client.get(href.replace("&amp;", "&")).context["page"].rows
            assert len(rows) == int(count), href


def test_what_is_not_measured_is_shown_with_the_reason_and_never_as_0(client):
    number = make_number(label="Ersatzteile")
    counted(number, "CALL_START", "CALL_END")
    user = make_user(numbers=[number])
    html = sign_in(client, user).get("/reports/").content.decode()
    assert "not measured" in html
    assert "has been answered yet, or the box “" in html
    assert "/admin/" not in html
    html = sign_in(client, make_staff()).get(f"/reports/numbers/{number.pk}/").content.decode()
    assert f"/admin/calls/destinationnumber/{number.pk}/change/" in html


def test_figures_of_forwards_do_not_apply_where_none_is_expected(client):
    number = make_number(label="Ansage", expects_forward=False)
    counted(number, "CALL_START", "CALL_END")
    html = sign_in(client, make_staff()).get(f"/reports/numbers/{number.pk}/waiting/").content.decode()
    assert "Not applicable" in html
    assert "not measured" not in html.partition('id="h-level"')[2].partition('id="h-times"')[0]
    assert "target:" not in html


def test_whatever_is_not_measured_leads_to_which_posts_arrive(client):
    number = make_number()
    counted(number, "CALL_START", "CALL_END")
    sign_in(client, make_user(numbers=[number]))
    there = f'<a href="/reports/data-quality/#n-{number.pk}">Data quality</a>'
    html = client.get(f"/reports/numbers/{number.pk}/all/").content.decode()
    tips = re.findall(r'<span class="tip" role="tooltip" id="tip-nm-[^>]*>(.*?)</span></span>', html)
    assert len(tips) > 5
    assert all(there in tip for tip in tips)
    assert html.count(there) > len(tips)  # the service level, the blocks
    assert f'id="n-{number.pk}"' in client.get("/reports/data-quality/").content.decode()
    assert '<a href="/reports/data-quality/">Data quality</a>' in client.get("/reports/trend/").content.decode()


def test_a_target_that_is_met_exactly_is_reached(client):
    # 29 of 50 is 58 %, but slightly less in floating point.
    number = make_number(service_level_aim=58, short_call_s=0)
    at = timezone.now() - timedelta(days=1)
    for n in range(50):
        kinds = ["CALL_START", "INITIATE_FORWARD", *["FORWARD_ANSWER"] * (n < 29), "CALL_END"]
        for step, kind in enumerate(kinds):
            take(number, kind, at + timedelta(seconds=step), call_uuid=f"call-{n}")
    rollups.recount_changed(wait=True)
    day = at.astimezone(periods.zone()).date()

    html = sign_in(client, make_staff()).get(f"/reports/numbers/{number.pk}/?from={day}&to={day}").content.decode()

    assert "<b>58 %</b>" in html
    assert "The target of 58 % is reached." in html


def test_talk_time_is_shown_by_classes_of_minutes_that_add_up(client):
    number = make_number(short_call_s=0)
    at = timezone.now() - timedelta(days=1)
    # A class includes its upper bound: 60 s are up to one minute, 61 s are not.
    for n, talk_s in enumerate([60, 61, 120, 1801]):
        waits = {"CALL_START": 0, "INITIATE_FORWARD": 1, "FORWARD_ANSWER": 5, "CALL_END": 5 + talk_s}
        for kind, after_s in waits.items():
            take(number, kind, at + timedelta(seconds=after_s), call_uuid=f"call-{n}")
    rollups.recount_changed(wait=True)
    day = at.astimezone(periods.zone()).date()

    sign_in(client, make_staff())
    table = html_reader.page(client, f"/reports/numbers/{number.pk}/waiting/?from={day}&to={day}").table("t-talk")

    assert {row["Talk time"].text: row["Calls"].text for row in table.rows} == {
        "up to 1 min": "1",
        "1 to 2 min": "2",
        "2 to 3 min": "0",
        "3 to 5 min": "0",
        "5 to 10 min": "0",
        "10 to 20 min": "0",
        "20 to 30 min": "0",
        "over 30 min": "1",
    }
    assert table.total["Calls"].text == "4"


def test_an_empty_period_leads_to_the_last_day_with_calls(client):
    number = make_number()
    counted(number, "CALL_START", "CALL_END", at=timezone.now() - timedelta(days=40))
    sign_in(client, make_staff())
    for page in ("/reports/", f"/reports/numbers/{number.pk}/"):
        answer = client.get(f"{page}?period=7-days")
        assert "No calls in this period" in answer.content.decode()
        onward = answer.context["page"].last_day_query
        assert ">1</a> call</b>" in client.get(f"{page}?{onward}").content.decode()


@pytest.mark.parametrize("path", ["/reports/", "/reports/trend/", "/reports/busy-hours/", "/reports/forwards/"])
def test_pages_say_that_counting_is_behind(client, path):
    number = make_number(label="Hotline")
    counted(number, "CALL_START", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")
    sign_in(client, make_user(numbers=[number]))
    assert "Updated " in client.get(path).content.decode()

    RollUp.objects.update(counted_at=timezone.now() - timedelta(hours=2))

    said = " ".join(client.get(path).content.decode().split())
    assert "Last updated 2 hours ago. Counting is stopped or delayed. Calls are stored and will be counted." in said


def test_an_invalid_filter_shows_an_error(client):
    counted(make_number(), "CALL_START", "CALL_END")
    sign_in(client, make_staff())
    answer = client.get("/reports/?from=yesterday")
    assert "is not a valid date" in answer.content.decode()
    fields = {attrs["id"]: attrs for tag, attrs in tags(answer) if tag == "input" and "id" in attrs}
    assert fields["from"]["aria-invalid"] == "true"
    assert "autofocus" in fields["from"]
    assert "aria-invalid" not in fields["to"]
    assert client.get("/reports/counts.csv?from=yesterday").status_code == 400


def test_a_report_is_shown_with_any_time_steps(client):
    number = make_number()
    counted(number, "CALL_START", "CALL_END")
    sign_in(client, make_staff())
    for page in ("/reports/", f"/reports/numbers/{number.pk}/"):
        for grain in Grain:
            html = client.get(page, {"by": grain.value}).content.decode()
            assert f"Calls by {grain.label.lower()}" in html, (page, grain)


def test_no_page_of_counts_reads_calls_or_their_posts(client, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    number = make_number()
    # A manager, because for staff the newest posts are searched for unknown senders.
    sign_in(client, make_user(numbers=[number], rights=Right))
    counted(number, "CALL_START", "BLOCK_END BRIDGE", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")
    for page in (
        *("/reports/", *tabs_of(number), "/reports/busy-hours/", "/reports/trend/?by=day"),
        "/reports/numbers/",
        *("/reports/forwards/", "/reports/data-quality/", "/reports/glossary/"),
    ):
        with CaptureQueriesContext(connection) as asked:
            assert client.get(page).status_code == 200
        read = [query["sql"] for query in asked if re.search(r"\bcalls_call(event)?\b", query["sql"])]
        assert not read, (page, read)
        assert asked.captured_queries


def test_no_id_is_printed_with_a_thousands_separator(client):
    number = make_number(pk=1_234_567)
    with as_owner(), connection.cursor() as cursor:
        for table in ("calls_call", "calls_callevent"):
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 7654321)", [table])
    sign_in(client, make_staff())
    pages = [client.get("/reports/")]
    counted(number, "CALL_START", "BLOCK_END SAY", "INITIATE_FORWARD", "CALL_END")
    call = Call.objects.get()
    pages += [client.get(page) for page in (*PAGES, *tabs_of(number), call.get_absolute_url(), "/reports/?by=day")]
    assert call.pk > 999
    for answer in pages:
        assert answer.status_code == 200
        for tag, attrs in tags(answer):
            separated = {name: value for name, value in attrs.items() if re.search(r"\d,\d{3}", value or "")}
            assert not separated, tag


def test_another_managers_number_is_not_found(client):
    own, other = make_number("+4922155400300"), make_number("+4922155400301")
    counted(own, "CALL_START")
    sign_in(client, make_user(numbers=[own]))
    assert {client.get(page).status_code for page in tabs_of(own)} == {200}
    assert {client.get(page).status_code for page in tabs_of(other)} == {404}
    assert client.get("/reports/", {"number": other.e164}).status_code == 404
    assert client.get("/reports/counts.csv", {"number": other.e164}).status_code == 404
    assert other.readable not in client.get("/reports/").content.decode()


def test_downloads_carry_the_filters_of_the_page(client, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    number = make_number()
    counted(number, "CALL_START", "BLOCK_END SAY", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")
    sign_in(client, make_staff())
    offered = {
        "/reports/?period=7-days": "counts blocks calls planner",
        f"/reports/numbers/{number.pk}/": "counts calls",
        f"/reports/numbers/{number.pk}/waiting/": "times counts calls",
        f"/reports/numbers/{number.pk}/by-hour/": "week peaks counts calls planner",
        f"/reports/numbers/{number.pk}/forwarding/": "blocks counts calls",
        f"/reports/numbers/{number.pk}/comparison/": "counts calls",
        f"/reports/numbers/{number.pk}/data/": "coverage counts calls",
        f"/reports/numbers/{number.pk}/all/": "counts blocks times week peaks coverage calls planner",
        "/reports/busy-hours/": "week",
        "/reports/trend/?by=day": "counts planner",
        "/reports/forwards/": "forwards",
        "/reports/calls/": "calls",
    }
    lines_of = {"blocks": 2, "times": 1 + 3 * 8, "week": 1 + 7, "planner": 7 * 96, "coverage": 1 + 5}
    for page, names in offered.items():
        # The answer may be a page, which a browser would otherwise save under the name of the file.
        links = [
            attrs
            for tag, attrs in tags(client.get(page))
            if tag == "a" and re.search(r"\.csv|\.xlsx", attrs.get("href", ""))
        ]
        assert not [attrs["href"] for attrs in links if "download" in attrs]
        hrefs = [attrs["href"] for attrs in links]
        plain = [href for href in hrefs if ".csv" in href and "format=excel" not in href]
        # In the menu, each also for Excel; and again at the end of the page for narrow windows.
        menu = plain[: len(names.split())]
        assert [href.partition("?")[0] for href in menu] == [f"/reports/{name}.csv" for name in names.split()]
        again = [href for href in menu if "planner" not in href or "trend" in page or "numbers/" in page]
        assert plain[len(menu) :] == again, page
        for_excel = [href for href in menu if "planner" not in href]
        assert [href for href in hrefs if "format=excel" in href] == [f"{href}&format=excel" for href in for_excel]
        assert [href for href in hrefs if ".xlsx" in href] == [href.replace(".csv", ".xlsx") for href in for_excel]
        for href in hrefs:
            answer = client.get(href)
            assert answer.status_code == 200, href
            body = b"".join(answer.streaming_content)
            if ".csv" in href:
                name = href.rpartition(".csv")[0].rpartition("/")[2]
                assert len(body.decode().splitlines()) == lines_of.get(name, 2), href


def test_every_count_that_leads_to_calls_says_which_figure_it_is(client, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    number = make_number(label="Hotline")
    counted(number, "CALL_START", "BLOCK_END SAY", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END", call_uuid="a")
    counted(number, "CALL_START", "BLOCK_END SAY", "CALL_END", call_uuid="b")
    sign_in(client, make_staff())

    for page in (
        "/reports/",
        "/reports/busy-hours/",
        "/reports/trend/",
        "/reports/forwards/",
        *tabs_of(number),
    ):
        html = client.get(page).content.decode().partition("<main")[2].partition("</main>")[0]
        links = re.findall(r'<a ([^>]*href="/reports/calls/\?[^>]*)>\s*[\d,<]', html)
        assert links, page
        assert [link for link in links if "data-figure=" not in link] == [], page


def test_each_number_has_its_last_four_weeks_as_a_line(client):
    number = make_number()
    for days, calls in ((1, 2), (5, 3), (28, 1), (29, 7)):
        for n in range(calls):
            at = timezone.now() - timedelta(days=days)
            counted(number, "CALL_START", "CALL_END", at=at, call_uuid=f"{days}-{n}")
    sign_in(client, make_staff())

    page = client.get("/reports/").content.decode()

    assert 'aria-label="0 to 3 calls a day, 2 on the last day"' in page
    points = re.search(r'<polyline points="([^"]+)"', page).group(1).split()
    assert len(points) == 28
    assert points[0] == "0.0,16.0"
    assert points[-1] == "100.0,8.0"


@pytest.mark.parametrize("many", [3, 30])
def test_no_query_is_made_per_number(client, django_assert_max_num_queries, many):
    for n in range(many):
        counted(make_number(f"+4922155400{n:03}"), "CALL_START", "BLOCK_END SAY", "CALL_END", call_uuid=f"call-{n}")
    sign_in(client, make_staff())
    # What a process reads once a minute.
    client.get("/reports/glossary/")
    # Two of them say whether the data are complete.
    with django_assert_max_num_queries(27):
        client.get("/reports/")
    most = dict(zip(NUMBER_TABS, (16, 18, 17, 17, 14, 16, 29), strict=True))
    for tab, queries in most.items():
        with django_assert_max_num_queries(queries):
            client.get(f"/reports/numbers/{DestinationNumber.objects.first().pk}/{tab}")


def test_no_page_needs_what_the_content_policy_forbids(client, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    number = make_number()
    counted(number, "CALL_START", "BLOCK_END SAY", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")
    login = client.get("/accounts/login/")
    sign_in(client, make_staff())
    answers = [
        client.get(page)
        for page in (
            *PAGES,
            *tabs_of(number),
            "/reports/forwards/",
            "/nowhere/",
            "/accounts/password_change/",
        )
    ]
    for answer in [login, *answers]:
        ids = [attrs["id"] for _tag, attrs in tags(answer) if "id" in attrs]
        assert len(ids) == len(set(ids)), {name for name in ids if ids.count(name) > 1}
        for tag, attrs in tags(answer):
            assert "style" not in attrs
            assert tag != "style"
            assert not [name for name in attrs if name.startswith("on")]
            # Data for a chart is not a script that a browser runs.
            is_data = attrs.get("type") == "application/json"
            assert tag != "script" or is_data or attrs.get("src", "").startswith("/static/")
            assert tag != "th" or "scope" in attrs


def test_an_error_page_says_so_in_words_and_leads_back(client):
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    html = answer.content.decode()
    assert "This page does not exist" in html
    assert 'href="/reports/"' in html


def test_vendored_files_are_unchanged():
    vendor = Path(finders.find("reports/vendor/README.md")).parent
    said = dict(
        reversed(line.split("  "))
        for line in re.findall(r"^[0-9a-f]{64}  .+$", (vendor / "README.md").read_text(), re.M)
    )
    there = {
        str(path.relative_to(vendor)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert there == said


def test_static_files_can_be_collected(tmp_path, settings):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "config.staticfiles.HashedAndCompressed"}}
    call_command("collectstatic", "--noinput", verbosity=0)
    assert (tmp_path / "staticfiles.json").exists()
