"""Who answers at a destination on a day, and how a destination with people is written."""

from datetime import date, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import ProtectedError
from django.db.utils import IntegrityError

from contacts import agents
from contacts.agents import Agents
from contacts.models import AgentDestination
from tests.factories import allow, make_user

pytestmark = pytest.mark.django_db(transaction=True)

DESK = ("1001", "SIP_USER")
SEPTEMBER = date(2026, 9, 1)
BEFORE = SEPTEMBER - timedelta(days=1)


@pytest.fixture
def anna():
    return make_user("anna", first_name="Anna", last_name="Meyer")


@pytest.fixture
def ben():
    return make_user("ben", first_name="Ben", last_name="Kurz")


def map_to(user, day=None, destination=DESK):
    return AgentDestination.objects.create(
        user=user, destination=destination[0], destination_type=destination[1], from_day=day
    )


def on(day, destination=DESK):
    return Agents.read().on(*destination, day)


def test_without_a_first_day_a_person_answers_from_the_beginning(anna):
    map_to(anna)
    assert on(date(2015, 1, 1)) == on(SEPTEMBER) == ["Anna Meyer"]
    assert on(SEPTEMBER, ("1001", "SIP_TRUNK")) == on(SEPTEMBER, ("1002", "SIP_USER")) == []


def test_a_person_with_a_first_day_does_not_answer_before_it(anna):
    map_to(anna, SEPTEMBER)
    assert on(BEFORE) == []
    assert on(SEPTEMBER) == ["Anna Meyer"]


def test_rows_of_a_later_day_take_over_from_all_before(anna, ben):
    map_to(anna)
    map_to(ben, SEPTEMBER)
    assert on(BEFORE) == ["Anna Meyer"]
    assert on(SEPTEMBER) == ["Ben Kurz"]


def test_people_with_the_same_first_day_share_a_destination(anna, ben):
    map_to(ben)
    map_to(anna)
    assert on(SEPTEMBER) == ["Anna Meyer", "Ben Kurz"]


def test_one_person_has_several_destinations(anna):
    map_to(anna)
    map_to(anna, destination=("0170 1234567", "EXTERNALNUMBER"))
    assert on(SEPTEMBER) == on(SEPTEMBER, ("+491701234567", "EXTERNALNUMBER")) == ["Anna Meyer"]


def test_a_row_without_a_user_ends_the_time_of_those_before(anna):
    map_to(anna)
    map_to(None, SEPTEMBER)
    assert on(BEFORE) == ["Anna Meyer"]
    assert on(SEPTEMBER) == []


def test_a_period_has_all_people_of_its_days_once_those_of_earlier_days_first(anna, ben):
    map_to(ben)
    map_to(anna, SEPTEMBER)
    map_to(ben, SEPTEMBER + timedelta(days=9))
    read = Agents.read()
    assert read.between(*DESK, BEFORE, BEFORE) == ["Ben Kurz"]
    assert read.between(*DESK, BEFORE, SEPTEMBER) == ["Ben Kurz", "Anna Meyer"]
    assert read.between(*DESK, SEPTEMBER, SEPTEMBER) == ["Anna Meyer"]
    assert read.between(*DESK, BEFORE, SEPTEMBER + timedelta(days=30)) == ["Ben Kurz", "Anna Meyer"]


def test_all_are_read_by_one_query(anna, ben, django_assert_num_queries):
    map_to(anna)
    map_to(ben, SEPTEMBER)
    map_to(ben, destination=("1002", "SIP_USER"))
    with django_assert_num_queries(1):
        read = Agents.read()
        assert read.on(*DESK, BEFORE)
        assert read.between("1002", "SIP_USER", BEFORE, SEPTEMBER)


def test_the_name_of_a_person_is_first_and_last_name_or_else_the_user_name(anna):
    map_to(anna)
    map_to(make_user("desk2"), destination=("1002", "SIP_USER"))
    assert on(SEPTEMBER, ("1002", "SIP_USER")) == ["desk2"]
    assert [str(row) for row in AgentDestination.objects.order_by("pk")] == ["Anna Meyer (1001)", "desk2 (1002)"]
    assert str(map_to(None, SEPTEMBER)) == "Nobody (1001)"


def test_a_destination_is_written_with_its_people_and_without_them_as_it_is():
    assert agents.labelled([], "+492214710300") == "+49 221 4710300"
    assert agents.labelled(["Anna Meyer"], "+492214710300") == "Anna Meyer (+49 221 4710300)"
    assert agents.labelled(["Anna", "Ben", "Cem"], "1001") == "Anna, Ben, Cem (1001)"
    assert agents.labelled(["Anna", "Ben", "Cem", "Dora", "Emil"], "1001") == "Anna, Ben, Cem and 2 more (1001)"


@pytest.mark.parametrize("day", [None, SEPTEMBER])
def test_a_person_is_stored_once_for_a_destination_and_day(anna, day):
    map_to(anna, day)
    with pytest.raises(IntegrityError):
        map_to(anna, day)


