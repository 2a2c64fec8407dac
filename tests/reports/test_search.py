"""Search of calls: a caller in any spelling, part of a number, withheld, or the beginning of an id."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from calls import search
from calls.models import Call
from tests.factories import make_number, make_staff, make_user
from tests.owner import as_owner
from tests.spellings import READ

pytestmark = pytest.mark.django_db

CALLS = "/reports/calls/"
NOON = datetime(2026, 9, 15, 10, tzinfo=UTC)
CALLERS = ["+491713912345", "+491713999999", "+492214710300", "+442079460123", "116117", "1001", "Zentrale", ""]


def make_call(number, place, caller):
    at = NOON + timedelta(seconds=place)
    return Call(
        destination_number=number,
        call_uuid=f"uuid-{number.pk}-{place}",
        caller_id_number=caller,
        first_post_at=at,
        last_post_at=at,
        decided_by=["0", at.isoformat(), "", caller, ""],
    )


@pytest.fixture
def number():
    number = make_number()
    Call.objects.bulk_create(make_call(number, place, caller) for place, caller in enumerate(CALLERS))
    return number


def page_of(client, text):
    """Search as the form does and return the result page."""
    return client.post(CALLS, {"q": text}, follow=True)


def callers_on(page):
    return [row.call.caller_id_number for row in page.context["page"].rows]


@pytest.mark.parametrize(
    ("text", "callers"),
    [
        ("0171 39", ["+491713999999", "+491713912345"]),
        ("+49171", ["+491713999999", "+491713912345"]),
        ("0049 171 39", ["+491713999999", "+491713912345"]),
        ("49171 391", ["+491713912345"]),
        ("+49 (0)171 391", ["+491713912345"]),
        ("+49 0171 391", ["+491713912345"]),
        ("tel:+49-171-391", ["+491713912345"]),
        ("2345", ["+491713912345"]),
        ("12 345", ["+491713912345"]),
        ("0300", ["+492214710300"]),
        ("221 4710300", ["+492214710300"]),
        ("442079460123", ["+442079460123"]),
        ("116 117", ["116117"]),
        ("1001", ["1001"]),
        ("Zentrale", ["Zentrale"]),
        ("withheld", [""]),
        ("anonymous@anonymous.invalid", [""]),
        ("+43", []),
        ("345", []),  # fewer than four digits, and not an id
    ],
)
def test_a_search_finds_whole_numbers_their_beginning_and_their_last_digits(client, number, text, callers):
    client.force_login(make_staff())
    assert callers_on(page_of(client, text)) == callers
    rows = client.post("/admin/calls/call/", {"search": text}, follow=True).context["cl"].queryset
    assert [call.caller_id_number for call in rows] == callers


@pytest.mark.parametrize(("spelling", "e164"), READ)
def test_each_spelling_finds_its_caller_in_both_searches(client, spelling, e164):
    number = make_number()
    Call.objects.bulk_create([make_call(number, 1, e164), make_call(number, 2, "+4930123456")])
    client.force_login(make_staff())

    assert callers_on(page_of(client, spelling)) == [e164]
    rows = client.post("/admin/calls/call/", {"search": spelling}, follow=True).context["cl"].queryset
    assert [call.caller_id_number for call in rows] == [e164]


def test_a_search_stays_within_the_numbers_that_a_person_may_see(client, number):
    other = make_number("+4922155400301")
    Call.objects.bulk_create([make_call(other, 1, "+491713911111")])
    client.force_login(make_user(numbers=[other]))

    for text in ("0171 39", "1111", "uuid-"):
        assert callers_on(page_of(client, text)) == ["+491713911111"]


@pytest.mark.parametrize("text", ["0171 3912345", "2345"])
def test_the_page_of_a_call_and_the_print_of_the_list_do_not_name_what_was_searched(client, number, text):
    client.force_login(make_staff())
    listed = page_of(client, text)
    html = listed.content.decode()
    # On the list it is in its field.
    assert f'value="{text}"' in html
    assert '<span class="only-print">Filters: Search.</span>' in html
    [row] = listed.context["page"].rows

    answer = client.get(f"{row.call.get_absolute_url()}?{listed.context['page'].list_query}")

    assert answer.context["page"].list_in_words == "Search"
    html = answer.content.decode()
    assert "/ <bdi>Search</bdi>" in html
    assert not any(part in html for part in ("3912345", "391 2345", "“2345”"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0171 55", "Searched for: caller&#x27;s number begins with +49 171 55."),
        ("+49 171 55", "Searched for: caller&#x27;s number begins with +49 171 55."),
        ("5555", "caller&#x27;s number ends in 5555; caller is “5555”; call_uuid begins with “5555”"),
        ("Empfang", "Searched for: caller is “Empfang”"),
    ],
)
def test_an_empty_result_says_what_was_searched(client, number, text, words):
    client.force_login(make_staff())
    assert words in page_of(client, text).content.decode()


def test_a_part_of_many_numbers_is_paged_newest_first(client, monkeypatch):
    monkeypatch.setattr(search, "MOST_BY_ID", 10)
    number = make_number()
    Call.objects.bulk_create(make_call(number, place, f"+49171{place:07d}") for place in range(120))
    client.force_login(make_staff())

    page = page_of(client, "0171")
    callers = callers_on(page)
    while older := page.context["page"].found.older:
        page = client.get(f"{CALLS}?{older}")
        callers += callers_on(page)
    assert callers == [f"+49171{place:07d}" for place in reversed(range(120))]


@pytest.mark.parametrize(
    ("text", "index"),
    [("0171 39", "call_caller_begins"), ("+49171391", "call_caller_begins"), ("4567", "call_caller_ends")],
)
def test_part_of_a_number_is_found_by_index(text, index):
    number = make_number()
    Call.objects.bulk_create(make_call(number, place, f"+49{place * 7919:09d}") for place in range(3_000))
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE calls_call")

    reading = search.callers(text, callers_of=None)[0]
    calls = Call.objects.with_caller_reversed().filter(destination_number__in=[number]).filter(reading.condition)
    plan = calls.order_by().values_list("pk")[: search.MOST_BY_ID + 1].explain()
    assert index in plan
    assert "Seq Scan" not in plan
