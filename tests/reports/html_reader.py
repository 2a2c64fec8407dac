"""Reads pages and files: tables by headers, figures by labels, links by what they count."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, NamedTuple
from xml.etree import ElementTree

from django.db import transaction
from django.test import Client

VOID = frozenset(
    {"area", "br", "col", "hr", "img", "input", "link", "meta", "rect", "path", "circle", "polyline", "use"}
)
# Classes of text in a cell beside its figure: explanations, and text for screen readers.
ASIDE = frozenset({"tip", "visually-hidden", "second-line"})
SMALL = frozenset({"beside-count"})
# The classes or ids of elements with sentences.
SAID = ("lead", "formula", "happened", "note", "callout", "notices", "compared", "today-strip", "complete")
# The classes of the texts of a Tile.
TILE = ("figure-value", "small", "figure-note", "figure-target", "figure-part", "tip-line")


@dataclass(frozen=True)
class Link:
    """A count with a link to its calls."""

    href: str
    figure: str
    calls: int
    table: str


@dataclass
class Cell:
    """The text of a cell without explanations, and its links."""

    text: str = ""
    small: str = ""  # a share in percent, beside its count
    title: str = ""
    line: list[float] = field(default_factory=list)  # the heights of a sparkline, point by point
    links: list[Link] = field(default_factory=list)

    @property
    def count(self) -> int | None:
        """The sum of its counts; None if it has other text."""
        numbers = re.findall(r"\d+", self.text)
        return sum(map(int, numbers)) if re.fullmatch(r"[\d\s*]+|(\d+\s*(ongoing|unknown)\s*)+", self.text) else None


class Tile(NamedTuple):
    """A headline figure as texts: what stands beside it, below it, and in its definition."""

    value: str
    small: str
    judgement: str
    target: str
    parts: str
    compared: str


@dataclass
class Table:
    """A table, read by its headers; the first column has the names of the rows."""

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
        # The headline figures by label.
        self.figures: dict[str, Tile] = {}
        # Today so far: label to the figure, and what is usual.
        self.today: dict[str, list[Cell]] = {}
        self.addresses: list[str] = []
        # Sentences, by the class or id of their element.
        self.said = dict.fromkeys(
            ("lead", "formula", "happened", "note", "callout", "notices", "compared", "today-strip", "complete"), ""
        )
        # For each open tag: its classes, and all tags, classes and ids around it.
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
            # A cell over several figures stands for each of them.
            self._row += [self._cell] * (int(said["colspan"]) if "data-from" in said else 1)
        elif tag in {"dt", "dd"} and "today-strip" in self._around:
            self._cell = Cell()
        elif tag == "a":
            self._read_link(said)
        elif tag == "polyline" and self._cell is not None:
            self._cell.line = [-float(point.partition(",")[2]) for point in said["points"].split()]
        if "sparkline" in classes and self._cell is not None:
            self._cell.title = said["aria-label"]
        if "title" in said and self._cell is not None:
            self._cell.title = said["title"]
        if "figure-tile" in classes:
            self._fig = dict.fromkeys(("figure-name", *TILE), "")
        if "figure-part" in classes and self._fig is not None:
            self._fig["figure-part"] += " "
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
                texts = {name: _tidy(text) for name, text in self._fig.items()}
                self.figures[texts["figure-name"]] = Tile(*(texts[name] for name in TILE))
                self._fig = None
            if opened == tag:
                break
        if tag in {"th", "td"} and self._cell is not None:
            self._cell.text, self._cell.small = _tidy(self._cell.text), _tidy(self._cell.small)
            self._cell = None
        elif tag in {"dt", "dd"} and self._cell is not None:
            self._cell.text = _tidy(self._cell.text)
            if tag == "dt":
                self.today[self._cell.text] = []
            else:
                list(self.today.values())[-1].append(self._cell)
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
        if self._fig is not None and "tip-line" in around:
            self._fig["tip-line"] += f"{data} "
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
                for part in ("figure-name", "figure-value", "figure-note", "figure-target", "figure-part"):
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

    A download sets the time zone of its transaction. A test may be a transaction itself, so the zone is reset here."""
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
    """Read the first sheet of a workbook: texts as text, numbers and times as numbers, without empty cells."""
    book = zipfile.ZipFile(io.BytesIO(file(client, address)))
    shared: list[str] = []
    if "xl/sharedStrings.xml" in book.namelist():
        shared = ["".join(item.itertext()) for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]
    rows: list[dict[str, str | float]] = []
    for row in ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml")).iter(f"{MAIN}row"):
        cells: dict[str, str | float] = {}
        for cell in row:
            kind, value = cell.get("t", "n"), "".join(cell.itertext())
            place = re.sub(r"\d", "", cell.get("r", ""))
            cells[place] = float(value) if kind == "n" else shared[int(value)] if kind == "s" else value
        rows.append(cells)
    header = rows[0]
    return [{str(header[place]): value for place, value in row.items()} for row in rows[1:]]
