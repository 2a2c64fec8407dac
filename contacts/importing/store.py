"""Stores the contacts of a file with a few statements for all of them.

They are copied into temporary tables first. So a dry run compares them with what is stored as an import does."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from contacts.importing import rows
from contacts.importing.rows import Draft

# Columns that are filled by a field of the same name if the file has it. Otherwise they keep what is stored, such as a
# note that was written here.
OPTIONAL = ("url", "note", "customer_number", "important")

CREATE_TABLES = """
DROP TABLE IF EXISTS pg_temp.imported_contact, pg_temp.imported_number, pg_temp.refused_contact;
CREATE TEMPORARY TABLE imported_contact (
  external_id text NOT NULL, name text NOT NULL, company text NOT NULL, url text NOT NULL, note text NOT NULL,
  customer_number text NOT NULL, important boolean NOT NULL, search_key text COLLATE "C" NOT NULL
) ON COMMIT DROP;
CREATE TEMPORARY TABLE imported_number (
  external_id text NOT NULL, e164 text COLLATE "C" NOT NULL, has_extensions boolean NOT NULL, label text NOT NULL
) ON COMMIT DROP;
CREATE TEMPORARY TABLE refused_contact (external_id text NOT NULL) ON COMMIT DROP;
"""
COPY_CONTACTS = "COPY imported_contact FROM STDIN"
COPY_NUMBERS = "COPY imported_number FROM STDIN"
COPY_REFUSED = "COPY refused_contact FROM STDIN"
# Without statistics the planner would join them row by row.
PREPARE_TABLES = """
CREATE UNIQUE INDEX ON imported_contact (external_id);
CREATE INDEX ON imported_number (external_id);
ANALYZE imported_contact; ANALYZE imported_number; ANALYZE refused_contact;
"""

# One import of a source at a time: two would wait for each other's rows, in another order, and deadlock.
LOCK_SOURCE = "SELECT pg_advisory_xact_lock(hashtextextended('contacts of ' || %s, 0))"

# What an import adds, changes and leaves as it is. A contact has changed if one of its columns or numbers has.
COMPARE = """
WITH stored_numbers AS (
  SELECT contact.id,
    string_agg(number.e164 || number.has_extensions || number.label, ',' ORDER BY number.e164) AS all_of
  FROM contacts_contact AS contact JOIN contacts_contactnumber AS number ON number.contact_id = contact.id
  WHERE contact.source = %(source)s GROUP BY contact.id
), imported_numbers AS (
  SELECT external_id, string_agg(e164 || has_extensions || label, ',' ORDER BY e164) AS all_of
  FROM imported_number GROUP BY external_id
), compared AS (
  SELECT stored.id IS NULL AS is_new,
    ({changed}) OR (%(has_numbers)s AND stored_numbers.all_of IS DISTINCT FROM imported_numbers.all_of) AS is_changed
  FROM imported_contact AS imported
  LEFT JOIN contacts_contact AS stored ON stored.source = %(source)s AND stored.external_id = imported.external_id
  LEFT JOIN stored_numbers ON stored_numbers.id = stored.id
  LEFT JOIN imported_numbers ON imported_numbers.external_id = imported.external_id
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new AND is_changed),
  count(*) FILTER (WHERE NOT is_new AND NOT is_changed)
FROM compared
"""

# A contact whose row was refused is not missing.
MISSING = """
SELECT stored.id FROM contacts_contact AS stored
WHERE stored.source = %(source)s
  AND NOT EXISTS (SELECT FROM imported_contact AS imported WHERE imported.external_id = stored.external_id)
  AND NOT EXISTS (SELECT FROM refused_contact AS refused WHERE refused.external_id = stored.external_id)
"""
COUNT_MISSING = f"SELECT count(*) FROM ({MISSING}) AS missing"
DELETE_MISSING_NUMBERS = f"DELETE FROM contacts_contactnumber WHERE contact_id IN ({MISSING})"
DELETE_MISSING = f"DELETE FROM contacts_contact WHERE id IN ({MISSING})"

UPSERT_CONTACTS = """
INSERT INTO contacts_contact AS stored (
  source, external_id, name, company, url, note, customer_number, important, search_key, updated_at)
