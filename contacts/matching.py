"""Who is calling: finds the contacts of calls, for many calls with three statements.

The first kind that matches wins, and all of its contacts are returned: the customer number that the caller typed, then
the caller's whole number, then a company's number with extensions. Numbers are never compared by their last digits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from django.db import connection

from calls import phones
from calls.masking import HIDDEN, masked_text, names_caller
from calls.models import Call
from contacts import typed_numbers
from contacts.known_contacts import COLUMNS, KnownContact
from contacts.typed_numbers import Typed

Kind = Literal["typed", "exact", "company"]

# Of a number with extensions, with its plus; contacts.models.contacts has the same as a constraint.
SHORTEST_COMPANY = phones.FEWEST_DIGITS + 1
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")

# The index contact_number_e164 is read once, for the callers and for all numbers that they may begin with. The contacts
# are looked up one by one: a planner that expects many numbers would read the whole table of contacts instead.
SELECT_CONTACTS = f"""
SELECT number.e164, number.has_extensions, contact.*, number.label
FROM contacts_contactnumber AS number
CROSS JOIN LATERAL (
  SELECT {COLUMNS} FROM contacts_contact WHERE id = number.contact_id LIMIT 1
) AS contact
WHERE number.e164 = ANY(%s) AND (number.has_extensions OR number.e164 = ANY(%s))
"""


@dataclass(frozen=True)
class Match:
    """The contacts of a caller, at least one, important ones first. Of kind `company` it is not known who called."""

    kind: Kind
    contacts: tuple[KnownContact, ...]


@dataclass(frozen=True)
class Identified:
    """Who calls, None if that is not known, and which of the mapped numbers they typed."""

    match: Match | None = None
    typed: tuple[Typed, ...] = ()


NOT_IDENTIFIED = Identified()


def without_caller(found: Identified, caller: str) -> Identified:
    """Return who calls for people who see the caller masked: where a name, a note, a link or what was typed has the
    caller's number, it is hidden there too."""

    def hidden(text: str) -> str:
        shown = masked_text(text) if names_caller(text, caller) else text
        return HIDDEN if names_caller(shown, caller) else shown  # the digits of a date or an amount

    def contact(known: KnownContact) -> KnownContact:
        url = "" if names_caller(known.url, caller) else known.url
        return known._replace(name=hidden(known.name), company=hidden(known.company), note=hidden(known.note), url=url)

    match = found.match and replace(found.match, contacts=tuple(map(contact, found.match.contacts)))
    typed = (one._replace(value=HIDDEN, url="") if names_caller(one.value, caller) else one for one in found.typed)
    return Identified(match, tuple(typed))


def identify(calls: Iterable[Call]) -> dict[int, Identified]:
    """Return by the id of the call who calls and what they typed, with three statements.

    Calls of which nothing is known are missing. Withheld callers are known only by what they typed."""
    callers = {call.pk: call.caller_id_number for call in calls}
    typed = typed_numbers.of_calls(callers)
    matches = {pk: Match("typed", _ordered(found.contacts)) for pk, found in typed.items() if found.contacts}
    by_number = who_calls({caller for pk, caller in callers.items() if pk not in matches})
    identified = {}
    for pk, caller in callers.items():
        match, found = matches.get(pk) or by_number.get(caller), typed.get(pk)
        if match or found:
            identified[pk] = Identified(match, found.typed if found else ())
    return identified


def who_calls(callers: Iterable[str]) -> dict[str, Match]:
    """Return the match of each caller by their number, with one statement. Callers that are not known are missing.

    Callers are in E.164, as posts are stored; other texts match nothing, masked callers among them."""
    beginnings_of = {caller: beginnings(caller) for caller in callers if _E164.fullmatch(caller)}
    if not beginnings_of:
        return {}
    wanted = {*beginnings_of, *(beginning for several in beginnings_of.values() for beginning in several)}
    whole, companies = _read(sorted(wanted), sorted(beginnings_of))
    matches = {}
    for caller, own_beginnings in beginnings_of.items():
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


def _ordered(contacts: Iterable[KnownContact]) -> tuple[KnownContact, ...]:
    return tuple(sorted(contacts, key=lambda contact: (not contact.important, contact.search_key, contact.pk)))
