"""Posts become rings of people: each once, shown or with why not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from calls.models import Call, CallEvent
from contacts.models import AgentDestination
from live import feed, rings
from live.models import Listener, LiveProcess, LiveProfile, NumberRings, Pop, PopOn
from tests.factories import make_number, make_user, take
from tests.live.rings import map_to
from tests.transactions import calls_joined_before

pytestmark = pytest.mark.django_db(transaction=True)

DESK = "INITIATE_FORWARD 1001"


@pytest.fixture
def number():
    feed.feed()
    return make_number()


@pytest.fixture
def anna():
    person = make_user("anna")
    map_to(person, "1001")
    listen(person)
    return person


def listen(*people):
    process, _is_new = LiveProcess.objects.get_or_create(name="a process")
    Listener.objects.bulk_create([Listener(process=process, user=person) for person in people])


def post(number, kind, ago_s=0.0, **more):
    kind_only = kind.split()[0]
    if kind_only in ("INITIATE_FORWARD", "FORWARD_ANSWER"):
        more = {"destinationType": "SIP_USER"} | more
    take(number, kind, timezone.now() - timedelta(seconds=ago_s), **more)


def noted(**of):
    return [(pop.user.username, pop.why_not, pop.state) for pop in Pop.objects.filter(**of).order_by("pk")]


def test_a_forward_rings_for_the_person_at_its_destination_and_the_answer_of_another_closes_it(number, anna):
    ben = make_user("ben")
    map_to(ben, "1002")
    listen(ben)
    post(number, DESK, 2)
    post(number, "INITIATE_FORWARD 1002", 1)
    feed.feed()
    assert noted() == [("anna", "", "ringing"), ("ben", "", "ringing")]
    post(number, "FORWARD_ANSWER 1002")
    feed.feed()
    assert noted() == [("anna", "", "closed"), ("ben", "", "answered")]
    assert Pop.objects.get(user=anna).why_closed == "answered_elsewhere"
    post(number, "CALL_END")
    feed.feed()
    assert noted(user=ben) == [("ben", "", "closed")]


def test_every_ring_is_noted_once_although_the_feeder_is_killed_between(number, anna):
    post(number, DESK)
    with pytest.raises(DatabaseError), connection.execute_wrapper(refuse_cursor):
        feed.feed()
    assert noted() == []
    first = feed.feed()
    again = feed.feed()
    assert noted() == [("anna", "", "ringing")]
    assert first.revision == again.revision == Pop.objects.get().revision


def test_a_ring_is_noted_of_a_call_that_is_joined_to_another_while_it_is_read(number, anna):
    post(number, DESK, call_uuid=None)
    post(number, "BLOCK_END MENU")
    with calls_joined_before("WITH concerned") as joined:
        feed.feed()
    assert joined == [1]
    assert noted() == [("anna", "", "ringing")]


def refuse_cursor(execute, sql, params, many, context):
    if 'UPDATE "live_feedcursor"' in sql:
        raise DatabaseError("refused by the test")
    return execute(sql, params, many, context)


@pytest.mark.parametrize(
    ("why", "arrange"),
    [
        ("late", {"ago_s": 11}),
        ("callback", {"callback_id": "back-1"}),
    ],
)
def test_what_must_not_pop_is_listed_with_its_reason(number, anna, why, arrange):
    post(number, DESK, **arrange)
    feed.feed()
    assert noted() == [("anna", why, "closed")]


def test_a_call_that_has_ended_does_not_pop(number, anna):
    post(number, "CALL_END")
    post(number, DESK, 1)
    feed.feed()
    assert noted() == [("anna", "ended", "closed")]


def test_a_call_that_cannot_be_followed_is_listed_and_logged_once_and_keeps_no_other_from_ringing(
    client, number, anna, monkeypatch, caplog
):
    post(number, DESK, 2)
    feed.feed()
    post(number, DESK, 1)
    broken, follow = {*CallEvent.objects.values_list("pk", flat=True)}, rings.follow

    def fails_for_the_first_call(events, *args):
        if broken & {event.id for event in events}:
            raise ZeroDivisionError
        return follow(events, *args)

    monkeypatch.setattr(rings, "follow", fails_for_the_first_call)
    post(number, DESK, 1, call_uuid="other", correlation_id="other")
    for _second in range(3):
        feed.feed(sweeps=True)
    assert noted() == [("anna", "", "ringing"), ("anna", "failed", "closed"), ("anna", "", "ringing")]
    client.force_login(anna)
    assert "Calltally could not follow this call." in client.get("/live/why/").content.decode()

    first = Pop.objects.order_by("pk")[:1]
    Pop.objects.filter(pk__in=first.values("pk")).update(rang_at=timezone.now() - timedelta(seconds=61))
    feed.feed(sweeps=True)
    assert first[0].why_closed == "timed_out"
    assert [record.name for record in caplog.records if record.exc_info] == ["live.feed"]


def test_people_who_do_not_listen_or_do_not_want_to_are_not_shown_it(number, anna):
    off, away = make_user("off"), make_user("away")
    LiveProfile.objects.create(user=off, pops=False)
    for person in (off, away):
        map_to(person, "1001")
    listen(off)
    post(number, DESK)
    feed.feed()
    assert sorted(noted()) == [
        ("anna", "", "ringing"),
        ("away", "not_connected", "ringing"),
        ("off", "switched_off", "closed"),
    ]


def test_where_nobody_is_named_the_team_of_the_number_is_noted(number, anna):
    NumberRings.objects.create(destination_number=number).team.add(anna)
    post(number, "INITIATE_FORWARD 1009")
    feed.feed()
    pop = Pop.objects.get()
    assert (pop.user, pop.is_of_team, pop.destination) == (anna, True, "1009")


def test_who_left_a_destination_is_not_told_and_who_comes_tomorrow_neither(number, anna):
    tomorrow = timezone.localdate() + timedelta(days=1)
    AgentDestination.objects.filter(user=anna).update(from_day=tomorrow)
    post(number, DESK)
    feed.feed()
    assert noted() == []


def test_a_number_pops_as_it_is_set(number, anna):
    rings = NumberRings.objects.create(destination_number=number, pop_on=PopOn.NEVER)
    rings.team.add(anna)
    post(number, DESK, call_uuid="1")
    feed.feed()
    assert noted() == [("anna", "number_off", "closed")]
    NumberRings.objects.update(pop_on=PopOn.START)
    post(number, "CALL_START", call_uuid="2")
    feed.feed()
    post(number, DESK, call_uuid="2")
    feed.feed()
    assert noted(event__call__call_uuid="2") == [("anna", "", "ringing"), ("anna", "already_ringing", "closed")]


def test_a_ring_ends_by_its_time_limit_and_a_conversation_by_the_silence_of_its_call(number, anna):
    NumberRings.objects.create(destination_number=number, ring_timeout_s=5)
    post(number, DESK, 9, call_uuid="rings")
    feed.feed(sweeps=True)
    assert noted() == [("anna", "over", "closed")]
    post(number, DESK, 6, call_uuid="talks")
    post(number, "FORWARD_ANSWER 1001", 5, call_uuid="talks")
    feed.feed(sweeps=True)
    assert noted(event__call__call_uuid="talks") == [("anna", "", "answered")]
    Call.objects.filter(call_uuid="talks").update(silent_at=timezone.now())
    feed.feed(sweeps=True)
    assert noted(event__call__call_uuid="talks") == [("anna", "", "closed")]


def test_history_that_is_added_rings_for_nobody(number, anna):
    post(number, DESK, 2 * 86_400)
    fed = feed.feed()
    assert fed.events == 1
    assert noted() == []


def test_old_rings_are_deleted(number, anna):
    post(number, DESK)
    feed.feed()
    assert feed.delete_old() == 0
    Pop.objects.update(rang_at=timezone.now() - timedelta(days=31))
    assert feed.delete_old() == 1


def test_a_ring_is_stored_by_hand_with_all_columns_of_its_model_and_their_types():
    short = {"integer": "int", "timestamp with time zone": "timestamptz", "varchar(20)": "text"}
    types = {field.attname: field.db_type(connection) for field in Pop._meta.concrete_fields}
    # The key is given by the database, and pages note the other two.
    for name in ("id", "shown_at", "opened_at"):
        del types[name]
    assert {name: short.get(kind, kind) for name, kind in types.items()} == feed.BEGINNING | feed.COURSE
