"""`manage.py add_number`: creates or updates a number; a new one gets a key, which is printed once."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from calls import access_keys
from calls.models import AccessKey, DestinationNumber
from tests.factories import make_key, make_number, post, post_body
from tests.spellings import READ, UNREAD


def add_number(*args):
    out, err = StringIO(), StringIO()
    call_command("add_number", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def key_in(printed):
    return next(line.removeprefix("Access key: ") for line in printed.splitlines() if line.startswith("Access key: "))


@pytest.mark.django_db(transaction=True)
def test_a_new_number_is_stored_in_e164_and_the_key_printed_admits_posts(client):
    printed, _ = add_number("0221 554 00 300", "--label", "Hotline")

    number = DestinationNumber.objects.get()
    assert (number.e164, number.label, number.expects_forward) == ("+4922155400300", "Hotline", True)
    assert post(client, post_body("CALL_START", number, key_in(printed))).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(("spelling", "e164"), READ)
def test_each_spelling_is_the_same_number(spelling, e164):
    add_number(spelling)
    add_number(e164)

    assert DestinationNumber.objects.get().e164 == e164


@pytest.mark.django_db
@pytest.mark.parametrize("text", UNREAD)
def test_an_ambiguous_number_is_refused_with_what_to_type(text):
    with pytest.raises(CommandError, match=r"(Enter|Did you mean) .*\+\d\d "):
        add_number(text)

    assert not DestinationNumber.objects.exists()


@pytest.mark.django_db
def test_an_existing_number_is_updated_and_gets_a_key_only_on_request():
    number = make_number(label="Old", short_call_s=7)

    printed, _ = add_number("+49 221 55400300", "--label", "New", "--expects-forward", "no")

    number.refresh_from_db()
    assert (number.label, number.expects_forward, number.short_call_s) == ("New", False, 7)
    assert "Access key" not in printed
    assert not AccessKey.objects.exists()


@pytest.mark.django_db
def test_options_that_are_not_given_change_nothing():
    make_number(label="Old", expects_forward=False)

    add_number("+4922155400300")

    number = DestinationNumber.objects.get()
    assert (number.label, number.expects_forward) == ("Old", False)


@pytest.mark.django_db
def test_issuing_the_same_key_again_changes_nothing():
    first, _ = add_number("+4922155400300", "--key", "brought-key-0123456789")
    second, _ = add_number("+4922155400300", "--key", "brought-key-0123456789")

    assert key_in(first) == "brought-key-0123456789"
    assert "already active for this number" in second
    assert AccessKey.objects.count() == 1


@pytest.mark.django_db
def test_a_short_key_is_accepted_with_a_warning():
    _, warned = add_number("+4922155400300", "--key", "brought-1")

    assert "20 characters" in warned
    assert AccessKey.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["hello"], "is not a phone number. Enter it in the form"),
        (["+4922155400300", "--key", "short"], "at least 8 characters"),
        (["+4922155400300", "--key", ""], "The access key is empty"),
        (["+4922155400300", "--key", "+4922155400300"], "phone number cannot be used as an access key"),
        (["+4922155400300", "--label", "x" * 101], "at most 100 characters"),
    ],
)
def test_invalid_arguments_are_reported_and_create_nothing(args, said):
    with pytest.raises(CommandError, match=said):
        add_number(*args)

    assert not DestinationNumber.objects.exists()


@pytest.mark.django_db
def test_a_fourth_live_key_is_refused_with_a_message():
    number = make_number()
    for _ in range(access_keys.MOST_LIVE_KEYS):
        make_key(number)

    with pytest.raises(CommandError, match="3 active keys"):
        add_number(number.e164, "--key", "brought-key-0123456789")


@pytest.mark.django_db
def test_a_revoked_key_cannot_be_issued_again():
    number = make_number()
    make_key(number, "brought-key-0123456789")
    access_keys.revoke_key(number.access_keys.get())

    with pytest.raises(CommandError, match=r"\(revoked\)"):
        add_number(number.e164, "--key", "brought-key-0123456789")
