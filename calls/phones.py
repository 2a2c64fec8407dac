"""Phone numbers: parsing any spelling, and the forms in which numbers are compared and shown.

Posts keep ambiguous numbers as received; forms and commands refuse them with a message (`parse`)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import phonenumbers
from django.conf import settings
from django.utils.translation import gettext as _
from phonenumbers import PhoneMetadata, shortnumberinfo

# Fewer digits are an extension or a short code (1001, 110, 116117), unless they are known to be a valid number.
FEWEST_DIGITS = 7
FEWEST_DIGITS_OF_A_NATIONAL_NUMBER = 9
FEWEST_DIGITS_OF_AN_ENDING = 4
MOST_DIGITS_OF_AN_ENDING_FROM_0 = 5
LONGEST_SHORT_CODE = 10  # with a plus and a country code
LONGEST_TEXT = 60
WITHHELD = frozenset({"", "anonymous", "unknown", "restricted", "unavailable", "private", "withheld"})

_SCHEME = re.compile(r"\s*tel:\s*", re.IGNORECASE)
_EXTENSION = re.compile(r"\s*;ext=[^;]*", re.IGNORECASE)
_WRITTEN = re.compile(r"\+?[0-9\s()\[\]/.~\u00b7-]+")  # after dashes, digits and plus have become ASCII
_PLAIN = re.compile(r"\+?[0-9]+")
_OTHER_SIGNS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d", "-") | {"\uff0b": "+"})
# The extension 0 of a switchboard, separated by a dash (DIN 5008).
_SWITCHBOARD = re.compile(r"(.*\d)\s*[-\u2010-\u2015\u2212]\s*0\s*", re.DOTALL)
_SIP_USER = re.compile(r"""(?:.*<)?\s*(?:sips?:)?([^@<>:]*)(?:@.*)?>?""", re.IGNORECASE | re.DOTALL)


class NotANumber(ValueError):  # noqa: N818 (named for what the text is)
    """The text is not a phone number, or could be several. The message says what to type instead."""


def e164(text: str) -> str | None:
    """Return the number in a text as E.164; None if it is not a number, or could be several."""
    return _e164(text, settings.PHONE_REGION)


def parse(text: str) -> str:
    """Return a number that a person typed as E.164. Raise NotANumber, which says what to type."""
    number = e164(text)
    if number is None:
        raise NotANumber(_refusal(text))
    return number


def without_switchboard(text: str) -> str | None:
    """Return the number that all extensions of a company begin with, in E.164, for the spelling of its switchboard:
    `+4922147103` for `0221 47103-0`. None for any other spelling."""
    switchboard = _SWITCHBOARD.fullmatch(text)
    number = e164(switchboard[1]) if switchboard else None
    return number if number and len(number) > FEWEST_DIGITS else None


def candidates(text: str) -> list[str]:
    """Return the valid numbers, in E.164, that an ambiguous text could mean; none for any other text."""
    region = settings.PHONE_REGION
    digits = _digits(text)
    if not digits or digits.startswith(("+", "0")) or len(digits) < FEWEST_DIGITS or _e164(text, region):
        return []
    # Shorter texts lack their area code rather than their 0.
    prefixes = ("+", "0") if len(digits) >= FEWEST_DIGITS_OF_A_NATIONAL_NUMBER else ("+",)
    return [number for number in _with_prefixes(digits, prefixes) if _is_valid(number)]


def misreadings(text: str) -> list[str]:
    """Return the numbers, in E.164, that a text may mean if its plus or its 0 is missing, most likely first.

    Versions before 0.2 doubled the country code of some numbers, so each is also read without it."""
    digits = re.sub(r"\D", "", text)
    code = country_code()[1:]
    texts = [digits, digits.removeprefix(code)] if digits.startswith(code) else [digits]
    return [number for digits in texts for number in _with_prefixes(digits, ("+", "0", ""))]


def beginnings(text: str) -> list[str]:
    """Return the beginning of a number in E.164 for the typed beginning of a number; several if it is ambiguous."""
    region = settings.PHONE_REGION
    digits = _digits(text.strip())
    own = country_code()
    if digits.startswith("+"):
        return [_without_trunk_zeros(digits)] if len(digits) > 1 else []
    if digits.startswith("00"):
        return [_without_trunk_zeros(f"+{digits[2:]}")] if len(digits) > 2 else []
    international = [_without_trunk_zeros(f"+{digits}")] if f"+{digits}".startswith(own) else []
    if _prefix(region) == "0":
        return [own + digits[1:]] if digits.startswith("0") and len(digits) > 1 else international
    return [*international, own + digits] if digits else []


def ending(text: str) -> str:
    """Return the digits if a number could end in them. Blank for fewer than four digits, and for texts that can only be
    the beginning of a number: those with a plus, and those with many digits that begin with a 0."""
    digits = _digits(text.strip())
    is_beginning = digits.startswith("+") or (digits.startswith("0") and len(digits) > MOST_DIGITS_OF_AN_ENDING_FROM_0)
    return digits if not is_beginning and len(digits) >= FEWEST_DIGITS_OF_AN_ENDING else ""


def spaced(beginning: str) -> str:
    """Return the beginning of a number in E.164 with spaces: `+49 171 39`."""
    formatter = phonenumbers.AsYouTypeFormatter(settings.PHONE_REGION)
    written = ""
    for sign in beginning:
        written = formatter.input_digit(sign)
    return str(written).strip()


def is_withheld(caller_id_number: str) -> bool:
    """Return whether a caller's number is withheld. To be checked before parsing, because `0000000000` would parse."""
    text = caller_id_number.strip().casefold()
    if text in WITHHELD or not text.strip("+0 "):
        return True
    if "@" not in text and not text.startswith(("sip", "tel:")):
        return False
    user = _SIP_USER.fullmatch(text.removeprefix("tel:"))
    return user is not None and (user[1].strip() in WITHHELD or not user[1].strip("+0 "))


