"""The posts of the scripted month match the outcomes of its calls."""

from __future__ import annotations

import pytest

from tests.reports import expected, scenario
from tests.reports.expected import OUTCOMES
from tests.reports.scenario import ANSWER, BLOCK, FORWARD, LATECOMER

pytestmark = pytest.mark.django_db


def test_posts_of_the_plan_match_the_outcomes_of_its_calls_as_far_as_measured():
    assert len({call.uuid for call in scenario.CALLS}) == len(scenario.CALLS)
    for call in scenario.CALLS:
        if expected.is_measured(call, call.outcome):
            assert expected.as_posted(call) == call.outcome, call
    assert {call.outcome for call in scenario.CALLS} == set(OUTCOMES)
    assert expected.arrives_from(LATECOMER, BLOCK) == scenario.BLOCKS_FROM
    assert expected.arrives_from(LATECOMER, FORWARD) == scenario.FORWARDS_FROM
    assert expected.arrives_from(LATECOMER, ANSWER) == scenario.FORWARDS_FROM
