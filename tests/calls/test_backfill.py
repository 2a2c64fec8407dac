"""Made-up history is stored as posts to the endpoint would be, and repeating it changes nothing. The demo's setup."""

import json
import re
import signal
from collections import defaultdict
from datetime import date, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from calls.models import AccessKey, Call, CallEvent, ChangedQuarterHour, DestinationNumber
from calls.simulator import history, profiles
from contacts.agents import Agents
from contacts.matching import identify, who_calls
from contacts.models import AgentDestination, Contact
from live.management.commands import demo
from live.models import NumberRings, Pop
from tests.factories import make_key, make_number
from tests.live.rings import ring

pytestmark = pytest.mark.django_db(transaction=True)


# All histories of a test end at the same time, because another end makes other calls.
UNTIL = timezone.make_aware(datetime(2026, 9, 16, 14, 40))  # noqa: DTZ001 (made aware)


def backfill(**options):
    call_command("backfill", **({"calls": 60, "days": 20, "until": UNTIL, "stdout": StringIO()} | options))


def everything():
    """Return all stored values of calls and events."""
    return list(Call.objects.order_by("pk").values()), list(CallEvent.objects.order_by("pk").values())


def timeless_values():
    """Return all values of each call, and of its events in order, that do not depend on the time of receipt."""
    events = defaultdict(list)
    for event in CallEvent.objects.in_order():
        events[event.call_id].append(
            (
                event.request_type,
                event.block_type,
                event.destination,
                event.destination_type,
                event.destination_number,
                event.caller_id_number,
                event.customer_number,
                event.flags,
                event.payload,
            )
        )
    plain = (
        "destination_number__e164",
        "correlation_id",
        "callback_id",
        "caller_id_number",
        "customer_number",
        "caller_least",
        "caller_greatest",
        "customer_number_least",
        "customer_number_greatest",
        "weakly_identified",
        "has_odd_posts",
    )
    times = ("call_start_at", "forwarded_at", "answered_at", "ended_at")
    return {
        call["call_uuid"]: (
            [call[name] for name in plain],
            [call[name] is not None for name in times],
            call["first_post_at"] == call["call_start_at"],
            events[call["pk"]],
        )
        for call in Call.objects.values("pk", "call_uuid", "first_post_at", *plain, *times)
    }


@pytest.mark.slow
def test_history_equals_the_same_posts_sent_to_the_endpoint():
    until = timezone.now()
    start = until - timedelta(days=20)
    span = {"calls": 300, "start": start, "until": until, "seed": "1"}
    for _ in history.write(profiles.PROFILES, **span):
        pass
    written = timeless_values()
    Call.objects.all().delete()
    for number in DestinationNumber.objects.all():
        make_key(number, "a-key-0123456789")

    client = Client()
    for call in history.plan(profiles.PROFILES, **span):
        for _, post, _ in history.enact(call, until):
            body = json.dumps(post | {"accessKey": "a-key-0123456789"})
            assert client.post("/tenios/posts", body, content_type="application/json").status_code == 200

    assert len(written) == 300
    assert timeless_values() == written


def test_the_same_options_again_change_nothing_and_another_seed_adds():
    backfill(seed="1")
    before = everything()
    logged = ChangedQuarterHour.objects.count()
    assert len(before[0]) == 60
    assert logged

    backfill(seed="1")

    assert everything() == before
    assert ChangedQuarterHour.objects.count() == logged

    backfill(seed="2")

    assert Call.objects.count() == 120


def test_an_interrupted_run_is_completed_by_the_next():
    backfill()
    complete = timeless_values()
    Call.objects.filter(pk__in=Call.objects.order_by("-pk").values("pk")[:20]).delete()

    backfill()

    assert timeless_values() == complete


def test_history_is_in_the_past_and_silent_calls_are_closed():
    backfill(calls=400)
    assert not CallEvent.objects.filter(received_at__gt=UNTIL).exists()
    old = Call.objects.filter(ended_at=None, last_post_at__lt=UNTIL - timedelta(hours=5))
    assert old.exists()
    assert not old.filter(silent_at=None).exists()


def test_missing_numbers_are_created_and_no_key_stays_live():
    kept = DestinationNumber.objects.create(e164=profiles.PROFILES[0].e164, label="Ours")

    backfill(numbers=9)

    assert DestinationNumber.objects.count() == 9
    kept.refresh_from_db()
    assert kept.label == "Ours"
    assert not DestinationNumber.objects.get(label="Ansage Öffnungszeiten").expects_forward
    assert AccessKey.objects.exists()
    assert not AccessKey.objects.live_at(timezone.now()).exists()


