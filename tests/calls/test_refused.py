"""Refused posts are stored under conditions, shown to staff, fixed, and counted with their time of receipt."""

import inspect
import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from calls import posts, views
from calls.admin.refused_posts import ADVICE, NO_NUMBER, WHY
from calls.ingest import intake, refused_posts
from calls.ingest.refused_posts import RefusedPostDraft
from calls.ingest.writer import connect
from calls.models import AccessKey, Call, CallEvent, DestinationNumber, Reason, RefusedPost, SenderPolicy
from tests.factories import ACCESS_KEY, E164, make_key, make_number, make_staff, make_user, post, post_body

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_intake")]

TENIOS = "80.239.139.193"
STRANGER = "203.0.113.9"
OTHER = "+4930123456"


def send(client, body, sender=TENIOS):
    return post(client, body, REMOTE_ADDR=sender)


def start(number=E164, key=ACCESS_KEY, **more):
    return post_body("CALL_START", number, key, **more)


def settled():
    """Wait until posts that are stored in the background are stored too."""
    intake.get_intake().close()
    return RefusedPost.objects.order_by("pk")


def set_policy(mode, networks=TENIOS):
    SenderPolicy.objects.update_or_create(pk=1, defaults={"mode": mode, "networks": networks})
    intake.get_intake().read_again()


# --- Which posts are stored, and the reason --------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (start("+4940555555"), 403, Reason.UNKNOWN_NUMBER),
        (start("+4940555555", "a-key-nobody-knows"), 403, Reason.UNKNOWN_NUMBER),
        (start(key="a-key-nobody-knows"), 403, Reason.UNKNOWN_KEY),
        (start(OTHER), 403, Reason.KEY_OF_ANOTHER),
        (start(key="the-key-that-expired"), 403, Reason.KEY_OVER),
        (start(key="the-key-that-was-revoked"), 403, Reason.KEY_OVER),
        (start(key="the-key-of-tomorrow"), 403, Reason.KEY_OVER),
        (start(key=None), 403, Reason.NO_KEY),
        (start(key="  "), 403, Reason.NO_KEY),
        (start(key="the-key-of-two-numbers", destination_number=None), 403, Reason.NO_NUMBER),
        (start(key="a-key-nobody-knows", destination_number=None), 403, Reason.UNKNOWN_KEY),
        (start(requestType=None), 400, Reason.BAD_POST),
    ],
)
def test_a_refused_post_from_a_listed_address_is_stored_with_the_reason(client, number, body, status, reason):
    now = timezone.now()
    make_key(number, "the-key-that-expired", expires_at=now - timedelta(days=1))
    make_key(number, "the-key-that-was-revoked", revoked_at=now - timedelta(days=1))
    make_key(number, "the-key-of-tomorrow", valid_from=now + timedelta(days=1))
    for with_key in (number, make_number(OTHER)):
        make_key(with_key, "the-key-of-two-numbers")

    assert send(client, body).status_code == status

    (kept,) = settled()
    assert (kept.reason, kept.status, kept.address, kept.count) == (reason, status, TENIOS, 1)
    named = body["variables"].get("destination_number") or ""
    assert kept.destination_number == named
    assert "accessKey" not in kept.body
    assert body.get("accessKey", "").strip() not in kept.body or not body.get("accessKey", "").strip()
    assert json.loads(kept.body)["variables"] == body["variables"]
    assert abs(kept.received_at - now) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("raw", "kept_body"),
    [
        (b'{"accessKey": "the-key-of-the-tests-0123456789", broken', '{"accessKey": [access key], broken'),
        (b"{'accessKey': 'the-key-of-the-tests-0123456789'}", "{'accessKey': [access key]}"),
        (b'{"a": 1, "a": "\xff\n"}', r'{"a": 1, "a": "\xff\n"}'),
        (b'{"\\u0061ccessKey": "the-key-of-the-tests-0123456789", ', ""),
        ('{"accessKey": "the-key-of-the-tests-0123456789"'.encode("utf-16"), ""),
    ],
)
def test_a_body_that_is_not_json_is_stored_only_if_it_contains_no_key(client, number, raw, kept_body):
    answer = client.post("/tenios/posts", raw, content_type="application/json", REMOTE_ADDR=TENIOS)

    assert answer.status_code == 400
    (kept,) = settled()
    assert (kept.reason, kept.body) == (Reason.BAD_JSON, kept_body)
    assert not kept.can_be_replayed


