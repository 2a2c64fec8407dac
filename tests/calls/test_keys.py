"""Access keys: issued once, shown once, rotated with an overlap, revoked at once."""

import threading
from datetime import datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, connections
from django.utils import timezone

from calls import access_keys, keys
from calls.models import AccessKey
from tests.factories import E164, make_key, make_number, post, post_body

OTHER = "+4922155400301"
BROUGHT = "brought-key-0123456789"


def answer(client, access_key, number=E164):
    return post(client, post_body("CALL_START", number, access_key)).status_code


@pytest.fixture
def number(db):
    return make_number()


@pytest.mark.django_db(transaction=True)
def test_a_key_admits_posts_only_for_its_number(client):
    number, other = make_number(), make_number(OTHER)
    access_key = access_keys.issue_key(number)
    access_keys.issue_key(other)

    assert answer(client, access_key) == 200
    assert answer(client, access_key, OTHER) == 403


@pytest.mark.django_db(transaction=True)
def test_the_same_key_may_serve_several_numbers(client):
    for number in make_number(), make_number(OTHER):
        access_keys.issue_key(number, access_key=BROUGHT)

    assert answer(client, BROUGHT) == 200
    assert answer(client, BROUGHT, OTHER) == 200


def test_a_generated_key_is_safe_on_every_command_line():
    assert all(len(key) == 32 and key.isalnum() and key.isascii() for key in (keys.generate() for _ in range(500)))


def test_a_generated_key_is_long_and_only_its_fingerprint_is_stored(number):
    access_key = access_keys.issue_key(number)

    key = number.access_keys.get()
    assert len(access_key) == 32
    assert (key.last4, key.fingerprint) == (access_key[-4:], keys.fingerprint(access_key))
    assert key.is_live()


@pytest.mark.django_db(transaction=True)
def test_no_table_contains_a_key_that_was_issued_and_used(client):
    access_key = access_keys.issue_key(make_number())
    assert post(client, post_body("CALL_START", key=access_key, note=f"my key is {access_key}")).status_code == 200

    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            quoted = connection.ops.quote_name(table)
            cursor.execute(f"SELECT count(*) FROM {quoted} AS r WHERE strpos(r::text, %s) > 0", [access_key])
            assert cursor.fetchone() == (0,), table


@pytest.mark.parametrize(
    ("access_key", "code"),
    [
        ("1234567", "short"),
        ("two\nlines-of-key", "spaces"),
        ("+4917012345678", "phone"),
        ("004917012345678", "phone"),
        (E164.removeprefix("+"), "phone"),
        ("022155400300", "phone"),
        ("variables", "word"),
        ("CALL_START", "word"),
    ],
)
def test_an_unsuitable_key_is_refused(number, access_key, code):
    with pytest.raises(ValidationError) as refused:
        access_keys.issue_key(number, access_key=access_key)

    assert refused.value.code == code
    assert not number.access_keys.exists()


@pytest.mark.parametrize("access_key", ["12345678", "XXXXXXXXX", "ein Schlüssel"])
def test_a_key_that_is_entered_in_tenios_already_is_accepted(number, access_key):
    assert access_keys.issue_key(number, access_key=access_key) == access_key


def test_a_key_is_issued_once_per_number(number):
    access_keys.issue_key(number, access_key=BROUGHT)

    with pytest.raises(ValidationError, match="already has this key"):
        access_keys.issue_key(number, access_key=BROUGHT)


def test_a_key_cannot_expire_before_it_is_valid(number):
    now = timezone.now()
    with pytest.raises(ValidationError, match="cannot expire"):
        access_keys.issue_key(number, expires_at=now - timedelta(hours=1))
    with pytest.raises(ValidationError, match="cannot expire"):
        access_keys.issue_key(number, valid_from=now + timedelta(days=2), expires_at=now + timedelta(days=1))


@pytest.mark.django_db(transaction=True)
def test_a_key_admits_nothing_before_it_is_valid_or_after_it_expired(client):
    number, now = make_number(), timezone.now()
    coming = access_keys.issue_key(number, valid_from=now + timedelta(hours=1))
    gone = make_key(number, expires_at=now - timedelta(seconds=1))

    assert answer(client, coming) == 403
    assert answer(client, gone) == 403


def test_a_number_has_at_most_three_keys_that_are_live_or_will_be(number):
    access_keys.issue_key(number)
    access_keys.issue_key(number, valid_from=timezone.now() + timedelta(days=1))
    access_keys.issue_key(number, expires_at=timezone.now() + timedelta(days=1))

    with pytest.raises(ValidationError, match="3 active keys"):
        access_keys.issue_key(number)

    access_keys.revoke_key(number.access_keys.first())
    access_keys.issue_key(number)


