"""`manage.py read_numbers_again`: numbers that an earlier version parsed differently are found and stored again."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from calls import rereading
from calls.ingest import intake
from calls.models import Call, CallEvent, ChangedQuarterHour, RefusedPost
from tests.factories import make_key, make_number, post, post_body, take

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 9, 15, 10, 7, tzinfo=UTC)
QUARTER = NOON.replace(minute=0)


def read_again(*args):
    out = StringIO()
    call_command("read_numbers_again", *args, stdout=out)
    return out.getvalue()


def stored():
    """Return all values that the command may change."""
    calls = Call.objects.order_by("pk").values_list("caller_id_number", "decided_by", "caller_least", "caller_greatest")
    return list(calls), list(CallEvent.objects.order_by("pk").values_list("destination", "payload", "caller_id_number"))


@pytest.fixture
def history():
    """Calls as 0.1.0 stored them: a caller parsed as two, an anonymous one, short codes, unchanged destinations."""
    number = make_number()
    for second, (kind, caller) in enumerate(
        [
            ("CALL_START", "491622897306"),
            ("BLOCK_END", "+491622897306"),
            ("INITIATE_FORWARD 0221 2345678", "0162 2897306"),
        ]
    ):
        take(number, kind, NOON + timedelta(seconds=second), caller_id_number=caller, call_uuid="misread")
    take(number, "CALL_START", NOON, caller_id_number="anonymous@anonymous.invalid", call_uuid="withheld")
    take(number, "CALL_END", NOON + timedelta(hours=1), caller_id_number="+4917012345678", call_uuid="withheld")
    take(number, "CALL_START", NOON, caller_id_number="116 117", call_uuid="short")
    take(number, "INITIATE_FORWARD 1001", NOON, destinationType="SIP_USER", call_uuid="user")
    take(number, "FORWARD_ANSWER +492212345678", NOON, call_uuid="right")
    after = stored()
    for call_uuid, caller, least, greatest in (
        ("misread", "+49491622897306", "+49491622897306", "+491622897306"),
        ("withheld", "anonymous@anonymous.invalid", "+4917012345678", "anonymous@anonymous.invalid"),
        ("short", "116 117", "116 117", "116 117"),
    ):
        call = Call.objects.get(call_uuid=call_uuid)
        call.caller_id_number, call.caller_least, call.caller_greatest = caller, least, greatest
        call.decided_by[3] = caller
        call.save()
    CallEvent.objects.filter(destination="+492212345678", call__call_uuid="misread").update(destination="0221 2345678")
    ChangedQuarterHour.objects.all().delete()
    return after


def test_without_yes_it_reports_what_it_would_change_and_changes_nothing(history):
    before = stored()

    said = read_again()

    assert "1 × +49491622897306 → +491622897306" in said
    assert "1 × anonymous@anonymous.invalid → withheld" in said
    assert "1 × 116 117 → 116117" in said
    assert "1 × 0221 2345678 → +492212345678" in said
    assert "no longer name different callers: 1." in said
    assert "Nothing was changed." in said
    assert stored() == before
    assert not ChangedQuarterHour.objects.exists()


def test_with_yes_rows_are_stored_as_new_posts_would_be_and_a_second_run_changes_nothing(history):
    assert "Nothing was changed." not in read_again("--yes")

    assert stored() == history
    assert [row.quarter_hour for row in ChangedQuarterHour.objects.all()] == [QUARTER]
    assert not Call.objects.get(call_uuid="misread").caller_differs

    again = read_again("--yes")
    assert "0 callers changed" in again
    assert "0 destinations changed" in again
    assert ChangedQuarterHour.objects.count() == 1


def test_an_interrupted_run_is_continued_by_the_next(history, monkeypatch):
    monkeypatch.setattr(rereading, "EVENTS_IN_A_BATCH", 2)
    next(rereading.read_again(change=True))
    assert stored() != history

    list(rereading.read_again(change=True))
    assert stored() == history


def test_refused_posts_name_the_number_they_meant(client):
    key = make_key(make_number())
    assert post(client, post_body("CALL_START", "492214710311", key)).status_code == 403
    intake.get_intake().close()
    RefusedPost.objects.update(destination_number="+49492214710311")

    assert "+49492214710311 → +492214710311" in read_again("--yes")
    assert RefusedPost.objects.get().destination_number == "+492214710311"


def test_numbers_that_may_be_misread_are_listed_but_not_changed():
    make_number("+49492214710399")
    make_number("+492214710300")

    said = read_again("--yes")
    assert "Check in the admin: +49 4922 14710399 is +49 221 4710399 if its plus was left out" in said
    assert "4710300" not in said