def test_a_post_from_a_foreign_address_is_stored_only_with_a_live_key(client, number):
    for body in (start(key="a-key-nobody-knows"), start(key=None), start(requestType=None, key="also-unknown")):
        assert send(client, body, STRANGER).status_code == 403
    assert client.post("/tenios/posts", b"{", content_type="application/json", REMOTE_ADDR=STRANGER).status_code == 400
    assert not settled()

    assert send(client, start("+4940555555"), STRANGER).status_code == 403

    (kept,) = settled()
    assert (kept.reason, kept.address) == (Reason.UNKNOWN_NUMBER, STRANGER)


def test_identical_posts_are_one_row_and_each_of_them_is_replayed(client):
    body = start()
    for _ in range(3):
        send(client, body)
    send(client, start(call_uuid="another"))

    first, second = settled()
    assert (first.count, len(first.ingest_ids), second.count) == (3, 3, 1)
    assert first.received_at < first.last_received_at

    make_key(make_number(), ACCESS_KEY)
    call_command("replay_refused")
    assert CallEvent.objects.count() == 4


def test_refused_posts_wait_in_the_spool_while_the_database_is_down(client, number, monkeypatch):
    assert send(client, start()).status_code == 200  # keys are known from here on
    there = connection.settings_dict["PORT"]
    intake.get_intake().close()
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    try:
        assert send(client, start(key=None)).status_code == 403
        assert send(client, start(requestType=None)).status_code == 400
        assert intake.held_in_spool().refused == 2
    finally:
        intake.get_intake().close()
        monkeypatch.setitem(connection.settings_dict, "PORT", there)
        connection.close()
    call_command("drain_spool", "--once")

    assert intake.held_in_spool().refused == 0
    assert {kept.reason for kept in RefusedPost.objects.all()} == {Reason.NO_KEY, Reason.BAD_POST}


# --- Limits ----------------------------------------------------------------------------------


def made_up(place, code="forbidden", body="{}", **more):
    at = timezone.now() - timedelta(days=1) + timedelta(seconds=place)
    fields = {
        "ingest_id": f"00000000-0000-7000-8000-{place:012d}",
        "received_at": at.isoformat(),
        "status": 403,
        "code": code,
        "address": TENIOS,
        "is_listed": True,
        "fingerprint": f"{place:064d}",
        "destination_number": "",
        "request_type": "CALL_START",
        "body": body,
    }
    return RefusedPostDraft(**fields | more)


@pytest.fixture
def writing():
    with connect("tests") as connection:
        yield connection


def test_a_flood_with_one_reason_pushes_out_only_that_reason(writing, monkeypatch):
    monkeypatch.setattr(refused_posts, "MOST_ROWS", 30)
    refused_posts.keep(writing, [made_up(place, "bad_post") for place in range(10)])
    for flood in range(5):
        refused_posts.keep(writing, [made_up(place) for place in range(100 + flood * 100, 200 + flood * 100)])

    kept = RefusedPost.objects
    assert kept.filter(reason=Reason.BAD_POST).count() == 10
    newest = kept.filter(reason=Reason.UNKNOWN_KEY)
    assert sorted(int(row.fingerprint) for row in newest) == list(range(580, 600))


def test_a_few_large_posts_leave_room_for_the_others(writing, monkeypatch):
    monkeypatch.setattr(refused_posts, "MOST_BYTES", 100_000)
    refused_posts.keep(writing, [made_up(place, "bad_post") for place in range(10)])
    refused_posts.keep(writing, [made_up(place, body="x" * 40_000) for place in range(100, 110)])

    assert RefusedPost.objects.filter(reason=Reason.BAD_POST).count() == 10
    assert RefusedPost.objects.filter(reason=Reason.UNKNOWN_KEY).count() == 2


