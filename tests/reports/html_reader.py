"""Reads pages and files as people do: tables by their headers, figures by their names, links by what they count."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

from django.db import transaction
from django.test import Client

VOID = frozenset(
    {"area", "br", "col", "hr", "img", "input", "link", "meta", "rect", "path", "circle", "polyline", "use"}
)
# What is said in a cell beside its figure: explanations, and what only screen readers say.
ASIDE = frozenset({"tip", "visually-hidden", "second-line"})
SMALL = frozenset({"beside-count"})


@dataclass(frozen=True)
class Link:
    """A count that leads to its calls."""

    href: str
    figure: str
    calls: int
    table: str


@dataclass
class Cell:
    """What a cell says, without what is said beside it; and the links in it."""

    text: str = ""
    small: str = ""  # a share in percent, beside the count it is of
    title: str = ""
    line: list[float] = field(default_factory=list)  # how high a small line stands, point by point
    links: list[Link] = field(default_factory=list)

    @property
    def count(self) -> int | None:
        """The sum of the counts in it; None where it says something else."""
        numbers = re.findall(r"\d+", self.text)
        return sum(map(int, numbers)) if re.fullmatch(r"[\d\s*]+|(\d+\s*(open|unknown)\s*)+", self.text) else None


@dataclass
class Table:
    """A table by its headers; the first column is that of its rows' names."""

    name: str
    classes: frozenset[str]
    headers: list[str] = field(default_factory=list)
    body: list[list[Cell]] = field(default_factory=list)
    foot: list[list[Cell]] = field(default_factory=list)

    @property
    def rows(self) -> list[dict[str, Cell]]:
        return [dict(zip(self.headers, row, strict=False)) for row in self.body]

    @property
    def total(self) -> dict[str, Cell]:
        (row,) = self.foot
        return dict(zip(self.headers, row, strict=True))

    def named(self, name: str) -> dict[str, Cell]:
        (row,) = [row for row in self.rows if row[self.headers[0]].text == name]
        return row


