"""Numbers, keys and events in the admin, through its pages."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from calls import keys
from calls.models import AccessKey, CallEvent, DestinationNumber
from tests.factories import E164, make_key, make_number, make_staff, make_user, post, post_body, send, take
from tests.spellings import READ, UNREAD
from tests.transactions import run_until_it_waits

OTHER = "+4922155400301"
NUMBERS = "/admin/calls/destinationnumber/"
ISSUE = NUMBERS + "keys/issue/"
ROTATE = NUMBERS + "keys/rotate/"
KEYS = "/admin/calls/accesskey/"
REVOKE = KEYS + "revoke/"
EVENTS = "/admin/calls/callevent/"

SETTINGS = {
    "short_call_s": 5,
    "service_level_s": 20,
    "silent_after_h": 4,
    "expects_forward": "on",
    **dict.fromkeys(["call_start", "block_end", "initiate_forward", "forward_answer", "call_end"], "automatic"),
    "access_keys-TOTAL_FORMS": 0,
    "access_keys-INITIAL_FORMS": 0,
}


@pytest.fixture
def staff(client, db):
    client.force_login(make_staff())
    return client


def ask(client, address, *numbers, **answers):
    """Open the form at an address for some numbers, fill it in and send it."""
    address += "?" + "&".join(f"number={number.pk}" for number in numbers)
    page = client.get(address)
    assert page.status_code == 200
    newest = re.search(r'name="newest" value="(\d+)"', page.content.decode())[1]
    return client.post(address, {"newest": newest, "overlap_days": 14, "access_key": "", **answers})


def keys_shown(page):
    return re.findall(r'<code id="access-key-\d+"[^>]*>([^<]+)</code>', unescape(page.content.decode()))


# --- Numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("spelling", "e164"), READ)
def test_a_number_is_added_in_any_spelling_and_redirects_to_its_key(staff, spelling, e164):
    answer = staff.post(NUMBERS + "add/", SETTINGS | {"e164": spelling, "label": "Hotline", "_save": "Save"})

    number = DestinationNumber.objects.get()
    assert (number.e164, number.label) == (e164, "Hotline")
    assert answer.status_code == 302
    assert answer["Location"] == f"{ISSUE}?number={number.pk}"


def test_four_things_are_asked_about_a_new_number_and_the_rest_is_folded(staff):
    page = staff.get(NUMBERS + "add/")

    asked, *others = page.context["adminform"]
    assert asked.fields == ["e164", "label", "expects_forward", "opening_hours"]
    assert others
    assert all(fieldset.is_collapsible for fieldset in others)
    steps = re.findall(r"<li (aria-current=\"step\")?>([^<]+)</li>", page.content.decode())
    assert steps == [('aria-current="step"', "Number"), ("", "Key"), ("", "Enter the key in TENIOS")]


@pytest.mark.parametrize(("who", "expects_forward"), [("True", True), ("False", False)])
def test_who_answers_a_new_number_is_chosen(staff, who, expects_forward):
    staff.post(NUMBERS + "add/", SETTINGS | {"e164": E164, "expects_forward": who, "_save": "Save"})

    assert DestinationNumber.objects.get().expects_forward is expects_forward


@pytest.mark.parametrize("text", [*UNREAD, "Hotline", "+49 221 4710300 4710300 4710300"])
def test_an_invalid_number_is_refused_with_one_message_that_says_what_to_type(staff, text):
    page = staff.post(NUMBERS + "add/", SETTINGS | {"e164": text, "_save": "Save"})

    (message,) = page.context["adminform"].form.errors["e164"]
    assert re.search(r"(Enter|Did you mean) .*\+\d\d ", message)
    assert not DestinationNumber.objects.exists()


@pytest.mark.parametrize(
    ("e164", "said"),
    [("Hotline", "Enter it in the form 0221 4710300"), ("0221 554 00 300", "This number already exists.")],
)
def test_an_invalid_or_existing_number_is_refused_with_a_message(staff, e164, said):
    make_number()
    page = staff.post(NUMBERS + "add/", SETTINGS | {"e164": e164, "_save": "Save"})

    assert page.status_code == 200
    assert said in page.content.decode()
    assert DestinationNumber.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_number_that_is_sent_twice_in_parallel_is_added_once(client):
    client.force_login(make_staff())
    answers = []

    def add():
        answers.append(client.post(NUMBERS + "add/", SETTINGS | {"e164": E164, "_save": "Save"}))

    with transaction.atomic():
        make_number()  # not yet visible to the other transaction
        second = run_until_it_waits(add)
    second.join()

    assert answers[0].status_code == 200
    assert "This number already exists." in answers[0].content.decode()
    assert DestinationNumber.objects.count() == 1


@pytest.mark.parametrize(
    "term", ["0221 554 00 300", "+49 221 554", "221 55400300", "49 (0)221 55400300", "4922155400300", "hotl", "99887"]
)
def test_a_number_is_found_by_any_spelling_label_or_customer_number(staff, term):
    make_number(label="Hotline", customer_number="99887766")
    make_number("+4930123456", label="Shop")

    page = staff.get(NUMBERS, {"q": term}).content.decode()
    assert "Hotline" in page
    assert "Shop" not in re.search(r'<table id="result_list">.*</table>', page, re.DOTALL)[0]


@pytest.mark.parametrize(("spelling", "e164"), READ)
def test_a_number_is_found_by_each_spelling_among_numbers_and_keys(staff, spelling, e164):
    make_key(make_number(e164, label="Hotline"))
    make_key(make_number("+4930123456", label="Shop"))

    for address in (NUMBERS, "/admin/calls/accesskey/"):
        page = staff.get(address, {"q": spelling})
        assert [
            row.destination_number.label if "key" in address else row.label for row in page.context["cl"].queryset
        ] == ["Hotline"]


@pytest.mark.django_db(transaction=True)
def test_a_number_with_calls_cannot_be_deleted_and_the_page_says_why(client):
    client.force_login(make_staff())
    number = make_number(label="Hotline")
    send(client, number, "CALL_START")

    for answer in (
        client.post(f"{NUMBERS}{number.pk}/delete/", {"post": "yes"}),
        client.post(NUMBERS, {"action": "delete_selected", "_selected_action": [number.pk], "post": "yes"}),
    ):
        assert "A number with calls cannot be deleted." in answer.content.decode()
    assert DestinationNumber.objects.count() == 1
    # Its calls belong to it, so it cannot be changed either.
    client.post(f"{NUMBERS}{number.pk}/change/", SETTINGS | {"e164": OTHER})
    number.refresh_from_db()
    assert number.e164 == E164


def test_a_number_without_calls_is_deleted_with_its_keys(staff):
    number = make_number()
    make_key(number)

    staff.post(f"{NUMBERS}{number.pk}/delete/", {"post": "yes"})

    assert not DestinationNumber.objects.exists()
    assert not AccessKey.objects.exists()


# --- Keys ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_key_is_shown_once_admits_posts_and_is_stored_nowhere(client, settings, caplog):
    settings.PUBLIC_URL = "https://calls.example.com"
    client.force_login(make_staff())
    number = make_number()

    page = ask(client, ISSUE, number)
    [access_key] = keys_shown(page)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert "https://calls.example.com/tenios/posts" in page.content.decode()
    assert post(client, post_body("CALL_START", number, access_key)).status_code == 200

    for address in [f"{NUMBERS}{number.pk}/change/", f"{NUMBERS}{number.pk}/history/", NUMBERS, KEYS, "/admin/"]:
        assert access_key not in client.get(address).content.decode()
    assert access_key not in str(client.session.items()) + str(client.cookies) + caplog.text
    fingerprint = keys.fingerprint(access_key)
    assert fingerprint not in client.get(f"{KEYS}{number.access_keys.get().pk}/change/").content.decode()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            quoted = connection.ops.quote_name(table)
            cursor.execute(f"SELECT count(*) FROM {quoted} AS r WHERE strpos(r::text, %s) > 0", [access_key])
            assert cursor.fetchone() == (0,), table


def test_a_form_that_is_sent_twice_issues_one_key(staff):
    number = make_number()
    first, second = (staff.post(f"{ISSUE}?number={number.pk}", {"newest": 0, "access_key": ""}) for _ in range(2))

    assert len(keys_shown(first)) == 1
    assert keys_shown(second) == []
    assert "A key was created after this page was opened" in second.content.decode()
    assert number.access_keys.count() == 1


def test_a_short_key_that_staff_enter_is_accepted_with_a_warning(staff):
    page = ask(staff, ISSUE, make_number(), access_key="brought-1")

    assert keys_shown(page) == ["brought-1"]
    assert "shorter than the recommended 20 characters" in page.content.decode()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"access_key": "short"}, "at least 8 characters. This one has 5"),
        ({"access_key": E164}, "A phone number cannot be used as an access key"),
        ({"expires_at_0": "2020-01-01", "expires_at_1": "00:00"}, "A key cannot expire"),
        ({"expires_at_0": "soon"}, "Enter a valid date"),
    ],
)
def test_a_key_that_cannot_be_issued_is_reported_on_the_form(staff, answers, said):
    page = ask(staff, ISSUE, make_number(), **answers)

    assert said in unescape(page.content.decode())
    assert not AccessKey.objects.exists()


def test_one_key_for_many_numbers_is_all_or_nothing(staff):
    numbers = [make_number(), make_number(OTHER)]
    for _ in range(3):
        make_key(numbers[1])

    refused = ask(staff, ISSUE, *numbers, access_key="brought-key-0123456789")
    assert "already has 3 active keys" in refused.content.decode()
    assert not numbers[0].access_keys.exists()

    numbers[1].access_keys.first().delete()
    assert (
        keys_shown(ask(staff, ISSUE, *numbers, access_key="brought-key-0123456789")) == ["brought-key-0123456789"] * 2
    )


@pytest.mark.parametrize(("action", "address"), [("issue_keys", ISSUE), ("rotate_keys", ROTATE)])
def test_keys_of_several_numbers_are_issued_from_the_list(staff, action, address):
    numbers = [make_number(), make_number(OTHER)]
    chosen = staff.post(NUMBERS, {"action": action, "_selected_action": [number.pk for number in numbers]})

    assert chosen["Location"].startswith(address)
    made = keys_shown(ask(staff, address, *numbers))
    assert len(set(made)) == 2


def test_rotating_makes_live_keys_expire_after_the_overlap(staff):
    number = make_number()
    make_key(number)

    [new] = keys_shown(ask(staff, ROTATE, number, overlap_days=3))

    old = number.access_keys.exclude(fingerprint=keys.fingerprint(new)).get()
    assert abs(old.expires_at - timezone.now() - timedelta(days=3)) < timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_revoking_asks_first_and_then_refuses_posts_at_once(client):
    client.force_login(make_staff())
    number = make_number()
    access_key = make_key(number)
    key = number.access_keys.get()
    [address] = re.findall(
        r'href="(/admin/calls/accesskey/revoke/[^"]+)"', client.get(f"{NUMBERS}{number.pk}/change/").content.decode()
    )

    assert "Revoke this access key?" in client.get(address).content.decode()
    assert post(client, post_body("CALL_START", number, access_key)).status_code == 200
    assert client.post(address)["Location"] == f"{NUMBERS}{number.pk}/change/"

    assert post(client, post_body("CALL_START", number, access_key)).status_code == 403
    key.refresh_from_db()
    assert key.state == "revoked"
    assert client.get(address).status_code == 302  # nothing left to revoke


def test_keys_are_revoked_from_their_list(staff):
    numbers = [make_number(), make_number(OTHER)]
    for number in numbers:
        make_key(number)
    chosen = staff.post(
        KEYS, {"action": "revoke_keys", "_selected_action": list(AccessKey.objects.values_list("pk", flat=True))}
    )

    staff.post(chosen["Location"])

    assert not AccessKey.objects.filter(revoked_at=None).exists()


# --- Permissions -----------------------------------------------------------------------------


@pytest.mark.parametrize("address", [NUMBERS, ISSUE, ROTATE, KEYS, REVOKE, EVENTS])
def test_only_staff_have_access(client, db, address):
    make_number()
    assert client.get(address).status_code == 302
    client.force_login(make_user())
    assert client.get(address)["Location"].startswith("/admin/login/")


def test_users_who_may_only_view_numbers_cannot_change_their_keys(client, db):
    number = make_number()
    access_key = make_key(number)
    client.force_login(make_staff(permissions=["calls.view_destinationnumber", "calls.view_accesskey"]))

    page = client.get(f"{NUMBERS}{number.pk}/change/").content.decode()
    assert f"…{access_key[-4:]}" in page
    assert "keys/issue" not in page
    assert "revoke/" not in page
    for address in [f"{ISSUE}?number={number.pk}", f"{ROTATE}?number={number.pk}", f"{REVOKE}?key=1"]:
        assert client.get(address).status_code == 403
        assert client.post(address, {"newest": 0}).status_code == 403
    assert number.access_keys.filter(revoked_at=None).count() == 1


def test_users_who_may_change_numbers_may_issue_and_revoke_keys(client, db):
    number = make_number()
    client.force_login(make_staff(permissions=["calls.change_destinationnumber", "calls.view_destinationnumber"]))

    assert len(keys_shown(ask(client, ISSUE, number))) == 1
    client.post(f"{REVOKE}?key={number.access_keys.get().pk}")
    assert number.access_keys.get().state == "revoked"


@pytest.mark.parametrize("model", ["accesskey", "callevent", "call"])
def test_rows_that_posts_write_cannot_be_added_by_hand(staff, model):
    assert staff.get(f"/admin/calls/{model}/add/").status_code == 403


@pytest.mark.parametrize("query", ["", "?number=", "?number=x", "?number=999999", "?number=1%00"])
def test_a_key_page_without_a_number_redirects_to_the_list(staff, query):
    assert staff.get(ISSUE + query)["Location"] == NUMBERS


# --- Lists -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", [NUMBERS, KEYS, EVENTS])
def test_lists_run_as_many_queries_for_many_rows_as_for_few(client, address):
    client.force_login(make_staff())

    def add(n):
        number = make_number(f"+492215540030{n}", label=f"Number {n}", managers=[make_user(f"manager-{n}")])
        send(client, number, "CALL_START", "BLOCK_END", "CALL_END", call_uuid=f"call-{n}")

    def count_queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    add(1)
    client.get(address)
    few = count_queries()
    for n in range(2, 8):
        add(n)
    assert count_queries() == few


@pytest.mark.django_db(transaction=True)
def test_events_are_found_by_caller_and_kind_and_their_text_is_escaped(client):
    client.force_login(make_staff())
    number, at = make_number(), datetime(2026, 9, 9, 10, 7, tzinfo=UTC)
    take(number, "CALL_START", at, call_uuid="call-1", caller_id_number="+49 170 12345678")
    take(number, "<script>alert(1)</script>", at, call_uuid="call-2", caller_id_number="<b>", odd="\ud800\u202eü")

    assert "call-2" not in client.post(EVENTS, {"search": "0170 12345678"}, follow=True).content.decode()
    assert "call-1" not in client.get(EVENTS, {"request_type": "other"}).content.decode()
    page = client.get(reverse("admin:calls_callevent_change", args=[CallEvent.objects.latest("id").pk]))
    assert "<script>alert" not in page.content.decode()
    assert "\\ud800\\u202eü" in page.content.decode()
