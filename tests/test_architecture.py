"""The arrows between modules: reports → calls → django, never back; inside an app from the doors to the tables."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
APPS = ("calls", "reports", "config")
# Inside an app, from the doors to the tables: a module imports its own layer and those to the right, never to the left.
LAYERS = {
    "calls": [
        {"urls", "middleware"},
        {"views", "tasks", "admin", "commands"},
        {"notices"},
        {"intake", "draining", "replaying", "issuing", "misreadings", "traffic", "search", "rereading"},
        {"writer", "spool", "keyring", "senders", "postlog"},
        {"refusals"},
        {"redaction"},
        {"posts"},
        {"models"},
        {"querysets"},
        {"keys", "phones", "groupcommit", "watching", "throttle", "metrics", "opening", "search_keys", "sparing"},
        {"addresses"},
    ],
    "reports": [
        {"urls", "unavailable"},
        {"views", "tasks", "admin", "commands"},
        {"monitoring", "workbook_jobs", "telling"},
        {"downloads", "workbooks"},
        {"callmenus", "signin", "exports", "today", "file_store"},
        {"callforms", "proof", "hours", "arrivals", "times", "peaks", "aims", "comparison"},
        {"forms", "rollups", "forwarding"},
        {"querysets"},
        {"figures"},
        {"models"},
        {"countings", "presets", "question"},
        {"measured"},
        {"outcomes", "periods", "intake_process"},
    ],
}


def modules():
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def imports(path):
    """Yield (module imported, whether inside a function) of a file."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.col_offset > 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((f"{node.module}.{alias.name}", node.col_offset > 0) for alias in node.names)


def test_calls_know_nothing_of_reports_and_neither_knows_config():
    broken = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name, _ in imports(path)
        if (path.relative_to(ROOT).parts[0] == "calls" and name.split(".")[0] in {"reports", "config"})
        or (path.relative_to(ROOT).parts[0] == "reports" and name.split(".")[0] == "config")
    ]
    assert not broken


def test_config_names_apps_as_strings():
    broken = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name, _ in imports(path)
        if path.relative_to(ROOT).parts[0] == "config" and name.split(".")[0] in {"calls", "reports"}
    ]
    assert not broken


@pytest.mark.parametrize("app", ["calls", "reports"])
def test_inside_an_app_tables_do_not_know_their_doors(app):
    layer_of = {name: level for level, names in enumerate(LAYERS[app]) for name in names}
    broken = []
    for path in modules():
        parts = path.relative_to(ROOT).with_suffix("").parts
        own = layer_of.get("commands" if "commands" in parts else parts[1])
        if parts[0] != app or own is None:
            continue
        for name, _ in imports(path):
            imported = name.split(".")
            level = layer_of.get(imported[1]) if imported[0] == app and len(imported) > 1 else None
            if level is not None and level < own:
                broken.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not broken


def test_no_import_hides_in_a_function():
    hidden = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name, inside in imports(path)
        if inside and name.split(".")[0] in APPS and "TYPE_CHECKING" not in path.read_text()
    ]
    assert not hidden


def test_only_posts_knows_the_spelling_of_the_provider():
    spelling = ("requestType", "accessKey", "customerNumber", "blockType", "destinationType")
    strangers = {
        str(path.relative_to(ROOT))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in {"accessKey", "customerNumber"}
    }
    # The look-alike speaks as the provider does.
    assert {name for name in strangers if not name.startswith("calls/traffic/")} == {"calls/posts.py"}
    assert all(word in (ROOT / "calls/posts.py").read_text() for word in spelling)