SELECT %(source)s, external_id, name, company, url, note, customer_number, important, search_key, now()
FROM imported_contact ORDER BY external_id
ON CONFLICT (source, external_id) WHERE NOT (external_id = '') DO UPDATE SET {assigned}, updated_at = now()
WHERE {changed}
"""
DELETE_NUMBERS = """
DELETE FROM contacts_contactnumber AS number
USING imported_contact AS imported, contacts_contact AS contact
WHERE contact.source = %(source)s AND contact.external_id = imported.external_id AND number.contact_id = contact.id
  AND NOT EXISTS (
    SELECT FROM imported_number WHERE imported_number.external_id = imported.external_id
      AND imported_number.e164 = number.e164)
"""
UPSERT_NUMBERS = """
INSERT INTO contacts_contactnumber AS stored (contact_id, e164, has_extensions, label)
SELECT contact.id, number.e164, number.has_extensions, number.label
FROM imported_number AS number
JOIN contacts_contact AS contact ON contact.source = %(source)s AND contact.external_id = number.external_id
ORDER BY contact.id, number.e164
ON CONFLICT (contact_id, e164) DO UPDATE SET has_extensions = excluded.has_extensions, label = excluded.label
WHERE (stored.has_extensions, stored.label) IS DISTINCT FROM (excluded.has_extensions, excluded.label)
"""


class Counts(NamedTuple):
    """What an import does to the stored contacts of its source. `missing` are stored, but not in the file."""

    added: int
    changed: int
    unchanged: int
    missing: int


def load(cursor: Any, source: str, drafts: Iterable[Draft], refused_ids: Iterable[str]) -> None:
    """Copy contacts into temporary tables, which the end of the transaction drops."""
    cursor.execute(LOCK_SOURCE, [source])
    cursor.execute(CREATE_TABLES)
    drafts = list(drafts)
    _copy(cursor, COPY_CONTACTS, (draft[:-1] for draft in drafts))
    _copy(cursor, COPY_NUMBERS, ((draft.external_id, *number) for draft in drafts for number in draft.numbers))
    _copy(cursor, COPY_REFUSED, ((external_id,) for external_id in refused_ids))
    cursor.execute(PREPARE_TABLES)


def count(cursor: Any, source: str, fields: Collection[str]) -> Counts:
    """Return what storing these contacts would do. `fields` are those that the file has."""
    changed = _is_changed(_filled(fields), "imported")
    parameters = {"source": source, "has_numbers": _has_numbers(fields)}
    cursor.execute(COMPARE.format(changed=changed), parameters)
    added, changed_rows, unchanged = cursor.fetchone()
    cursor.execute(COUNT_MISSING, parameters)
    return Counts(added, changed_rows, unchanged, cursor.fetchone()[0])


def store(cursor: Any, source: str, fields: Collection[str]) -> None:
    """Add and update the contacts that were loaded."""
    columns = _filled(fields)
    assigned = ", ".join(f"{column} = excluded.{column}" for column in columns)
    parameters = {"source": source}
    cursor.execute(UPSERT_CONTACTS.format(assigned=assigned, changed=_is_changed(columns, "excluded")), parameters)
    if _has_numbers(fields):
        cursor.execute(DELETE_NUMBERS, parameters)
        cursor.execute(UPSERT_NUMBERS, parameters)


def delete_missing(cursor: Any, source: str) -> int:
    """Delete the contacts of the source that the file does not have; return how many."""
    parameters = {"source": source}
    cursor.execute(DELETE_MISSING_NUMBERS, parameters)
    cursor.execute(DELETE_MISSING, parameters)
    return int(cursor.rowcount)


def _filled(fields: Collection[str]) -> list[str]:
    return ["name", "company", "search_key", *(column for column in OPTIONAL if column in fields)]


def _has_numbers(fields: Collection[str]) -> bool:
    return bool({*rows.PHONES} & {*fields})


def _is_changed(columns: Collection[str], new: str) -> str:
    """Return the SQL condition that a stored contact differs from the new one in one of these columns."""
    pairs = " OR ".join(f"stored.{column} <> {new}.{column}" for column in columns)
    return f"({pairs})"


def _copy(cursor: Any, statement: str, values: Iterable[tuple[Any, ...]]) -> None:
    with cursor.copy(statement) as copy:
        for row in values:
            copy.write_row(row)
