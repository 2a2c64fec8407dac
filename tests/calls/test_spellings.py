"""Posts with different spellings of numbers: one number, one caller, one destination."""

import pytest
from django.core.management import CommandError, call_command

from calls.ingest import intake
from calls.models import Call, CallEvent, RefusedPost
from tests.factories import make_key, make_number, make_staff, post, post_body, send
from tests.spellings import READ, SPELLINGS, UNREAD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("spelling", "e164"), READ)
def test_a_post_is_stored_for_its_number_in_any_spelling(client, spelling, e164):
    number = make_number(e164)
    key = make_key(number)

    assert post(client, post_body("CALL_START", spelling, key)).status_code == 200

    event = CallEvent.objects.get()
    assert event.call.destination_number == number
    assert event.destination_number == spelling


def test_a_post_for_an_ambiguous_number_is_refused_and_keeps_it_as_received(client):
    key = make_key(make_number("+442079460123"))

    for place, spelling in enumerate(UNREAD):
        answer = post(client, post_body("CALL_START", spelling, key, call_uuid=f"call-{place}"))
        assert answer.status_code == 403
    intake.get_intake().close()
    assert sorted(RefusedPost.objects.values_list("destination_number", flat=True)) == sorted(UNREAD)


@pytest.mark.parametrize(("spelling", "e164"), SPELLINGS)
def test_a_caller_is_stored_as_e164_for_any_spelling(client, spelling, e164):
    send(client, make_number("+4922155400300"), "CALL_START", caller_id_number=spelling)

    short = {"116 117": "116117"}
    assert Call.objects.get().caller_id_number == (e164 or short.get(spelling, spelling))
    assert CallEvent.objects.get().caller_id_number == spelling


def test_different_spellings_of_a_caller_are_not_a_contradiction(client):
    number = make_number()
    for spelling in ("+4917012345677", "4917012345677", "0170 12345677", "tel:+49-170-12345677"):
        send(client, number, "BLOCK_END", caller_id_number=spelling)

    call = Call.objects.get()
    assert not call.caller_differs
    assert not Call.objects.contradicting().exists()


def test_different_spellings_of_withheld_are_not_a_contradiction(client):
    number = make_number()
    for spelling in ("anonymous", "anonymous@anonymous.invalid", "sip:anonymous@tenios.example", ""):
        send(client, number, "BLOCK_END", caller_id_number=spelling)

    call = Call.objects.get()
    assert call.caller_id_number == ""
    assert not Call.objects.contradicting().exists()


@pytest.mark.parametrize(("spelling", "e164"), SPELLINGS)
def test_a_destination_is_stored_as_e164_and_the_payload_as_received(client, spelling, e164):
    send(client, make_number(), "INITIATE_FORWARD", destination=spelling)

    event = CallEvent.objects.get()
    short = {"116 117": "116117"}
    assert event.destination == (e164 or short.get(spelling, spelling))
    assert f'"destination":"{spelling}"' in event.payload


@pytest.mark.parametrize("destination_type", ["SIP_USER", "SIP_TRUNK", "SOMETHING_NEW", None])
def test_a_destination_that_is_not_a_phone_number_is_stored_as_received(client, destination_type):
    send(client, make_number(), "INITIATE_FORWARD", destination="0221 4710300", destinationType=destination_type)

    assert CallEvent.objects.get().destination == "0221 4710300"


@pytest.mark.parametrize(("spelling", "e164"), READ)
def test_a_refused_post_is_found_and_replayed_by_each_spelling(client, spelling, e164):
    key = make_key(make_number("+4922155400300"))
    assert post(client, post_body("CALL_START", e164, key)).status_code == 403
    intake.get_intake().close()
    client.force_login(make_staff())

    page = client.get("/admin/calls/refusedpost/", {"q": spelling})
    assert [row.destination_number for row in page.context["cl"].queryset] == [e164]
    make_key(make_number(e164), key)
    call_command("replay_refused", number=spelling)
    assert Call.objects.get().destination_number.e164 == e164


@pytest.mark.parametrize("text", UNREAD)
@pytest.mark.parametrize(
    ("command", "more"),
    [("replay_refused", {}), ("simulate", {"url": "http://127.0.0.1:9", "key": "a-key-0123456789"})],
)
def test_commands_refuse_ambiguous_numbers_and_say_what_to_type(command, more, text):
    with pytest.raises(CommandError, match=r"(Enter|Did you mean) .*\+\d\d "):
        call_command(command, number=text, **more)
