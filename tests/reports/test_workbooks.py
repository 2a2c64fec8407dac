"""Downloads as workbooks: typed cells, the rows of the CSV, and a sheet that explains them."""

from datetime import datetime, timedelta

import pytest

from calls.models import Call
from reports.counting import rollups
from reports.exports import csv_files, workbooks
from reports.figures.definitions import FIGURES
from reports.periods import Grain, Period
from tests.factories import make_number, make_staff
from tests.reports.test_figures import ALL_ON, DAY, NOON, call
from tests.reports.workbooks import sheets

pytestmark = pytest.mark.django_db(transaction=True)


def serial(moment):
    """Return a time as Excel stores it: days since the end of 1899."""
    return (moment - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001 (Excel knows no zones)


def test_cells_have_the_types_of_what_they_hold(client):
    number = make_number(label="=Hotline", **ALL_ON)
    call(number, "quick", NOON, S=0, F=2, A=12, E=112)
    call(number, "missed", NOON, S=0, F=5, E=60)
    rollups.recount_changed()
    client.force_login(make_staff())

    answer = client.get(f"/reports/counts.xlsx?from={DAY}&to={DAY}&by=hour")
    assert answer["Content-Disposition"] == f'attachment; filename="counts-by-hour-{DAY}.xlsx"'
    assert "no-store" in answer["Cache-Control"]
    (header, row), about = sheets(answer)

    assert [text for _kind, text in header.values()][:5] == ["start", "end", "destination_number", "label", "offered"]
    assert row["A"] == ("n", str(serial(datetime(2026, 9, 15, 12))))  # noqa: DTZ001
    assert row["C"] == ("text", "+4922155400300")
    assert row["D"] == ("text", "'=Hotline")
    assert row["E"] == ("n", "2")
    assert row["M"] == ("n", "0.5")
    said = {line["A"][1]: line["B"][1] for line in about if "B" in line}
    assert said["Time zone"] == "Europe/Berlin"
    assert said["Period"] == "Tue 15 Sep 2026"
    assert said["Time steps"] == "Hour"
    assert said["offered"].startswith("All calls that came in")
    assert said["talk_s"].startswith("Average time from the answer")


def test_what_is_not_measured_has_no_cell(client):
    number = make_number(**ALL_ON | {"forward_answer": "off"})
    call(number, "missed", NOON, S=0, F=5, E=60)
    rollups.recount_changed()

    (_header, row), _about = sheets(
        workbooks.at_once(csv_files.counts_csv([number], Period(DAY, DAY), Grain.DAY), "x.xlsx", [])
    )

    assert "F" not in row
    assert row["E"] == ("n", "1")


def test_every_call_is_a_row_whatever_its_texts_hold(client):
    number = make_number(**ALL_ON)
    for n, text in enumerate(["a,b", 'a"b', "a\nb", "a\r\nb", "=1+1", "x" * 150]):
        call(number, f"{n} {text}", NOON, S=0, E=9)
    client.force_login(make_staff())

    rows, about = sheets(client.get(f"/reports/calls.xlsx?from={DAY}&to={DAY}"))

    assert len(rows) == 1 + 6
    assert {row["A"][1][:1] for row in rows[1:]} == set("012345")
    assert {kind for row in rows[1:] for kind, _text in [row["A"], row["D"]]} == {"text"}
    assert ("text", Period(DAY, DAY).label) in [line.get("B") for line in about]


def test_more_rows_than_a_sheet_holds_are_refused_with_advice(client, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_ROWS", 2)
    number = make_number(**ALL_ON)
    for n in range(3):
        call(number, f"{n}", NOON, S=0, E=9)
    client.force_login(make_staff())

    answer = client.get("/reports/calls.xlsx")

    assert answer.status_code == 400
    assert "Choose a shorter period, or download the CSV." in answer.content.decode()
    assert Call.objects.count() == 3
    assert len(sheets(client.get("/reports/blocks.xlsx"))) == 2


def test_a_column_is_defined_as_in_its_own_file(client):
    number = make_number(label="Hotline", **ALL_ON)
    call(number, "quick", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()
    client.force_login(make_staff())

    def said(what):
        _figures, about = sheets(client.get(f"/reports/{what}.xlsx?from={DAY}&to={DAY}"))
        return {row["A"][1]: row["B"][1] for row in about if "A" in row and "B" in row}

    assert said("blocks")["calls"] == str(FIGURES["block_calls"].definition)
    assert said("peaks")["peak"] == str(FIGURES["at_once"].definition)
    # `calls` of classes of times are not those of blocks.
    assert "calls" not in said("times")
    assert said("counts")["ring_s"] == str(FIGURES["ring"].definition)
