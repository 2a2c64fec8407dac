"""README and docs/ agree with the code: variables and defaults, commands, make targets, columns, links."""

import ast
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.utils import timezone

from calls.models import Call, DestinationNumber
from config.embedded import PASSWORDS
from reports.counting import count_tables
from reports.exports import csv_files
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.periods import Grain, Period, today
from reports.queries import counts, hours_of_week, sums
from tests.pictures import FOLDER, LARGEST_PICTURE, pictures_shown

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OUR_APPS = ("config", "accounts", "calls", "contacts", "reports", "live")
READERS = {"env.str", "env.bool", "env.int", "env.list", "os.environ.get", "secret"}
# Variables whose default is a behaviour, described in words.
TOLD_IN_WORDS = {"SECRET_KEY", "ACCESS_KEY_PEPPER", "ENCRYPTION_KEY", "DATABASE_URL", "CELERY_BROKER_URL", "PORT"}
NOT_OURS = {"DJANGO_SETTINGS_MODULE", "DJANGO_ALLOW_ASYNC_UNSAFE", "PATH"}


def python_files(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def reads(path):
    """Yield (variable, default) for each environment variable that a file reads; `...` if it has no default."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=func, args=[ast.Constant(value=str() as name), *_]) if ast.unparse(func) in READERS:
                given = [keyword.value for keyword in node.keywords if keyword.arg == "default"]
                yield name, ast.literal_eval(given[0]) if given else ...
            case ast.Subscript(value=value, slice=ast.Constant(value=str() as name)):
                if ast.unparse(value) == "os.environ":
                    yield name, ...


def documented():
    """Return the default of each variable in docs/settings.md."""
    told = {}
    for line in (ROOT / "docs/settings.md").read_text().splitlines():
        if re.match(r"\| `[A-Z]", line):
            names, default, _ = (cell.strip() for cell in line.strip("|").split(" | ", 2))
            told |= dict.fromkeys(re.findall(r"`([A-Z_]+)`", names), default)
    return told


def as_told(default):
    if default in ("", []):
        return "empty"
    if isinstance(default, list):
        return f"`{','.join(default)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def fences(page):
    return re.findall(r"^```[a-z]*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def anchors(page):
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_variable_is_documented_and_every_documented_one_is_read():
    read = {name for path in python_files(*OUR_APPS, "tests") for name, _ in reads(path)} - NOT_OURS
    of_make = set(re.findall(r"^([A-Z]+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert {"SECRET_KEY", "DATABASE_URL", "PORT", "CALLTALLY_HOME"} <= read
    known = read | of_make | {*PASSWORDS.values()}
    assert not known - set(documented()), "not in docs/settings.md"
    assert not set(documented()) - known, "in docs/settings.md, but never read"


def test_every_default_is_the_one_that_the_settings_have():
    told = documented()
    defaults = {name: default for name, default in reads(ROOT / "config/settings.py") if default is not ...}

    assert len(defaults) > 10
    for name, default in defaults.items():
        if name not in TOLD_IN_WORDS:
            assert told[name] == as_told(default), name


def test_every_command_is_documented_and_every_documented_command_exists():
    known = get_commands()
    told = {page: set(re.findall(r"manage\.py ([a-z_]+)", page.read_text())) for page in PAGES}
    running = ROOT / "docs/running.md"

    for page, names in told.items():
        assert names <= set(known), page
    for name, app in known.items():
        if app in OUR_APPS:
            assert f"`{name}`" in running.read_text() or name in told[running], name


@pytest.mark.django_db
def test_the_columns_are_those_of_the_files():
    columns = dict(
        re.findall(r"^## (\w+)\.csv\n\n`([^`]+)`$", (ROOT / "docs/csv.md").read_text(), re.MULTILINE),
    )
    day = Period(today(), today())
    none = DestinationNumber.objects.none()
    nobody = Coverage.read(none)
    made = {
        "counts": csv_files.counts_csv(none, day, Grain.DAY),
        "blocks": csv_files.blocks_csv(none, day, Grain.DAY),
        "forwards": csv_files.forwards_csv(none, day, Grain.DAY),
        "calls": csv_files.calls_csv(Call.objects.all()),
        "peaks": csv_files.peaks_csv(none, day, Grain.DAY),
        "times": csv_files.times_csv(nobody, day),
        "coverage": csv_files.coverage_csv([], timezone.now()),
        "week": csv_files.week_csv(hours_of_week.of_week(nobody, day, counts.totals(nobody, day), timezone.now())),
    }

    assert {name: b"".join(pieces).decode() for name, pieces in made.items()} == {
        name: told.replace(", ", ",") + "\n" for name, told in columns.items()
    }, "docs/csv.md has other files or columns"


def test_the_statement_in_the_architecture_is_the_one_that_is_sent():
    [shown] = [fence for fence in fences(ROOT / "docs/architecture.md") if fence.startswith("SELECT block_type")]
    period = Period(date(2026, 1, 10), date(2026, 3, 29))
    nobody, edges = Coverage.read([]), [period.start, period.end]
    rows = sums.rows(count_tables.BLOCKS, nobody, period, edges, ("blocks", "calls"))
    sent = sums.statement(rows.sql, ("blocks", "calls"), ("block_type",))

    assert re.sub(r"--.*", "", shown).split() == sent.split()


def test_the_newest_section_of_the_changelog_is_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    versions = re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert versions[0] == version


def test_the_glossary_has_every_figure_with_its_label():
    _, _, section = (ROOT / "docs/glossary.md").read_text().partition("## Figures\n")
    labels = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section.partition("\n## ")[0], re.MULTILINE))

    assert labels == {figure.key: str(figure.label) for figure in FIGURES.values()}, "docs/glossary.md, Figures"


def test_the_index_of_decisions_has_each_with_its_title_and_date():
    folder = ROOT / "docs/decisions"
    decisions = {page.name: page.read_text() for page in folder.glob("[0-9]*.md")}
    titles = {name: re.findall(r"^# (.*)\n\nDate: ([\d-]+)", text) for name, text in decisions.items()}
    index = re.findall(r"^\| \[\d+\]\((.*)\) \| (.*) \| (.*) \|$", (folder / "README.md").read_text(), re.MULTILINE)

    assert {name: [(title, date)] for name, title, date in index} == titles
    assert [name for name, text in decisions.items() if len(text.splitlines()) > 25] == []


def test_every_committed_picture_is_shown_and_small():
    assert set(FOLDER.iterdir()) == pictures_shown()
    assert [path.name for path in FOLDER.iterdir() if path.stat().st_size >= LARGEST_PICTURE] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_have_existing_targets(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_documented_target_of_make_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        lines = [line for fence in fences(page) for line in fence.splitlines()]
        told = {word for line in lines for word in re.findall(r"(?:^|\s)make ([a-z]+)", line)}
        told |= set(re.findall(r"`(?:[A-Z]+=\S+ )*make ([a-z]+)", page.read_text()))
        assert told <= targets, page.name


@pytest.mark.parametrize(
    "page",
    sorted([*ROOT.glob("requirements*.txt"), *ROOT.glob("tests/*/requirements.txt")]),
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_requirements_are_locked_by_hash_and_name_no_index(page):
    text = page.read_text()

    assert "--hash=sha256:" in text
    assert "://" not in text
    assert not re.search(r"^-(i|f)|^--(index|extra|find)", text, re.MULTILINE)


def test_the_page_of_the_asvs_counts_its_rows_and_names_files_that_exist():
    text = (ROOT / "docs/asvs.md").read_text()
    states = re.findall(r"^\| \d+\.\d+\.\d+ [^|]*\| (held|partly|not held|does not apply) \|", text, re.MULTILINE)
    counts = [states.count(state) for state in ("held", "partly", "not held", "does not apply")]
    assert f"| {len(states)} requirements | {' | '.join(map(str, counts))} |" in text
    assert len(states) == len(re.findall(r"^\| \d+\.\d+\.\d+ ", text, re.MULTILINE))
    files = set(re.findall(r"`((?:\w[\w-]*/)+[\w.-]+\.\w+)`", text))
    assert len(files) > 50
    assert not {name for name in files if not (ROOT / name).exists()}
