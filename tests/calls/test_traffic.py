"""Made-up calls: reproducible by their seed, valid, and of every kind in docs/posts.md."""

import itertools
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.utils import timezone

from calls import phones, posts
from calls.models import AccessKey, Call, CallEvent, DestinationNumber, RequestType
from calls.simulator import client, history, live, profiles, scenarios

UNTIL = datetime(2026, 9, 16, 12, 0, tzinfo=UTC)
MONTH = timedelta(days=30)


def made_calls(profile, count=600, seed="1"):
    for index in range(count):
        rng = Random(f"{seed} {index}")
        yield profile.play(rng, scenarios.draw_uuid(rng), load=1.0 + index % 2)


@pytest.fixture(scope="module")
def mixture():
    """Calls of all plans with every box ticked."""
    return list(client.make_calls("+4922155400300", 3000, "1"))


def types_of(steps):
    return [step.post["requestType"] for step in steps]


def planned(calls=500, seed="1", number_profiles=profiles.PROFILES):
    return list(history.plan(number_profiles, calls=calls, start=UNTIL - MONTH, until=UNTIL, seed=seed))


def test_the_same_seed_gives_the_same_calls_and_another_seed_gives_others():
    for profile in profiles.PROFILES:
        first, again, other = (list(made_calls(profile, 20, seed)) for seed in ("a", "a", "b"))
        assert first == again != other

    once, again, other = (list(client.make_calls("+492214710300", 20, seed)) for seed in ("a", "a", "b"))
    assert once == again
    uuids = [{steps[0].post["variables"]["call_uuid"] for steps in calls} for calls in (once, other)]
    assert not uuids[0] & uuids[1]


def test_history_is_the_same_from_the_same_seed_to_the_microsecond():
    def enacted(seed):
        return [history.enact(call, UNTIL) for call in planned(60, seed)]

    assert enacted("a") == enacted("a") != enacted("b")


@pytest.mark.parametrize("profile", profiles.PROFILES, ids=lambda profile: profile.label)
def test_every_post_of_every_profile_is_parsed_without_a_flag(profile):
    for steps in made_calls(profile, 150):
        assert steps[0].offset_s == 0
        assert all(former.offset_s < later.offset_s for former, later in itertools.pairwise(steps))
        for step in steps:
            post = posts.parse(json.dumps(step.post | {"accessKey": "a-key-0123456789"}).encode(), UNTIL)
            assert post.flags == []
            assert post.destination_number == profile.e164
            assert post.request_type in profile.sends


@pytest.mark.parametrize("profile", profiles.PROFILES, ids=lambda profile: profile.label)
def test_numbers_are_in_e164_and_uuids_are_of_version_1(profile):
    assert phones.e164(profile.e164) == profile.e164
    assert uuid.UUID(scenarios.draw_uuid(Random(profile.label))).version == 1


def test_every_kind_of_traffic_occurs(mixture):
    def some(condition):
        return any(condition(steps) for steps in mixture)

    def forwards_at_once(steps):
        ringing = [step for step in steps if step.post["requestType"] == "INITIATE_FORWARD"]
        return any(
            later.offset_s - former.offset_s < 0.1 and former.post["destination"] != later.post["destination"]
            for former, later in itertools.pairwise(ringing)
        )

    def is_repeated(steps):
        return any(former.post == later.post for former, later in itertools.pairwise(steps))

    def left_in_a_block(steps):
        return types_of(steps)[-2:] == ["INITIATE_FORWARD", "CALL_END"] or types_of(steps) == ["CALL_START", "CALL_END"]

    def in_turn(steps):
        return types_of(steps).count("INITIATE_FORWARD") > 1 and not forwards_at_once(steps)

    def callers(steps):
        return {step.post["variables"].get("caller_id_number") for step in steps}

    assert some(forwards_at_once)
    assert some(in_turn)
    assert some(is_repeated)
    assert some(left_in_a_block)
    assert some(lambda steps: "CALL_END" not in types_of(steps))
    assert some(lambda steps: types_of(steps).count("CALL_START") > 1 and types_of(steps).count("CALL_END") > 1)
    assert some(lambda steps: types_of(steps)[0] != "CALL_START")
    assert some(lambda steps: steps[-1].offset_s < 5)
    assert some(lambda steps: len(callers(steps)) > 1)
    assert some(lambda steps: len({step.post["customerNumber"] for step in steps}) > 1)
    assert some(lambda steps: "callback_id" in steps[0].post["variables"])
    assert some(lambda steps: "collected_menu" in steps[-1].post["variables"])
    assert set(scenarios.WITHHELD_SPELLINGS) <= set().union(*map(callers, mixture))
    all_posts = [step.post for steps in mixture for step in steps]
    assert {post["requestType"] for post in all_posts} == set(RequestType.values)
    assert {post["destinationType"] for post in all_posts if "destinationType" in post} == {
        "EXTERNALNUMBER",
        "SIP_USER",
        "SIP_TRUNK",
    }
    assert {"QUEUE", "VOICEMAIL", "ROUTINGPLAN", "COLLECT_DIGITS", "REFER"} <= {
        post.get("blockType") for post in all_posts
    }


