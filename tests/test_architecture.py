"""Imports between modules: live → reports → contacts → calls → accounts → django, never back; inside, downwards."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# An app may import the apps after it in this list, never one before it.
APPS = ("live", "reports", "contacts", "calls", "accounts")
# Inside an app, from views to models: a module imports its own layer and those below it, never one above. A package
# includes all of its modules, except those that are listed separately.
LAYERS = {
    "accounts": [
        {"admin", "apps", "admin_config", "admin_site", "lockout", "own_password", "tasks", "urls", "middleware"},
        {"management"},
        {"session_limits", "session_views", "views"},
        {"second_factor_forms", "signin", "user_admin_forms", "adapters", "audit.people"},
        {"inviting_admin", "second_factor_admin", "sessions_admin", "confirming_admin"},
        {"invitations", "lost_rights", "second_factor", "password_length"},
        {"sessions", "confirming"},
        {"admin_base", "devices", "encryption", "giving", "history", "passwords", "given_passwords"},
        {"security_keys"},
        {"audit.pages", "audit.merging"},
        {"audit.expiry", "audit.failures", "audit.model_admin", "audit.downloads", "audit.commands"},
        {"audit.entries", "audit.verification"},
        {"models", "guessable_words", "audit.actors", "audit.actions", "audit.chain"},
        {"browsers", "session_store"},
        {
            "deleting",
            "folding",
            "rewording",
            "addresses",
            "spreadsheets",
            "session_messages",
            "password_forms",
            "moments",
        },
    ],
    "calls": [
        {"urls", "middleware"},
        {"views", "health", "tasks", "admin", "management", "apps", "templatetags"},
        {"notices", "lost_access"},
        {"simulator", "key_check", "recounting", "access_keys", "search", "rereading", "showing", "audited_access"},
        {"masking"},
        {"phone_patterns"},
        {"ingest.intake", "ingest.drain", "ingest.replay"},
        {"ingest.writer", "ingest.spool", "ingest.key_cache", "ingest.sender_policy", "ingest.post_log"},
        {"ingest.refused_posts"},
        {"redaction"},
        {"posts"},
        {"models"},
        {"models.calls"},
        {"models.access", "models.access_keys"},
        {"models.numbers", "models.opening_hours"},
        {"models.changed_quarter_hours", "models.base", "models.refused_posts", "models.senders"},
        {"querysets"},
        {
            "access",
            "keys",
            "phones",
            "monitoring_access",
            "exchanges",
            "outgoing",
            "opening_hours",
            "quarter_hours",
            "search_keys",
            "kept_searches",
            "log_limits",
            "lookups",
            "ingest.group_commit",
            "ingest.rate_limit",
            "ingest.metrics",
            "ingest.silent_calls",
        },
    ],
    "live": [
        {"urls"},
        {"apps", "board.pages", "admin"},
        {"pages", "views", "events", "tasks", "state", "management", "templatetags"},
        {"my_calls", "lead_time", "watcher", "board.caster", "dispatch.dispatcher"},
        {"sessions", "board.streams", "board.table"},
        {"asking", "hub", "feed", "board.messages", "endpoint_state", "endpoint_alerts", "dispatch.sender"},
        {"board.figures", "board.keys", "dispatch.made_up", "dispatch.stored"},
        {"board.open_calls", "dispatch.lanes", "dispatch.endpoint_health"},
        {"board.rules", "dispatch.due", "dispatch.outcomes"},
        {"queries", "courses"},
        {"shown_pops"},
        {"dispatch.outbox"},
        {"dispatch.facts"},
        {"tail", "people", "notes", "dispatch.dispatcher_state", "dispatch.wanted"},
        {"dispatch.tries", "endpoint_secrets"},
        {"dispatch.formats", "dispatch.answers"},
        {"dispatch.steps"},
        {"looked_up", "why_not", "rings", "endpoint_rights"},
        {"kinds"},
        {"models"},
    ],
    "contacts": [
        {"urls"},
        {"views", "admin", "tasks", "management", "apps"},
        {"serializers", "uploads"},
        {"upserts", "contact_keys"},
        {"importing"},
        {"matching"},
        {"agents", "lookups", "typed_numbers", "seen_variables"},
        {"models"},
        {"lookup_format"},
        {"links", "patterns", "known_contacts"},
    ],
    "reports": [
        {"urls", "unavailable"},
        {"views", "tasks", "admin", "management", "apps", "templatetags"},
        {"monitoring", "second_factors", "exports.workbook_jobs", "alerts"},
        {"exports.downloads", "exports.workbooks"},
        {"filters.call_menus", "exports.csv_files", "exports.csv_calls", "exports.csv_agents", "exports.csv_contacts"},
        {"exports.csv_cells", "exports.file_names"},
        {"exports.file_store"},
        {"filters.call_filter", "filters.report_filter"},
        {"filters.calls_by_time", "filters.calls_by_course", "filters.search", "filters.call_paging"},
        {"queries.wait_curve", "queries.trouble"},
        {
            "filters.base",
            "queries.calls",
            "counting.added_durations",
            "counting.verification",
            "queries.hours_of_week",
            "queries.completeness",
            "queries.durations",
            "queries.concurrent_calls",
            "queries.service_level",
            "queries.comparison",
            "queries.call_timeline",
            "queries.call_notes",
            "queries.known_callers",
        },
        {"queries.destinations", "queries.post_arrivals"},
        {"counting.rollups", "queries.forwards"},
        {"queries.counts"},
        {"queries.sums"},
        {"queries.runs"},
        {"figures.gaps"},
        {"figures.cells"},
        {"figures.coverage", "figures.counted", "figures.completeness", "queries.pins"},
        {"models"},
        {"filters.presets", "filters.session_filter", "filters.readers"},
        {"figures.differences"},
        {"figures.definitions"},
        {"counting.count_tables"},
        {"counting.measured"},
        {"counting.outcomes", "periods", "permissions", "intake_process", "figures.block_types"},
    ],
}


def modules(*apps: str) -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and the file of every module, without migrations and empty packages."""
    for app in apps or (*APPS, "config"):
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts and path.read_text().strip():
                parts = path.relative_to(ROOT).with_suffix("").parts
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each name that a file imports, and whether it does so inside a function."""

    def walk(node: ast.AST, inside: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path} imports by a relative path"
                yield from ((f"{child.module}.{alias.name}", inside) for alias in child.names)
            yield from walk(child, inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    yield from walk(ast.parse(path.read_text()), False)


def layer_of(name: str, app: str) -> int | None:
    """Return the layer of a module, or of a name imported from one; None if it is not listed."""
    levels = {listed: level for level, names in enumerate(LAYERS[app]) for listed in names}
    parts = name.split(".")[1:]
    while parts:
        if (listed := ".".join(parts)) in levels:
            return levels[listed]
        parts.pop()
    return None


@pytest.mark.parametrize("app", APPS)
def test_an_app_imports_neither_earlier_apps_nor_config(app):
    before = {"config", *APPS[: APPS.index(app)]}
    broken = [
        f"{name} imports {imported}"
        for name, path in modules(app)
        for imported, _inside in imports(path)
        if imported.split(".")[0] in before
    ]
    assert not broken


def test_config_names_apps_as_strings():
    broken = [
        f"{name} imports {imported}"
        for name, path in modules("config")
        for imported, _inside in imports(path)
        if imported.split(".")[0] in APPS
    ]
    assert not broken


@pytest.mark.parametrize("app", LAYERS)
def test_every_module_is_listed_and_every_listed_module_exists(app):
    names = {name for name, _path in modules(app)}
    unlisted = {name for name in names if name != app and layer_of(name, app) is None and name not in _packages(app)}
    assert not unlisted, f"add to a layer of {app} in LAYERS: {sorted(unlisted)}"
    listed = [f"{app}.{name}" for layer in LAYERS[app] for name in layer]
    assert len(listed) == len(set(listed))
    gone = {name for name in listed if not any(f"{module}.".startswith(f"{name}.") for module in names)}
    assert not gone, f"no such modules, remove them from LAYERS: {sorted(gone)}"


def _packages(app: str) -> set[str]:
    """Return the packages of which only single modules are listed; they contain only a docstring."""
    listed = {f"{app}.{name}" for layer in LAYERS[app] for name in layer}
    found = {name.rpartition(".")[0] for name in listed} - listed - {app}
    for name in found:
        body = ast.parse((ROOT / name.replace(".", "/") / "__init__.py").read_text()).body
        assert all(isinstance(node, ast.Expr) for node in body), f"{name} holds more than a docstring"
    return found


@pytest.mark.parametrize("app", LAYERS)
def test_inside_an_app_lower_layers_do_not_import_higher_ones(app):
    broken = [
        f"{name} imports {imported}"
        for name, path in modules(app)
        for imported, _inside in imports(path)
        if imported.split(".")[0] == app
        and (own := layer_of(name, app)) is not None
        and (other := layer_of(imported, app)) is not None
        and other < own
    ]
    assert not broken


def test_there_are_no_import_cycles():
    files = dict(modules())
    graph = {name: {_module_of(imported, files) for imported, _inside in imports(files[name])} for name in files}
    for name in files:
        reached: set[str] = set()
        ahead = graph[name] - {None}
        while ahead:
            reached |= ahead
            ahead = {other for passed in ahead for other in graph[passed]} - reached - {None}
        assert name not in reached, f"{name} is in a circle of imports"


def _module_of(imported: str, files: dict[str, Path]) -> str | None:
    """Return the module that an imported name belongs to; None if it is not ours."""
    while imported and imported not in files:
        imported = imported.rpartition(".")[0]
    return imported or None


def test_no_import_is_inside_a_function():
    hidden = [
        f"{name} imports {imported}"
        for name, path in modules()
        for imported, inside in imports(path)
        if inside and imported.split(".")[0] in (*APPS, "config")
    ]
    assert not hidden


def test_only_posts_uses_the_field_names_of_the_provider():
    spelling = ("requestType", "accessKey", "customerNumber", "blockType", "destinationType")
    strangers = {
        str(path.relative_to(ROOT))
        for _name, path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in {"accessKey", "customerNumber"}
    }
    # The simulator sends posts as the provider does.
    assert {name for name in strangers if not name.startswith("calls/simulator/")} == {"calls/posts.py"}
    assert all(word in (ROOT / "calls/posts.py").read_text() for word in spelling)


def test_reports_never_ask_for_superusers():
    """`calls.access` and the querysets of calls do, so that superusers need no access."""
    asking = {
        name
        for name, path in modules("reports")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "is_superuser"
    }
    asking |= {str(path) for path in (ROOT / "templates").rglob("*.html") if "is_superuser" in path.read_text()}
    assert not asking
