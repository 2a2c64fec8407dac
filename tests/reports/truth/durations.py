"""The durations of the scripted calls, and the classes in which pages and files count them."""

from __future__ import annotations

import math

from tests.reports import expected
from tests.reports.assertions import TIMES
from tests.reports.expected import Stretch
from tests.reports.scenario import Line

CLASSES = [
    ("up to 5 s", -1, 5),
    ("5 to 10 s", 5, 10),
    ("10 to 20 s", 10, 20),
    ("20 to 30 s", 20, 30),
    ("30 to 60 s", 30, 60),
    ("60 to 120 s", 60, 120),
    ("120 to 300 s", 120, 300),
    ("over 300 s", 300, 10**9),
]


def seconds_of(line: Line, stretch: Stretch, key: str) -> list[int]:
    """Return the durations of calls, rounded up to full seconds, shortest first."""
    calls = [call for call in expected.offered([line], stretch) if expected.is_measured(call, key)]
    times = [getattr(call, TIMES[key]) for call in calls if call.outcome == "answered"]
    return sorted(math.ceil(time_s) for time_s in times if time_s is not None)
