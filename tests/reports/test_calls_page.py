"""The list of calls and the page of a call, tested by their addresses."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from calls.models import Call, RequestType
from reports.counting import rollups
from reports.filters.call_paging import CALLS_ON_A_PAGE
from reports.views.call_totals import MOST_COUNTED
from tests.factories import OF_MANAGERS, make_number, make_staff, make_user, take
from tests.reports import html_reader

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 9, 14, 10, 0, tzinfo=UTC)
MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
CALLS = "/reports/calls/"


class Links(HTMLParser):
    """All links on a page."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in {"href", "action", "hx-get", "src"} and value]


def links(answer):
    return Links(answer.content.decode()).found


def listed(answer):
    """Return the ids of the calls on a page, in order."""
    return [
        int(urlsplit(link).path.split("/")[-2])
        for link in links(answer)
        if urlsplit(link).path.startswith(CALLS) and urlsplit(link).path.split("/")[-2].isdigit()
    ]


def sign_in(client, user):
    client.force_login(user)
    return client


def bare_call(number, at, n, **fields):
    return Call(
        destination_number=number,
        call_uuid=f"call-{n}",
        first_post_at=at,
        last_post_at=at + timedelta(seconds=30),
        decided_by=["1", "", "", "", ""],
        **fields,
    )


def search(client, text, **fields):
    return client.post(CALLS, {"q": text, **fields})


