"""Who is calling: finds the contacts of callers by their numbers, for many callers with one statement.

The first kind that matches wins, and all of its contacts are returned: the whole number, then a company's number with
extensions. Numbers are never compared by their last digits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from django.db import connection

from calls import phones

Kind = Literal["exact", "company"]

# Of a number with extensions, with its plus; contacts.models.contacts has the same as a constraint.
SHORTEST_COMPANY = phones.FEWEST_DIGITS + 1
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")

# The index contact_number_e164 is read once, for the callers and for all numbers that they may begin with. The contacts
# are looked up one by one: a planner that expects many numbers would read the whole table of contacts instead.
SELECT_CONTACTS = """
SELECT number.e164, number.has_extensions, contact.*, number.label
FROM contacts_contactnumber AS number
CROSS JOIN LATERAL (
  SELECT id, source, external_id, name, company, url, note, customer_number, important, search_key
  FROM contacts_contact WHERE id = number.contact_id LIMIT 1
) AS contact
WHERE number.e164 = ANY(%s) AND (number.has_extensions OR number.e164 = ANY(%s))
"""


class KnownContact(NamedTuple):
    """What is known of a contact, read without the cost of a model. `label` is that of the number that matched."""

    pk: int
    source: str
    external_id: str
    name: str
    company: str
    url: str
    note: str
    customer_number: str
    important: bool
    search_key: str
    label: str

    def __str__(self) -> str:
        return f"{self.name} ({self.company})" if self.name and self.company else self.name or self.company


@dataclass(frozen=True)
class Match:
    """The contacts of a caller, at least one, important ones first. Of kind `company` it is not known who called."""

    kind: Kind
    contacts: tuple[KnownContact, ...]


def who_calls(callers: Iterable[str]) -> dict[str, Match]:
    """Return the match of each caller, with one statement. Callers whom nobody knows are missing.

    Callers are in E.164, as posts are stored; other texts match nothing, masked callers among them."""
    beginnings_of = {caller: beginnings(caller) for caller in callers if _E164.fullmatch(caller)}
    if not beginnings_of:
        return {}
    wanted = {*beginnings_of, *(beginning for several in beginnings_of.values() for beginning in several)}
    whole, companies = _read(sorted(wanted), sorted(beginnings_of))
    matches = {}
    for caller, own_beginnings in beginnings_of.items():
        # Contacts found by a customer number that the caller typed will come before these.
        if contacts := whole.get(caller):
            matches[caller] = Match("exact", _ordered(contacts))
        elif company := next(filter(None, map(companies.get, own_beginnings)), None):
            matches[caller] = Match("company", _ordered(company))
    return matches


def beginnings(caller: str) -> list[str]:
    """Return the company numbers that a caller may belong to, longest first: at most eight, because E.164 has 15
    digits."""
    return [caller[:length] for length in range(len(caller) - 1, SHORTEST_COMPANY - 1, -1)]


Contacts = dict[str, list[KnownContact]]


def _read(wanted: list[str], callers: list[str]) -> tuple[Contacts, Contacts]:
    """Return the contacts of these numbers by number: those of whole numbers, and those of numbers with extensions."""
    whole: Contacts = {}
    companies: Contacts = {}
    with connection.cursor() as cursor:
        cursor.execute(SELECT_CONTACTS, [wanted, callers])
        for e164, has_extensions, *columns in cursor.fetchall():
            contact = KnownContact(*columns)
            whole.setdefault(e164, []).append(contact)
            if has_extensions:
                companies.setdefault(e164, []).append(contact)
    return whole, companies


def _ordered(contacts: list[KnownContact]) -> tuple[KnownContact, ...]:
    return tuple(sorted(contacts, key=lambda contact: (not contact.important, contact.search_key, contact.pk)))
