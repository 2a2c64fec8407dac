"""The names of people in CSV files, as SQL: a table of who answers at which destination, and the look-up in it."""

from __future__ import annotations

import json

from contacts.agents import Agents

# To be put into the WITH of a statement; `agents` is its parameter. The turns of a destination do not overlap.
TURN = """turn AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%(agents)s::json) AS turn (
    destination text, destination_type text, first_day date, last_day date, place int, people bigint[], names text[])
)"""


def as_parameter(agents: Agents) -> str:
    """Return the JSON that `turn` is read from."""
    return json.dumps(list(agents.rows()))


def turn_of_day(destination: str, destination_type: str, day: str) -> str:
    """Return the SQL that joins the turn of a destination on a day. All three are SQL."""
    return (
        f"LEFT JOIN turn ON turn.destination = {destination} AND turn.destination_type = {destination_type} "
        f"AND {day} BETWEEN turn.first_day AND turn.last_day"
    )


# The names in a turn that was joined; null without people.
NAMES_OF_TURN = "nullif(array_to_string(turn.names, ', '), '')"


def names(destination: str, destination_type: str, first_day: str, last_day: str) -> str:
    """Return the SQL of the names of the people of a destination in a period: those of earlier days first, each once.

    It is null without people. All four are SQL, with the names of their tables."""
    return f"""(
    SELECT string_agg(named.name, ', ' ORDER BY named.place) FROM (
      SELECT min(person.name) AS name, min(ARRAY[turn.place, person.place]) AS place
      FROM turn, unnest(turn.people, turn.names) WITH ORDINALITY AS person (id, name, place)
      WHERE turn.destination = {destination} AND turn.destination_type = {destination_type}
        AND turn.first_day <= {last_day} AND turn.last_day >= {first_day}
      GROUP BY person.id
    ) AS named
  )"""
