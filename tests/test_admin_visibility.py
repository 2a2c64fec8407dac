"""Lists and pages of the admin show only numbers that the person sees, and of them only what they may see."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from calls.ingest import intake
from calls.models import Call, CallEvent, DestinationNumber, OpeningHours, RefusedPost
from reports.models import DayBlockCounts, DayCounts, FirstPost, QuarterHourBlockCounts, QuarterHourCounts
from tests.factories import ACCESS_KEY, allow, give, make_key, make_number, make_user, post, post_body, take

OTHER = "+4922155400301"
# The key of this number is sent with posts that are refused.
STRANGER, KEY_OF_STRANGER = "+4930555000", "the-key-of-a-stranger-0123456789"
CALLER, MASKED, MASKED_ON_PAGES = "+4917012345678", "+4917012345•••", "+49 170 12345•••"
DESTINATION = "+492212345678"
AT = datetime(2026, 9, 9, 10, 7, tzinfo=UTC)
NUMBERS = "/admin/calls/destinationnumber/"
KEYS = "/admin/calls/accesskey/"
CALLS = "/admin/calls/call/"
EVENTS = "/admin/calls/callevent/"
HOURS = "/admin/calls/openinghours/"
REFUSED = "/admin/calls/refusedpost/"
COUNTS = (QuarterHourCounts, DayCounts, QuarterHourBlockCounts, DayBlockCounts, FirstPost)
VIEWS = ("call", "callevent", "refusedpost", "destinationnumber", "accesskey", "openinghours")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def numbers():
    return make_number(label="Hotline Köln"), make_number(OTHER, label="Shop")


def make_opener(name, *permissions):
    """Create a user who may open the admin, with these permissions."""
    user = make_user(name, is_staff=True)
    allow(user, *permissions)
    return user


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def refuse(client, e164, kind="CALL_START"):
    """Post a call of a number with the key of another number, which is refused and kept."""
    if not DestinationNumber.objects.filter(e164=STRANGER).exists():
        make_key(make_number(STRANGER, label="Stranger"), KEY_OF_STRANGER)
    assert post(client, post_body(kind, e164, KEY_OF_STRANGER)).status_code == 403
    intake.get_intake().close()


@pytest.fixture
def filled(client, numbers):
    """Two numbers with a call, keys, counts and a refused post each."""
    for number in numbers:
        make_key(number, ACCESS_KEY)
        for n, kind in enumerate(("CALL_START", "BLOCK_END QUEUE", f"INITIATE_FORWARD {DESTINATION}", "CALL_END")):
            take(
                number,
                kind,
                AT + timedelta(seconds=n),
                call_uuid=f"call-of-{number.label[:4]}",
                caller_id_number=CALLER,
                callback_on="0170 12345678",
            )
        refuse(client, number.e164)
    call_command("roll_up")
    return numbers


@pytest.fixture
def reader(client):
    """A person who may view every table of the admin, without access to any number; signed in."""
    user = make_opener("reader", *(f"calls.view_{name}" for name in VIEWS))
    allow(user, *(f"reports.view_{model._meta.model_name}" for model in COUNTS))
    client.force_login(user)
    return user


def rows_of(model, number):
    if model is CallEvent:
        return model.objects.filter(call__destination_number=number)
    if model is RefusedPost:
        return model.objects.filter(destination_number=number.e164)
    return (
        model.objects.filter(pk=number.pk)
        if model is DestinationNumber
        else model.objects.filter(destination_number=number)
    )


@pytest.mark.parametrize("model", [Call, CallEvent, RefusedPost, DestinationNumber, *COUNTS])
def test_lists_and_pages_show_only_numbers_that_the_person_sees(client, filled, reader, model):
    own, foreign = filled
    right = "calls" if model in {Call, CallEvent} else "figures"
    table = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    assert not client.get(table).context["cl"].result_count

    give(reader, own, *([right] if right != "figures" else []))
    page = client.get(table)
    assert {row.pk for row in page.context["cl"].queryset} == set(rows_of(model, own).values_list("pk", flat=True))
    assert "Shop" not in text_of(page)
    assert foreign.readable not in text_of(page)

    assert client.get(f"{table}{rows_of(model, own)[0].pk}/change/").status_code == 200
    for action in ("change", "history"):
        for pk in (rows_of(model, foreign)[0].pk, 999999):
            assert client.get(f"{table}{pk}/{action}/").status_code == 302
    content_type = ContentType.objects.get_for_model(model).pk
    assert client.get(f"/admin/r/{content_type}/{rows_of(model, foreign)[0].pk}/").status_code == 404


def test_single_calls_need_their_right(client, filled, reader):
    give(reader, filled[0])

    assert not client.get(CALLS).context["cl"].result_count
    assert not client.get(EVENTS).context["cl"].result_count
    assert client.get(f"{CALLS}{Call.objects.first().pk}/change/").status_code == 302


def test_keys_of_other_numbers_are_not_found_and_not_revoked(client, filled):
    own, foreign = filled
    user = make_opener("operator", "calls.view_destinationnumber", "calls.change_destinationnumber")
    allow(user, "calls.view_accesskey")
    give(user, own)
    client.force_login(user)
    key = foreign.access_keys.get()

    assert {row.destination_number_id for row in client.get(KEYS).context["cl"].queryset} == {own.pk}
    for page in ("issue", "rotate"):
        assert client.post(f"{NUMBERS}keys/{page}/?number={foreign.pk}", {"newest": 0})["Location"] == NUMBERS
    client.post(f"{KEYS}revoke/?key={key.pk}")
    key.refresh_from_db()
    assert (key.revoked_at, foreign.access_keys.count()) == (None, 1)


def test_opening_hours_name_only_numbers_that_the_person_sees(client, numbers):
    own, foreign = numbers
    hours = OpeningHours.objects.create(name="Office hours")
    DestinationNumber.objects.update(opening_hours=hours)
    user = make_opener("operator", *(f"calls.{action}_openinghours" for action in ("view", "change", "delete")))
    give(user, own)
    client.force_login(user)

    for address in (HOURS, f"{HOURS}{hours.pk}/delete/"):
        page = text_of(client.get(address))
        assert own.label in page
        assert foreign.label not in page
        assert "that you do not see" not in page
    DestinationNumber.objects.filter(pk=own.pk).update(opening_hours=None)
    assert "Numbers that you do not see" in text_of(client.get(f"{HOURS}{hours.pk}/delete/"))


def everything_about(client, call):
    """Return all pages of the admin that show a call: the lists, the call, its messages."""
    events = [client.get(f"{EVENTS}{event.pk}/change/") for event in call.events.all()]
    pages = [client.get(CALLS), client.get(EVENTS), client.get(f"{CALLS}{call.pk}/change/"), *events]
    assert {page.status_code for page in pages} == {200}
    return [unescape(page.content.decode()) for page in pages]


@pytest.mark.parametrize("rights", ["calls", "calls callers", "calls callers people export"])
def test_callers_are_masked_whatever_the_rights_and_destinations_without_theirs(client, filled, reader, rights):
    own = filled[0]
    give(reader, own, *rights.split())
    call = Call.objects.get(destination_number=own)

    listed, events, page, *of_events = everything_about(client, call)

    for text in (listed, events, page, *of_events):
        for caller in (CALLER, "170 12345678", "17012345678"):
            assert caller not in text
    assert MASKED_ON_PAGES in listed
    assert MASKED in events
    assert "callback_on: •••" in page
    shows_people = "people" in rights
    assert (DESTINATION in events) is shows_people
    assert any("2345678" in text for text in (events, page, *of_events)) is shows_people


def test_a_call_links_to_the_page_that_shows_its_caller_for_people_who_may_see_it(client, filled, reader):
    own = filled[0]
    call = Call.objects.get(destination_number=own)
    take(own, "CALL_START", AT, call_uuid="withheld", caller_id_number="anonymous")
    link = f'href="/reports/calls/{call.pk}/#caller">Show the whole number'

    give(reader, own, "calls", "people", "export")
    assert link not in client.get(f"{CALLS}{call.pk}/change/").content.decode()
    give(reader, own, "calls", "callers")
    assert link in client.get(f"{CALLS}{call.pk}/change/").content.decode()
    withheld = Call.objects.get(call_uuid="withheld")
    assert "Show the whole number" not in client.get(f"{CALLS}{withheld.pk}/change/").content.decode()


def test_refused_posts_are_masked_whatever_the_rights(client, filled, reader):
    own = filled[0]
    address = f"{REFUSED}{rows_of(RefusedPost, own)[0].pk}/change/"

    for rights in ([], ["calls", "callers", "people", "export"]):
        give(reader, own, *rights)
        page = text_of(client.get(address))
        assert CALLER not in page
        assert MASKED in page


def test_the_destination_in_a_refused_post_for_an_unknown_number_needs_the_right_for_all(client, filled, reader):
    refuse(client, "+4930987654", f"INITIATE_FORWARD {DESTINATION}")
    address = f"{REFUSED}{RefusedPost.objects.get(destination_number='+4930987654').pk}/change/"
    give(reader, filled[0], "calls", "callers", "people")
    assert DESTINATION not in text_of(client.get(address))

    give(reader, None, "calls", "callers", "people")
    page = text_of(client.get(address))
    assert DESTINATION in page
    assert CALLER not in page


# --- Searches and filters --------------------------------------------------------------------------


@pytest.mark.parametrize("table", [CALLS, EVENTS])
def test_a_search_is_posted_and_its_text_is_in_no_address(client, filled, reader, table):
    give(reader, filled[0], "calls", "callers")

    answer = client.post(f"{table}?p=3", {"search": "0170 12345678"})

    assert answer.status_code == 302
    assert re.fullmatch(rf"{table}\?q=[\w-]{{12}}", answer["Location"])
    page = client.get(answer["Location"])
    assert page.context["cl"].result_count
    assert 'name="search" value="0170 12345678"' in page.content.decode()
    assert not re.findall(r'(?:href|action)="[^"]*12345678', page.content.decode())


@pytest.mark.parametrize("table", [CALLS, EVENTS])
def test_a_text_in_the_address_finds_nothing_and_says_so(client, filled, reader, table):
    give(reader, filled[0], "calls", "callers")

    page = client.get(table, {"q": CALLER})

    assert not page.context["cl"].result_count
    assert "This search has expired. Search again." in text_of(page)


@pytest.mark.parametrize("text", [CALLER, "0170 1234", "5678", "0170 12345679"])
@pytest.mark.parametrize("table", [CALLS, EVENTS])
def test_a_search_tells_nothing_about_masked_callers(client, filled, reader, table, text):
    give(reader, filled[0], "calls")
    give(reader, filled[1])

    page = client.post(table, {"search": text}, follow=True)

    assert not page.context["cl"].result_count


@pytest.mark.parametrize(
    ("table", "query"),
    [
        (CALLS, "caller_id_number__startswith=%2B4917012345678"),
        (CALLS, "caller_least=%2B4917012345678"),
        (EVENTS, "payload__contains=12345678"),
        (EVENTS, "destination=x"),
        (REFUSED, "body__contains=12345678"),
        (NUMBERS, "access__user__username=anna"),
        ("/admin/reports/daycounts/", "offered__gte=1"),
    ],
)
def test_lists_are_filtered_only_by_what_they_offer(client, reader, table, query):
    assert client.get(f"{table}?{query}").status_code == 400


def test_autocompletes_find_nothing_by_a_caller(client, filled, reader):
    give(reader, filled[0], "calls", "callers")
    asked = {"app_label": "calls", "model_name": "callevent", "field_name": "call"}

    everything = json.loads(client.get("/admin/autocomplete/", asked).content)["results"]
    assert [row["text"] for row in everything] == ["call-of-Hotl"]
    assert json.loads(client.get("/admin/autocomplete/", asked | {"term": CALLER}).content)["results"] == []


def test_calls_are_exported_only_with_the_right(client, filled, reader):
    own = filled[0]
    chosen = {"action": "export_csv", "_selected_action": [Call.objects.get(destination_number=own).pk]}
    give(reader, own, "calls")
    assert client.post(CALLS, chosen).status_code == 302

    give(reader, own, "calls", "export")
    rows = b"".join(client.post(CALLS, chosen).streaming_content).decode()
    assert "call-of-Hotl" in rows
    assert MASKED in rows
    assert CALLER not in rows


# --- Staff without permissions ---------------------------------------------------------------------


def test_staff_without_a_permission_see_nothing_of_any_number(client, filled):
    client.force_login(make_opener("nobody"))

    page = text_of(client.get("/admin/"))
    for text in ("Hotline", "Shop", "rejected"):
        assert text not in page
    for model in (Call, CallEvent, RefusedPost, DestinationNumber, *COUNTS):
        table = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client.get(table).status_code == 403
        assert client.get(f"{table}{rows_of(model, filled[0])[0].pk}/change/").status_code in {302, 403}
    assert "Hotline" not in text_of(client.get("/reports/"))
