"""Masking: no more digits are shown than the rule allows, and SQL masks as Python does."""

import json
import re

import pytest
from django.db import connection
from hypothesis import example, given
from hypothesis import strategies as st

from calls import phones
from calls.masking import (
    HIDDEN,
    masked,
    masked_as_received,
    masked_in_files,
    masked_payload,
    masked_sql,
    masked_text,
    masked_text_sql,
    names_caller,
    names_caller_sql,
)
from tests.factories import post_body

CALLER, DESK, DIALLED = "+4917012345678", "+492212345678", "+4922155400300"
# What PostgreSQL stores: no NUL, no lone surrogates.
STORED = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
DIGITS = st.text("0123456789", min_size=1, max_size=20)
NUMBERS = st.one_of(DIGITS, DIGITS.map("+{}".format), DIGITS.map("+49{}".format), DIGITS.map("+1{}".format))


def digits_of(text):
    return re.sub(r"\D", "", text)


@pytest.mark.parametrize(
    ("number", "on_pages", "in_files"),
    [
        ("+4917012345678", "+49 1701 2345•••", "+4917012345•••"),
        ("+33123456789", "+33 1 23 45 6•••", "+33123456•••"),
        ("+12125550123", "+1 212-555-0•••", "+12125550•••"),
        ("17012345678", "17012345•••", "17012345•••"),  # as received, because it could be two numbers
        ("1234567", "1234•••", "1234•••"),
        ("123456", HIDDEN, HIDDEN),
        ("116117", HIDDEN, HIDDEN),
        ("1001", HIDDEN, HIDDEN),
        ("+123456", HIDDEN, HIDDEN),
        ("Zentrale", HIDDEN, HIDDEN),
        ("0170 1234567", HIDDEN, HIDDEN),
        ("sip:+4917012345678@example.com", HIDDEN, HIDDEN),
        ("１２３４５６７８", HIDDEN, HIDDEN),
        ("++4917012345678", HIDDEN, HIDDEN),
        ("", "", ""),
    ],
)
def test_a_number_lacks_its_last_three_digits_and_other_texts_are_hidden(number, on_pages, in_files):
    assert digits_of(masked(number)) == digits_of(on_pages)
    assert masked(number).replace(" ", "").replace("-", "") == on_pages.replace(" ", "").replace("-", "")
    assert masked_in_files(number) == in_files


@given(st.one_of(NUMBERS, STORED))
@example("+" + "1" * 7)
@example("٠١٢٣٤٥٦٧٨٩")
def test_a_masked_text_never_shows_more_than_all_but_three_digits(text):
    for shown in (masked(text), masked_in_files(text)):
        if not text:
            assert shown == ""
        elif shown != HIDDEN:
            assert shown.endswith(HIDDEN)
            assert digits_of(shown) == digits_of(text)[:-3]
            assert len(digits_of(text)) >= phones.FEWEST_DIGITS


@given(NUMBERS)
def test_two_numbers_that_differ_in_the_last_three_digits_look_the_same(number):
    other = number[:-3] + "".join(str(9 - int(digit)) for digit in number[-3:] if digit.isdigit())
    if len(other) == len(number):
        assert masked_in_files(number) == masked_in_files(other)


@pytest.mark.django_db
@given(st.lists(st.one_of(NUMBERS, STORED), max_size=50))
@example(["", "+", "++4917012345678", "1234567", "+1234567", "+123456", "4917012345678+", "１２３４５６７８", "'•••"])
def test_sql_masks_as_python_does(texts):
    with connection.cursor() as cursor:
        rows = "unnest(%s::text[]) WITH ORDINALITY AS numbers (stored, place)"
        cursor.execute(f"SELECT {masked_sql('stored')} FROM {rows} ORDER BY place", [texts])
        assert [shown for (shown,) in cursor.fetchall()] == [masked_in_files(text) for text in texts]


@pytest.mark.parametrize(
    ("received", "shown"),
    [
        ("0170 12345678", "+4917012345•••"),
        ("tel:+49-170-12345678", "+4917012345•••"),
        ("1001", HIDDEN),
        ("", ""),
        ("anonymous", "anonymous"),
        ("0000000000", "anonymous"),
        ('"Max Muster" <sip:anonymous@anonymous.invalid>', "anonymous"),
    ],
)
def test_a_caller_as_received_is_masked_in_any_spelling_and_withheld_stays_withheld(received, shown):
    assert masked_as_received(received) == shown


