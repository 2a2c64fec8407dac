"""An update of an installation with managers and staff: nobody sees more than before, and what they lose is listed."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module

import psycopg
import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from calls.access import Rights
from calls.models import DestinationNumber, NumberAccess, OpeningHours, Right
from tests.factories import E164
from tests.owner import as_owner

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "+4930123456"
# Name, staff, superuser, active, and the numbers that they managed.
PEOPLE = [
    ("manager", False, False, True, [E164]),
    ("manager-of-both", False, False, True, [E164, OTHER]),
    ("nobody", False, False, True, []),
    ("disabled", False, False, False, [E164]),
    ("staff", True, False, True, []),
    ("staff-and-manager", True, False, True, [OTHER]),
    ("superuser", True, True, True, [E164]),
    ("superuser-without-admin", False, True, True, [OTHER]),
]
OF_MANAGERS = {Right.FIGURES, Right.CALLS, Right.CALLERS, Right.EXPORT}


@contextmanager
def before_the_update(version="0006_reword_labels"):
    """Go back to an older version, yield its models, and update again, which takes seconds."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        with as_owner():
            older = MigrationExecutor(connection).migrate([("calls", version)]).apps
        yield older
    finally:
        with as_owner():
            MigrationExecutor(connection).migrate(newest)


@pytest.fixture(autouse=True)
def _empty_table_of_managers():
    """Empty the table that is no longer one of Django's, which are emptied after each test."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM calls_destinationnumber_managers")


def fill(apps):
    users, numbers = apps.get_model("auth", "User"), apps.get_model("calls", "DestinationNumber")
    made = {e164: numbers.objects.create(e164=e164) for e164 in (E164, OTHER)}
    for name, is_staff, is_superuser, is_active, managed in PEOPLE:
        user = users.objects.create(
            username=name, password="!", is_staff=is_staff, is_superuser=is_superuser, is_active=is_active
        )
        for e164 in managed:
            made[e164].managers.add(user)
    # After going back there may be rows of people and numbers that are gone.
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO calls_destinationnumber_managers (destinationnumber_id, user_id) VALUES (0, 0)")


@pytest.fixture
def updated(settings, request, capsys):
    """Update the installation; return what the update said."""
    settings.FORWARDS_FOR_MANAGERS = request.param
    with before_the_update() as apps:
        fill(apps)
    return capsys.readouterr().out


def nobody_sees_more_than_before(sees_people):
    """Except a superuser who was not staff: superusers see everything now, which the update says."""
    everything = {E164, OTHER}
    for name, is_staff, is_superuser, is_active, managed in PEOPLE:
        user = User.objects.get(username=name)
        before = (everything if is_staff or is_superuser else {*managed}) if is_active else set()
        with_people = before if is_staff or is_superuser or sees_people else set()
        for what in Right:
            numbers = DestinationNumber.objects.visible_to(user, what)
            expected = with_people if what == Right.PEOPLE else before
            assert {number.e164 for number in numbers} == expected, (name, what)
        assert Rights.of(user).everywhere(Right.FIGURES) is (is_active and (is_staff or is_superuser)), name


def what_they_see_stands_in_rows_that_can_be_narrowed(sees_people):
    of_managers = OF_MANAGERS | ({Right.PEOPLE} if sees_people else set())
    rows = {
        (row.user.username, row.destination_number and row.destination_number.e164): row.rights
        for row in NumberAccess.objects.all()
    }
    assert rows == {
        ("manager", E164): of_managers,
        ("manager-of-both", E164): of_managers,
        ("manager-of-both", OTHER): of_managers,
        ("disabled", E164): of_managers,
        ("staff", None): {*Right},
        ("staff-and-manager", None): {*Right},
        ("staff-and-manager", OTHER): of_managers,
    }
    assert not NumberAccess.objects.exclude(granted_by=None, until=None).exists()


def staff_keep_the_page_system_as_a_permission():
    allowed = {user.username for user in User.objects.filter(user_permissions__codename="view_system")}
    assert allowed == {"staff", "staff-and-manager"}
    assert User.objects.get(username="staff").has_perm("calls.view_system")


def the_update_lists_what_is_seen_less_of_and_by_whom(said, sees_people):
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    destinations = [line for line in lines if line.startswith("No longer see destinations")]
    if sees_people:
        assert not destinations
    else:
        assert len(destinations) == 1
        assert "disabled, manager, manager-of-both." in destinations[0]
    (staff,) = [line for line in lines if line.startswith("Keep every number")]
    assert "staff, staff-and-manager." in staff
    (superusers,) = [line for line in lines if line.startswith("Are superusers without")]
    assert superusers.count("superuser-without-admin") == 1


# One test, because each update takes seconds.
@pytest.mark.parametrize("updated", [True, False], indirect=True)
def test_an_update_keeps_what_people_see_in_rows_and_lists_what_they_lose(updated, settings):
    nobody_sees_more_than_before(settings.FORWARDS_FOR_MANAGERS)
    what_they_see_stands_in_rows_that_can_be_narrowed(settings.FORWARDS_FOR_MANAGERS)
    staff_keep_the_page_system_as_a_permission()
    the_update_lists_what_is_seen_less_of_and_by_whom(updated, settings.FORWARDS_FOR_MANAGERS)
    # Users and numbers can be deleted as ever.
    User.objects.all().delete()
    DestinationNumber.objects.all().delete()
    assert not NumberAccess.objects.exists()


def test_an_update_during_a_long_download_holds_up_nobody():
    migration = import_module("calls.migrations.0009_remove_managers")
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE calls_destinationnumber_managers ADD CONSTRAINT to_be_dropped "
            "FOREIGN KEY (destinationnumber_id) REFERENCES calls_destinationnumber (id)"
        )
        settings = connection.get_connection_params() | {"autocommit": False}
        settings.pop("context", None), settings.pop("cursor_factory", None)
        with ThreadPoolExecutor(1) as pool, psycopg.connect(**settings) as download:
            download.execute("SELECT count(*) FROM calls_destinationnumber")
            update = pool.submit(cursor.execute, migration.DROP_FOREIGN_KEYS)
            attempts = set()
            with psycopg.connect(**settings) as reader:
                while len(attempts) < 2:
                    reader.execute("SET LOCAL lock_timeout = '1500ms'")  # as of the writer of posts
                    reader.execute("SELECT count(*) FROM calls_destinationnumber")
                    waiting = "SELECT waitstart FROM pg_locks WHERE NOT granted AND waitstart IS NOT NULL"
                    attempts |= {*reader.execute(waiting)}
                    reader.commit()
                    assert not update.done()
            assert not update.done()
            download.commit()
            update.result(timeout=10)
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE conname = 'to_be_dropped'")
        assert cursor.fetchone() == (0,)


def test_an_update_without_people_says_nothing_creates_no_groups_again_and_writes_search_keys(capsys):
    assert {*Group.objects.values_list("name", flat=True)} == {
        *("viewer", "team lead", "operator", "user admin", "data protection")
    }
    before = permissions_of_groups()
    assert before["viewer"] == before["team lead"] == set()
    assert "view_system" in before["operator"]
    assert "change_user" in before["user admin"]
    for name, permissions in before.items():
        assert not {codename for codename in permissions if codename.startswith("delete_")} - {
            *("delete_openinghours", "delete_numberaccess", "delete_contact", "delete_linktemplate"),
            *("delete_typednumber", "delete_lookup", "delete_endpoint"),
        }
        assert not permissions & {"view_call", "view_callevent"}, name  # no content
    with before_the_update("0004_find_callers_by_part") as apps:
        numbers, hours = apps.get_model("calls", "DestinationNumber"), apps.get_model("calls", "OpeningHours")
        numbers.objects.create(e164=E164, label="Köln")
        numbers.objects.create(e164=OTHER)
        hours.objects.create(name="Büro")
    assert {*DestinationNumber.objects.values_list("label", "search_key")} == {("Köln", "koln\nkoeln"), ("", "")}
    assert OpeningHours.objects.get().search_key == "buro\nbuero"
    assert capsys.readouterr().out == ""
    assert not NumberAccess.objects.exists()
    assert permissions_of_groups() == before


def permissions_of_groups():
    return {
        group.name: {*group.permissions.values_list("codename", flat=True)}
        for group in Group.objects.prefetch_related("permissions")
    }