@pytest.mark.parametrize("options", [{"calls": 0}, {"days": 0}, {"numbers": 0}, {"numbers": 5000}])
def test_invalid_options_are_refused(options):
    with pytest.raises(CommandError, match="must be"):
        backfill(**options)


def test_the_demo_creates_numbers_history_and_a_person_for_each_group(monkeypatch):
    monkeypatch.setenv("DEMO_MANAGER_PASSWORD", "a password for the demo")
    for _ in range(2):  # in the second run everything exists
        call_command("demo", once=True, calls_a_week=120, stdout=(said := StringIO()))

    passwords = dict(re.findall(r"^demo: sign in as (\w+) / (\w+)  \(", said.getvalue(), re.M))
    assert "open My calls" in said.getvalue()
    people = {user.username: user for user in User.objects.all()}
    assert {*people} == {*passwords, "manager"}
    assert {user.groups.get().name for user in people.values()} == {*Group.objects.values_list("name", flat=True)}
    assert all(people[name].check_password(password) for name, password in passwords.items())
    assert {name for name, user in people.items() if user.is_staff} == {"operator", "useradmin", "dataprotection"}
    assert not Call.objects.visible_to(people["viewer"]).exists()
    assert DestinationNumber.objects.visible_to(people["viewer"]).count() == demo.MANAGES
    assert not Call.objects.visible_to(people["operator"]).exists()
    assert not DestinationNumber.objects.visible_to(people["dataprotection"]).exists()
    manager = User.objects.get(username="manager")
    assert manager.check_password("a password for the demo")
    assert not manager.is_staff
    assert 0 < DestinationNumber.objects.visible_to(manager).count() < DestinationNumber.objects.count()
    assert Call.objects.count() > 1000
    assert not ChangedQuarterHour.objects.exists()  # counted
    today = timezone.localdate()
    answering = Agents.read()
    assert answering.on("1001", "SIP_USER", today) == ["Mara Keller"]
    assert answering.between("1002", "SIP_USER", date(2026, 1, 1), today) == ["Oskar Brandt", "Vera Lindner"]
    assert answering.on("2001", "SIP_USER", today) == ["Uta Winter", "Vera Lindner"]
    teams = {rings.destination_number.label: rings.team.all() for rings in NumberRings.objects.all()}
    assert {user.username for user in teams["Shop München"]} == {"useradmin", "viewer"}
    assert all(0 < len(team) < len(people) for team in teams.values())
    known = who_calls(["+491713920001", "+492214710701"])
    assert [str(match.contacts[0]) for match in known.values()] == ["Anna Becker", "Beispiel AG"]
    identified = identify(Call.objects.filter(destination_number__e164="+492214710300")).values()
    assert {typed.label for call in identified for typed in call.typed} == {"Ticket", "Customer"}
    assert "typed" in {call.match.kind for call in identified if call.match}
    assert Contact.objects.count() == len(demo.FIRST_NAMES) * len(demo.LAST_NAMES) + 1


def test_the_demo_leaves_agents_as_they_are():
    call_command("demo", once=True, calls_a_week=0, stdout=StringIO())
    AgentDestination.objects.exclude(destination="1001").delete()
    call_command("demo", once=True, calls_a_week=0, stdout=StringIO())
    assert {*AgentDestination.objects.values_list("destination", flat=True)} == {"1001"}


def test_the_demo_closes_calls_that_went_on_when_it_was_stopped():
    call_command("demo", once=True, calls_a_week=0, stdout=StringIO())
    number, user = DestinationNumber.objects.get(e164=profiles.PROFILES[0].e164), User.objects.all()[0]
    answered, other = (
        ring(user, number, answered_at=timezone.now()),
        ring(user, make_number("+4930123456"), answered_at=timezone.now()),
    )
    call_command("demo", once=True, calls_a_week=0, stdout=StringIO())
    assert [Pop.objects.get(pk=pop.pk).state for pop in (answered, other)] == ["closed", "answered"]


def test_history_cannot_end_in_the_future():
    with pytest.raises(CommandError, match="must not be in the future"):
        backfill(until=timezone.now() + timedelta(minutes=1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_demo_and_its_handler_is_restored_afterwards(number):
    before = signal.getsignal(number)
    with demo.stopped_by_signals() as stopped:
        assert not stopped.is_set()
        signal.raise_signal(number)
        assert stopped.is_set()
        call_command("demo", once=True, calls_a_week=0, stdout=StringIO())
    assert signal.getsignal(number) is before
