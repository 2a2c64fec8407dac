"""Who the callers of calls are: their contacts, read by one query for a page, for people with the right *callers*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import ngettext

from calls.access import Rights
from calls.masking import HIDDEN
from calls.models import Call, Right
from contacts import links, matching
from contacts.known_contacts import KnownContact
from contacts.links import CallValues, Link
from contacts.matching import NOT_IDENTIFIED, Identified, Match
from contacts.models import LinkTemplate


@dataclass(frozen=True)
class KnownCaller:
    """The contacts of a caller, of which there is at least one."""

    match: Match

    @property
    def contacts(self) -> Sequence[KnownContact]:
        return self.match.contacts

    @property
    def is_company(self) -> bool:
        """Whether only the company is known: the number is one of its extensions."""
        return self.match.kind == "company"

    @property
    def is_typed(self) -> bool:
        """Whether the contacts were found by the customer number that the caller typed."""
        return self.match.kind == "typed"

    @property
    def is_important(self) -> bool:
        return any(contact.important for contact in self.contacts)

    def __str__(self) -> str:
        """The name of the first contact, and how many more there are."""
        name, more = name_of(self.contacts[0], is_company=self.is_company), len(self.contacts) - 1
        if not more:
            return name
        words = ngettext("%(name)s and %(n)d more", "%(name)s and %(n)d more", more)
        return words % {"name": name, "n": more}


def name_of(contact: KnownContact, *, is_company: bool = False) -> str:
    """Return a contact for pages: `Anna Meyer · Meyer GmbH`; of a number with extensions the company alone."""
    names = [contact.company or contact.name] if is_company else [contact.name, contact.company]
    return " · ".join(name for name in names if name)


def of_calls(calls: Sequence[Call], rights: Rights) -> dict[int, KnownCaller]:
    """Return the known callers of calls by the id of the call. Without the right *callers* none is looked up."""
    return {pk: KnownCaller(found.match) for pk, found in identified(calls, rights).items() if found.match}


def identified(calls: Sequence[Call], rights: Rights, *, is_shown: bool = False) -> dict[int, Identified]:
    """Return who calls and what they typed by the id of the call, only of calls with the right *callers*.

    The number of the caller is hidden in it unless the caller is shown."""
    seen = {call.pk: call for call in calls if rights.may(Right.CALLERS, call.destination_number_id)}
    found = matching.identify(seen.values()) if seen else {}
    if is_shown:
        return found
    return {pk: matching.without_caller(one, seen[pk].caller_id_number) for pk, one in found.items()}


def links_of(call: Call, found: Identified = NOT_IDENTIFIED, *, is_shown: bool) -> list[Link]:
    """Return the links of a call into other systems; those that contain the caller only if it is shown whole."""
    caller = call.caller_id_number if is_shown else ""
    typed = [one for one in found.typed if one.value != HIDDEN]
    values = CallValues(call.pk, caller, call.destination_number.e164, typed)
    return links.links_for(found.match, values, LinkTemplate.objects.all())
