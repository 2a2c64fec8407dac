"""Who calls: the whole number first, then the longest number of a company that the caller's begins with."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.matching import who_calls
from tests.factories import make_contact

CALLER = "+4922147103012"
HEAD_OFFICE, BRANCH = "+49221471030", "+492214710301"

pytestmark = pytest.mark.django_db


def names(match):
    return [contact.name for contact in match.contacts]


def test_the_whole_number_wins_over_the_company():
    make_contact("Switchboard", with_extensions=[HEAD_OFFICE])
    make_contact("Anna Meyer", CALLER)
    match = who_calls([CALLER])[CALLER]
    assert (match.kind, names(match)) == ("exact", ["Anna Meyer"])


def test_the_longest_number_of_a_company_wins():
    make_contact("Head office", with_extensions=[HEAD_OFFICE])
    make_contact("Branch", with_extensions=[BRANCH])
    match = who_calls([CALLER])[CALLER]
    assert (match.kind, names(match)) == ("company", ["Branch"])


def test_the_number_of_a_company_itself_is_exact():
    make_contact("Head office", with_extensions=[HEAD_OFFICE])
    assert who_calls([HEAD_OFFICE])[HEAD_OFFICE].kind == "exact"


def test_all_contacts_of_a_number_are_returned_important_ones_first():
    for name, important in (("Berta", False), ("Ärzte", False), ("Zoe", True)):
        make_contact(name, CALLER, important=important)
    assert names(who_calls([CALLER])[CALLER]) == ["Zoe", "Ärzte", "Berta"]


@pytest.mark.parametrize(
    "stored",
    [
        HEAD_OFFICE,  # begins the caller's number, but has no extensions
        "+4930" + CALLER[3:],  # has the same last digits
        CALLER + "3",  # begins with the caller's number
    ],
)
def test_a_number_that_is_only_similar_matches_nothing(stored):
    make_contact("Somebody else", stored)
    assert who_calls([CALLER]) == {}


@pytest.mark.parametrize("caller", ["", "anonymous", "1001", "+4922147103•••", "0221 47103012"])
def test_withheld_masked_and_local_callers_match_nothing(caller):
    make_contact("Head office", with_extensions=[HEAD_OFFICE])
    assert who_calls([caller]) == {}


def test_many_callers_are_looked_up_with_one_statement():
    make_contact("Head office", with_extensions=[HEAD_OFFICE])
    make_contact("Anna Meyer", "+491701234567")
    callers = [f"{HEAD_OFFICE}{extension}" for extension in range(100, 150)]
    with CaptureQueriesContext(connection) as queries:
        matches = who_calls([*callers, "+491701234567", "+491701234568"])
    assert len(queries) == 1
    assert {match.kind for caller, match in matches.items() if caller in callers} == {"company"}
    assert {*matches} == {*callers, "+491701234567"}