# --- Texts that people wrote -------------------------------------------------------------------------

KEPT = [
    "14.09.2026",
    "14.09.26 08:00",
    "14.9.2026, 8:05:30",
    "14.09. 10:00",
    "14.09.2026 – 21.09.2026",
    "14.09.–21.09.2026",
    "2026-09-14",
    "2026-09-14 08:00:00.123456",
    "2026-09-14T08:00:00+02:00",
    "14/09/2026",
    "14-09-2026",
    "29.02.2028",
    "08:00-17:30",
    "12.345,67 €",
    "€ 1.234.567",
    "12345,67\u00a0EUR",
    "14.09.2026\u202f08:00",
    "123456",
]
HIDDEN_WHOLE = [
    "01701234567",
    "+49 (0) 171/234 56 78",
    "+49\u00a0171\u2009234\u202f5678",
    "0171-2345678",
    "(0171) 2345678",
    "01 02 03 04 05",
    "01.02.03.04.05",
    "０１７１２３４５６７８",
    "٠١٧١٢٣٤٥٦٧٨",
    "𝟎𝟏𝟕𝟏𝟐𝟑𝟒𝟓𝟔𝟕",
    "0171_234_5678",
    "0171\u200b2345678",
    "12345678",
    "20260914",
    "12.345,67",
    "1.234.567",
    "01.09.2026 12",
    "01.09.2026 12345",
    "01.09.20261",
    "31.02.2026",
    "31.04.2026 08:00",
    "2026-02-30",
    "1.09.2026 25:00",
    "14.09.2026 0171 2345678",
    "0171 2345678, 14.09.2026",
    "12.345,67 € 0171 2345678",
    "+14.09.2026",
    "14.٠9.2026",
]


@pytest.mark.parametrize("text", KEPT)
def test_dates_times_and_amounts_are_not_hidden(text):
    assert masked_text(text) == text
    assert masked_text(f"Call back: {text}.") == f"Call back: {text}."


@pytest.mark.parametrize("text", HIDDEN_WHOLE)
def test_what_may_be_a_phone_number_is_hidden(text):
    assert "".join(re.findall(r"\d", masked_text(text))) == ""
    assert masked_text(f"of {text} too").startswith("of ")


PIECES = st.sampled_from(
    [
        *KEPT,
        *HIDDEN_WHOLE,
        *" +-–/().,:;_€²ßдéT\n'\\",
        "\u00a0",
        "\u2009",
        "\u200b",
        "e\u0301",
        "EUR",
        "1",
        "٣",
        "９",
        "𝟗",
    ]
)
WRITTEN = st.one_of(st.lists(PIECES, max_size=6).map("".join), st.text("0123459.:-/ ,€+", max_size=25), STORED)


@pytest.mark.django_db
@given(st.lists(WRITTEN, max_size=50))
@example([*KEPT, *HIDDEN_WHOLE])
def test_sql_hides_numbers_in_texts_as_python_does(texts):
    caller = "+4915117112345678"
    with connection.cursor() as cursor:
        rows = "unnest(%s::text[]) WITH ORDINALITY AS texts (written, place)"
        said = names_caller_sql("written", f"'{caller}'")
        cursor.execute(f"SELECT {masked_text_sql('written')}, {said} FROM {rows} ORDER BY place", [texts])
        assert cursor.fetchall() == [(masked_text(text), names_caller(text, caller)) for text in texts]


# --- Payloads --------------------------------------------------------------------------------------


def payload_of(kind="INITIATE_FORWARD 1001", **more):
    body = post_body(kind, DIALLED, caller_id_number=CALLER, **more)
    del body["accessKey"]
    if kind.endswith("1001") and "destinationType" not in more:
        body["destinationType"] = "SIP_USER"
    return json.dumps(body)


def test_a_payload_is_unchanged_for_whoever_may_see_both():
    for payload in (payload_of(), "not JSON"):
        assert masked_payload(payload, callers=True, people=True) == payload


