"""The files of workbooks: who can read them, and when they are removed."""

import os
import stat
import subprocess
from datetime import timedelta

import pytest
from django.utils import timezone

from reports.exports import file_store, workbook_jobs
from reports.models import Workbook
from tests.factories import take
from tests.reports.helpers import NOON
from tests.reports.workbooks import QUERY, ask, body

pytestmark = pytest.mark.django_db(transaction=True)


def test_files_are_readable_by_our_user_only_and_have_random_names(client, manager, folder):
    ask(client)
    workbook_jobs.make_waiting()
    name = Workbook.objects.get().file_name

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / f"{name}.xlsx").stat().st_mode) == 0o600
    assert len(name) == 32
    assert {path.name for path in folder.iterdir()} == {f"{name}.xlsx", file_store.WANTED}


def test_a_file_is_removed_after_a_day(client, manager, folder):
    place = ask(client)
    workbook_jobs.make_waiting()
    workbook_jobs.clear()
    assert len(list(folder.glob("*.xlsx"))) == 1
    Workbook.objects.update(finished_at=timezone.now() - Workbook.KEPT - timedelta(seconds=1))

    assert client.get(f"{place[:-1]}.xlsx")["Location"] == place
    workbook_jobs.clear()
    assert not list(folder.glob("*.xlsx"))
    assert "The file was removed after 24 hours." in client.get(place).content.decode()
    Workbook.objects.update(created_at=timezone.now() - workbook_jobs.LISTED - timedelta(seconds=1))
    workbook_jobs.clear()
    assert not Workbook.objects.exists()


def test_files_without_a_row_and_rows_without_a_file_are_cleared(client, manager, folder):
    kept = ask(client)
    gone = ask(client, query="")
    workbook_jobs.make_waiting()
    row = Workbook.objects.get(pk=gone.split("/")[-2])
    (folder / f"{row.file_name}.xlsx").unlink()
    assert client.get(f"{gone[:-1]}.xlsx").status_code == 410
    (folder / "nobodys.xlsx").write_bytes(b"x")
    (folder / "left").mkdir()
    (folder / "left" / "part").write_bytes(b"x")
    for name, age in (("at-once-old", 7200), ("at-once-new", 0)):
        (folder / name).mkdir()
        at = timezone.now().timestamp() - age
        os.utime(folder / name, (at, at))

    workbook_jobs.clear()

    left = {path.name for path in folder.iterdir()}
    name = Workbook.objects.get(pk=kept.split("/")[-2]).file_name
    assert left == {f"{name}.xlsx", "at-once-new", file_store.WANTED}
    assert "The file is no longer on the server" in client.get(gone).content.decode()


def test_the_oldest_files_are_removed_if_all_together_are_too_large(client, manager, folder, settings):
    first = ask(client)
    workbook_jobs.make_waiting()
    second = ask(client, query="")
    workbook_jobs.make_waiting()
    settings.FILES_MOST_MB = 1.5 * Workbook.objects.first().size / 1_000_000

    workbook_jobs.clear()

    assert "to free disk space for newer files" in client.get(first).content.decode()
    assert body(client.get(f"{second[:-1]}.xlsx"))


def test_a_nearly_full_disk_is_kept_for_posts(client, manager, settings):
    place = ask(client)
    settings.FILES_LEAST_FREE_MB = 10**9
    workbook_jobs.make_waiting()

    assert "The server has no disk space for it." in client.get(place).content.decode()


@pytest.fixture
def small_disk(folder):
    """A disk of 48 kB only for files."""
    if os.geteuid():
        pytest.skip("only root can make small disks")
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k,mode=0700", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disks can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_shows_an_error_and_the_draft_is_removed(client, manager, settings, small_disk, monkeypatch):
    settings.FILES_LEAST_FREE_MB = 0
    number = manager.number_access.get().destination_number
    for n in range(100):
        take(number, "CALL_START", NOON, call_uuid=f"{n} " + "x" * 100)
    at_once = client.get(f"/reports/calls.xlsx?{QUERY}")
    assert (at_once.status_code, at_once["Retry-After"]) == (503, "60")
    place = ask(client)
    workbook_jobs.make_waiting()

    assert "The server has no disk space for it." in client.get(place).content.decode()
    assert {path.name for path in small_disk.iterdir()} == {file_store.WANTED}
