"""Each filter of calls: what it reads from a query string, and how it writes it back."""

from datetime import date
from urllib.parse import parse_qsl, urlencode

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict

from reports.filters.call_filter import FILTERS, CallFilter
from reports.filters.call_menus import CallMenus
from reports.filters.calls_by_course import (
    BlockFilter,
    CallbackFilter,
    DestinationFilter,
    DurationFilter,
    FlagFilter,
    MeasuredFilter,
    NumberFilter,
    OutcomeFilter,
    ServiceLevelFilter,
)
from reports.filters.calls_by_time import (
    AtOnceFilter,
    DaysFilter,
    HourFilter,
    MomentsFilter,
    OpeningFilter,
    WeekdayFilter,
    WeeksFilter,
)
from reports.filters.search import SearchFilter
from reports.models import MonthForwardCounts
from reports.queries import forwards
from tests.factories import E164, make_number, make_staff

pytestmark = pytest.mark.django_db

DAYS = [("from", "2026-10-05"), ("to", "2026-10-20")]
NUMBER = [("number", E164)]
DESTINATIONS = ["SIP_USER:1001", ":1002", ":"]
# The query string of each filter, and what else the filter needs.
ASKED = {
    DaysFilter: ([*DAYS, ("period", "days")], []),
    MomentsFilter: ([("start", "2026-10-14T07:15:00+00:00"), ("end", "2026-10-14T17:15:00+00:00")], []),
    WeekdayFilter: ([("weekday", "1"), ("weekday", "7")], []),
    HourFilter: ([("hour", "0"), ("hour", "13")], []),
    NumberFilter: (NUMBER, []),
    OutcomeFilter: ([("outcome", "missed"), ("outcome", "callback")], []),
    FlagFilter: ([("flag", "weak"), ("flag", "odd")], []),
    OpeningFilter: ([("opening", "outside")], []),
    CallbackFilter: ([("callbacks", "no")], []),
    BlockFilter: ([("block", "QUEUE"), ("last_block", "IVR")], []),
    DestinationFilter: (list(zip(DestinationFilter.names, map(forwards.token, DESTINATIONS), strict=True)), []),
    DurationFilter: ([("took", "ring"), ("over", "0"), ("upto", "20")], []),
    ServiceLevelFilter: ([("level", "neither")], []),
    MeasuredFilter: ([("measured", "service_level")], []),
    AtOnceFilter: ([("at_once", "2026-10-14T07:15:00+00:00")], NUMBER),
    WeeksFilter: ([("weeks", "4")], DAYS),
    SearchFilter: ([("search", "token")], []),
}
IN_MENUS_OR_FORM = {DaysFilter, NumberFilter, OutcomeFilter, FlagFilter, OpeningFilter, CallbackFilter}


@pytest.fixture(autouse=True)
def small_groups_are_shown(settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 0


def make_number_with_destinations():
    number = make_number()
    for name in DESTINATIONS:
        destination, destination_type = forwards.parted(name)
        MonthForwardCounts.objects.create(
            destination_number=number,
            month=date(2026, 10, 1),
            destination=destination,
            destination_type=destination_type,
            course="alone",
            attempts=1,
        )


def asked(pairs):
    user = User.objects.filter(username="asks").first() or make_staff("asks")
    return CallFilter(QueryDict(urlencode(pairs)), user, {"searches": [["token", "0171 5"]]})


def test_no_query_parameter_belongs_to_two_filters():
    names = [name for kind in FILTERS for name in kind.names]
    assert len(names) == len(set(names))


def test_every_filter_is_tested_here():
    assert set(ASKED) == set(FILTERS), "ASKED needs a case for each of FILTERS"


@pytest.mark.parametrize("kind", ASKED, ids=lambda kind: kind.__name__)
def test_a_filter_is_written_as_it_was_read_and_left_out_by_its_class(kind):
    make_number_with_destinations()
    pairs, needed = ASKED[kind]

    call_filter = asked([*needed, *pairs])

    assert call_filter.errors == {}
    assert call_filter[kind].to_query() == pairs
    assert set(call_filter.pairs()) == {*pairs, *needed}
    assert call_filter.pairs(kind) == needed
    # The database accepts the condition.
    assert list(call_filter.calls()) == []


@pytest.mark.parametrize("kind", ASKED, ids=lambda kind: kind.__name__)
def test_filters_shown_nowhere_else_have_a_chip_that_removes_them(kind):
    make_number_with_destinations()
    pairs, needed = ASKED[kind]

    chips = asked([*needed, *pairs]).chips()

    wanted = [] if kind in IN_MENUS_OR_FORM else [urlencode(needed)]
    assert [chip.query_without for chip in chips] == wanted, f"{kind.__name__} needs `chip`, or a field of the form"
    assert all(chip.label for chip in chips)


@pytest.mark.parametrize("kind", ASKED, ids=lambda kind: kind.__name__)
def test_each_filter_that_is_set_has_a_chip_that_removes_it(kind):
    make_number_with_destinations()
    pairs, needed = ASKED[kind]

    chips = CallMenus(asked([*needed, *pairs])).chips()

    wanted = {*pairs, *needed}
    removed = [wanted - set(parse_qsl(chip.query_without)) for chip in chips]
    assert all(removed)
    assert set().union(*removed) == wanted
    if kind in {OutcomeFilter, FlagFilter}:
        assert removed == [{pair} for pair in pairs]
    # The session's question is not added to what is left.
    assert all(chip.query_without for chip in chips)


def test_lost_calls_have_one_chip():
    make_number()
    chips = CallMenus(asked([("outcome", "missed"), ("outcome", "abandoned"), ("callbacks", "no")])).chips()
    assert [(chip.label, chip.query_without) for chip in chips] == [
        ("Lost", "callbacks=no"),
        ("Without callbacks", "outcome=missed&outcome=abandoned"),
    ]


@pytest.mark.parametrize("text", ["SIP_USER:1001", "1001", "+492212345678", "a" * 16, "…"])
def test_a_destination_that_is_no_token_is_refused_and_written_into_no_address(text):
    make_number_with_destinations()

    call_filter = asked([("tried", text), ("answered_by", forwards.token("SIP_USER:1001"))])

    assert "tried" in call_filter.errors
    assert text not in call_filter.query()
    assert list(call_filter.calls()) == []


def test_a_destination_is_found_among_those_of_the_numbers_that_are_listed():
    make_number_with_destinations()
    other = make_number("+4922155400301")
    of_anna = ("tried", forwards.token("SIP_USER:1001"))

    assert asked([of_anna]).errors == {}
    assert "Tried at 1001" in [chip.label for chip in asked([*NUMBER, of_anna]).chips()]
    assert "do not have" in asked([("number", other.e164), of_anna]).errors["tried"]
