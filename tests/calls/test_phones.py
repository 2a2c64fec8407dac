"""Phone numbers: one number in all its spellings, and what only looks like one."""

import pytest

from calls import phones


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+4922155400300", "+4922155400300"),
        ("004922155400300", "+4922155400300"),
        ("0221 / 554 00-300", "+4922155400300"),
        (" 4922155400300", "+4922155400300"),  # a plus that crossed a query string unquoted
        ("+44 20 7946 0106", "+442079460106"),
        ("1001", None),
        ("110", None),
        ("116117", None),
        ("+1", None),
        ("", None),
        ("sip:1001@example.org", None),
        ("0221 CALL ME", None),
        ("+49221554003001234567890", None),
    ],
)
def test_numbers_are_read_in_e164_or_not_at_all(text, number):
    assert phones.e164(text) == number


def test_what_is_no_number_is_compared_as_it_came():
    assert phones.comparable(" 1001 ") == "1001"


def test_the_region_of_national_forms_is_a_setting(settings):
    phones.e164.cache_clear()
    settings.PHONE_REGION = "GB"
    assert phones.e164("020 7946 0106") == "+442079460106"
    phones.e164.cache_clear()