class Page(HTMLParser):
    """A page, read from its HTML."""

    def __init__(self, address: str, html: str) -> None:
        super().__init__()
        self.address = address
        self.tables: list[Table] = []
        self.links: list[Link] = []
        # The figures in large type: name to value, what stands small beside it, and the line beneath.
        self.figures: dict[str, tuple[str, str, str]] = {}
        self.addresses: list[str] = []
        # What is said in sentences, by the class or the id of its element.
        self.said = dict.fromkeys(("lead", "formula", "happened", "note", "callout", "notices", "compared"), "")
        # Each open tag, its classes, and with them all tags, classes and ids around it.
        self._open: list[tuple[str, frozenset[str], frozenset[str]]] = []
        self._table: Table | None = None
        self._part = ""
        self._row: list[Cell] | None = None
        self._cell: Cell | None = None
        self._fig: dict[str, str] | None = None
        self.feed(html)
        self.said = {name: _tidy(text) for name, text in self.said.items()}
        self.lead, self.formula, self.happened = (self.said[name] for name in ("lead", "formula", "happened"))

    def table(self, name: str) -> Table:
        (table,) = [table for table in self.tables if table.name == name]
        return table

    @property
    def _around(self) -> frozenset[str]:
        return self._open[-1][2] if self._open else frozenset()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        classes = frozenset(said.get("class", "").split())
        if tag == "table":
            self._table = Table(said.get("id", ""), classes)
            self.tables.append(self._table)
        elif tag in {"thead", "tbody", "tfoot"}:
            self._part = tag
        elif tag == "tr":
            self._row = []
        elif tag in {"th", "td"} and self._row is not None:
            self._cell = Cell()
            self._row.append(self._cell)
        elif tag == "a":
            self._read_link(said)
        elif tag == "polyline" and self._cell is not None:
            self._cell.line = [-float(point.partition(",")[2]) for point in said["points"].split()]
        if "sparkline" in classes and self._cell is not None:
            self._cell.title = said["aria-label"]
        if "title" in said and self._cell is not None:
            self._cell.title = said["title"]
        if "figure-tile" in classes:
            self._fig = dict.fromkeys(("figure-name", "figure-value", "figure-note", "small"), "")
        if tag not in VOID:
            self._open.append((tag, classes, self._around | classes | {tag, said.get("id", "")}))

    def _read_link(self, said: dict[str, str]) -> None:
        self.addresses.append(said.get("href", ""))
        if "data-figure" in said:
            link = Link(
                said["href"], said["data-figure"], int(said["data-calls"]), self._table.name if self._table else ""
            )
            self.links.append(link)
            if self._cell is not None:
                self._cell.links.append(link)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        while self._open:
            opened, classes, _around = self._open.pop()
            if "figure-tile" in classes and self._fig is not None:
                one = {name: _tidy(text) for name, text in self._fig.items()}
                self.figures[one["figure-name"]] = (one["figure-value"], one["small"], one["figure-note"])
                self._fig = None
            if opened == tag:
                break
        if tag in {"th", "td"} and self._cell is not None:
            self._cell.text, self._cell.small = _tidy(self._cell.text), _tidy(self._cell.small)
            self._cell = None
        elif tag == "tr" and self._row is not None and self._table is not None:
            if self._part == "thead":
                self._table.headers = [cell.text.rstrip(" ↓") for cell in self._row]
            else:
                (self._table.foot if self._part == "tfoot" else self._table.body).append(self._row)
            self._row = None
        elif tag == "table":
            self._table = None

    def handle_data(self, data: str) -> None:
        around = self._around
        if around & ASIDE:
            return
        if self._cell is not None:
            if around & SMALL and "wide" not in around:
                self._cell.small += data
            else:
                self._cell.text += data
        if self._fig is not None:
            if "small" in around:
                self._fig["small"] += data
            else:
                for part in ("figure-name", "figure-value", "figure-note"):
                    if part in around:
                        self._fig[part] += data
        for name in self.said:
            if name in around:
                self.said[name] += data


def _tidy(text: str) -> str:
    return " ".join(text.split())


def page(client: Client, address: str) -> Page:
    answer = client.get(address)
    assert answer.status_code == 200, f"{address}: {answer.status_code}"
    return Page(address, answer.content.decode())


def file(client: Client, address: str) -> bytes:
    """Read a download to its end.

    A download sets its transaction's time zone. A test may be one transaction itself, so it is taken back here."""
    with transaction.atomic():
        answer: Any = client.get(address)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        content = b"".join(answer.streaming_content)
        transaction.set_rollback(True)
    return content


def csv_rows(client: Client, address: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file(client, address).decode(), newline="")))


def plain_rows(client: Client, address: str) -> list[list[str]]:
    """Read a file that has no header."""
    return list(csv.reader(io.StringIO(file(client, address).decode(), newline="")))


def excel_rows(client: Client, address: str) -> list[dict[str, str]]:
    text = file(client, address)
    assert text.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(text[3:].decode(), newline=""), delimiter=";"))


MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def xlsx_rows(client: Client, address: str) -> list[dict[str, str | float]]:
    """Read the first sheet of a workbook: texts as text, numbers and times as numbers; empty cells are left away."""
    book = zipfile.ZipFile(io.BytesIO(file(client, address)))
    shared: list[str] = []
    if "xl/sharedStrings.xml" in book.namelist():
        shared = ["".join(one.itertext()) for one in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]
    rows: list[dict[str, str | float]] = []
    for row in ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml")).iter(f"{MAIN}row"):
        cells: dict[str, str | float] = {}
        for one in row:
            kind, value = one.get("t", "n"), "".join(one.itertext())
            place = re.sub(r"\d", "", one.get("r", ""))
            cells[place] = float(value) if kind == "n" else shared[int(value)] if kind == "s" else value
        rows.append(cells)
    header = rows[0]
    return [{str(header[place]): value for place, value in row.items()} for row in rows[1:]]
