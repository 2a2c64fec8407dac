"""What other systems answered about a caller, beside what our own contacts know: the contact and links of a ring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contacts import links
from contacts.lookup_format import Found, is_link
from contacts.lookups import Kept
from contacts.matching import Match


@dataclass(frozen=True)
class LookedUp:
    """A caller that only another system knows, as links into other systems take it."""

    contacts: Sequence[Found]
    kind: str = "exact"

    @classmethod
    def of(cls, answers: Sequence[Kept]) -> LookedUp | None:
        return cls([answers[0].found]) if answers else None


def contact_with(own: dict[str, Any] | None, match: Match | None, answers: Sequence[Kept]) -> dict[str, Any] | None:
    """Return a contact as a card shows it, with what was answered. Our own contacts win for the name, except where
    they know only the company."""
    if not answers:
        return own
    notes = [answer.found.note for answer in answers if answer.found.note]
    first = answers[0].found
    if own is None or match is None:
        return {
            "name": first.name or first.company,
            "company": first.company if first.name else "",
            "customer_number": first.customer_number,
            "note": "\n".join(notes),
            "important": False,
            "others": first.others,
        }
    contact = own | {"customer_number": own["customer_number"] or first.customer_number}
    if match.kind == "company" and first.name:
        contact |= {"name": first.name, "company": first.company or own["name"]}
    contact["note"] = "\n".join(dict.fromkeys(note for note in (own["note"], *notes) if note))
    return contact


def links_with(own: Sequence[links.Link], match: Match | None, answers: Sequence[Kept]) -> list[dict[str, str]]:
    """Return the links of a card: those of answers come first where only the answers say who calls."""
    found = [
        links.Link(answer.lookup, answer.found.url, links.SHARED_TAB) for answer in answers if is_link(answer.found.url)
    ]
    return [vars(link) for link in ([*own, *found] if match else [*found, *own])]
