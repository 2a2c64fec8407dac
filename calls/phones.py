"""Phone numbers: compared in E.164, shown so that people can read them, withheld ones recognised."""

from functools import lru_cache

import phonenumbers
from django.conf import settings

# A shorter one is an extension or a service (1001, 110): it would parse, as a number it is not.
FEWEST_DIGITS = 7
WITHHELD = frozenset({"", "anonymous", "unknown", "restricted", "unavailable", "private"})


@lru_cache(maxsize=4096)
def e164(text: str) -> str | None:
    """Return `text` in E.164 (`+49…`, `0049…` and national forms are one number), or None if it is no number."""
    # A plus that crossed a query string unquoted arrives as a space.
    candidate = "+" + text.strip() if text.startswith(" ") and text.strip().isdigit() else text.strip()
    digits = sum(c.isdigit() for c in candidate)
    if len(candidate) > 40 or not digits or any(c.isalpha() for c in candidate):
        return None
    if digits < FEWEST_DIGITS and not candidate.startswith("+"):
        return None
    try:
        number = phonenumbers.parse(candidate, settings.PHONE_REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_withheld(caller_id_number: str) -> bool:
    """Say whether a caller hid their number; asked before parsing, for `0000000000` would parse."""
    text = caller_id_number.strip().casefold()
    return text in WITHHELD or not text.strip("+0 ")


def comparable(caller_id_number: str) -> str:
    """Return the form in which callers are compared: E.164 where it parses, blank if withheld, else as it came."""
    if is_withheld(caller_id_number):
        return ""
    return e164(caller_id_number) or caller_id_number.strip()


@lru_cache(maxsize=4096)
def readable(number: str) -> str:
    """Return `+492214710300` as `+49 221 4710300`; what is no number comes back unchanged."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
