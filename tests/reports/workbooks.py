"""Helpers for tests of workbooks: request one, read its cells, compare two."""

from __future__ import annotations

import io
import re
import zipfile
from xml.etree import ElementTree

from tests.reports.helpers import DAY

QUERY = f"from={DAY}&to={DAY}"
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheets(answer):
    """Return the cells of each sheet, row by row: (type, text), with the types of the file format."""
    book = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    answer.close()
    shared = []
    if "xl/sharedStrings.xml" in book.namelist():
        root = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        shared = ["".join(item.itertext()) for item in root]
    contents = []
    for n in (1, 2):
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{n}.xml"))
        rows = []
        for row in root.iter(f"{MAIN}row"):
            cells = {}
            for cell in row:
                kind, value = cell.get("t", "n"), "".join(cell.itertext())
                place = re.match("[A-Z]+", cell.get("r")).group()
                cells[place] = ("text", shared[int(value)] if kind == "s" else value) if kind != "n" else ("n", value)
            rows.append(cells)
        contents.append(rows)
    return contents


def ask(client, kind="calls", query=QUERY, status=302):
    """Request a workbook as its page does; return the address of the redirect."""
    answer = client.post("/reports/files/", {"kind": kind, "query": query})
    assert answer.status_code == status, answer.content.decode()
    return answer["Location"] if status == 302 else answer.content.decode()


def parts(book):
    """Return the parts of a workbook without the time at which it was made."""
    with zipfile.ZipFile(io.BytesIO(book)) as package:
        contents = {name: package.read(name) for name in package.namelist()}
    contents["docProps/core.xml"] = b""
    made_at = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    contents["xl/worksheets/sheet2.xml"] = re.sub(made_at, b"", contents["xl/worksheets/sheet2.xml"])
    return contents


def body(answer):
    assert answer.status_code == 200
    content = b"".join(answer.streaming_content)
    answer.close()
    return content