@pytest.mark.django_db(transaction=True)
def test_two_parallel_requests_cannot_exceed_the_limit():
    number = make_number()
    for _ in range(access_keys.MOST_LIVE_KEYS - 1):
        make_key(number)
    barrier, refused = threading.Barrier(4), []

    def issue():
        try:
            barrier.wait(10)
            access_keys.issue_key(number)
        except ValidationError as error:
            refused.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=issue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert refused == ["most_live_keys"] * 3
    assert number.access_keys.count() == access_keys.MOST_LIVE_KEYS


@pytest.mark.django_db(transaction=True)
def test_after_a_rotation_both_keys_work_until_the_overlap_is_over(client):
    number = make_number()
    old = access_keys.issue_key(number)
    new = access_keys.rotate_key(number, overlap=timedelta(days=14))

    assert answer(client, old) == 200
    assert answer(client, new) == 200
    ends_at = number.access_keys.get(fingerprint=keys.fingerprint(old)).expires_at
    assert abs(ends_at - timezone.now() - timedelta(days=14)) < timedelta(minutes=1)
    assert number.access_keys.get(fingerprint=keys.fingerprint(new)).expires_at is None


@pytest.mark.django_db(transaction=True)
def test_a_rotation_without_overlap_ends_the_old_keys_at_once(client):
    number = make_number()
    old = [make_key(number) for _ in range(access_keys.MOST_LIVE_KEYS)]
    new = access_keys.rotate_key(number, overlap=timedelta(0))

    assert {answer(client, access_key) for access_key in old} == {403}
    assert answer(client, new) == 200


def test_a_rotation_never_lets_a_key_live_longer(number):
    tomorrow = timezone.now() + timedelta(days=1)
    access_keys.issue_key(number, expires_at=tomorrow)
    old = number.access_keys.get()

    access_keys.rotate_key(number)

    old.refresh_from_db()
    assert old.expires_at == tomorrow


def test_a_rotation_that_would_make_four_live_keys_changes_nothing(number):
    for _ in range(access_keys.MOST_LIVE_KEYS):
        access_keys.issue_key(number)

    with pytest.raises(ValidationError, match="Revoke one first"):
        access_keys.rotate_key(number)

    assert set(number.access_keys.values_list("expires_at", flat=True)) == {None}


@pytest.mark.django_db(transaction=True)
def test_a_revoked_key_is_refused_at_once_and_others_continue_to_work(client):
    number = make_number()
    revoked, kept = access_keys.issue_key(number), access_keys.issue_key(number)
    assert answer(client, revoked) == 200

    access_keys.revoke_key(number.access_keys.get(fingerprint=keys.fingerprint(revoked)))

    assert answer(client, revoked) == 403
    assert answer(client, kept) == 200


def test_python_the_orm_and_sql_agree_on_when_a_key_is_live(number):
    first = timezone.now()
    hours = [first + timedelta(hours=n) for n in range(4)]
    for valid_from, expires_at, revoked_at in product(hours, [None, *hours], [None, *hours]):
        make_key(number, valid_from=valid_from, expires_at=expires_at, revoked_at=revoked_at)

    statement = f"SELECT id FROM calls_accesskey AS access_key WHERE {keys.live_sql('%s')}"
    counts = []
    for moment in hours:
        live = {
            key.pk
            for key in number.access_keys.all()
            if keys.is_live(moment, key.valid_from, key.expires_at, key.revoked_at)
        }
        assert {key.pk for key in number.access_keys.live_at(moment)} == live
        assert {key.pk for key in AccessKey.objects.raw(statement, [moment] * 3)} == live
        counts.append(len(live))
    # Keys that have begun by then, times two ends each that are later or missing.
    assert counts == [1 * 4 * 4, 2 * 3 * 3, 3 * 2 * 2, 4 * 1 * 1]


def test_revoking_again_keeps_the_first_time(number):
    access_keys.issue_key(number)
    key = number.access_keys.get()
    access_keys.revoke_key(key)
    first = key.revoked_at

    access_keys.revoke_key(number.access_keys.get())

    key.refresh_from_db()
    assert key.revoked_at == first


@pytest.mark.parametrize("field", ["valid_from", "expires_at"])
@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=ZoneInfo("Europe/Berlin")),
        datetime.max.replace(tzinfo=ZoneInfo("America/New_York")),
    ],
    ids=["before the year 1", "after the year 9999"],
)
def test_a_time_that_python_cannot_read_from_the_database_is_refused(number, field, moment):
    with pytest.raises(ValidationError):
        access_keys.issue_key(number, **{field: moment})

    assert not number.access_keys.exists()