def test_paging_walks_every_call_exactly_once_also_where_several_began_in_the_same_moment(client):
    number = make_number()
    Call.objects.bulk_create(
        bare_call(number, NOON + timedelta(seconds=n // 40), n) for n in range(2 * CALLS_ON_A_PAGE + 23)
    )
    sign_in(client, make_staff())
    expected = list(Call.objects.order_by("-first_post_at", "-id").values_list("pk", flat=True))

    seen, pages, address = [], [], CALLS
    while address:
        answer = client.get(address)
        pages.append((address, listed(answer)))
        seen += pages[-1][1]
        older = answer.context["page"].found.older
        address = f"{CALLS}?{older}" if older else ""
    assert seen == expected

    newer = answer.context["page"].found.newer
    assert listed(client.get(f"{CALLS}?{newer}")) == pages[-2][1]


def test_an_invalid_cursor_leads_to_the_first_page(client):
    number = make_number()
    bare_call(number, NOON, 1).save()
    sign_in(client, make_staff())
    for cursor in ("x", "1-", "-1", "9" * 17 + "-1", "99999999999999999999-1", "1-99999999999999999999999"):
        for name in ("before", "after"):
            assert client.get(CALLS, {name: cursor}).status_code == 200


def test_the_page_needs_no_more_queries_for_more_calls_and_numbers(client, django_assert_max_num_queries):
    sign_in(client, make_staff())
    numbers = [make_number(f"+4922155400{n:03}") for n in range(30)]
    bare_call(numbers[0], NOON, 0).save()
    # What a process reads once a minute.
    client.get("/reports/glossary/")
    with django_assert_max_num_queries(10):
        client.get(CALLS)
    Call.objects.bulk_create(bare_call(numbers[n % 30], NOON, n) for n in range(1, 60))
    with django_assert_max_num_queries(10):
        client.get(CALLS)


@pytest.mark.parametrize(
    "spelling", ["+49 171 2345678", "0049 171 2345678", "0171 2345678", "01712345678", "+491712345678"]
)
def test_a_caller_is_found_in_any_spelling_and_is_in_no_address(client, spelling):
    number = make_number(call_end="on")
    bare_call(number, NOON, 1, caller_id_number="+491712345678").save()
    bare_call(number, NOON, 2, caller_id_number="+491712345679").save()
    sign_in(client, make_staff())

    answer = search(client, spelling, outcome="in_progress")

    assert answer.status_code == 302
    page = client.get(answer["Location"])
    assert listed(page) == [Call.objects.get(call_uuid="call-1").pk]
    for address in [answer["Location"], *links(page)]:
        assert "1712345678" not in address
        assert "2345678" not in parse_qs(urlsplit(address).query).get("search", [""])[0]


def test_an_id_is_found_by_its_beginning_and_a_withheld_caller_by_that_word(client):
    number = make_number()
    bare_call(number, NOON, 1, caller_id_number="+491712345678", correlation_id="corr-xyz").save()
    bare_call(number, NOON, 22).save()
    sign_in(client, make_staff())
    for text, uuid in (("call-22", "call-22"), ("corr-x", "call-1"), ("anonymous", "call-22")):
        page = client.get(search(client, text)["Location"])
        assert listed(page) == [Call.objects.get(call_uuid=uuid).pk], text


def test_an_expired_search_lists_nothing_and_shows_an_error(client):
    bare_call(make_number(), NOON, 1).save()
    sign_in(client, make_staff())
    answer = client.get(CALLS, {"search": "gone"})
    assert listed(answer) == []
    assert "This search has expired." in answer.content.decode()


def test_a_link_from_a_count_is_not_narrowed_by_an_earlier_search(client):
    bare_call(make_number(), NOON, 1).save()
    sign_in(client, make_staff())
    search(client, "0171 2345678")
    assert len(listed(client.get(CALLS))) == 1


def test_a_call_whose_posts_contradict_each_other_is_marked(client):
    number = make_number()
    take(number, "CALL_START", NOON)
    sign_in(client, make_staff())
    assert "Unusual data, see the call" not in client.get(CALLS).content.decode()

    take(number, "CALL_END", NOON + timedelta(seconds=9), caller_id_number="+4917099999999")

    assert "Unusual data, see the call" in client.get(CALLS).content.decode()


def test_an_invalid_filter_lists_nothing(client):
    bare_call(make_number(), NOON, 1).save()
    sign_in(client, make_staff())
    for query in (
        {"from": "31.02.2026"},
        {"outcome": "lovely"},
        {"start": "noon"},
        {"from": "2026-09-02", "to": "2026-09-01"},
        {"at_once": "2026-09-01T10:00:00Z"},  # without a number
        {"weeks": "4"},  # without days
        {"from": "2026-09-01", "to": "2026-09-02", "weeks": "5"},
    ):
        answer = client.get(CALLS, query)
        assert answer.status_code == 200
        assert listed(answer) == [], query
        assert "No calls are listed." in answer.content.decode()
        assert client.get("/reports/calls.csv", query).status_code == 400


def test_a_manager_sees_only_the_calls_of_their_numbers(client):
    own, other = make_number("+4922155400300"), make_number("+4922155400301")
    bare_call(own, NOON, 1).save()
    bare_call(other, NOON, 2).save()
    sign_in(client, make_user(numbers=[own]))
    my_call, other_call = Call.objects.order_by("call_uuid")

    assert listed(client.get(CALLS)) == [my_call.pk]
    assert client.get(my_call.get_absolute_url()).status_code == 200
    assert client.get(other_call.get_absolute_url()).status_code == 404
    assert client.get(CALLS, {"number": other.e164}).status_code == 404
    assert client.get("/reports/calls.csv", {"number": other.e164}).status_code == 404


def test_a_user_without_calls_gets_an_empty_file_and_one_without_numbers_none(client):
    bare_call(make_number(), NOON, 1).save()
    sign_in(client, make_user(numbers=[make_number("+4922155400301")]))

    answer = client.get("/reports/calls.csv")
    assert answer.status_code == 200
    [header] = b"".join(answer.streaming_content).decode().splitlines()
    assert header.startswith("call_uuid,")

    client.force_login(make_user("nobody"))
    assert client.get("/reports/calls.csv").status_code == 403


@pytest.mark.parametrize("name", ["block", "last_block"])
def test_a_block_type_is_searched_as_it_is_stored(client, name):
    number = make_number()
    take(number, "BLOCK_END", NOON, blockType="A\0B")
    take(number, "CALL_END", NOON + timedelta(seconds=9))
    sign_in(client, make_staff())

    assert len(listed(client.get(CALLS, {name: "A\0B"}))) == 1
    assert listed(client.get(CALLS, {name: "\0"})) == []
    assert client.get("/reports/calls.csv", {name: "\0"}).status_code == 200


def test_the_csv_of_the_list_holds_what_the_list_holds(client):
    number = make_number()
    bare_call(number, NOON, 1, caller_id_number="+491712345678").save()
    bare_call(number, NOON, 2).save()
    sign_in(client, make_staff())
    address = search(client, "0171 2345678")["Location"]
    csv = b"".join(client.get(address.replace("/calls/", "/calls.csv")).streaming_content).decode()
    assert "call-1" in csv
    assert "call-2" not in csv


def test_a_block_filter_lists_what_the_block_counts_count(client):
    number = make_number()
    take(number, "CALL_START", NOON, call_uuid="a")
    take(number, "BLOCK_END QUEUE", NOON + timedelta(seconds=8), call_uuid="a")
    take(number, "CALL_END", NOON + timedelta(seconds=9), call_uuid="a")
    take(number, "BLOCK_END QUEUE", NOON, call_uuid="b")
    take(number, "BLOCK_END SAY", NOON + timedelta(seconds=1), call_uuid="b")
    sign_in(client, make_staff())
    a, b = Call.objects.order_by("call_uuid")
    assert set(listed(client.get(CALLS, {"block": "QUEUE"}))) == {a.pk, b.pk}
    assert listed(client.get(CALLS, {"last_block": "QUEUE"})) == [a.pk]
    assert listed(client.get(CALLS, {"last_block": "SAY"})) == []


def test_markup_in_any_field_is_shown_as_text(client):
    number = make_number(label=MARKUP[:100])
    for n, kind in enumerate([MARKUP, "CALL_START", f"BLOCK_END {MARKUP}", f"INITIATE_FORWARD {MARKUP}"]):
        take(
            number,
            "CALL_START",
            NOON + timedelta(seconds=n),
            requestType=kind.split(" ")[0] if kind != MARKUP else MARKUP,
            blockType=MARKUP,
            destination=MARKUP,
            destinationType=MARKUP,
            customerNumber=f"{MARKUP}{n}",
            caller_id_number=f"{MARKUP}{n}",
            call_uuid=MARKUP,
            correlation_id=MARKUP,
            **{MARKUP: MARKUP},
        )
    sign_in(client, make_staff(first_name="<script>x"))
    call = Call.objects.get()
    for address in (
        call.get_absolute_url(),
        CALLS,
        search(client, MARKUP)["Location"],
        f"{CALLS}?block={MARKUP}",
        "/reports/",
    ):
        html = client.get(address).content.decode()
        assert "<script>alert" not in html
        assert "<script>x" not in html
        assert "<img" not in html


def test_the_page_of_a_call_shows_its_course(client):
    number = make_number(label="Hotline Köln")
    for kind, after in (
        ("CALL_START", 0),
        ("BLOCK_END ANNOUNCEMENT", 9),
        ("INITIATE_FORWARD 1001", 10),
        ("FORWARD_ANSWER 1001", 22),
        ("CALL_END", 280),
    ):
        more = {"customerNumber": 20000} if kind == "CALL_END" else {"collected_menu": "4711"}
        take(number, kind, NOON + timedelta(seconds=after), **more)
    take(number, "HELD_BY_GHOSTS", NOON + timedelta(seconds=12))
    rollups.recount_changed()
    sign_in(client, make_user(numbers=[number], rights=[*OF_MANAGERS, "people"]))

    html = client.get(Call.objects.get().get_absolute_url()).content.decode()

    for text in (
        "Hotline Köln", "Answered", "22 s", "12 s", "4:18 min", "12:00:22.0", "Forwarding 1 to 1001", "1001 answered",
        "HELD_BY_GHOSTS", "collected_menu", "Different customer numbers.", "20000", "9.0 s after the previous message",
        "Answered by 1001 after 22 s; talked 4 min 18 s.",
    ):  # fmt: skip
        assert text in html, text
    assert "style=" not in html


def test_a_call_of_any_subset_of_posts_has_a_page(client):
    number = make_number()
    kinds = list(RequestType.values)
    for n in range(1, 2 ** len(kinds)):
        for place, kind in enumerate(kinds):
            if n >> place & 1:
                take(number, kind, NOON + timedelta(minutes=n, seconds=(place * 7 + n) % 11), call_uuid=f"call-{n}")
    sign_in(client, make_staff())
    for call in Call.objects.all():
        assert client.get(call.get_absolute_url()).status_code == 200
    assert client.get(reverse("calls")).status_code == 200


def lead_of(answer):
    return html_reader.Page("", answer.content.decode()).lead


def test_a_list_says_how_many_calls_it_has(client):
    number = make_number()
    Call.objects.bulk_create(bare_call(number, NOON + timedelta(minutes=n), n) for n in range(CALLS_ON_A_PAGE + 3))
    bare_call(number, NOON, 999, callback_id="c-1").save()
    rollups.recount_changed()
    sign_in(client, make_staff())

    said = "54 calls, newest first. 1 of them is a callback, which figures do not count."
    assert lead_of(client.get(CALLS)) == said
    assert lead_of(client.get(CALLS, {"callbacks": "no"})).startswith("53 calls, newest first. Filters:")
    assert lead_of(client.get(CALLS, {"outcome": "callback"})).startswith("1 call.")
    assert "50 of 54 calls." in " ".join(client.get(CALLS).content.decode().split())
    # Counting these would read every call.
    assert lead_of(client.get(CALLS, {"callbacks": "no", "weekday": "1"})).startswith("Newest first.")

    bare_call(number, NOON + timedelta(days=1), 998, callback_id="c-2").save()
    day = f"{NOON.date() + timedelta(days=1)}"
    assert lead_of(client.get(CALLS, {"from": day, "to": day})).startswith("1 call. 1 of them is a callback")


def test_more_calls_than_are_counted_are_said_to_be_more(client):
    number = make_number()
    Call.objects.bulk_create(bare_call(number, NOON + timedelta(seconds=n), n) for n in range(MOST_COUNTED + 1))
    sign_in(client, make_staff())
    assert lead_of(client.get(CALLS)).startswith("More than 10,000 calls, newest first.")


def test_an_outcome_to_choose_has_as_many_calls_as_its_list(client):
    number, other = make_number(), make_number("+4922155400301", forward_answer="off")
    for at, of in ((NOON, number), (NOON + timedelta(hours=1), other)):
        for n, posts in enumerate(
            (
                ("CALL_START", "INITIATE_FORWARD 1", "CALL_END"),
                ("CALL_START", "INITIATE_FORWARD 1", "FORWARD_ANSWER 1", "CALL_END"),
                ("CALL_START", "CALL_END"),
                ("CALL_START",),
            )
        ):
            for place, kind in enumerate(posts):
                take(of, kind, at + timedelta(minutes=n, seconds=9 * place), call_uuid=f"{of.pk}-{n}")
    rollups.recount_changed()
    sign_in(client, make_staff())
    day = {"from": "2026-09-14", "to": "2026-09-14"}

    for query in ({}, day, day | {"number": number.e164}):
        page = client.get(CALLS, query).context["page"]
        counted = {chip.key: chip.calls for chip in (*page.outcomes, *page.more_outcomes) if chip.key != "callback"}
        listed_as = {key: len(listed(client.get(CALLS, query | {"outcome": key}))) for key in counted}
        assert counted == listed_as
        assert sum(listed_as.values()) == (4 if "number" in query else 8)
    assert client.get(CALLS, {"weekday": "1"}).context["page"].outcomes[0].calls is None


def test_an_outcome_lists_only_calls_that_are_shown_with_it(client):
    number = make_number(forward_answer="off")
    take(number, "CALL_START", NOON)
    take(number, "INITIATE_FORWARD 1", NOON + timedelta(seconds=3))
    take(number, "CALL_END", NOON + timedelta(seconds=20))
    sign_in(client, make_staff())
    assert listed(client.get(CALLS, {"outcome": "missed"})) == []
    assert len(listed(client.get(CALLS, {"outcome": "not_measured"}))) == 1


def test_calls_of_the_list_of_all_calls_stay_in_it(client):
    number, other = make_number(), make_number("+4922155400301")
    bare_call(number, NOON, 1).save()
    bare_call(other, NOON + timedelta(minutes=1), 2).save()
    sign_in(client, make_staff())
    [first, _second] = [link for link in links(client.get(CALLS)) if re.fullmatch(rf"{CALLS}\d+/.*", link)]
    assert client.get(first).context["page"].place_in_words == "1 of 2"
