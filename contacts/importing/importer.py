"""Imports a file of contacts: opens it, shows its first rows, and stores it in one transaction."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts import spreadsheets
from contacts.importing import rows, store
from contacts.importing.csv_files import CsvFile, open_csv
from contacts.importing.rows import Draft, Refusal, Row, RowRefused
from contacts.importing.store import Counts
from contacts.importing.texts import FileRefused, decoded
from contacts.importing.vcards import VcardFile, looks_like_vcards
from contacts.models import validate_source

ContactFile = CsvFile | VcardFile
# Called with how many rows were read, and how many there are.
Progress = Callable[[int, int], None]

PREVIEWED = 10
REPORT_EVERY = 1000
_FORMULA = re.compile(spreadsheets.FORMULA)
# Phone numbers in any spelling are no formulas; with a quote before them they could not be imported again.
_NUMBER = re.compile(r"[+-][0-9 ()/.-]*")


@dataclass(frozen=True)
class Preview:
    """The first rows of a file: their cells as they are, and the contacts that they become."""

    file: ContactFile
    cells: Sequence[Sequence[str]]
    drafts: Sequence[Draft]
    refused: Sequence[Refusal]


@dataclass(frozen=True)
class Result:
    """What an import did, or would do. `refused` has also rows of which only a number was left out."""

    rows: int
    counts: Counts
    removed: int
    refused: Sequence[Refusal]
    headers: Sequence[str]

    @property
    def refused_rows(self) -> int:
        """How many rows were not imported."""
        return sum(refusal.is_whole for refusal in self.refused)


def open_file(content: bytes, columns: Mapping[str, str] | None = None) -> ContactFile:
    """Return the file: vCards, or CSV whose separator and encoding are found out.

    `columns` names the field (rows.FIELDS) for headers of a CSV file that are not to be read by their name. Whether
    the columns are enough says `check_columns`. Raise FileRefused, whose message says why the file cannot be read."""
    text, encoding = decoded(content)
    if looks_like_vcards(text):
        return VcardFile(text, encoding)
    return open_csv(text, encoding, columns)


def check_columns(file: ContactFile) -> None:
    """Raise FileRefused unless the columns of a file are enough for contacts: a name or company, and a number."""
    fields = file.fields()
    headers = ", ".join(file.headers)
    if not fields & {rows.NAME, rows.FIRST_NAME, rows.LAST_NAME, rows.COMPANY}:
        raise FileRefused(
            _("There is no column with names or companies among these: %(headers)s.") % {"headers": headers}
        )
    if not fields & {*rows.PHONES, rows.CUSTOMER_NUMBER}:
        raise FileRefused(_("There is no column with phone numbers among these: %(headers)s.") % {"headers": headers})


def preview(file: ContactFile, limit: int = PREVIEWED) -> Preview:
    """Return the first rows of a file, and what becomes of them."""
    first = list(islice(file.rows(), limit))
    drafts, refused = read(first)
    return Preview(file, [row.cells for row in first], drafts, refused)


def read(
    file_rows: Iterable[Row], total: int = 0, progress: Progress | None = None
) -> tuple[list[Draft], list[Refusal]]:
    """Return the contacts of rows, and what was refused. Rows with the same id are one contact if they differ in
    their numbers only."""
    drafts: dict[str, Draft] = {}
    lines: dict[str, int] = {}
    refused: list[Refusal] = []
    for done, row in enumerate(file_rows, start=1):
        try:
            draft, left_out = rows.draft(row)
            first = drafts.get(draft.external_id)
            drafts[draft.external_id] = rows.merged(first, draft, lines[draft.external_id]) if first else draft
            lines.setdefault(draft.external_id, row.line)
            refused += [Refusal(row.line, reason, row.cells, is_whole=False) for reason in left_out]
        except RowRefused as error:
            refused.append(Refusal(row.line, str(error), row.cells, rows.external_id_of(row)))
        if progress and done % REPORT_EVERY == 0:
            progress(done, total)
    return list(drafts.values()), refused


def run(
    file: ContactFile,
    source: str,
    *,
    dry_run: bool = False,
    remove_missing: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Add the contacts of a file to a source, and update those that it has already; return what was done.

    All or nothing. With `remove_missing`, contacts of the source that the file does not have are deleted; a contact
    whose row was refused is kept. With `dry_run` nothing is changed. Raise FileRefused."""
    check_source(source)
    check_columns(file)
    total = file.count()
    drafts, refused = read(file.rows(), total, progress)
    if remove_missing and not drafts:
        raise FileRefused(_("No row of this file can be imported, so nothing is removed either."))
    if progress:
        progress(total, total)
    removed = 0
    with transaction.atomic(), connection.cursor() as cursor:
        store.load(cursor, source, drafts, {refusal.external_id for refusal in refused if refusal.is_whole})
        counts = store.count(cursor, source, file.fields())
        if dry_run:
            transaction.set_rollback(True)
        else:
            store.store(cursor, source, file.fields())
            removed = store.delete_missing(cursor, source) if remove_missing else 0
    return Result(total, counts, removed, refused, file.headers)


def check_source(source: str) -> None:
    """Raise FileRefused unless a text can be the name of a source."""
    try:
        validate_source(source)
    except ValidationError as error:
        raise FileRefused(" ".join(error.messages)) from None


def refused_csv(result: Result) -> Iterator[str]:
    """Yield the lines of a CSV file with the refused rows: line, reason, and the cells as they were.

    It can be corrected and imported: the first two columns are not read."""
    yield "\N{ZERO WIDTH NO-BREAK SPACE}" + _csv_line(["line", "reason", *result.headers])
    for refusal in result.refused:
        yield _csv_line([str(refusal.line), refusal.reason, *refusal.cells])


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=";").writerow(map(_safe, cells))
    return line.getvalue()


def _safe(cell: str) -> str:
    """Return a cell that no spreadsheet runs as a formula."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell
