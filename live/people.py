"""Who is shown calls that ring: people mapped to a destination, or a number's team; and who is connected at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q

from calls.models import Arrives, DestinationNumber, RequestType
from contacts.agents import Key, turns
from contacts.models import AgentDestination
from live.models import NumberRings, PopOn
from reports import periods
from reports.models import FirstPost

# The people of %(users)s who answer at a destination on a day, or are in a team.
_CONNECTED = """
SELECT agent.user_id FROM contacts_agentdestination AS agent
WHERE agent.user_id = ANY(%(users)s) AND (agent.from_day IS NULL OR agent.from_day <= %(day)s) AND NOT EXISTS (
  SELECT FROM contacts_agentdestination AS later
  WHERE later.destination_type = agent.destination_type AND later.destination = agent.destination
    AND later.from_day <= %(day)s AND (agent.from_day IS NULL OR later.from_day > agent.from_day))
UNION
SELECT user_id FROM live_numberrings_team WHERE user_id = ANY(%(users)s)
"""


def at_destinations(keys: Collection[Key], day: date) -> dict[Key, frozenset[int]]:
    """Return the ids of the active people who answer on a day at these destinations; only destinations with people."""
    if not keys:
        return {}
    wanted = Q(destination__in={destination for _type, destination in keys})
    by_key: dict[Key, list[AgentDestination]] = {}
    for row in AgentDestination.objects.filter(wanted).select_related("user"):
        by_key.setdefault((row.destination_type, row.destination), []).append(row)
    people = {
        key: frozenset(
            row.user_id
            for turn in turns(rows)
            if turn.first <= day <= turn.last
            for row in turn.rows
            if row.user is not None and row.user_id is not None and row.user.is_active
        )
        for key, rows in by_key.items()
        if key in keys
    }
    return {key: ids for key, ids in people.items() if ids}


def teams(number_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """Return the ids of the active people in the team of each number that has one."""
    rows = NumberRings.objects.filter(destination_number__in=number_ids, team__is_active=True)
    found: dict[int, set[int]] = {}
    for number, user in rows.values_list("destination_number", "team"):
        found.setdefault(number, set()).add(user)
    return {number: frozenset(users) for number, users in found.items()}


def start_rings(number_ids: Collection[int]) -> frozenset[int]:
    """Return those numbers whose calls ring at their start: as set, or because no forward posts arrive for them."""
    as_set = NumberRings.objects.filter(destination_number__in=number_ids, pop_on=PopOn.START)
    seen = FirstPost.objects.filter(
        destination_number__in=number_ids, request_type=RequestType.INITIATE_FORWARD
    ).values_list("destination_number", flat=True)
    without = DestinationNumber.objects.filter(pk__in=number_ids).filter(
        Q(initiate_forward=Arrives.OFF) | (Q(initiate_forward=Arrives.AUTOMATIC) & ~Q(pk__in=seen))
    )
    return frozenset(as_set.values_list("destination_number", flat=True)) | frozenset(
        without.values_list("pk", flat=True)
    )


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