def test_posts_older_than_thirty_days_are_deleted(writing):
    long_ago = (timezone.now() - timedelta(days=31)).isoformat()
    refused_posts.keep(writing, [made_up(1, received_at=long_ago), made_up(2)])

    assert RefusedPost.objects.count() == 1


def test_storing_the_same_posts_twice_changes_nothing(writing):
    alike = {"fingerprint": "f" * 64}
    refused_posts.keep(writing, [made_up(1, **alike)])
    refused_posts.keep(writing, [made_up(1, **alike), made_up(2, **alike)])

    assert (RefusedPost.objects.get().count, len(RefusedPost.objects.get().ingest_ids)) == (2, 2)


# --- Replay ----------------------------------------------------------------------------------


def test_a_replay_keeps_the_time_of_receipt_and_a_second_one_changes_nothing(client, capsys):
    for kind in ("CALL_START", "INITIATE_FORWARD", "CALL_END"):
        send(client, post_body(kind, E164, ACCESS_KEY))
    receipts = [row.received_at for row in settled()]
    make_key(make_number(), ACCESS_KEY)

    call_command("replay_refused", "--reason", "unknown_number", "--since", "2020-01-01", "--number", "0221 55400300")
    assert capsys.readouterr().out == "3 posts accepted, 0 refused again.\n"
    call = Call.objects.get()
    assert (call.first_post_at, call.ended_at) == (receipts[0], receipts[2])
    RefusedPost.objects.update(replayed_at=None)
    call_command("replay_refused")

    assert CallEvent.objects.count() == 3
    assert Call.objects.get().last_post_at == receipts[2]


def test_posts_that_are_still_refused_get_the_current_reason(client, capsys):
    send(client, start())
    settled()
    make_number()

    call_command("replay_refused", "--reason", "unknown_number")

    assert capsys.readouterr().out == (
        "0 posts accepted, 1 refused again.\n  1 for +4922155400300: unknown access key\n"
    )
    assert RefusedPost.objects.get().reason == Reason.UNKNOWN_KEY
    call_command("replay_refused", "--since", "2999-01-01")
    assert capsys.readouterr().out == "0 posts accepted, 0 refused again.\n"


def test_a_post_from_a_refused_address_waits_until_the_address_is_listed(client, number):
    set_policy("enforce")
    assert send(client, start(), STRANGER).status_code == 403
    assert settled().get().reason == Reason.FOREIGN_ADDRESS
    call_command("replay_refused")
    assert not CallEvent.objects.exists()

    set_policy("enforce", f"{TENIOS}  # theirs\n{STRANGER}")
    call_command("replay_refused")

    assert CallEvent.objects.count() == 1
    assert send(client, start(), STRANGER).status_code == 200


# --- Staff -----------------------------------------------------------------------------------


@pytest.fixture
def staff(client):
    client.force_login(make_staff())
    return client


def apply_fix(client, row, **fields):
    page = reverse("admin:calls_refusedpost_fix", args=[row.pk])
    assert client.get(page).status_code == 200
    return client.post(page, fields, follow=True)


def test_staff_see_a_notice_and_add_the_number_with_the_key_of_its_posts(staff):
    for kind in ("CALL_START", "CALL_END"):
        send(staff, post_body(kind, E164, ACCESS_KEY))
    row = settled().first()
    for page in ("/reports/", "/admin/"):
        assert (
            "2 messages for +49 221 55400300 were rejected. Reason: unknown number." in staff.get(page).content.decode()
        )
    listed = staff.get(
        "/admin/calls/refusedpost/?state=waiting&reason=unknown_number&destination_number=%2B4922155400300"
    )
    assert listed.content.decode().count("+49 221 55400300</td>") == 2
    assert "Add number and accept its key" in staff.get(f"/admin/calls/refusedpost/{row.pk}/change/").content.decode()

    answer = apply_fix(staff, row, label="Hotline")

    assert "2 messages were accepted" in answer.content.decode()
    assert DestinationNumber.objects.get().label == "Hotline"
    assert CallEvent.objects.count() == 2
    assert send(staff, start(call_uuid="new")).status_code == 200
    assert "rejected" not in staff.get("/reports/").content.decode()


