"""What callers typed: read from mapped variables only, as a whole, and before the caller's phone number."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from calls.models import Call
from contacts import patterns
from contacts.matching import identify
from contacts.models import TypedNumber
from tests.factories import make_contact, make_number, make_staff, map_variable, take

NOON = datetime(2026, 9, 14, 10, 0, tzinfo=UTC)
TYPED = "/admin/contacts/typednumber/"
CALLER, COMPANY = "+4922147103012", "+49221471030"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def number():
    return make_number(label="Hotline")


def receive(number, *posts, name="call", caller=CALLER):
    """Receive the posts of a call, each with these variables, a second apart; return the call."""
    for n, variables in enumerate(posts):
        at = NOON + timedelta(seconds=n)
        take(number, "BLOCK_END", at, call_uuid=name, correlation_id=name, caller_id_number=caller, **variables)
    return Call.objects.get(call_uuid=name)


def typed_in(call):
    found = identify([call]).get(call.pk)
    return [str(typed) for typed in found.typed] if found else []


@pytest.mark.parametrize("known", [*itertools.product((True, False), repeat=3)])
def test_the_typed_customer_number_wins_over_the_phone_number_and_that_over_the_company(number, known):
    by_customer_number, by_number, by_company = known
    map_variable(number, "customer")
    make_contact("Typed", customer_number="4711" if by_customer_number else "4712")
    make_contact("Exact", *([CALLER] if by_number else []), customer_number="9999")
    make_contact("Company", with_extensions=[COMPANY] if by_company else [])
    call = receive(number, {"collected_customer": "4711"})

    match = identify([call])[call.pk].match

    kinds = [kind for kind, is_known in zip(("typed", "exact", "company"), known, strict=True) if is_known]
    assert (match.kind if match else None) == (kinds[0] if kinds else None)
    assert [contact.name for contact in match.contacts] == [kinds[0].capitalize()] if match else True


def test_customer_numbers_are_compared_whole_without_blanks_and_regardless_of_case(number):
    map_variable(number, "customer", pattern=r"[a-z]-?\d+")
    make_contact("Berta", customer_number="K-1001")
    make_contact("Anna", customer_number="k-1001")
    make_contact("Other", customer_number="K-10010")
    call = receive(number, {"collected_customer": " k-1001 "})
    assert [contact.name for contact in identify([call])[call.pk].match.contacts] == ["Anna", "Berta"]


def test_a_withheld_caller_is_known_by_what_they_typed_alone(number):
    map_variable(number, "customer")
    make_contact("Anna Meyer", customer_number="4711")
    call = receive(number, {"collected_customer": "4711"}, caller="anonymous")
    assert call.caller_id_number == ""
    assert identify([call])[call.pk].match.contacts[0].name == "Anna Meyer"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("4711", ["Ticket 4711"]),
        (" 04711\t", []),  # not a blank, but a control character
        (" 04711 ", ["Ticket 04711"]),
        (4711, ["Ticket 4711"]),
        (4711.5, []),
        (-4711, []),
        ("471", []),
        ("471108150", []),
        ("4711 4711", []),
        ("4711\n", []),
        ("４７１１", []),
        ('4711"', []),
        ("4711\\", []),
        ("\0004711", []),
        ("4711" + " " * 100, []),
        ("", []),
        (True, []),
        (["4711"], []),
        ({"collected_ticket": []}, []),
    ],
)
def test_only_a_value_that_is_the_pattern_as_a_whole_is_read(number, value, shown):
    map_variable(number)
    assert typed_in(receive(number, {"collected_ticket": value})) == shown


def test_the_value_that_was_typed_last_counts_and_others_do_not_replace_it(number):
    map_variable(number)
    assert typed_in(
        receive(number, {"collected_ticket": "4711"}, {"collected_ticket": "4712"}, {"collected_ticket": "9"}, {})
    ) == ["Ticket 4712"]


def test_other_variables_other_numbers_and_texts_with_the_name_are_not_read(number):
    other = make_number("+4922155400301", label="Shop")
    map_variable(number)
    map_variable(other, variable="collected_menu")
    quoted = '"collected_ticket":"4711"'
    assert typed_in(receive(number, {"collected_menu": "4711", "xcollected_ticket": "4711", "note": quoted})) == []
    assert typed_in(receive(other, {"collected_ticket": "4711"}, name="other")) == []


def test_many_calls_are_identified_with_three_statements(number):
    map_variable(number)
    map_variable(number, "customer")
    make_contact("Anna Meyer", customer_number="4711")
    for n in range(20):
        variables = {"collected_ticket": f"10{n:02}"} | ({"collected_customer": "4711"} if n % 2 else {})
        receive(number, variables, name=f"call {n}")
    calls = list(Call.objects.order_by("pk"))
    with CaptureQueriesContext(connection) as queries:
        identified = identify(calls)
    assert len(queries) == 3
    assert [len(identified[call.pk].typed) for call in calls] == [1, 2] * 10
    assert [bool(identified[call.pk].match) for call in calls] == [False, True] * 10


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"\d{4,", "cannot be read"),
        (r"[0-9", "cannot be read: brackets [] not balanced"),
        (r"(\d", "cannot be read: parentheses () not balanced"),
        (r"4)|(\d", "cannot be read: parentheses () not balanced"),
        (r"\d*", "also matches an empty text"),
        (".+", "also matches an empty text"),
        (r"(\d)\1+", "are not allowed"),
        (r"(?=\d)\d+", "are not allowed"),
        (r"(\d+)+", "may not be repeated"),
        (r"(a{1,200}){200}", "may not be repeated"),
        ("\\d{4}\n", "in one line"),
    ],
)
def test_a_pattern_that_is_refused_says_why(number, pattern, why):
    with pytest.raises(ValidationError, match=why.replace("[]", r"\[\]").replace("()", r"\(\)")):
        TypedNumber(destination_number=number, variable="x", kind="ticket", label="T", pattern=pattern).full_clean()


@pytest.mark.parametrize("pattern", [r"\d{4,", "(4", "[0-9", "4{2,1}", r"\d{99999}"])
def test_a_pattern_that_was_written_past_its_check_matches_nothing_and_system_says_so(client, number, pattern):
    map_variable(number, "customer", pattern=pattern)
    map_variable(number)
    make_contact("Anna Meyer", CALLER)
    call = receive(number, {"collected_customer": "4711", "collected_ticket": "4712"})
    assert typed_in(call) == ["Ticket 4712"]
    assert identify([call])[call.pk].match.contacts[0].name == "Anna Meyer"

    client.force_login(make_staff())
    calls = b"".join(client.get("/reports/calls.csv?from=2026-09-14&to=2026-09-14"))
    assert b"Anna Meyer" in calls
    system = client.get("/reports/system/").content.decode()
    assert "Typed number Customer (collected_customer)" in system
    assert "Typed number Ticket" not in system
    assert f"{escape(pattern)} (cannot be read: without effect)" in client.get(TYPED).content.decode()


@pytest.mark.parametrize("pattern", [r"\d{4,8}", r"[A-Z]{2}-?\d+", r"(AB|CD)\d{4}(-\d)?", r"\(?\d+\)?"])
def test_usual_patterns_are_accepted(pattern):
    assert patterns.why_refused(pattern) == ""


@pytest.mark.parametrize(
    "pattern", ["[0-9a-z]*[0-9a-z]*[0-9a-z]*x", "(a|aa|aaa|a)" * 7 + "x", "[a-z]{1,60}" * 8 + "[0-9]"]
)
def test_no_pattern_takes_long_for_what_may_be_typed(number, pattern):
    """PostgreSQL matches without going back; Python would take minutes for some of these."""
    assert patterns.why_refused(pattern) == ""
    map_variable(number, pattern=pattern)
    call = receive(number, {"collected_ticket": "a" * 60})
    began = datetime.now(UTC)
    assert typed_in(call) == []
    assert datetime.now(UTC) - began < timedelta(seconds=1)
