"""What callers typed: customer, ticket and order numbers in variables of messages, for many calls with one statement.

Only variables that a TypedNumber names are read, and of them only values that match its pattern as a whole. Digits and
ASCII texts are read; a value with other characters matches nothing."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from django.db import connection
from django.db.models import BooleanField, F, Func, Value
from django.utils.translation import gettext as _

from contacts import patterns
from contacts.known_contacts import COLUMNS, KnownContact
from contacts.models import TypedNumber

# Of a call with more messages only the latest are read, and of more contacts with the same customer number only these.
MOST_MESSAGES = 200
MOST_CONTACTS = 20
LONGEST_VALUE = 60

# The value of the variable in a payload, which is compact ASCII JSON with escaped quotes: so the name in quotes with a
# colon occurs only as a name. The JSON functions of PostgreSQL fail for NUL, which payloads may have.
_AFTER_NAME = f"""left(split_part(event.payload, '"' || typed.variable || '":', 2), {LONGEST_VALUE + 2})"""
_VALUE = f"""btrim(coalesce(substring({_AFTER_NAME} from '^"([^"\\\\]*)"'),
  substring({_AFTER_NAME} from '^([0-9]+)[^0-9.eE]')))"""
# The value that the caller of `call` typed last, for the TypedNumber `typed`.
TYPED_LAST = f"""SELECT said.value FROM (
  SELECT event.received_at, event.id, {_VALUE} AS value FROM (
    SELECT id, received_at, payload FROM calls_callevent WHERE call_id = call.id ORDER BY id DESC LIMIT {MOST_MESSAGES}
  ) AS event
) AS said
WHERE {patterns.matches("said.value", "typed.pattern")}
ORDER BY said.received_at DESC, said.id DESC LIMIT 1"""
# The contacts with the customer number that was typed. Without an order, which the wrong index might serve.
CONTACTS_OF_CUSTOMER = f"""SELECT {COLUMNS} FROM contacts_contact AS customer
WHERE typed.kind = 'customer' AND upper(customer.customer_number) = upper(found.value)
  AND customer.customer_number <> '' LIMIT {MOST_CONTACTS}"""
# Null of a typed number whose pattern PostgreSQL cannot read.
MATCHES_BLANK = Func(Value(""), F("pattern"), function=patterns.FUNCTION, output_field=BooleanField(null=True))
# To plan the statement below takes longer than this.
_IS_ANY_MAPPED = "SELECT EXISTS (SELECT FROM contacts_typednumber)"
_TYPED_BY_CALLERS = f"""
SELECT call.id, typed.id, typed.kind, typed.label, found.value, typed.url, contact.*
FROM contacts_typednumber AS typed
JOIN calls_call AS call ON call.destination_number_id = typed.destination_number_id AND call.id = ANY(%s)
CROSS JOIN LATERAL ({TYPED_LAST}) AS found
LEFT JOIN LATERAL ({CONTACTS_OF_CUSTOMER}) AS contact ON true
ORDER BY call.id, typed.id
"""


class Typed(NamedTuple):
    """A number that a caller typed."""

    kind: str
    label: str
    value: str
    # A template of its own, or blank.
    url: str

    def __str__(self) -> str:
        return _("%(label)s %(value)s") % {"label": self.label, "value": self.value}


class TypedInCall(NamedTuple):
    """What the caller of a call typed, and the contacts with the customer numbers among that."""

    typed: tuple[Typed, ...]
    contacts: tuple[KnownContact, ...]


def of_calls(call_ids: Collection[int]) -> dict[int, TypedInCall]:
    """Return what callers typed by the id of the call, with at most two statements. Calls without it are missing."""
    if not call_ids:
        return {}
    typed: dict[int, dict[int, Typed]] = {}
    contacts: dict[int, dict[int, KnownContact]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_IS_ANY_MAPPED)
        if cursor.fetchone() != (True,):
            return {}
        cursor.execute(_TYPED_BY_CALLERS, [list(call_ids)])
        for call, mapping, kind, label, value, url, contact, *columns in cursor.fetchall():
            typed.setdefault(call, {})[mapping] = Typed(kind, label, value, url)
            if contact is not None:
                contacts.setdefault(call, {})[contact] = KnownContact(contact, *columns)
    return {
        call: TypedInCall(tuple(found.values()), tuple(contacts.get(call, {}).values()))
        for call, found in typed.items()
    }


def without_effect() -> list[TypedNumber]:
    """Return the typed numbers whose pattern PostgreSQL cannot read. It was written past its check, or the check was
    that of another version."""
    return list(TypedNumber.objects.alias(matches_blank=MATCHES_BLANK).filter(matches_blank=None).order_by("pk"))


def variables_of(number_id: int) -> frozenset[str]:
    """Return the names of the variables of a number in which callers type."""
    rows = TypedNumber.objects.filter(destination_number=number_id)
    return frozenset(rows.values_list("variable", flat=True))