def test_a_user_who_answered_somewhere_is_not_deleted(anna):
    map_to(anna)
    with pytest.raises(ProtectedError):
        anna.delete()
    AgentDestination.objects.all().delete()
    anna.delete()
    assert not User.objects.filter(username="anna").exists()


# --- Changes -----------------------------------------------------------------------------------


def test_who_takes_over_replaces_those_before_and_a_second_time_changes_nothing(anna, ben):
    assert agents.take_over(*DESK, [anna], None) == ["Anna Meyer added from the beginning"]
    assert agents.take_over(*DESK, [ben], SEPTEMBER) == ["Ben Kurz added from 1 Sep 2026"]
    assert (on(BEFORE), on(SEPTEMBER)) == (["Anna Meyer"], ["Ben Kurz"])
    assert agents.take_over(*DESK, [ben], SEPTEMBER) == []
    assert agents.take_over(*DESK, [anna], SEPTEMBER) == [
        "Ben Kurz removed from 1 Sep 2026",
        "Anna Meyer added from 1 Sep 2026",
    ]


def test_who_joins_leaves_those_before_where_they_are(anna, ben):
    agents.take_over(*DESK, [anna], None)
    assert agents.take_over(*DESK, [ben], SEPTEMBER, joins=True) == [
        "Anna Meyer added from 1 Sep 2026",
        "Ben Kurz added from 1 Sep 2026",
    ]
    assert (on(BEFORE), on(SEPTEMBER)) == (["Anna Meyer"], ["Anna Meyer", "Ben Kurz"])


def test_nobody_takes_over_and_somebody_after_nobody(anna, ben):
    agents.take_over(*DESK, [anna], None)
    assert agents.take_over(*DESK, [None], SEPTEMBER) == ["Nobody added from 1 Sep 2026"]
    assert on(SEPTEMBER) == []
    assert agents.take_over(*DESK, [ben], SEPTEMBER, joins=True) == [
        "Nobody removed from 1 Sep 2026",
        "Ben Kurz added from 1 Sep 2026",
    ]


def test_where_the_last_row_of_a_day_is_removed_those_before_answer_again(anna, ben):
    agents.take_over(*DESK, [anna], None)
    agents.take_over(*DESK, [ben], SEPTEMBER)
    assert agents.remove(AgentDestination.objects.get(user=ben)) == ["Ben Kurz removed from 1 Sep 2026"]
    assert on(SEPTEMBER) == ["Anna Meyer"]


CODENAMES = {
    *("view_agentdestination", "change_agentdestination"),
    *(
        f"{action}_{model}"
        for model in ("contact", "linktemplate", "lookup", "typednumber")
        for action in ("view", "add", "change", "delete")
    ),
}


# --- The update --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("migration", "function", "models"),
    [
        ("0002_let_operators_map_agents", "let_operators_map_agents", ["agentdestination"]),
        ("0005_let_operators_edit_contacts", "let_operators_edit_contacts", ["contact", "linktemplate"]),
        ("0007_let_operators_edit_lookups", "let_operators_edit_lookups", ["lookup"]),
        ("0011_let_operators_map_typed_numbers", "let_operators_map_typed_numbers", ["typednumber"]),
    ],
)
def test_operators_are_given_permissions_unless_their_group_was_changed(migration, function, models):
    group = Group.objects.get(name="operator")
    before = {*group.permissions.values_list("pk", flat=True)}
    update = getattr(import_module(f"contacts.migrations.{migration}"), function)
    given = group.permissions.filter(content_type__app_label="contacts", content_type__model__in=models)
    assert given.exists()
    # What later updates added.
    in_order = [
        "agentdestination",
        "contact",
        "linktemplate",
        "lookup",
        "contactkey",
        "typednumber",
        "numberrings",
        "pop",
        "boardkey",
        "endpoint",
        "delivery",
    ]
    of_later_models = in_order[in_order.index(models[-1]) + 1 :]
    later = group.permissions.filter(content_type__model__in=of_later_models)
    try:
        group.permissions.remove(*given, *later)
        at_first = {*group.permissions.values_list("pk", flat=True)}
        with connection.schema_editor() as editor:
            update(apps, editor)
        assert {*given.values_list("codename", flat=True)} == {
            codename for codename in CODENAMES if codename.split("_")[1] in models
        }

        group.permissions.set(at_first)
        group.permissions.remove(group.permissions.get(codename="view_system"))
        with connection.schema_editor() as editor:
            update(apps, editor)
        assert not given.all().exists()
    finally:
        group.permissions.set(before)


def test_nobody_else_may_unless_they_are_given_the_permission():
    user = make_user("someone")
    assert not user.has_perm("contacts.change_agentdestination")
    allow(user, "contacts.change_agentdestination")
    assert User.objects.get(pk=user.pk).has_perm("contacts.change_agentdestination")
