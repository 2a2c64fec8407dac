"""Who the callers of calls are: their contacts, read by one query for a page, and only of callers that may be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import ngettext

from calls.access import Rights
from calls.models import Call, Right
from contacts import links, matching
from contacts.links import CallValues, Link
from contacts.matching import KnownContact, Match
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
    """Return the known callers of calls by the id of the call. A masked caller is not looked up."""
    callers = {
        call.pk: call.caller_id_number
        for call in calls
        if call.caller_id_number and rights.may(Right.CALLERS, call.destination_number_id)
    }
    matches = matching.who_calls(set(callers.values())) if callers else {}
    return {pk: KnownCaller(matches[caller]) for pk, caller in callers.items() if caller in matches}


def links_of(call: Call, known: KnownCaller | None) -> list[Link]:
    """Return the links of a call into other systems. They contain the caller: ask only for who may see it."""
    values = CallValues(call_id=call.pk, caller=call.caller_id_number, number=call.destination_number.e164)
    return links.links_for(known.match if known else None, values, LinkTemplate.objects.all())
