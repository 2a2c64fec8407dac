"""Entries of the audit are only added, each follows the last one, and what was changed or removed is found."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from accounts.audit.actions import Action
from accounts.audit.actors import Actor
from accounts.audit.entries import Subject, write
from accounts.models import AuditEntry
from accounts.tasks import keep_audit
from tests.owner import as_owner

pytestmark = pytest.mark.django_db


def write_some(entries=4):
    for place in range(entries):
        write(
            Action.OBJECT_CHANGED, Subject("t", str(place), "x"), before={"a": place}, after={"a": [place, "ü", None]}
        )


def verified(capsys, **options):
    """Return what verify_audit prints, after the number of entries."""
    call_command("verify_audit", **options)
    return capsys.readouterr().out


def broken(**options):
    """Return why verify_audit fails."""
    with pytest.raises(SystemExit) as left:
        call_command("verify_audit", **options)
    return str(left.value.code)


def forge(statement):
    """Run a statement as the owner of the database could: without triggers."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE accounts_auditentry ENABLE TRIGGER USER")


def test_an_untouched_audit_verifies_and_its_head_is_printed(capsys):
    assert verified(capsys) == "The audit is complete: 0 entries, head 0:.\n"
    write_some()
    last = AuditEntry.objects.first()
    assert verified(capsys) == f"The audit is complete: 4 entries, head 4:{last.checksum}.\n"


@pytest.mark.parametrize(
    "statement",
    ["UPDATE accounts_auditentry SET actor = 'x'", "DELETE FROM accounts_auditentry", "TRUNCATE accounts_auditentry"],
)
def test_the_database_refuses_to_change_or_delete_entries(statement):
    write_some()
    with (
        as_owner(),
        pytest.raises(DatabaseError, match="only added"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert AuditEntry.objects.count() == 4


CHANGES = [
    *("at = at + interval '1 microsecond'", "actor_id = 7", "actor = actor || 'x'", "address = '192.0.2.1'"),
    *("action = 'signed_in'", "object_type = 'u'", "object_id = '9'", "object = 'y'", "before = NULL"),
    *('after = \'{"a": [2, "u", null]}\'', "rows = 1", "bytes = 1", "reason = 'z'", "carried = '{}'"),
    *("previous = repeat('0', 64)", "checksum = repeat('0', 64)"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_one_changed_value_is_found(change):
    write_some()
    forge(f"UPDATE accounts_auditentry SET {change} WHERE position = 3")
    assert broken() == "The audit is broken: entry 3 was changed."


def test_every_column_is_covered_by_a_test_of_a_changed_value():
    columns = {field.column for field in AuditEntry._meta.fields} - {"position", "key_id"}
    assert {change.split(" = ")[0] for change in CHANGES} == columns


def test_removed_and_swapped_entries_are_found():
    write_some()
    with transaction.atomic():
        forge("UPDATE accounts_auditentry SET position = 105 - position WHERE position IN (2, 3)")
        forge("UPDATE accounts_auditentry SET position = position - 100 WHERE position > 100")
        assert "entry 2 was changed" in broken()
        transaction.set_rollback(True)


def test_a_removed_entry_is_found_also_at_both_ends(capsys):
    write_some()
    head = f"4:{AuditEntry.objects.first().checksum}"
    assert "4 entries" in verified(capsys, head=head)
    forge("DELETE FROM accounts_auditentry WHERE position = 4")
    assert "which was the last one once, is missing" in broken(head=head)
    forge("DELETE FROM accounts_auditentry WHERE position = 2")
    assert "entries 2 to 2 are missing" in broken()
    forge("DELETE FROM accounts_auditentry WHERE position = 1")
    assert "entries before 3 are missing, and no entry says that they expired" in broken()


@pytest.mark.django_db(transaction=True)
def test_entries_of_many_writers_follow_each_other(capsys):
    def write_and_disconnect(_writer):
        try:
            write_some(10)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write_and_disconnect, range(6)))
    assert "60 entries" in verified(capsys)


def test_an_entry_is_undone_with_what_it_is_about():
    with transaction.atomic():
        write_some(1)
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


def test_a_replaced_key_still_verifies_and_a_lost_one_does_not(settings, capsys):
    write_some(1)
    settings.ENCRYPTION_KEYS = ["a" * 32]
    write_some(1)
    settings.ENCRYPTION_KEYS = ["b" * 32, "a" * 32]
    write_some(1)
    assert "3 entries" in verified(capsys)
    settings.ENCRYPTION_KEYS = ["b" * 32]
    assert "entry 2 was signed with a key that is in neither" in broken()


def test_old_entries_expire_and_the_rest_still_verifies(settings, capsys, caplog):
    settings.AUDIT_MONTHS = 12
    for months in (14, 13, 11, 1):
        write(Action.SIGNED_IN, actor=Actor(name="mona"), at=timezone.now() - timedelta(days=31 * months))
    last_old = AuditEntry.objects.get(position=2)
    caplog.set_level(logging.INFO)
    keep_audit()
    expiry = AuditEntry.objects.first()
    assert [*AuditEntry.objects.values_list("position", flat=True)] == [5, 4, 3]
    assert (expiry.action, expiry.rows) == ("audit_expired", 2)
    assert expiry.after == {"position": 2, "checksum": last_old.checksum}
    assert f"audit: 3 entries, head 5:{expiry.checksum}" in caplog.messages
    assert "3 entries" in verified(capsys, head=f"2:{last_old.checksum}")
    keep_audit()
    assert AuditEntry.objects.count() == 3


def test_the_database_expires_nothing_younger_than_six_months():
    for months in (8, 1):
        write(Action.SIGNED_IN, at=timezone.now() - timedelta(days=31 * months))
    write(Action.AUDIT_EXPIRED, after={"position": 2, "checksum": "made up"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_expire_audit()")
        assert cursor.fetchone() == (1,)
    assert [*AuditEntry.objects.values_list("position", flat=True)] == [3, 2]
    assert "no entry says that they expired" in broken()


def test_texts_that_the_database_cannot_hold_are_stored_without_what_it_refuses(capsys):
    write(Action.OBJECT_CHANGED, Subject("t", "1", "a\0b\ud800"), before={"c\0": 0.5, "d": "\udfff"})
    assert AuditEntry.objects.get().object == "ab?"
    assert "1 entries" in verified(capsys)
