"""Which number a refused post may have meant, where it names one that is none of ours."""

from __future__ import annotations

import re

import phonenumbers
from django.conf import settings

from calls import phones
from calls.models import DestinationNumber

# Fewer digits are the end of too many numbers.
FEWEST_DIGITS_OF_AN_END = 6


def numbers_meant(text: str) -> list[DestinationNumber]:
    """Return the numbers of ours that a text may mean, the likeliest first; none where it is one of ours itself.

    It may lack its plus, its 0 or its area code, or have been read with the country code doubled, as versions before
    0.2 did."""
    ours = {number.e164: number for number in DestinationNumber.objects.all()}
    digits = re.sub(r"\D", "", text)
    if text in ours or not digits:
        return []
    meant = dict.fromkeys(reading for reading in _readings(digits) if reading in ours)
    if not meant and len(digits) >= FEWEST_DIGITS_OF_AN_END and not text.startswith("+"):
        meant = dict.fromkeys(e164 for e164 in ours if e164.endswith(digits.lstrip("0")))
    return [ours[e164] for e164 in meant]


def _readings(digits: str) -> list[str | None]:
    code = str(phonenumbers.country_code_for_region(settings.PHONE_REGION))
    texts = [digits, digits.removeprefix(code)] if digits.startswith(code) else [digits]
    return [phones.e164(f"{prefix}{text}") for text in texts for prefix in ("+", "0", "")]
