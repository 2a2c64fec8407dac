"""Links into other systems, such as a CRM: templates that are filled in with a call and who is calling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Protocol
from urllib.parse import quote, urlsplit

import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# What a template may name, and an example of each for made-up calls.
EXAMPLES = {
    "caller": "+492214710300",
    "caller_national": "02214710300",
    "caller_digits": "492214710300",
    "number": "+4922155400300",
    "customer_number": "K-1001",
    "ticket": "4711",
    "name": "Anna Meyer",
    "call_id": "1",
}
# These come from a contact: with several contacts there is a link for each.
OF_A_CONTACT = frozenset({"customer_number", "name"})
# Several contacts may have the same number, but nobody reads more links than these.
MOST_CONTACTS = 3
LONGEST_ADDRESS = 2_000
# The name of the browser tab in which links open that share one.
TAB = "calltally-links"

_PLACE = re.compile(r"\{([^{}]*)\}")
_BRACE = re.compile(r"[{}]")
# A browser would read these parts of a path as a way up.
_WAYS_UP = frozenset({".", ".."})


class Template(Protocol):
    """What is read of a link template."""

    name: str
    url: str
    shown_when: str
    opens_in: str


class Known(Protocol):
    """What is read of a contact."""

    @property
    def name(self) -> str: ...

    @property
    def company(self) -> str: ...

    @property
    def customer_number(self) -> str: ...


class Found(Protocol):
    """What is read of a match: how the contacts were found, and who they are."""

    @property
    def kind(self) -> str: ...

    @property
    def contacts(self) -> Sequence[Known]: ...


@dataclass(frozen=True)
class Link:
    """A link for one call. `target` is the name of a browser tab that all calls share; blank for a new tab each."""

    label: str
    url: str
    target: str = ""


@dataclass(frozen=True)
class CallValues:
    """What a template may name of a call. `caller` is blank if it is withheld or not to be seen."""

    call_id: int
    caller: str
    number: str
    ticket: str = ""

    def by_place(self, contact: Known | None) -> dict[str, str]:
        """Return the value of each place; blank where there is none."""
        return {
            "caller": self.caller,
            "caller_national": national(self.caller),
            "caller_digits": self.caller.removeprefix("+") if self.caller.removeprefix("+").isdigit() else "",
            "number": self.number,
            "customer_number": contact.customer_number if contact else "",
            "ticket": self.ticket,
            "name": contact.name or contact.company if contact else "",
            "call_id": str(self.call_id),
        }


def links_for(match: Found | None, call: CallValues, templates: Iterable[Template]) -> list[Link]:
    """Return the links of a call, in the order of the templates. `match` is None if nobody is known.

    A link is left out where a value that it needs is missing."""
    kind = match.kind if match else "nobody"
    contacts = list(match.contacts[:MOST_CONTACTS]) if match else []
    links: dict[tuple[str, str], Link] = {}
    for template in templates:
        if template.shown_when not in {"any", kind}:
            continue
        is_for_each = len(contacts) > 1 and bool(OF_A_CONTACT & {*places(template.url)})
        for contact in contacts if is_for_each else [contacts[0] if contacts else None]:
            link = _link(template, call.by_place(contact))
            if link and is_for_each and contact:
                label = _("%(link)s (%(contact)s)") % {"link": link.label, "contact": contact.name or contact.company}
                link = replace(link, label=label)
            if link:
                links.setdefault((template.name, link.url), link)
    return list(links.values())


def made_up_link(template: Template) -> Link | None:
    """Return the link of a made-up call."""
    return _link(template, EXAMPLES)


def _link(template: Template, values: Mapping[str, str]) -> Link | None:
    """Return the filled-in link; None if a value is missing, or the template is no longer allowed."""
    if why_refused(template.url) or any(values[place].strip() in _WAYS_UP | {""} for place in places(template.url)):
        return None
    url = _PLACE.sub(lambda place: quote(values[place[1]].strip(), safe=""), template.url)
    return Link(template.name, url, TAB if template.opens_in == "tab" else "")


def places(url: str) -> list[str]:
    """Return the names in braces of a template."""
    return _PLACE.findall(url)


def national(caller: str) -> str:
    """Return a caller as it is dialled within its country: `02214710300`; other texts without spaces."""
    if not caller.startswith("+"):
        return caller
    try:
        number = phonenumbers.parse(caller)
    except phonenumbers.NumberParseException:
        return caller
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return re.sub(r"\D", "", written)


# --- What is allowed ---------------------------------------------------------------------------


def check(url: str) -> None:
    """Raise ValidationError if a template is not allowed; it says what to enter."""
    if why := why_refused(url):
        raise ValidationError(why, code="link")


def why_refused(url: str) -> str:
    """Return why a template is not allowed; blank if it is."""
    if unknown := [place for place in places(url) if place not in EXAMPLES]:
        return _("{%(place)s} is not known. You can use %(places)s.") % {
            "place": unknown[0],
            "places": " ".join(f"{{{place}}}" for place in EXAMPLES),
        }
    if _BRACE.search(_PLACE.sub("", url)):
        return _("A brace is not closed. Enter names like {caller}.")
    if len(url) > LONGEST_ADDRESS or any(sign.isspace() or not sign.isprintable() for sign in url) or "\\" in url:
        return _("Enter an address without spaces, of at most %(n)d characters.") % {"n": LONGEST_ADDRESS}
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _port = parts.port
    except ValueError:
        host = ""
    if not host or "{" in parts.netloc or "@" in parts.netloc:
        return _("Enter a complete address, such as https://crm.example.com/?phone={caller}. The host is fixed.")
    if parts.scheme == "https" or (parts.scheme == "http" and _may_use_http(host)):
        return ""
    return _("The address must begin with https://. Your administrator can allow http:// for hosts of your network.")


def _may_use_http(host: str) -> bool:
    """Return whether a host is named in the setting, or its address is in one of the private networks there."""
    for allowed in settings.LINKS_HTTP_HOSTS:
        if host == allowed.strip().lower():
            return True
        try:
            network, address = ip_network(allowed.strip(), strict=False), ip_address(host)
        except ValueError:
            continue
        if network.is_private and address in network:
            return True
    return False
