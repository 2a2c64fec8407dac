"""Phone numbers: one number in all its spellings, and texts that only look like numbers."""

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls import phones
from tests.spellings import READ, SPELLINGS, UNREAD

NATIONAL = phonenumbers.PhoneNumberFormat.NATIONAL


def valid_numbers(region):
    """Return valid numbers of a region in E.164: of landlines and mobile phones."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    patterns = [metadata.fixed_line.national_number_pattern, metadata.mobile.national_number_pattern]
    digits = st.one_of(*[st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True) for pattern in patterns])
    numbers = digits.map(lambda text: f"+{metadata.country_code}{text}")
    return numbers.filter(lambda number: phonenumbers.is_valid_number(phonenumbers.parse(number)))


@pytest.mark.parametrize(("text", "number"), SPELLINGS)
def test_each_spelling_is_read_as_its_number_or_not_at_all(text, number):
    assert phones.e164(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+4922155400300", "+4922155400300"),
        ("004922155400300", "+4922155400300"),
        ("0221 / 554 00-300", "+4922155400300"),
        ("+44 20 7946 0106", "+442079460106"),
        ("+39 06 698 12345", "+390669812345"),  # its zero is part of the number
        ("+34 (0)912 345 678", "+34912345678"),
        ("(0)0221 4710300", "+492214710300"),
        ("TEL: 0221 4710300", "+492214710300"),
        ("\u202a+49 221 4710300\u202c", "+492214710300"),  # as a list of contacts copies it
        ("+49\u00a0221\u20114710300", "+492214710300"),
        ("+４９２２１４７１０３００", "+492214710300"),
        ("110", None),
        ("+1", None),
        ("+49116117", None),
        ("0116117", None),
        ("", None),
        ("sip:1001@example.org", None),
        ("0221 CALL ME", None),
        ("*31#02214710300", None),
        ("0110", None),
        ("01001", None),
        ("49110", None),
        ("491001", None),
        ("0221 4710300, 0221 4710301", None),
        ("+49221554003001234567890", None),
        ("4922155400300" * 9, None),
    ],
)
def test_numbers_are_read_in_e164_or_not_at_all(text, number):
    assert phones.e164(text) == number


@given(valid_numbers("DE"))
def test_a_valid_number_is_the_same_without_its_plus(number):
    assert phones.e164(number) == number
    assert phones.e164(number[1:]) == number
    assert phones.e164(f"0{number[3:]}") == number
    assert phones.e164(f"+49 (0){number[3:]}") == number


@given(st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)), st.text("123456789", max_size=15))
def test_international_digits_are_read_as_the_library_reads_them(code, national):
    """National numbers that begin with a zero are read by rules of our own."""
    text = f"+{code}{national}"
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        assert phones.e164(text) is None
        return
    is_possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    is_same = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text
    if len(text) > phones.LONGEST_SHORT_CODE and is_same:
        assert phones.e164(text) == (text if is_possible else None)


@given(st.sampled_from([49, 43, 41, 33, 31, 32]), st.text("123456789", min_size=8, max_size=11))
def test_a_trunk_zero_after_the_country_code_is_removed(code, national):
    number = f"+{code}{national}"
    if phones.e164(number) == number:
        assert phones.e164(f"+{code} (0){national}") == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0221 47103-0", "+4922147103"),
        ("+49 (221) 47103 – 0", "+4922147103"),
        ("0221 47103-00", None),
        ("0221 471030", None),
        ("-0", None),
        ("1001-0", None),
    ],
)
def test_a_switchboard_is_written_with_a_dash_before_its_extension_0(text, number):
    assert phones.without_switchboard(text) == number


@pytest.mark.parametrize("region", ["AT", "CH", "FR", "GB", "US", "ES", "NL"])
@given(data=st.data())
def test_a_valid_number_of_another_region_is_the_same_without_its_plus(data, region):
    number = data.draw(valid_numbers(region))
    national = phonenumbers.format_number(phonenumbers.parse(number), NATIONAL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.PHONE_REGION", region)
        assert phones.e164(number) == number
        assert phones.e164(number[1:]) == number
        assert phones.e164(national) == number


@given(
    st.sampled_from(["+", "", "0", "00", "+49", "49", "+49 (0)", "+540", "+521", "+390", "tel:"]),
    st.text("0123456789 -()/", max_size=18),
)
def test_parsing_is_idempotent_and_shown_numbers_equal_compared_ones(prefix, text):
    compared = phones.comparable_number(prefix + text)
    assert phones.comparable_number(compared) == compared
    assert phones.comparable_number(phones.readable(compared)) == compared
    assert phones.readable(compared) == compared or phones.e164(compared) == compared


@pytest.mark.parametrize("text", ["tel:+492214710300", "+49110", "492214710300", "116117", "Zentrale", ""])
def test_only_numbers_are_shown_as_numbers(text):
    assert phones.readable(text) == text


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        (" 1001 ", "1001"),
        ("116 117", "116117"),
        ("tel:116 117", "116117"),
        ("221 4710300", "221 4710300"),
        ("+49110", "+49110"),
        ("sip:1001@example.org", "sip:1001@example.org"),
    ],
)
def test_other_texts_are_compared_as_received_and_short_codes_without_spaces(text, compared):
    assert phones.comparable(text) == compared


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anonymous",
        "Anonymous",
        "withheld",
        "restricted",
        "0000000000",
        "+0",
        "anonymous@anonymous.invalid",
        "sip:anonymous@anonymous.invalid",
        "SIP:Anonymous@tenios.example;user=phone",
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        "unknown@unknown.invalid",
        "sip:0000@tenios.example",
    ],
)
def test_a_withheld_caller_is_blank(text):
    assert phones.is_withheld(text)
    assert phones.comparable(text) == ""


@pytest.mark.parametrize("text", ["1001", "sip:1001@example.org", "anonymous-1", "0221 4710300", "tel:110"])
def test_a_caller_who_is_not_withheld_is_not_blank(text):
    assert not phones.is_withheld(text)


@pytest.mark.parametrize("text", [*UNREAD, "", "Zentrale", "+49", "02"])
def test_a_refused_text_has_a_message_that_says_what_to_type(text):
    with pytest.raises(phones.NotANumber, match=r"\+\d\d [\d ]+"):
        phones.parse(text)


@pytest.mark.parametrize(("text", "number"), READ)
def test_a_number_that_can_be_read_is_not_refused(text, number):
    assert phones.parse(text) == number


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("221 4710300", ["+492214710300"]),
        ("442079460123", ["+442079460123", "+49442079460123"]),
        ("4710312", []),
        ("0221 4710300", []),
        ("1001", []),
    ],
)
def test_the_message_for_an_ambiguous_number_names_the_candidates(text, numbers):
    assert phones.candidates(text) == numbers


@pytest.mark.parametrize("text", ["492214710300", "+49492214710300", "2214710300", "+02214710300", "+2214710300"])
def test_misreadings_of_a_number_include_the_number(text):
    assert "+492214710300" in phones.misreadings(text)


def test_regions_without_a_trunk_zero_read_other_digits_as_national(settings):
    settings.PHONE_REGION = "US"
    assert phones.e164("(212) 555-0123") == "+12125550123"
    assert phones.e164("1 212 555 0123") == "+12125550123"
    assert phones.e164("011 49 221 4710300") == "+492214710300"
    assert phones.e164("555 0123") is None  # without its area code
    settings.PHONE_REGION = "ES"
    assert phones.e164("912 345 678") == "+34912345678"


def test_the_region_of_national_forms_is_a_setting(settings):
    settings.PHONE_REGION = "GB"
    assert phones.e164("020 7946 0106") == "+442079460106"
    with pytest.raises(phones.NotANumber, match=r"\+44 "):
        phones.parse("20 7946 0106")