def comparable(caller_id_number: str) -> str:
    """Return the form in which callers are compared: blank if withheld, otherwise by `comparable_number`."""
    return _comparable(caller_id_number, settings.PHONE_REGION)


def comparable_number(text: str) -> str:
    """Return the form in which texts that may be numbers are compared: numbers as E.164, short codes without spaces,
    any other text as received."""
    return e164(text) or short_code(text) or text.strip()


def short_code(text: str) -> str | None:
    """Return a short code or an extension (110, 116117, 1001) without spaces; None for any other text."""
    written = _SCHEME.sub("", text, count=1).strip()
    digits = "".join(written.split())
    return digits if digits.isascii() and digits.isdigit() and len(digits) < FEWEST_DIGITS else None


def readable(number: str) -> str:
    """Return `+492214710300` as `+49 221 4710300`; a text that is not E.164 is returned unchanged."""
    return _readable(number) if number.startswith("+") else number


@lru_cache(maxsize=4096)
def _readable(number: str) -> str:
    if e164(number) != number:
        return number
    return phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def foreign_region(number: str) -> str:
    """Return the region of a number in E.164, such as FR; blank for our own, and for any other text."""
    if not number.startswith("+") or e164(number) != number:
        return ""
    region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    return "" if region in {settings.PHONE_REGION, None} else str(region)


def country_code() -> str:
    """Return the country code of the region with a plus: `+49`."""
    return f"+{phonenumbers.country_code_for_region(settings.PHONE_REGION)}"


def examples() -> dict[str, str]:
    """Return an example number of the region in the spellings `national` and `international`."""
    region = settings.PHONE_REGION
    own = None if region == "DE" else phonenumbers.example_number(region)
    number = own or phonenumbers.parse("+492214710300")
    return {
        "national": phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL),
        "international": phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL),
    }


def is_written_number(text: str) -> bool:
    """Return whether a text consists of digits and the separators that people write between them."""
    return bool(_written(text.strip()))


def _refusal(text: str) -> str:
    """Return the message that says why a text is refused and what to type."""
    named = {"text": " ".join(text.split())[:40], **examples()}
    digits = _digits(text)
    if not digits:
        return _("“%(text)s” is not a phone number. Enter it in the form %(national)s or %(international)s.") % named
    if short_code(text):
        return (
            _(
                "“%(text)s” is a short code or an extension. Enter the complete number in the form %(national)s or "
                "%(international)s."
            )
            % named
        )
    if digits.startswith(("+", "0")) or not _dials_zero(settings.PHONE_REGION):
        return (
            _("“%(text)s” is not a complete phone number. Enter it in the form %(national)s or %(international)s.")
            % named
        )
    if not (meant := candidates(text)):
        return (
            _(
                "“%(text)s” is ambiguous without its area code or country code. Enter it in the form %(national)s "
                "or %(international)s."
            )
            % named
        )
    named |= {"meant": readable(meant[0]), "other": readable(meant[-1])}
    if len(meant) > 1:
        return _("“%(text)s” is ambiguous without a 0 or a plus. Did you mean %(meant)s or %(other)s?") % named
    return _("“%(text)s” is ambiguous without a 0 or a plus. Did you mean %(meant)s?") % named


def _with_prefixes(digits: str, prefixes: Sequence[str]) -> list[str]:
    """Return the numbers that digits form with each of these prefixes, if any."""
    return [number for prefix in prefixes if (number := e164(f"{prefix}{digits}"))]


def _digits(text: str) -> str:
    """Return the digits of a written number, with its plus if it has one; blank if the text is not a number."""
    written = _written(text)
    return re.sub(r"[^+0-9]", "", written) if written else ""


def _written(text: str) -> str:
    """Return a written number without `tel:`, extension and invisible characters; blank if the text is not a number."""
    if _PLAIN.fullmatch(text) and text.isascii():
        return text if len(text) <= LONGEST_TEXT else ""
    text = _EXTENSION.sub("", _SCHEME.sub("", text, count=1) if _SCHEME.match(text) else text).strip()
    if not text.isascii():
        text = "".join(
            str(unicodedata.decimal(sign, sign)) for sign in text if unicodedata.category(sign) != "Cf"
        ).translate(_OTHER_SIGNS)
    text = text.strip()
    return text if len(text) <= LONGEST_TEXT and _WRITTEN.fullmatch(text) and any(map(str.isdigit, text)) else ""


