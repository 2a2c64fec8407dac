"""Who is shown calls that ring: people mapped to a destination, or a number's team; and who is connected at all."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q

from calls.models import Arrives, DestinationNumber, RequestType
from contacts.agents import Key
from live import rings
from live.models import SHORTEST_TIMEOUT_S, NumberRings, PopOn
from reports import periods
from reports.models import FirstPost

# A row of AgentDestination applies on a day unless a later one, also one without a person, has taken over by then.
_APPLIES = """(agent.from_day IS NULL OR agent.from_day <= %(day)s) AND NOT EXISTS (
  SELECT FROM contacts_agentdestination AS later
  WHERE later.destination_type = agent.destination_type AND later.destination = agent.destination
    AND later.from_day <= %(day)s AND (agent.from_day IS NULL OR later.from_day > agent.from_day))"""

# The people of %(users)s who answer at a destination on a day, or are in a team.
_CONNECTED = f"""
SELECT agent.user_id FROM contacts_agentdestination AS agent WHERE agent.user_id = ANY(%(users)s) AND {_APPLIES}
UNION
SELECT user_id FROM live_numberrings_team WHERE user_id = ANY(%(users)s)
"""

_AT_DESTINATIONS = f"""
SELECT agent.destination_type, agent.destination, agent.user_id
FROM unnest(%(types)s::text[], %(destinations)s::text[]) AS wanted (destination_type, destination)
JOIN contacts_agentdestination AS agent USING (destination_type, destination)
JOIN auth_user AS person ON person.id = agent.user_id AND person.is_active
WHERE {_APPLIES}
"""

_OF_NUMBERS = """
SELECT rings.destination_number_id, rings.pop_on, rings.ring_timeout_s, ARRAY(
  SELECT person.id FROM live_numberrings_team AS team
  JOIN auth_user AS person ON person.id = team.user_id AND person.is_active WHERE team.numberrings_id = rings.id)
FROM live_numberrings AS rings WHERE rings.destination_number_id = ANY(%(numbers)s)
"""


# No number rings for less than this before its rings are closed.
SHORTEST_TIMEOUT = timedelta(seconds=SHORTEST_TIMEOUT_S)


class NumberTeam(NamedTuple):
    """How the calls of a number ring, and the ids of the active people in its team."""

    pop_on: str
    ring_timeout_s: int
    team: frozenset[int]


def at_destinations(keys: Collection[Key], day: date) -> dict[Key, frozenset[int]]:
    """Return the ids of the active people who answer on a day at these destinations; only destinations with people."""
    if not keys:
        return {}
    found: dict[Key, set[int]] = {}
    with connection.cursor() as cursor:
        types, destinations = zip(*keys, strict=True)
        cursor.execute(_AT_DESTINATIONS, {"types": [*types], "destinations": [*destinations], "day": day})
        for destination_type, destination, user in cursor.fetchall():
            found.setdefault((destination_type, destination), set()).add(user)
    return {key: frozenset(ids) for key, ids in found.items()}


def of_numbers(number_ids: Collection[int]) -> dict[int, NumberTeam]:
    """Return how the calls of these numbers ring; only of numbers for which that was set."""
    if not number_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_OF_NUMBERS, {"numbers": list(number_ids)})
        return {
            number: NumberTeam(pop_on, timeout_s, frozenset(team))
            for number, pop_on, timeout_s, team in cursor.fetchall()
        }


def timeout_of(number: NumberTeam | None) -> timedelta:
    """Return for how long the calls of a number ring; None is one for which nothing was set."""
    return timedelta(seconds=number.ring_timeout_s) if number else rings.DEFAULT_TIMEOUT


def start_rings(number_ids: Collection[int]) -> frozenset[int]:
    """Return those numbers whose calls ring at their start: as set, or because no forward posts arrive for them."""
    if not number_ids:
        return frozenset()
    as_set = NumberRings.objects.filter(destination_number__in=number_ids, pop_on=PopOn.START)
    without_forwards = without(RequestType.INITIATE_FORWARD, number_ids)
    return frozenset(as_set.values_list("destination_number", flat=True)) | without_forwards


def without(request_type: RequestType, number_ids: Collection[int]) -> frozenset[int]:
    """Return those numbers for which no posts of this kind arrive: as set, or because none ever did."""
    if not number_ids:
        return frozenset()
    setting = request_type.lower()
    seen = FirstPost.objects.filter(destination_number__in=number_ids, request_type=request_type)
    is_off = Q(**{setting: Arrives.OFF})
    never_came = Q(**{setting: Arrives.AUTOMATIC}) & ~Q(pk__in=seen.values_list("destination_number", flat=True))
    found = DestinationNumber.objects.filter(pk__in=number_ids).filter(is_off | never_came)
    return frozenset(found.values_list("pk", flat=True))


def connected(user_ids: Collection[int]) -> frozenset[int]:
    """Return those of these people who are mapped to a destination today or are in a team."""
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTED, {"users": list(user_ids), "day": periods.today()})
        return frozenset(pk for (pk,) in cursor.fetchall())


def is_connected(user: Any) -> bool:
    """Return whether calls can ring for a person: active, and mapped to a destination or in a team."""
    return bool(isinstance(user, User) and user.is_active and connected([user.pk]))


def existing(user_ids: Collection[int]) -> list[int]:
    """Return those of these people who were not deleted."""
    return list(User.objects.filter(pk__in=user_ids).values_list("pk", flat=True))


def count() -> int:
    """Return how many active people are named at a destination or are in a team, whatever the day."""
    named = User.objects.filter(is_active=True, agent_destinations__isnull=False).values("pk")
    in_teams = User.objects.filter(is_active=True, pk__in=NumberRings.team.through.objects.values("user")).values("pk")
    return named.union(in_teams).count()
