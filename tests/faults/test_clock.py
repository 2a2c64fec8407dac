"""The clock is set forward and back by an hour, or the disk is slow: posts are stored, and counting continues."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faults.conftest import demand, full_or, rounds
from tests.faults.system import System, frozen, wait_until, writers
from tests.faults.test_counting import all_counted

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def preloaded(prepared, tmp_path_factory):
    """A system whose processes use replaced functions of the C library, and the files that control them: the seconds by
    which the clock is shifted, and the milliseconds by which a sync is delayed."""
    compiler = shutil.which("cc")
    demand(compiler, "no C compiler is here (Debian: apt-get install gcc libc6-dev)")
    folder = tmp_path_factory.mktemp("preloaded")
    files = {name: folder / name for name in ("SHIFTED_CLOCK", "SLOW_SYNCS")}
    for file in files.values():
        file.write_text("0")
    libraries = {source: folder / f"{source}.so" for source in ("clock.c", "disk.c")}
    for source, library in libraries.items():
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, Path(__file__).with_name(source)], check=True)
    environment = {name: str(file) for name, file in files.items()}
    system = System(folder / "var", LD_PRELOAD=" ".join(map(str, libraries.values())), **environment)
    try:
        system.start(prepared)
        yield system, *files.values()
    finally:
        system.stop()


@pytest.mark.parametrize("hours", [1, -1])
@rounds(3)
def test_the_clock_is_set(preloaded, endure, hours, number):
    system, clock, _milliseconds = preloaded
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


@rounds(5)
def test_the_disk_is_slow_while_the_intake_cannot_write_to_the_database(preloaded, endure, number):
    """All web processes and the drainer, which continues to read, share the spool file, and its syncs are slow."""
    system, _clock, milliseconds = preloaded

    @contextlib.contextmanager
    def fault(system):
        milliseconds.write_text("60")
        try:
            with frozen(writers(system)):
                yield
        finally:
            milliseconds.write_text("0")

    endure(system, fault, full_or(15, 4))
