"""Downloads as Excel workbooks: typed cells, and a second sheet that explains them."""

from __future__ import annotations

import contextlib
import csv
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import xlsxwriter
from django.conf import settings
from django.http import FileResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from xlsxwriter.exceptions import FileCreateError, FileSizeError

from reports import periods
from reports.exports import file_store
from reports.exports.csv_cells import MOMENTS
from reports.exports.csv_files import Pieces
from reports.figures.definitions import FIGURES

MOST_ROWS = 1_048_575  # of an Excel sheet, without the header
TELL_EVERY_ROWS = 100
TOO_LONG = gettext_lazy(
    "There are more rows than the 1,048,575 that Excel can hold. Choose a shorter period, or download the CSV."
)
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# Columns that are always text, whatever they contain.
TEXTS = frozenset(
    {
        *("destination_number", "label", "block_type", "last_block_type", "call_uuid", "correlation_id", "outcome"),
        *("agents", "answered_agents", "caller_contact", "note_result", "note"),
        *("customer_number", "caller_id_number", "answered_destination", "answered_destination_type"),
        *("destination", "destination_type", "course", "figure", "post", "arrives", "set_to"),
    }
)


class TooLong(Exception):  # noqa: N818 (a state of the request)
    """There are more rows than an Excel sheet can hold, or the workbook would be too large."""


class TooManyAtOnce(Exception):  # noqa: N818 (a state of the request)
    """There are more rows than are written within a request."""


def at_once(pieces: Pieces, name: str, filters: Sequence[tuple[str, str]], most_rows: int = MOST_ROWS) -> FileResponse:
    """Return a response with the rows of a CSV of reports.exports.csv_files as a workbook.

    `filters` are shown on the second sheet. Raise TooLong, TooManyAtOnce, OSError."""

    def count(rows: int) -> None:
        if rows > most_rows:
            raise TooManyAtOnce

    with file_store.at_once() as parts:
        file: IO[bytes] = tempfile.TemporaryFile(dir=parts)  # noqa: SIM115 (the response closes it)
        try:
            write(file, pieces, filters, parts, count)
        except BaseException:
            file.close()
            raise
    file.seek(0)
    return response(file, name)


def response(file: IO[bytes], name: str) -> FileResponse:
    """Return a download of a workbook. The response closes the file."""
    answer = FileResponse(file, as_attachment=True, filename=name, content_type=CONTENT_TYPE)
    answer["Cache-Control"] = "private, no-store"
    return answer


def write(
    file: IO[bytes], pieces: Pieces, filters: Sequence[tuple[str, str]], parts: Path, each: Callable[[int], None]
) -> None:
    """Write the rows of a CSV as a workbook, with temporary parts in the folder `parts`. Memory does not grow.

    `each` is called every hundred rows and at the end with the number of rows written; if it raises, writing stops.
    Raise TooLong, OSError."""
    book = xlsxwriter.Workbook(file, {"constant_memory": True, "tmpdir": str(parts)})
    try:
        with contextlib.closing(pieces):
            columns = _write_rows(book, _rows(pieces), each)
        _write_about(book, columns, filters)
        try:
            book.close()
        except FileSizeError as error:
            raise TooLong from error
        except FileCreateError as error:
            raise (error.args[0] if isinstance(error.args[0], OSError) else OSError(str(error))) from error
    finally:
        # After an early stop, `book.close()` would first assemble what was written.
        for sheet in book.worksheets():
            with contextlib.suppress(OSError):
                sheet._opt_close()


def _rows(pieces: Iterable[bytes]) -> Iterator[list[str]]:
    """Yield the rows of a CSV as it arrives, without keeping it."""

    def lines() -> Iterator[str]:
        rest = ""
        for piece in pieces:
            rest += piece.decode()
            whole, newline, rest = rest.rpartition("\n")
            yield from io.StringIO(whole + newline, newline="")
        if rest:
            yield rest

    yield from csv.reader(lines())


def _write_rows(book: Any, rows: Iterator[list[str]], each: Callable[[int], None]) -> list[str]:
    """Write the first sheet; return its columns."""
    number = 0
    sheet = book.add_worksheet(_("Figures"))
    bold, moment = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    columns = next(rows)
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column, bold)
        sheet.set_column(place, place, 20 if column in MOMENTS | TEXTS else 12)
    sheet.freeze_panes(1, 0)
    for number, row in enumerate(rows, start=1):
        if number > MOST_ROWS:
            raise TooLong
        if number % TELL_EVERY_ROWS == 0:
            each(number)
        for place, (column, text) in enumerate(zip(columns, row, strict=True)):
            if not text:
                continue
            if column in MOMENTS:
                local = datetime.fromisoformat(text).astimezone(periods.zone())
                sheet.write_datetime(number, place, local.replace(tzinfo=None), moment)
            elif column in TEXTS:
                sheet.write_string(number, place, text)
            else:
                sheet.write_number(number, place, float(text))
    each(number)
    return columns


def _write_about(book: Any, columns: Sequence[str], filters: Sequence[tuple[str, str]]) -> None:
    """Write the second sheet: when it was made, with which filters and time zone, and what each column means."""
    sheet = book.add_worksheet(_("About"))
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 100)
    lines = [
        (_("Created by"), f"Calltally {settings.VERSION}"),
        (_("Created at"), f"{timezone.localtime():%Y-%m-%d %H:%M:%S}"),
        (_("Time zone"), settings.TIME_ZONE),
        *filters,
        ("", ""),
        (_("Column"), _("Meaning")),
    ]
    # A column name means another figure in files that have the parts of another table.
    figures = FIGURES | {
        figure.csv_column: figure
        for figure in FIGURES.values()
        if figure.csv_column and (figure.table is None or set(figure.table.parts) <= set(columns))
    }
    for column in columns:
        figure = figures.get(column)
        if figure is not None:
            lines.append((column, str(figure.definition)))
    lines.append(("", _("An empty cell means not measured, not applicable, or no calls to average. It never means 0.")))
    for row, (name, text) in enumerate(lines):
        sheet.write_string(row, 0, str(name), bold)
        sheet.write_string(row, 1, str(text), wrapped)
