"""Links into other systems, such as a CRM: templates that are filled in with a call and who is calling."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    "order": "2026-0815",
    "name": "Anna Meyer",
    "call_id": "1",
}
# The link of a typed number may name that number itself, too.
VALUE = "value"
# These come from a contact: with several contacts there is a link for each.
OF_A_CONTACT = frozenset({"customer_number", "name"})
# Several contacts may have the same number, but a card has no room for more links than these.
MOST_CONTACTS = 3
LONGEST_ADDRESS = 2_000
# The name of the browser tab that all calls share.
SHARED_TAB = "calltally-links"

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


class Typed(Protocol):
    """What is read of a number that the caller typed; `url` is blank, or a template of its own."""

    @property
    def kind(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def value(self) -> str: ...

    @property
    def url(self) -> str: ...


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
    # Numbers that the caller typed.
    typed: Sequence[Typed] = ()

    def typed_as(self, kind: str) -> str:
        """Return the first number of a kind that the caller typed; blank if there is none."""
        return next((typed.value for typed in self.typed if typed.kind == kind), "")

    def by_place(self, contact: Known | None) -> dict[str, str]:
        """Return the value of each place; blank where there is none."""
        return {
            "caller": self.caller,
            "caller_national": national(self.caller),
            "caller_digits": self.caller.removeprefix("+") if self.caller.removeprefix("+").isdigit() else "",
            "number": self.number,
            "customer_number": (contact.customer_number if contact else "") or self.typed_as("customer"),
            "ticket": self.typed_as("ticket"),
            "order": self.typed_as("order"),
            "name": contact.name or contact.company if contact else "",
            "call_id": str(self.call_id),
        }


def links_for(match: Found | None, call: CallValues, templates: Iterable[Template]) -> list[Link]:
    """Return the links of a call: those of typed numbers, then the others in the order of the templates.

    `match` is None if the caller is not known. A link is left out where a value that it needs is missing."""
    contacts = list(match.contacts[:MOST_CONTACTS]) if match else []
    links = {(link.label, link.url): link for link in _typed_links(call, contacts)}
    shown_when = _shown_when(match, call)
    for template in templates:
        if template.shown_when not in shown_when:
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


def _shown_when(match: Found | None, call: CallValues) -> set[str]:
    """Return which templates are shown. Whose customer number was typed is known as well as by the phone number."""
    kind = match.kind if match else "nobody"
    return {"any", "exact" if kind == "typed" else kind, *(["typed"] if call.typed else [])}


def _typed_links(call: CallValues, contacts: Sequence[Known]) -> Iterator[Link]:
    """Yield the links that typed numbers have themselves."""
    values = call.by_place(contacts[0] if contacts else None)
    for typed in call.typed:
        if typed.url and (url := _filled(typed.url, values | {VALUE: typed.value})):
            yield Link(typed.label, url, SHARED_TAB)


def made_up_link(template: Template) -> Link | None:
    """Return the link of a made-up call."""
    return _link(template, EXAMPLES)


def _link(template: Template, values: Mapping[str, str]) -> Link | None:
    """Return the filled-in link; None if a value is missing, or the template is no longer allowed."""
    url = _filled(template.url, values)
    return Link(template.name, url, SHARED_TAB if template.opens_in == "tab" else "") if url else None


def _filled(url: str, values: Mapping[str, str]) -> str:
    """Return an address with its values; blank if one is missing, or the address is no longer allowed."""
    if why_refused(url, values) or any(values[place].strip() in _WAYS_UP | {""} for place in places(url)):
        return ""
    return _PLACE.sub(lambda place: quote(values[place[1]].strip(), safe=""), url)


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


def check_typed(url: str) -> None:
    """Raise ValidationError if the link of a typed number is not allowed; it says what to enter."""
    if why := why_refused(url, [VALUE, *EXAMPLES]):
        raise ValidationError(why, code="link")


def why_refused(url: str, known: Collection[str] = EXAMPLES) -> str:
    """Return why a template is not allowed; blank if it is. It may name what is `known`."""
    if unknown := [place for place in places(url) if place not in known]:
        return _("{%(place)s} is not known. You can use %(places)s.") % {
            "place": unknown[0],
            "places": " ".join(f"{{{place}}}" for place in known),
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