def test_some_callers_call_several_times(mixture):
    callers = [steps[0].post["variables"].get("caller_id_number") for steps in mixture]
    assert 1000 < len(set(callers)) < len(callers) * 0.8


def test_history_has_exactly_the_number_of_calls_none_in_the_future_and_unique_ids():
    calls = planned(500)
    assert len(calls) == 500
    assert len({history.call_uuid_of(call) for call in calls}) == 500
    receipts = [received_at for call in calls for received_at, *_ in history.enact(call, UNTIL)]
    assert UNTIL - MONTH - timedelta(hours=3) < min(receipts) <= max(receipts) <= UNTIL


def test_weeks_have_the_shape_of_their_profile():
    calls = planned(4000)
    local = [(timezone.localtime(call.start), call.profile.label) for call in calls]
    hotline = [moment for moment, label in local if label == "Hotline Köln"]
    by_hour = [sum(moment.hour == hour for moment in hotline) for hour in range(24)]
    assert by_hour[10] > by_hour[12] < by_hour[14]
    assert sum(moment.weekday() > 4 for moment in hotline) < len(hotline) * 0.1
    assert any(moment.hour in {2, 3, 4} for moment, label in local if label == "Notdienst 24 h")
    silent = [moment for moment, label in local if label == "Filiale Hamburg"]
    assert silent
    assert max(silent) < UNTIL - timedelta(days=7)


def test_more_numbers_than_profiles_are_numbered_and_all_different():
    number_profiles = profiles.make_profiles(60)
    assert len({profile.e164 for profile in number_profiles}) == 60
    assert all(phones.e164(profile.e164) == profile.e164 for profile in number_profiles)


@pytest.mark.django_db(transaction=True)
def test_live_traffic_is_posted_to_the_endpoint_until_it_is_stopped(live_server):
    numbers = profiles.ensure_numbers(profiles.PROFILES)
    history.ensure_key(numbers.values(), "a-key-0123456789", datetime(2020, 1, 1, tzinfo=UTC))
    traffic = live.LiveTraffic(live_server.url, profiles.PROFILES, dict.fromkeys(numbers, "a-key-0123456789"), seed="1")

    class Watching(threading.Event):
        """An event that is set as soon as enough posts were sent."""

        def is_set(self):
            return traffic.tally.sent >= 30

    traffic.run(Watching(), report=lambda line: None, speed=200)

    assert set(traffic.tally.codes) == {"200"}
    assert CallEvent.objects.count() == traffic.tally.sent >= 30
    assert not Call.objects.filter(destination_number__label="Filiale Hamburg").exists()


@pytest.mark.django_db
def test_an_ensured_key_is_live_again():
    numbers = profiles.ensure_numbers(profiles.PROFILES[:1]).values()
    for _ in range(2):
        history.ensure_key(numbers, "a-key-0123456789", datetime(2020, 1, 1, tzinfo=UTC))
        assert AccessKey.objects.live_at(datetime.now(UTC)).count() == 1
        AccessKey.objects.update(revoked_at=datetime.now(UTC))
    assert DestinationNumber.objects.get().label == "Hotline Köln"
