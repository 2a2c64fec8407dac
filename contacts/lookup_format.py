"""What a look-up asks another system, and how its answer is read: an address with places, and JMESPath expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import jmespath
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from jmespath.exceptions import JMESPathError

from contacts import links

# What an address may name. Callers are in E.164.
PLACES = ("caller", "caller_national", "caller_digits", "number")
LONGEST_EXPRESSION = 500
# Longer texts of an answer are cut: a card shows a few lines.
LONGEST = {"name": 200, "company": 200, "customer_number": 60, "note": 1000}

_PLACE = re.compile(r"\{([^{}]*)\}")


class NotReadable(ValueError):  # noqa: N818 (named for what the answer is)
    """The answer cannot be read as the look-up says. The text says what is wrong, `detail` what there is instead.

    The detail may contain what was asked or answered, so it is not stored."""

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


@dataclass(frozen=True)
class Found:
    """Who a caller is, as another system answered: the first record, and how many more there are."""

    name: str = ""
    company: str = ""
    customer_number: str = ""
    url: str = ""
    note: str = ""
    others: int = 0

    def __bool__(self) -> bool:
        return bool(self.name or self.company or self.customer_number or self.url or self.note)


# --- The address -------------------------------------------------------------------------------


def check_address(url: str) -> None:
    """Raise ValidationError if an address is not allowed; it says what to enter."""
    if why := _why_refused(url):
        raise ValidationError(why, code="address")


def _why_refused(url: str) -> str:
    if unknown := [place for place in links.places(url) if place not in PLACES]:
        return _("{%(place)s} is not known. You can use %(places)s.") % {
            "place": unknown[0],
            "places": " ".join(f"{{{place}}}" for place in PLACES),
        }
    if any(sign.isspace() or not sign.isprintable() or sign in "{}\\" for sign in _PLACE.sub("", url)):
        return _("Enter an address without spaces, and close each brace, as in {caller}.")
    if not {"caller", "caller_national", "caller_digits"} & {*links.places(url)}:
        return _("The address needs the caller: {caller}, {caller_national} or {caller_digits}.")
    scheme, host = origin(url)
    if not host or "{" in host or "@" in host:
        return _("Enter a complete address, such as https://crm.example.com/?phone={caller}. The host is fixed.")
    return why_scheme_refused(scheme)


def why_scheme_refused(scheme: str) -> str:
    """Return why nothing can be sent to addresses of a scheme, and what to enter; blank if it can."""
    may_be_http = settings.OUTGOING_PRIVATE_NETWORKS or settings.OUTGOING_LOOPBACK
    if scheme == "https" or (scheme == "http" and may_be_http):
        return ""
    return _(
        "The address must begin with https://. Your administrator can allow http:// for networks of your own by "
        "OUTGOING_PRIVATE_NETWORKS."
    )


def origin(url: str) -> tuple[str, str]:
    """Return scheme and host with port; blank if it is no address."""
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc if parts.hostname else ""


def fill(url: str, caller: str, number: str) -> str:
    """Return the address for a caller who called a number, each value encoded."""
    values = {
        "caller": caller,
        "caller_national": links.national(caller),
        "caller_digits": caller.removeprefix("+"),
        "number": number,
    }
    return _PLACE.sub(lambda place: quote(values[place[1]], safe=""), url)


# --- The answer --------------------------------------------------------------------------------


def check_expression(expression: str) -> None:
    """Raise ValidationError if this is no JMESPath expression."""
    try:
        jmespath.compile(expression)
    except (JMESPathError, ValueError) as error:
        said = _("This is not a JMESPath expression: %(error)s") % {"error": _first_line(error)}
        raise ValidationError(said, code="expression") from None


def read(body: bytes, list_path: str, paths: Mapping[str, str]) -> Found | None:
    """Return who was found in an answer, None if the caller is not known; raise NotReadable.

    `paths` has the expression for each field of a record; a blank one leaves the field out."""
    try:
        answer = json.loads(body) if body.strip() else None
    except (ValueError, RecursionError):
        raise NotReadable(_("The answer is not JSON.")) from None
    records = _search(list_path, answer, _("records")) if list_path else answer
    if isinstance(records, list):
        records = [record for record in records if record is not None]
        first, others = (records[0], len(records) - 1) if records else (None, 0)
    else:
        first, others = records, 0
    if first in (None, {}, ""):
        return None
    texts = {field: _text(_search(path, first, field)) for field, path in paths.items() if path}
    url = texts.pop("url", "")
    cut = {field: text[: LONGEST[field]] for field, text in texts.items()}
    found = Found(**cut, url=url if is_link(url) else "", others=others)
    if not found:
        names = ", ".join(map(_text, [*first][:20])) if isinstance(first, dict) else type(first).__name__
        said = _("There is a record, but none of the expressions gives a text in it.")
        raise NotReadable(said, _("The record has: %(names)s.") % {"names": names})
    return found


def is_link(url: str) -> bool:
    """Return whether a page may link to this address: https, or http to a host that the settings allow."""
    return bool(url) and "{" not in url and not links.why_refused(url)


def _search(path: str, data: Any, field: str) -> Any:
    try:
        return jmespath.search(path, data)
    except (JMESPathError, ValueError, TypeError, AttributeError, RecursionError):
        # The error itself may contain values of the answer, and failures are shown on the page System.
        said = _("The expression for %(field)s does not fit the answer.")
        raise NotReadable(said % {"field": field.replace("_", " ")}) from None


def _text(value: Any) -> str:
    """Return a text or a number as text; anything else is no text for a card."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in str(value)).strip()


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
