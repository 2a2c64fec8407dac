"""The disk of the database, of the spool, or both are full: posts answered 200 are stored once."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from config.embedded import Server
from tests.faults.conftest import demand, full_or, rounds
from tests.faults.system import System, wait_until

pytestmark = pytest.mark.faults


def mounted(folder, size):
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0711", "tmpfs", folder], capture_output=True, check=False
    )
    return done.returncode == 0


@contextlib.contextmanager
def full(*folders):
    """Fill the file systems of these folders completely, until the end of the context."""
    fillers = [folder / "filler" for folder in folders]
    try:
        for filler in fillers:
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
        yield
    finally:
        for filler in fillers:
            filler.unlink()


@pytest.fixture(scope="module")
def small(prepared):
    """A system whose database and spool have a small disk each; and both folders."""
    demand(os.geteuid() == 0, "only root can make small disks")
    # Not in pytest's folder, which the database server's user cannot pass through.
    top = Path(tempfile.mkdtemp(prefix="calltally-disks-"))
    top.chmod(0o711)
    disk, spool = top / "disk", top / "spool"
    system = None
    try:
        demand(mounted(disk, "300m") and mounted(spool, "8m"), "no small disks can be mounted here")
        system = System(disk / "var", SPOOL_FOLDER=str(spool))
        system.start(prepared)
        assert Server(system.home).base.is_relative_to(disk)
        yield system, disk, spool
    finally:
        if system:
            system.stop()
        for folder in (disk, spool):
            subprocess.run(["umount", folder], capture_output=True, check=False)
        shutil.rmtree(top, ignore_errors=True)


@rounds(3)
def test_the_databases_disk_is_full(small, endure, number):
    system, disk, _ = small
    endure(system, lambda system: full(disk), 4, until=takes_posts)


@rounds(3)
def test_the_spools_disk_is_full(small, endure, number):
    system, _, spool = small
    endure(system, lambda system: full(spool), 2)


@rounds(3, short=2)
def test_both_are_full(small, endure, number):
    system, disk, spool = small
    of = endure(system, lambda system: full(disk, spool), full_or(15, 8), allowed={"503"}, until=takes_posts)
    # In the first round the database may have free space within its files; afterwards it is used up.
    assert number or "503" in {line.answer for line in of.client.sent}


def takes_posts(system):
    wait_until(system.has_database, 90, "the database")