@lru_cache(maxsize=4096)
def _comparable(text: str, _region: str) -> str:
    return "" if is_withheld(text) else comparable_number(text)


@lru_cache(maxsize=4096)
def _e164(text: str, region: str) -> str | None:
    written = _written(text)
    if not written:
        return None
    if written.startswith("(0)0"):
        written = written[3:]  # the trunk zero is written twice
    digits = re.sub(r"[^0-9]", "", written)
    if written.startswith("+"):
        return _international(digits)
    if digits.startswith("00"):
        return _international(digits[2:])
    return _of_region(digits, region)


def _of_region(digits: str, region: str) -> str | None:
    """Return the number of digits without a plus; None if they are ambiguous in the region."""
    own = str(phonenumbers.country_code_for_region(region))
    if digits.startswith(own) and (number := _international(digits)) and _is_valid(number):
        return number
    if not _dials_zero(region):
        return _checked(digits, region)
    if not digits.startswith("0"):
        return None
    number = _international(own + digits[1:]) if _prefix(region) == "0" else _checked(digits, region)
    return number if number and (len(digits) >= FEWEST_DIGITS or _is_valid(number)) else None


def _international(digits: str) -> str | None:
    """Return the number of digits that include a country code, without trunk zeros after the country code."""
    if plain := _plain(digits):
        return plain
    number = _checked(f"+{digits}", None)
    for length in (1, 2, 3):
        if (code := int(digits[:length] or 0)) not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            continue
        national = digits[length:]
        if not national.startswith("0") or (number and _is_valid(number) and number == f"+{digits}"):
            return number
        stripped = _checked(f"+{code}{national.lstrip('0')}", None)
        if stripped and (_is_valid(stripped) or _prefix(phonenumbers.region_code_for_country_code(code)) == "0"):
            return stripped
        return number
    return None


class _Plain(NamedTuple):
    """How many digits national numbers of a country may have, and how they look if they begin with a zero."""

    lengths: frozenset[int]
    pattern: re.Pattern[str]
    has_trunk_zero: bool


def _plain(digits: str) -> str | None:
    """Return a number in E.164 as the rest of `_international` would, in a fraction of the time; None if it has to be
    asked: for short numbers, and in countries where more than a trunk zero may have to be removed."""
    for length in (1, 2, 3):
        code = digits[:length]
        if code.startswith("0") or not (plain := _plain_of(int(code or 0))):
            continue
        national = digits[length:]
        if national.startswith("0") and plain.has_trunk_zero and not plain.pattern.fullmatch(national):
            national = national.lstrip("0")
        is_long = length + len(national) >= LONGEST_SHORT_CODE
        is_plain = is_long and len(national) in plain.lengths and not national.startswith("0")
        return f"+{code}{national}" if is_plain else None
    return None


@cache
def _plain_of(code: int) -> _Plain | None:
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code)
    metadata = PhoneMetadata.metadata_for_region(regions[0], None) if regions else None
    described = metadata.general_desc if metadata else None
    if metadata is None or described is None or metadata.national_prefix_for_parsing not in {None, "0"}:
        return None
    return _Plain(
        frozenset({*described.possible_length} - {*described.possible_length_local_only}),
        re.compile(described.national_number_pattern or ""),
        metadata.national_prefix == "0",
    )


def _checked(text: str, region: str | None) -> str | None:
    """Return a number in E.164, parsed again until the result is stable; None if it cannot be a number."""
    for _attempt in range(4):
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            return None
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        # Local numbers, which can be dialled only within their area, are refused too.
        if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
            return None
        if len(written) <= FEWEST_DIGITS and not phonenumbers.is_valid_number(number):
            return None
        if written == text:
            # 110 and 116117 are not numbers with a country code either.
            is_short = len(text) <= LONGEST_SHORT_CODE and shortnumberinfo.is_valid_short_number(number)
            return None if is_short and not phonenumbers.is_valid_number(number) else text
        text, region = written, None
    return None


def _without_trunk_zeros(beginning: str) -> str:
    """Return the beginning of an international number without trunk zeros, which are dialled only within a country."""
    for length in (2, 3, 4):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(beginning[1:length] or 0))
        if regions and _prefix(regions[0]) == "0":
            return beginning[:length] + beginning[length:].lstrip("0")
    return beginning


def _is_valid(number: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(number))


def _prefix(region: str) -> str | None:
    metadata = PhoneMetadata.metadata_for_region(region, None)
    return metadata.national_prefix if metadata else None


def _dials_zero(region: str) -> bool:
    """Return whether national numbers of a region are dialled with a leading 0."""
    return (_prefix(region) or "").startswith("0")
