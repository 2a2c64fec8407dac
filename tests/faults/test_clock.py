"""The clock is set forward and back by an hour under load: posts are stored, and counting continues."""

import contextlib

import pytest

from tests.faults.conftest import preloaded, rounds
from tests.faults.system import wait_until
from tests.faults.test_counting import all_counted

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def stepped(tmp_path_factory):
    """A system whose clock differs by the seconds in a file; and that file."""
    yield from preloaded(tmp_path_factory.mktemp("clock"), "clock.c", "SHIFTED_CLOCK")


@pytest.mark.parametrize("hours", [1, -1])
@rounds(3)
def test_the_clock_is_set(stepped, endure, hours, number):
    system, clock = stepped
    counted_at = "SELECT counted_at FROM reports_rollup"
    with system.database() as connection:
        # An old key: one issued within the last hour is not valid yet if the clock is set back.
        connection.execute("UPDATE calls_accesskey SET valid_from = valid_from - interval '1 day'")
        (before,) = wait_until(lambda: connection.execute(counted_at).fetchone(), what="a first count")

    @contextlib.contextmanager
    def fault(system):
        clock.write_text(str(hours * 3600))
        yield

    def counted_by_itself(system):
        all_counted(system)
        with system.database() as connection:
            assert connection.execute(counted_at).fetchone()[0] > before

    try:
        endure(system, fault, 3, until=counted_by_itself)
        with system.database() as connection:
            newest = (
                "SELECT extract(epoch FROM received_at - now()) / 3600 FROM calls_callevent ORDER BY id DESC LIMIT 1"
            )
            assert round(connection.execute(newest).fetchone()[0]) == hours
    finally:
        clock.write_text("0")
