"""Contacts and notes in CSV files of calls, as SQL. Needs `call` and `number`, which says by `callers` whether contacts
are named, and by `whole` whether callers are written whole; if not, phone numbers in notes are hidden too."""

from __future__ import annotations

from calls.masking import HIDDEN, masked_text_sql, names_caller_sql
from contacts.matching import SHORTEST_COMPANY
from contacts.typed_numbers import CONTACTS_OF_CUSTOMER, TYPED_LAST
from reports.exports.csv_cells import safe

_NAME = "concat_ws(' · ', nullif(contact.name, ''), nullif(contact.company, ''))"
# The conditions with EXISTS are asked once: without contacts and notes, a million calls take no longer.
# Contacts with the customer number that the caller typed, which come first.
JOIN_TYPED = f"""LEFT JOIN LATERAL (
  SELECT string_agg(DISTINCT {_NAME}, ', ') AS names
  FROM contacts_typednumber AS typed
  CROSS JOIN LATERAL ({TYPED_LAST}) AS found
  CROSS JOIN LATERAL ({CONTACTS_OF_CUSTOMER}) AS contact
  WHERE number.callers AND typed.destination_number_id = call.destination_number_id AND typed.kind = 'customer'
    AND EXISTS (SELECT FROM contacts_typednumber WHERE kind = 'customer')
) AS typed ON true"""
# The number with most digits that the caller's begins with: the whole one, or that of a company with extensions, as
# contacts.matching finds it. Compared by code points, as the index is.
JOIN_CONTACTS = f"""LEFT JOIN LATERAL (
  SELECT string_agg(found.name, ', ' ORDER BY found.name) AS names FROM (
    SELECT DISTINCT CASE WHEN phone.e164 = call.caller_id_number
        THEN {_NAME}
        ELSE coalesce(nullif(contact.company, ''), contact.name) END AS name, length(phone.e164) AS digits
    FROM contacts_contactnumber AS phone JOIN contacts_contact AS contact ON contact.id = phone.contact_id
    WHERE number.callers AND phone.e164 = ANY (ARRAY(
        SELECT left(call.caller_id_number, digits)
        FROM generate_series({SHORTEST_COMPANY}, least(length(call.caller_id_number), 16)) AS digits
      ) || call.caller_id_number)
      AND (phone.has_extensions OR phone.e164 = call.caller_id_number) AND EXISTS (SELECT FROM contacts_contactnumber)
    ORDER BY digits DESC FETCH FIRST 1 ROWS WITH TIES
  ) AS found
) AS known ON true"""
# The last note on the call.
JOIN_NOTES = """LEFT JOIN LATERAL (
  SELECT result, text FROM contacts_callnote WHERE call_id = call.id AND EXISTS (SELECT FROM contacts_callnote)
  ORDER BY written_at DESC, id DESC LIMIT 1
) AS note ON true"""
_NAMES = "coalesce(typed.names, known.names)"
# Digits that are left are those of a date or an amount.
_MASKED_NAMES = masked_text_sql(_NAMES)
COLUMNS = f"""CASE WHEN number.whole OR NOT {names_caller_sql(_NAMES, "call.caller_id_number")} THEN {safe(_NAMES)}
    WHEN {names_caller_sql(_MASKED_NAMES, "call.caller_id_number")} THEN '{HIDDEN}'
    ELSE {safe(_MASKED_NAMES)} END AS caller_contact, nullif(note.result, '') AS note_result,
  CASE WHEN number.whole THEN {safe("note.text")} ELSE {safe(masked_text_sql("note.text"))} END AS note"""
