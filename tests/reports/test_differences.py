"""A figure is compared in words: *as usual* within 5 %, within 2 points, and within what chance explains."""

import pytest

from calls.models import DestinationNumber
from reports.figures.cells import Cell, Row
from reports.figures.differences import is_noteworthy
from reports.queries.service_level import target_in_words


@pytest.mark.parametrize(
    ("now", "usual", "weeks", "is_more"),
    [
        (122, 100, 4, False),
        (123, 100, 4, True),
        (79, 100, 4, False),
        (78, 100, 4, True),
        (9, 4, 4, False),
        (10, 4, 4, True),
        # One call where none is usual is chance, two are not.
        (1, 0, 4, False),
        (2, 0, 4, True),
        (0, 0, 4, False),
        # Of many calls, five percent.
        (105_000, 100_000, 4, False),
        (105_001, 100_000, 4, True),
        # A single period says less about what is usual.
        (123, 100, 1, False),
        (132, 100, 1, True),
    ],
)
def test_a_count_is_as_usual_within_its_square_root(now, usual, weeks, is_more):
    assert is_noteworthy("count", now, usual, periods=weeks) is is_more


@pytest.mark.parametrize(
    ("now", "usual", "calls", "is_more"),
    [(0.84, 0.80, 100, False), (0.84, 0.80, 10_000, True), (0.81, 0.80, 1_000_000, False), (1.0, 1.0, 5, False)],
)
def test_a_share_is_as_usual_within_two_points_and_within_chance(now, usual, calls, is_more):
    assert is_noteworthy("share", now, usual, calls, calls) is is_more


@pytest.mark.parametrize(
    ("now", "usual", "calls", "is_more"),
    [(26.0, 20.0, 10, False), (26.0, 20.0, 200, True), (21.0, 20.0, 100_000, False), (1.4, 1.0, 100_000, False)],
)
def test_a_time_is_as_usual_within_what_its_calls_vary(now, usual, calls, is_more):
    assert is_noteworthy("seconds", now, usual, calls, calls) is is_more


def rows(*levels):
    return [
        Row(10, {"service_level": Cell(level)}, DestinationNumber(e164=f"+4922155400{n:03}", service_level_aim=aim))
        for n, (aim, level) in enumerate(levels)
    ]


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ([(80, 0.9), (80, 0.1)], "target: 80 %"),
        ([(80, 0.8), (90, 0.8), (None, 0.8)], "1 of 2 numbers reach their target"),
        ([(80, 0.7), (None, 0.8)], "0 of 1 number reaches its target"),
        # A number without calls that count has no service level.
        ([(80, 0.7), (90, None)], "target: 80 %"),
        ([(None, 0.7)], ""),
        ([], ""),
    ],
)
def test_a_target_is_named_only_if_all_numbers_have_it(levels, words):
    assert target_in_words(rows(*levels)) == words
