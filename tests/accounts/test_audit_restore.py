"""A restore keeps the entries of before and adds those that only the backup has."""

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.audit import merging
from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write
from accounts.models import AuditEntry
from tests.owner import as_owner

pytestmark = pytest.mark.django_db


def write_some(*names):
    for name in names:
        write(Action.OBJECT_CHANGED, Subject("t", name, name))


def begin_again():
    """Empty the table, as if the database were another one."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM accounts_auditentry")
        cursor.execute("ALTER TABLE accounts_auditentry ENABLE TRIGGER USER")


def keep():
    """Keep the entries as a restore does before it replaces the tables."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA calltally_audit")
        cursor.execute("CREATE TABLE calltally_audit.accounts_auditentry AS SELECT * FROM accounts_auditentry")


def merge():
    with as_owner():
        return merging.merge()


def names():
    return [*AuditEntry.objects.filter(object_type="t").order_by("position").values_list("object", flat=True)]


def test_entries_of_after_the_backup_stay_and_follow_each_other(capsys):
    write_some("a", "b", "c")
    keep()
    checksums = [*AuditEntry.objects.values_list("checksum", flat=True)]
    begin_again()
    merged = merge()
    assert (names(), merged.carried) == (["a", "b", "c"], 0)
    assert set(checksums) < {*AuditEntry.objects.values_list("checksum", flat=True)}
    assert AuditEntry.objects.first().action == "audit_merged"
    call_command("verify_audit")
    assert "4 entries" in capsys.readouterr().out
    assert merge() is None


def test_entries_of_a_new_installation_are_added_to_the_longer_chain_of_the_backup(capsys):
    write_some("new")
    installed = AuditEntry.objects.get()
    keep()
    begin_again()
    write_some("a", "b", "c")
    assert merge().carried == 1
    assert names() == ["a", "b", "c", "new"]
    carried = AuditEntry.objects.get(object="new")
    assert carried.at == installed.at
    assert (carried.carried["checksum"], carried.carried["is_genuine"]) == (installed.checksum, True)
    call_command("verify_audit")


def test_an_entry_that_was_forged_before_is_not_genuine_afterwards():
    write_some("new")
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE accounts_auditentry SET actor = 'somebody else'")
        cursor.execute("ALTER TABLE accounts_auditentry ENABLE TRIGGER USER")
    keep()
    begin_again()
    write_some("a", "b")
    merge()
    assert AuditEntry.objects.get(object="new").carried["is_genuine"] is False


def test_restoring_the_same_backup_twice_adds_nothing_twice():
    write_some("new")
    keep()
    begin_again()
    write_some("a", "b", "c")
    merge()
    keep()
    begin_again()
    write_some("a2")
    merge()
    assert names() == ["a", "b", "c", "new", "a2"]
