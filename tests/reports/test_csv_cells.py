"""Cells of CSV files: spreadsheets run none as a formula, and read none as another value than it is."""

import csv
import io
import unicodedata

import pytest
from django.db import connection

from calls.models import Call
from reports.counting import rollups
from reports.exports import csv_cells, csv_files
from reports.periods import Grain, Period
from tests.factories import make_number
from tests.reports.helpers import ALL_ON, DAY, EVERYTHING, NOON, call, rows

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = Period(DAY, DAY)


@pytest.fixture(autouse=True)
def small_groups_are_shown(settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 0


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1+1", "'+1+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1+1", "'＝1+1"),
        ('"=1+1', "'\"=1+1"),
        ("'=1+1", "''=1+1"),
        ("  =1+1", "'  =1+1"),
        ("\u200b=1+1", "'\u200b=1+1"),
        ("\ufeff@SUM(A1)", "'\ufeff@SUM(A1)"),
        ("\u00a0\u202e-1", "'\u00a0\u202e-1"),
        ("\u00ad\u2060\U000e0020+1", "'\u00ad\u2060\U000e0020+1"),
        ("\u200b\t1", "'\u200b\t1"),
        ("﹦1+1", "'﹦1+1"),
        ("\u200bKöln", "\u200bKöln"),
        ("Ölservice", "Ölservice"),
        ("_x", "_x"),
        ("+49221471", "+49221471"),
        ("+049221471", "'+049221471"),
        ("+49221471 ", "'+49221471 "),
        ("+492214710300000000000", "'+492214710300000000000"),
        ("+49221471\n=1", "'+49221471\n=1"),
        ('Köln, "Mitte"\nEingang', 'Köln, "Mitte"\nEingang'),
        ("'quoted'", "'quoted'"),
        ("a=1", "a=1"),
        ("\\.", "\\."),
        ("{calls} %s %(x)s '; --", "{calls} %s %(x)s '; --"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula(cell, written):
    number = make_number(label=cell, **ALL_ON)
    call(number, "one", NOON, S=0, B=3, E=30)
    # Written directly, because receipt strips most of what a post may contain.
    Call.objects.update(call_uuid=cell or "x", correlation_id=cell, caller_id_number=cell, customer_number=cell)
    Call.objects.get().events.update(block_type=cell, destination=cell, destination_type=cell)
    rollups.rebuild()

    [of_day] = rows(csv_files.counts_csv([number], TODAY, Grain.DAY))
    [block] = rows(csv_files.blocks_csv([number], TODAY, Grain.DAY))
    [row] = rows(csv_files.calls_csv(Call.objects.all(), EVERYTHING, whole_callers=True))

    assert of_day["label"] == block["label"] == block["block_type"] == written
    for name in ("correlation_id", "caller_id_number", "customer_number", "label", "last_block_type"):
        assert row[name] == written
    assert row["call_uuid"] == (written or "x")


IGNORABLE_SIGNS = [
    sign
    for sign in map(chr, [*range(1, 0x2FFF), *range(0x3000, 0x3200), *range(0xFE00, 0x11400), *range(0xE0000, 0xE0200)])
    if unicodedata.category(sign) in {"Cf", "Zs", "Zl", "Zp", "Cc"}
] + list("\u034f\u115f\u3164\ufe0f\uffa0\U000e0100\U0001bca0\U0001d173\U00013430")


def test_no_ignorable_character_hides_a_formula():
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT cell FROM unnest(%s::text[]) AS given (cell) WHERE {csv_cells.safe('cell')} = cell",
            [[f"{sign}=1" for sign in IGNORABLE_SIGNS]],
        )
        assert cursor.fetchall() == []


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("0221", "'0221"),
        ("1-2", "'1-2"),
        ("3.10", "'3.10"),
        ("3/10", "'3/10"),
        ("12E5", "'12E5"),
        ("1,5", "'1,5"),
        ("10:30", "'10:30"),
        ("5 pm", "'5 pm"),
        ("7 %", "'7 %"),
        ("1. Mai", "'1. Mai"),
        ("Mrz 26", "'Mrz 26"),
        ("SEPT2", "'SEPT2"),
        ("1001", "'1001"),
        ("+492214710300", "+49 2214710300"),
        ("=1+1", "'=1+1"),
        ("Hotline 1", "Hotline 1"),
        ("1. Stock links", "1. Stock links"),
        ("Marketing 1", "Marketing 1"),
        ("Mai", "Mai"),
        ("3a", "3a"),
    ],
)
def test_excel_reads_no_text_as_a_number_or_date_and_plain_csv_is_unchanged(label, written):
    number = make_number(label=label, **ALL_ON)
    call(number, "one", NOON, S=0, F=2, A=12, B=20, E=112)
    Call.objects.update(correlation_id=label, customer_number=label, caller_id_number=label)
    Call.objects.get().events.update(block_type=label, destination=label, destination_type=label)
    rollups.rebuild()

    guarded = f"'{label}" if label.startswith("=") else label
    [plain] = rows(csv_files.calls_csv(Call.objects.all(), EVERYTHING, whole_callers=True))
    files = {
        "counts": csv_files.counts_csv([number], TODAY, Grain.DAY, excel=True),
        "blocks": csv_files.blocks_csv([number], TODAY, Grain.DAY, excel=True),
        "calls": csv_files.calls_csv(Call.objects.all(), EVERYTHING, whole_callers=True, excel=True),
    }
    columns = ("correlation_id", "customer_number", "caller_id_number", "answered_destination", "label", "block_type")
    for file in files.values():
        [row] = csv.DictReader(io.StringIO(b"".join(file).decode("utf-8-sig")), delimiter=";")
        for column in set(columns) & set(row):
            assert row[column] == written, column
        assert row["destination_number"] == "+49 22155400300"
    for column in set(columns) & set(plain):
        assert plain[column] == guarded