def test_an_expired_key_is_extended_by_two_weeks(staff, number):
    AccessKey.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    send(staff, start())

    apply_fix(staff, settled().get())

    assert CallEvent.objects.count() == 1
    assert AccessKey.objects.get().expires_at > timezone.now() + timedelta(days=13)


def test_a_key_of_another_number_is_admitted_for_this_one_too(staff, number):
    make_number(OTHER)
    send(staff, start(OTHER))

    apply_fix(staff, settled().get())

    assert CallEvent.objects.get().call.destination_number.e164 == OTHER


def test_a_revoked_key_stays_revoked(staff, number):
    AccessKey.objects.update(revoked_at=timezone.now())
    send(staff, start())

    answer = apply_fix(staff, settled().get())

    assert "was revoked. This cannot be undone." in answer.content.decode()
    assert not CallEvent.objects.exists()


def test_an_address_is_listed_from_the_post_that_was_refused_for_it(staff, number):
    set_policy("enforce")
    send(staff, start(), STRANGER)

    apply_fix(staff, settled().get())

    assert STRANGER in SenderPolicy.objects.get().networks
    assert send(staff, start(), STRANGER).status_code == 200
    assert CallEvent.objects.count() == 2


def test_selected_posts_are_replayed_from_the_list(staff):
    send(staff, start())
    row = settled().get()
    make_key(make_number(), ACCESS_KEY)

    chosen = {"action": "replay", "_selected_action": [row.pk]}
    answer = staff.post("/admin/calls/refusedpost/", chosen, follow=True)

    assert "1 message was accepted" in answer.content.decode()
    assert CallEvent.objects.count() == 1


def test_users_who_may_not_issue_keys_can_view_but_not_fix(client):
    send(client, start())
    row = settled().get()
    client.force_login(make_staff(permissions=["calls.view_refusedpost"]))

    assert client.get(f"/admin/calls/refusedpost/{row.pk}/change/").status_code == 200
    assert client.get(reverse("admin:calls_refusedpost_fix", args=[row.pk])).status_code == 403
    assert "replay" not in client.get("/admin/calls/refusedpost/").content.decode()


@pytest.mark.parametrize(
    ("reason", "lacking"),
    [
        ("unknown_number", "add_destinationnumber"),
        ("foreign_address", "change_senderpolicy"),
        ("unknown_number", "view_refusedpost"),
    ],
)
def test_a_fix_needs_the_permission_for_what_it_changes(client, reason, lacking):
    if reason == "foreign_address":
        make_key(make_number(), ACCESS_KEY)
        set_policy("enforce")
    send(client, start(), STRANGER if reason == "foreign_address" else TENIOS)
    row = settled().get()
    assert row.reason == reason
    needed = {"view_refusedpost", "change_destinationnumber", "add_destinationnumber", "change_senderpolicy"}
    client.force_login(make_staff(permissions=[f"calls.{name}" for name in needed - {lacking}]))
    page = reverse("admin:calls_refusedpost_fix", args=[row.pk])

    assert client.get(page).status_code == 403
    assert client.post(page, {"label": "Hotline"}).status_code == 403
    if lacking != "view_refusedpost":
        assert page not in client.get(f"/admin/calls/refusedpost/{row.pk}/change/").content.decode()
    row.refresh_from_db()
    assert row.replayed_at is None
    assert STRANGER not in SenderPolicy.current().networks


def test_managers_see_no_notice_of_refused_posts(client, number):
    send(client, start("+4940555555"))
    settled()
    client.force_login(make_user(numbers=[number]))

    assert "rejected" not in client.get("/reports/").content.decode()


# --- Explanations, and the number that was meant ---------------------------------------------


