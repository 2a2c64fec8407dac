"""Refused posts in the admin: notices, explanations, fixes."""

import inspect
import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from calls import posts, views
from calls.admin.refused_advice import ADVICE, MOST_GROUPS, NO_NUMBER, WHY
from calls.ingest import refused_posts
from calls.models import AccessKey, Call, CallEvent, DestinationNumber, Reason, RefusedPost, SenderPolicy
from tests.calls.refused import OTHER, STRANGER, TENIOS, send, set_policy, settled, start
from tests.factories import ACCESS_KEY, E164, allow, make_key, make_number, make_staff, make_user, post_body

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_intake")]


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


def test_an_empty_list_says_that_there_is_nothing_to_do(staff):
    page = staff.get("/admin/calls/refusedpost/").content.decode()
    assert "No message from TENIOS was rejected. There is nothing to do." in page
    assert 'id="changelist"' not in page
    assert 'id="changelist"' in staff.get("/admin/calls/refusedpost/?state=waiting").content.decode()


def groups_on(client, query=""):
    """Return the HTML of what is to be done above the list of rejected messages; blank if it is not there."""
    html = client.get(f"/admin/calls/refusedpost/{query}").content.decode()
    return html.partition('class="module refused-groups"')[2].partition("</section>")[0]


def test_the_list_says_once_for_each_reason_and_number_what_to_do(staff, number):
    for n in range(3):
        send(staff, start(OTHER, call_uuid=f"c{n}"))
    send(staff, start(E164, "not-a-key"))
    settled()

    html = groups_on(staff)

    assert html.count("<article>") == 2
    assert "3 messages" in re.sub(r"\s+", " ", html)
    assert str(WHY[Reason.UNKNOWN_KEY]) in unescape(html)
    assert str(ADVICE[Reason.UNKNOWN_NUMBER]) in unescape(html)
    [address] = re.findall(r'href="(\?[^"]*unknown_number[^"]*)"', html)
    listed = staff.get(f"/admin/calls/refusedpost/{unescape(address)}").content.decode()
    assert listed.count("field-received") == 3
    assert not groups_on(staff, unescape(address))


def copy_of(row, **changes):
    """Store another rejected message that differs in this."""
    row.pk, row.digest = None, f"{RefusedPost.objects.count():064}"
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(force_insert=True)


def test_older_messages_of_other_senders_belong_to_their_group(staff):
    send(staff, start())
    row, now = settled().get(), timezone.now()
    for n in range(12):
        other = f"+4930555{n:04}"
        copy_of(row, destination_number=other, last_received_at=now - timedelta(hours=1 + n))
    copy_of(row, destination_number=E164, address="192.0.2.77", count=500, last_received_at=now - timedelta(days=9))

    html = re.sub(r"\s+", " ", groups_on(staff))

    assert html.count("<article>") == MOST_GROUPS
    assert "501 messages" in html


def test_messages_without_a_number_are_listed_without_those_that_have_one(staff, number):
    send(staff, start(key="a-key-nobody-knows"))
    row = settled().get()
    copy_of(row, destination_number="")

    html = groups_on(staff)

    for address in re.findall(r'href="(\?[^"]*unknown_key[^"]*)"', html):
        listed = staff.get(f"/admin/calls/refusedpost/{unescape(address)}").content.decode()
        assert listed.count("field-received") == 1
    assert html.count("<article>") == 2


def test_what_to_do_is_gone_when_the_messages_are_counted(staff):
    send(staff, start())
    row = settled().get()
    assert f"/admin/calls/refusedpost/{row.pk}/mend/" in groups_on(staff)

    apply_fix(staff, row, label="Hotline")

    assert not groups_on(staff)


def test_a_number_that_may_be_meant_is_offered_before_a_new_one_is_added(staff, number):
    send(staff, start("+494922155400300"))
    row = settled().get()

    html = groups_on(staff)

    meant, add = html.index(f"/{row.pk}/mend/?number={number.pk}"), html.index(f'/{row.pk}/mend/"')
    assert "Did you mean this number?" in html
    assert meant < add


def test_people_who_may_only_look_are_offered_no_fix(client):
    user = make_user("anna", is_staff=True)
    allow(user, "calls.view_refusedpost")
    client.force_login(user)
    send(client, start())
    settled()

    html = groups_on(client)

    assert "unknown number" in html
    assert "/mend/" not in html


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
    content = page.partition('id="content-main"')[2].partition('class="bottom-bar"')[0]
    assert "Shop" not in content  # but in the navigation
    if "Add number" in content:
        assert content.index("Count as messages for Hotline") < content.index("Add number")

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