def test_the_caller_and_the_destination_are_masked_each_by_its_own_right():
    payload = payload_of()
    without_callers = json.loads(masked_payload(payload, callers=False, people=True))
    without_people = json.loads(masked_payload(payload, callers=True, people=False))
    assert without_callers["variables"]["caller_id_number"] == "+4917012345•••"
    assert without_callers["destination"] == "1001"
    assert without_people["variables"]["caller_id_number"] == CALLER
    assert without_people["destination"] == "SIP_USER"
    for shown in (without_callers, without_people):
        assert shown["variables"]["destination_number"] == DIALLED
        assert shown["variables"]["call_uuid"] == "call-1"
        assert shown["customerNumber"] == 200000


def test_a_destination_without_a_type_is_hidden_and_a_missing_one_stays_missing():
    untyped = payload_of(destinationType=None, destination="1002")
    assert json.loads(masked_payload(untyped, callers=False, people=False))["destination"] == HIDDEN
    blank = payload_of("FORWARD_ANSWER", destination="")
    assert json.loads(masked_payload(blank, callers=False, people=False))["destination"] == ""


@pytest.mark.parametrize(
    "spelling",
    [
        "+4917012345678",
        "0170 12345678",
        "0049 170/12345678",
        4917012345678,
        "<sip:+4917012345678@x.example>;tag=7",
        "call from 0170-1234-5678",
        "０１７０１２３４５６７８",
        "0170\u200b12345678",
        {"of": ["017012345678"]},
    ],
)
def test_the_caller_is_masked_wherever_it_occurs(spelling):
    more = {"ani": spelling, "deep": [{"er": spelling}]} | ({spelling: "x"} if isinstance(spelling, str) else {})
    shown = masked_payload(payload_of(**more), callers=False, people=True)
    text = shown.encode().decode("unicode_escape")
    assert "2345678" not in digits_only(text)
    assert json.loads(shown)["variables"]["caller_id_number"] == "+4917012345•••"


def digits_only(text):
    """Return the digits of any script in a text, without everything that is not a digit or a letter between them."""
    return "".join(str(int(sign)) if sign.isdecimal() else sign for sign in re.sub(r"[\W_]", "", text))


def test_a_number_in_an_unknown_place_is_hidden_also_if_this_post_names_another_caller():
    other = {"transferred_from": "0171 99988877", "menu": "2"}
    shown = json.loads(masked_payload(payload_of(**other), callers=False, people=True))["variables"]
    assert shown["transferred_from"] == HIDDEN
    assert shown["menu"] == "2"


@pytest.mark.parametrize("destination", ["1001", "sip:1001@pbx.example", "anna.schmidt", DESK])
def test_a_destination_is_hidden_wherever_it_occurs(destination):
    extension = re.sub(r"^sip:|@.*", "", destination)
    more = {"agent": extension, "note": f"for ({extension})", "digits": "1"}
    for payload, known in (
        (payload_of("INITIATE_FORWARD", destination=destination, **more), []),
        (payload_of("CALL_START", **more), [destination]),
    ):
        shown = masked_payload(payload, callers=True, people=False, known_destinations=known)
        assert extension not in shown
        assert json.loads(shown)["variables"]["digits"] == "1"


def test_callers_of_other_posts_of_the_call_are_masked_too():
    payload = payload_of("CALL_END", correlation_id="x-017099999999")
    shown = masked_payload(payload, callers=False, people=True, known_callers=["+4917099999999", ""])
    assert "99999" not in shown


@pytest.mark.parametrize("payload", ["", "not JSON", "{", "[" * 100_000, '{"a": NaN', "1" * 10_000])
def test_a_payload_that_cannot_be_read_is_hidden(payload):
    for callers, people in ((False, False), (True, False), (False, True)):
        shown = json.loads(masked_payload(payload, callers=callers, people=people))
        assert shown == HIDDEN


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10) | NUMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | NUMBERS, inner, max_size=4),
    max_leaves=10,
)


@given(JSON, st.booleans(), st.booleans())
def test_every_json_is_masked_without_an_error_and_stays_json(tree, callers, people):
    variables = {"caller_id_number": CALLER, "x": tree}
    posted = {"requestType": "X", "destination": tree, "more": tree, "variables": variables}
    for body in (tree, posted):
        shown = json.loads(masked_payload(json.dumps(body), callers=callers, people=people))
        if body is posted and not callers:
            assert shown["variables"]["caller_id_number"] == "+4917012345•••"
