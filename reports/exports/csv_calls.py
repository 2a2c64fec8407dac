"""The statement of the CSV of single calls."""

from __future__ import annotations

from calls.masking import masked_sql
from reports.counting import outcomes
from reports.exports import csv_agents, csv_contacts
from reports.exports.csv_cells import exact_moment, safe, seconds
from reports.figures.definitions import COUNTED_FIGURES, OUTCOMES, WAITED_AS

# As in the counts, cells are empty if the figure was not measured at the time of the call.
_MEASURED = {key: f"call.first_post_at >= number.{key}_from" for key in COUNTED_FIGURES}
_WAITED = " OR ".join(f"call.outcome = '{outcome}' AND {_MEASURED[key]}" for outcome, key in WAITED_AS.items())
# The statement after `WITH number`, which has the numbers of the file. `{calls}` stands for the query of the calls,
# with their outcomes and FIELDS.
STATEMENT = f"""{csv_agents.TURN}
SELECT {safe("call.call_uuid")} AS call_uuid, {safe("call.correlation_id")} AS correlation_id,
  {safe("call.customer_number")} AS customer_number,
  number.e164 AS destination_number, {safe("number.label")} AS label,
  CASE WHEN number.whole THEN {safe("call.caller_id_number")}
    ELSE nullif({masked_sql("call.caller_id_number")}, '') END AS caller_id_number,
  {exact_moment("call.first_post_at")} AS started_at, {exact_moment("call.forwarded_at")} AS forwarded_at,
  {exact_moment("call.answered_at")} AS answered_at, {exact_moment("call.ended_at")} AS ended_at,
  CASE
    WHEN call.callback_id <> '' THEN '{outcomes.CALLBACK}'
    {" ".join(f"WHEN call.outcome = '{key}' AND {_MEASURED[key]} THEN '{key}'" for key in OUTCOMES)}
  END AS outcome,
  CASE WHEN call.callback_id = '' AND {_MEASURED["time_to_answer"]} THEN {seconds("call.time_to_answer")} END
    AS time_to_answer_s,
  CASE WHEN call.callback_id = '' AND {_MEASURED["ring"]} THEN {seconds("call.ring")} END AS ring_s,
  CASE WHEN call.callback_id = '' AND {_MEASURED["talk"]} THEN {seconds("call.talk")} END AS talk_s,
  CASE WHEN {_MEASURED["blocks"]} THEN posted.blocks END AS blocks,
  CASE WHEN {_MEASURED["blocks"]} THEN {safe("posted.last_block_type")} END AS last_block_type,
  CASE WHEN call.first_post_at >= number.forwards_from THEN posted.forwards END AS forwards,
  CASE WHEN number.people THEN {safe("posted.answered_destination")} END AS answered_destination,
  {safe("posted.answered_destination_type")} AS answered_destination_type,
  CASE WHEN number.people THEN {safe(csv_agents.NAMES_OF_TURN)} END AS answered_agents,
  {csv_contacts.COLUMNS},
  CASE WHEN call.callback_id = '' AND ({_WAITED}) THEN {seconds("call.waited")} END AS waited_s
FROM ({{calls}}) AS call
JOIN number ON number.id = call.destination_number_id
LEFT JOIN LATERAL (
  SELECT count(*) FILTER (WHERE request_type = 'BLOCK_END') AS blocks,
    count(*) FILTER (WHERE request_type = 'INITIATE_FORWARD') AS forwards,
    (array_agg(block_type ORDER BY received_at DESC, ingest_id DESC)
      FILTER (WHERE request_type = 'BLOCK_END'))[1] AS last_block_type,
    (array_agg(destination ORDER BY received_at, ingest_id)
      FILTER (WHERE request_type = 'FORWARD_ANSWER'))[1] AS answered_destination,
    (array_agg(destination_type ORDER BY received_at, ingest_id)
      FILTER (WHERE request_type = 'FORWARD_ANSWER'))[1] AS answered_destination_type
  FROM calls_callevent WHERE call_id = call.id
) AS posted ON true
{csv_agents.turn_of_day("posted.answered_destination", "posted.answered_destination_type", "call.first_post_at::date")}
{csv_contacts.JOIN_TYPED}
{csv_contacts.JOIN_CONTACTS}
{csv_contacts.JOIN_NOTES}
ORDER BY call.first_post_at, call.id
"""

FIELDS = (
    *("id", "call_uuid", "correlation_id", "callback_id", "customer_number", "caller_id_number"),
    *("destination_number_id", "first_post_at", "forwarded_at", "answered_at", "ended_at"),
    *("outcome", "time_to_answer", "ring", "talk", "waited"),
)