def page_of(client, row):
    return unescape(client.get(f"/admin/calls/refusedpost/{row.pk}/change/").content.decode())


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained_with_what_to_do(staff, number, reason):
    send(staff, start(key="a-key-nobody-knows"))
    row = settled().get()
    RefusedPost.objects.update(reason=reason)

    page = page_of(staff, row)
    assert str(WHY[reason]) in page
    assert str(ADVICE[reason]) in page
    # Posts that are counted by now need no action.
    RefusedPost.objects.update(replayed_at=timezone.now())
    page = page_of(staff, row)
    assert str(WHY[reason]) in page
    assert str(ADVICE[reason]) not in page


def test_reasons_include_the_codes_of_answers():
    reasons = set(re.findall(r"(?:THEN|ELSE) '([a-z_]+)'", refused_posts.REASONS))
    reasons |= {"foreign_address", views.TooLarge.default_code, views.NotJson.default_code}
    reasons |= set(re.findall(r'Refusal\("([a-z_]+)"', inspect.getsource(posts)))
    assert reasons == set(Reason.values) == set(WHY) == set(ADVICE)
    assert all(str(text).endswith(".") for text in (*WHY.values(), *ADVICE.values()))


@pytest.mark.parametrize(
    ("named", "stored"),
    [
        ("4922155400300", "+494922155400300"),  # as versions before 0.2 read it
        ("221 55400300", None),  # without its 0
        ("55400300", None),  # without its area code
        ("+022155400300", None),
        ("+22155400300", None),  # with a plus instead of the 0
    ],
)
def test_the_existing_number_is_offered_for_a_misread_one(staff, named, stored):
    for kind in ("CALL_START", "CALL_END"):
        send(staff, post_body(kind, named, ACCESS_KEY))
    row = settled().first()
    if stored:
        RefusedPost.objects.update(destination_number=stored)
    number = make_number(label="Hotline")
    make_number(OTHER, label="Shop")

    page = page_of(staff, row)
    assert (
        f'Did you mean this number? <a href="/admin/calls/destinationnumber/{number.pk}/change/">Hotline'
        in " ".join(page.split())
    )
    assert "Count as messages for Hotline (+49 221 55400300)…" in page
    assert "Shop" not in page
    if "Add number" in page:
        assert page.index("Count as messages for Hotline") < page.index("Add number")

    address = reverse("admin:calls_refusedpost_fix", args=[row.pk]) + f"?number={number.pk}"
    assert "are counted for +49 221 55400300" in staff.get(address).content.decode()
    answer = staff.post(address, follow=True)

    assert "2 messages were accepted" in answer.content.decode()
    assert DestinationNumber.objects.count() == 2
    assert {event.destination_number for event in CallEvent.objects.all()} == {named}  # as in the posts
    assert Call.objects.get().destination_number == number
    assert not RefusedPost.objects.waiting()
    # Who may read the history of the message need not see the number.
    row.refresh_from_db()
    said = {entry.content_type.model: entry.get_change_message() for entry in LogEntry.objects.all()}
    assert number.e164 not in said["refusedpost"]
    assert said["destinationnumber"] == f"Counted messages for {row.destination_number} as messages for this number."


def test_the_page_that_would_add_a_misread_number_asks_first(staff):
    send(staff, start("+494922155400300"))
    row = settled().get()
    make_number(label="Hotline")

    page = staff.get(reverse("admin:calls_refusedpost_fix", args=[row.pk])).content.decode()
    assert page.index("Did you mean") < page.index("From now on, messages for")


@pytest.mark.parametrize(("named", "can_be_added"), [("+4940555555", True), ("1001", False), ("Hotline", False)])
def test_a_number_similar_to_no_existing_one_is_not_a_misreading(staff, number, named, can_be_added):
    make_number(OTHER)
    send(staff, start(named))

    page = page_of(staff, settled().get())
    assert "Did you mean" not in page
    assert ("Add number" in page) == can_be_added
    assert (str(NO_NUMBER) in page) != can_be_added
