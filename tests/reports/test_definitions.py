"""The registry of figures: each is documented, made of counted columns, and counts the calls it links to."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.apps import apps

from calls.models import Call
from reports.counting import count_tables
from reports.counting.measured import EVERY_POST
from reports.exports import csv_files
from reports.figures.coverage import Coverage
from reports.figures.definitions import (
    BLOCK_FIGURES,
    CALL_FIGURES,
    COUNTED_FIGURES,
    FIGURES,
    LISTED_AS,
    OUTCOMES,
    PARTS_OF_FIGURES,
)
from reports.periods import Grain, Period
from reports.queries import counts, durations, forwards
from reports.queries.calls import TIMES
from tests.factories import make_number, make_staff, take
from tests.reports.helpers import listed, roll_up

ROOT = Path(__file__).parents[2]
DAY = date(2026, 3, 3)
TEN = datetime(2026, 3, 3, 9, tzinfo=UTC)
ANNA, BERT = "1001", "1002"
# No filter lists the calls of these: a call may count several times, and peaks have their own address.
NOT_LISTED = {"attempts", "blocks", "at_once"}


def test_every_figure_has_a_label_and_a_definition_and_is_in_the_docs():
    page = (ROOT / "docs/figures.md").read_text()
    named = set(re.findall(r"^\| ([^|(]+?)(?: \([^)]*\))? \|", page, re.MULTILINE)) | set(
        re.findall(r"^## (.+)$", page, re.MULTILINE)
    )
    outcomes = set(re.findall(r"^\| \d \|[^|]*\| ([^|]+) \|", page, re.MULTILINE))

    for key, figure in FIGURES.items():
        is_in_docs = key.replace("_", " ") in outcomes if key in OUTCOMES else str(figure.label) in named
        assert is_in_docs, f"docs/figures.md has no row for {key}, {figure.label}"
        assert str(figure.label)
        assert str(figure.definition).endswith(".")


def test_every_figure_is_made_of_columns_of_its_table():
    for figure in COUNTED_FIGURES.values():
        assert figure.table
        assert figure.numerator
        assert {*figure.numerator, *figure.denominator} <= set(figure.table.sums), figure.key
        assert bool(figure.denominator) == (figure.kind != "count"), figure.key
        assert 0 < figure.needs <= EVERY_POST
    assert set(FIGURES) - set(COUNTED_FIGURES) == {"offered", "at_once"}


def test_every_table_of_counts_has_a_model_with_its_columns():
    models = {model._meta.db_table: model for model in apps.get_app_config("reports").get_models()}
    for table in count_tables.TABLES:
        for name in (table.of_quarter_hours, table.of_days, table.of_months):
            columns = {field.column for field in models[name]._meta.fields}
            assert {*table.parts, *table.sums, "measured"} <= columns, name


def test_the_times_of_calls_are_the_same_everywhere():
    times = {key for key, figure in CALL_FIGURES.items() if figure.kind == "seconds"}

    assert set(count_tables.TIMES) == set(durations.KEYS) == set(durations.BOUNDS_OF) == set(TIMES) == times


@pytest.mark.django_db
@pytest.mark.parametrize("table", [count_tables.COUNTS, count_tables.BLOCKS, count_tables.FORWARDS])
def test_every_column_of_a_figure_is_in_its_file(table):
    make = {
        "counts": csv_files.counts_csv,
        "blockcounts": csv_files.blocks_csv,
        "forwardcounts": csv_files.forwards_csv,
    }
    columns = b"".join(make[table.name]([], Period(DAY, DAY), Grain.DAY)).decode().strip().split(",")
    of_table = [figure.csv_column for figure in FIGURES.values() if figure.table is table and figure.csv_column]

    assert set(of_table) <= set(columns)
    assert len(of_table) == len(set(of_table))


@pytest.fixture
def number():
    """A number with at least one call for each kind of count."""
    number = make_number()
    anna, bert = ({"destination": name, "destinationType": "SIP_USER"} for name in (ANNA, BERT))
    for name, *steps in (
        ("by bert", (0, "CALL_START"), (3, "BLOCK_END SAY"), (5, "INITIATE_FORWARD", anna),
         (9, "INITIATE_FORWARD", bert),         (15, "FORWARD_ANSWER", bert), (60, "CALL_END")),
        ("by anna", (0, "CALL_START"), (5, "INITIATE_FORWARD", anna), (45, "FORWARD_ANSWER", anna), (60, "CALL_END")),
        ("no start", (0, "INITIATE_FORWARD", bert), (9, "FORWARD_ANSWER", bert), (60, "CALL_END")),
        ("missed", (0, "CALL_START"), (3, "INITIATE_FORWARD", anna), (30, "BLOCK_END BRIDGE"), (31, "CALL_END")),
        ("abandoned", (0, "CALL_START"), (3, "BLOCK_END SAY"), (20, "BLOCK_END SAY"), (40, "CALL_END")),
        ("short", (0, "CALL_START"), (2, "CALL_END")),
        ("going on", (0, "CALL_START"), (4, "BLOCK_END SAY")),
        ("unknown", (0, "CALL_START")),
        ("callback", (0, "CALL_START", {"callback_id": "c"}), (9, "BLOCK_END SAY"), (40, "CALL_END")),
    ):  # fmt: skip
        for second, kind, *more in steps:
            take(
                number, kind, TEN + timedelta(seconds=second), call_uuid=name, correlation_id=name, **(more or [{}])[0]
            )
    Call.objects.filter(call_uuid="unknown").update(silent_at=TEN + timedelta(hours=4))
    return number


@pytest.mark.django_db(transaction=True)
def test_every_count_is_of_exactly_the_calls_that_its_link_lists(client, settings, number):
    settings.FORWARDS_LEAST_DESTINATIONS = 2
    in_plan = make_number("+4922155400301", expects_forward=False)
    take(in_plan, "CALL_END", TEN, call_uuid="served in plan")
    roll_up()
    client.force_login(make_staff())
    period, numbers = Period(DAY, DAY), Coverage.read([number, in_plan])

    def calls_of(key, *parts):
        filters = [*LISTED_AS[key], *zip(FIGURES[key].part_filters, parts, strict=True)]
        return listed(client, f"/reports/calls/?{urlencode([('from', str(DAY)), ('to', str(DAY)), *filters])}")

    counted = {}
    totals = counts.totals(numbers, period)
    for key, figure in {"offered": FIGURES["offered"], **CALL_FIGURES}.items():
        if figure.kind == "count":
            counted[key] = [(totals[key].value, calls_of(key))]
    for block in counts.blocks(numbers, period):
        cells = dict(zip(BLOCK_FIGURES, (block.blocks, block.calls, block.last_in_call, block.lost), strict=True))
        for key, cell in cells.items():
            if key not in NOT_LISTED:
                counted.setdefault(key, []).append((cell.value, calls_of(key, block.block_type)))
    report = forwards.read_forwards(numbers, period)
    for destination in report.destinations:
        for key in ("tried", "forward_answers"):
            counted.setdefault(key, []).append((destination[key].value, calls_of(key, destination.token)))
    counted["handovers"] = [(row.calls.value, calls_of("handovers", *row.tokens)) for row in report.handovers]

    for key, pairs in counted.items():
        for value, calls in pairs:
            assert len(calls) == value, (key, calls)
        assert any(value for value, _calls in pairs), f"add a call to `number` that {key} counts"
    assert set(counted) == {key for key, figure in FIGURES.items() if figure.kind == "count"} - NOT_LISTED
    assert set(LISTED_AS) - set(counted) == set(PARTS_OF_FIGURES)


def test_a_part_of_a_figure_is_measured_as_a_figure_is():
    for part in PARTS_OF_FIGURES.values():
        assert not part.measured_as or part.measured_as in FIGURES
