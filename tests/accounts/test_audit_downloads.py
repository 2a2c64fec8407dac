"""When the end of a download is noted: at the last byte or when the response is closed, and at no other moment."""

import gc
import os

import pytest

from accounts.audit.actions import Action
from accounts.audit.downloads import Download, NotedFile
from accounts.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)


def ends():
    return [entry.after["is_complete"] for entry in AuditEntry.objects.filter(action=Action.EXPORT_ENDED)]


def csv():
    yield from (b"column\n", b"1\n", b"2\n")


def test_the_end_is_noted_once_however_often_it_is_closed():
    pieces = Download("calls.csv", {}).streamed(csv())
    assert b"".join(pieces) == b"column\n1\n2\n"
    assert ends() == [True]
    pieces.close()
    pieces.close()
    assert ends() == [True]


def test_a_download_that_is_closed_early_is_noted_with_what_was_sent():
    pieces = Download("calls.csv", {}).streamed(csv())
    next(pieces), next(pieces)
    pieces.close()
    assert ends() == [False]
    entry = AuditEntry.objects.get(action=Action.EXPORT_ENDED)
    assert (entry.rows, entry.bytes) == (1, 9)


def test_cleaning_up_what_was_not_closed_writes_nothing(tmp_path):
    """Python may do it within a statement; a second one on the same connection would wait for the first for ever."""
    path = tmp_path / "book.xlsx"
    path.write_bytes(b"PK")
    pieces, file = Download("calls.csv", {}).streamed(csv()), NotedFile(path, Download("calls.xlsx", {}), 1)
    next(pieces), file.read(1)
    descriptor = file.fileno()
    del pieces, file
    gc.collect()
    assert ends() == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
