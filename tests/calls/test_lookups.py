"""The lookup `any_of`."""

import pytest

from calls.models import Call, DestinationNumber
from tests import factories

pytestmark = pytest.mark.django_db


def test_any_of_finds_the_rows_of_these_ids_by_one_parameter():
    first, second, third = (factories.make_number(f"+4922155500{n}") for n in range(3))
    wanted = {first.pk, third.pk}
    found = DestinationNumber.objects.filter(pk__any_of=wanted)
    assert {number.pk for number in found} == wanted
    assert second not in found
    _sql, parameters = Call.objects.filter(destination_number__any_of=wanted).query.sql_with_params()
    assert [set(parameter) for parameter in parameters] == [wanted]


def test_any_of_no_ids_finds_nothing_and_asks_nothing(django_assert_num_queries):
    factories.make_number("+49221555000")
    with django_assert_num_queries(0):
        assert not DestinationNumber.objects.filter(pk__any_of=()).exists()
