"""CSV files of contacts: their separator, what their columns mean, and their rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from accounts.folding import fold
from contacts.importing import rows
from contacts.importing.rows import Row
from contacts.importing.texts import FileRefused

SEPARATORS = ";,\t"
MOST_COLUMNS = 500

# How programs name their columns in German and English, folded and without punctuation.
NAMES = {
    rows.EXTERNAL_ID: "id, external id, externe id, contact id, kontakt id, record id, datensatz id, uid, guid, key",
    rows.NAME: "name, full name, display name, contact name, contact, vollstandiger name, anzeigename, kontakt, "
    "kontaktname, ansprechpartner",
    rows.FIRST_NAME: "first name, given name, firstname, vorname",
    rows.LAST_NAME: "last name, family name, surname, lastname, nachname, familienname, zuname",
    rows.COMPANY: "company, company name, organization, organisation, organization name, organization 1 name, account, "
    "account name, firma, firmenname, unternehmen",
    rows.URL: "url, link, record url, crm link, crm url",
    rows.NOTE: "note, notes, comment, comments, remark, remarks, notiz, notizen, bemerkung, bemerkungen, anmerkung, "
    "anmerkungen, kommentar, hinweis",
    rows.CUSTOMER_NUMBER: "customer number, customer no, customer nr, customer id, account number, kundennummer, "
    "kunden nr, kundennr, kunden nummer, kd nr, kdnr, debitor, debitorennummer, debitoren nr",
    rows.IMPORTANT: "important, vip, wichtig",
    rows.COMPANY_PHONE: "number with extensions, phone with extensions, rufnummer mit durchwahlen, "
    "nummer mit durchwahlen, stammnummer, kopfnummer",
}
_FIELDS = {name.strip(): field for field, names in NAMES.items() for name in names.split(",")}
# Several columns may have phone numbers, under names as Mobiltelefon, Telefon geschäftlich, Business Phone 2.
_PHONE = re.compile(r"phone|telefon|mobil|\bcell|handy|rufnummer|\btel\b|festnetz")
_NOT_A_PHONE = re.compile(r"fax|telegram|\btype\b|\btyp\b|\blabel\b|country code|landesvorwahl|vorwahl|\bprovider\b")


@dataclass(frozen=True)
class Column:
    """A column of a file, and the field that it fills; blank if it is not read."""

    header: str
    field: str


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose columns are known."""

    text: str
    encoding: str
    separator: str
    columns: Sequence[Column]

    kind = "csv"

    @property
    def headers(self) -> list[str]:
        return [column.header for column in self.columns]

    def count(self) -> int:
        """Return the number of rows."""
        return sum(1 for _line, _cells in self._lines())

    def rows(self) -> Iterator[Row]:
        """Yield the rows below the header. Raise FileRefused if the file ends within a cell."""
        phones = [place for place, column in enumerate(self.columns) if column.field in rows.PHONES]
        others = [(place, c.field) for place, c in enumerate(self.columns) if c.field and c.field not in rows.PHONES]
        for line, cells in self._lines():
            width = len(cells)
            values: dict[str, str] = {}
            for place, field in others:
                if place < width and cells[place] and not values.get(field):
                    values[field] = cells[place]
            numbers = [
                (self.columns[place].field, self.columns[place].header, cells[place])
                for place in phones
                if place < width and cells[place]
            ]
            yield Row(line, values, numbers, cells)

    def fields(self) -> frozenset[str]:
        """Return the fields of contacts that the file has; others are not changed by it."""
        return frozenset(column.field for column in self.columns if column.field)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the first line and the cells of each row that is not empty."""
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.separator)
        try:
            next(reader, None)
            line = reader.line_num + 1
            for cells in reader:
                if any(map(str.strip, cells)):
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            named = {"line": reader.line_num, "error": error}
            raise FileRefused(_("Line %(line)d is not valid CSV: %(error)s.") % named) from None


def open_csv(text: str, encoding: str, columns: Mapping[str, str] | None = None) -> CsvFile:
    """Return a CSV file. `columns` names the field for headers that are not to be read by their name; a blank field
    leaves a column out. Raise FileRefused if it has no names or no numbers."""
    # A first line that only names the separator is a habit of Excel.
    separator = ""
    if match := re.match(r"sep=(.)\r?\n", text, re.IGNORECASE):
        separator, text = match[1], text[match.end() :]
    separator = separator or _separator(text)
    try:
        headers = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error as error:
        raise FileRefused(_("Line %(line)d is not valid CSV: %(error)s.") % {"line": 1, "error": error}) from None
    headers = [header.strip() for header in headers]
    if not any(headers) or len(headers) > MOST_COLUMNS:
        raise FileRefused(_("The first line must have the names of the columns."))
    return CsvFile(text, encoding, separator, _mapped(headers, columns or {}))


def field_of(header: str) -> str:
    """Return the field that a header names in German or English; blank if it names none."""
    folded = " ".join(re.sub(r"[^\w]+", " ", fold(header)).replace("_", " ").split())
    if field := _FIELDS.get(folded):
        return field
    return rows.PHONE if _PHONE.search(folded) and not _NOT_A_PHONE.search(folded) else ""


def _mapped(headers: Sequence[str], chosen: Mapping[str, str]) -> list[Column]:
    wrong = {*chosen.values()} - {*rows.FIELDS, ""}
    missing = {*chosen} - {*headers}
    if wrong or missing:
        named = {"names": ", ".join(sorted(wrong or missing)), "all": ", ".join(rows.FIELDS if wrong else headers)}
        message = (
            _("Not a field: %(names)s. There are: %(all)s.")
            if wrong
            else _("Not a column of this file: %(names)s. There are: %(all)s.")
        )
        raise FileRefused(message % named)
    columns: list[Column] = []
    taken = {field for field in chosen.values() if field not in rows.PHONES}
    for header in headers:
        field = chosen[header] if header in chosen else field_of(header)
        # The first of two columns that name the same field is read.
        if header not in chosen and field not in rows.PHONES and field in taken:
            field = ""
        taken |= {field} - {""}
        columns.append(Column(header, field))
    if rows.FIRST_NAME in taken and rows.LAST_NAME not in taken:
        # Vorname beside Name: that is the last name then.
        columns = [
            Column(column.header, rows.LAST_NAME)
            if column.field == rows.NAME and column.header not in chosen and fold(column.header) == "name"
            else column
            for column in columns
        ]
    return columns


def _separator(text: str) -> str:
    """Return the separator that is most frequent in the first line, outside quotes."""
    first = re.sub(r'"[^"]*"?', "", text.lstrip("\r\n").split("\n", 1)[0])
    return max(SEPARATORS, key=first.count)
