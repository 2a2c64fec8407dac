"""`is_staff` opens the admin and nothing else: who may see what rests on NumberAccess and on Django's permissions."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("accounts", "calls", "config", "contacts", "live", "reports", "templates")
# The one function that asks for it to show anything.
GATE = ("reports/permissions.py", "opens_admin")
# It asks more of those who open the admin, and shows them nothing.
SECOND_FACTOR = ("accounts/second_factor.py", "must_have")
QUERIES = {"filter", "exclude", "get", "Q"}
# The admin's pages of users show and set it, the demo sets it; two receivers compare it with what was stored before.
SETS_IT = re.compile(r"accounts/(\w*admin\w*|lost_rights|audit/people)\.py|live/management/commands/demo\.py")


def files(ending):
    """Yield the path below the checkout and the text of every file of ours, without migrations."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob(f"*{ending}")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text()


def asked_for(text):
    """Yield the innermost function around each place that reads `is_staff` or filters by it."""

    def walk(node, function):
        for child in ast.iter_child_nodes(node):
            inner = child.name if isinstance(child, ast.FunctionDef) else function
            match child:
                case ast.Attribute(attr="is_staff", ctx=ast.Load()):
                    yield inner
                case ast.Constant(value=str(value)) if re.fullmatch(r"(\w+__)?is_staff", value):
                    yield inner
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), keywords=keywords):
                    if name in QUERIES and any(re.fullmatch(r"(\w+__)?is_staff", k.arg or "") for k in keywords):
                        yield inner
            yield from walk(child, inner)

    yield from walk(ast.parse(text), "")


def test_only_the_gate_of_the_admin_asks_for_it():
    asking = {
        (path, function) for path, text in files(".py") for function in asked_for(text) if not SETS_IT.fullmatch(path)
    }
    assert asking == {GATE, SECOND_FACTOR}, (
        "Ask for a right (calls.access.Rights) or a permission (user.has_perm) instead."
    )


def test_no_template_asks_for_it():
    assert not [path for path, text in files(".html") if "is_staff" in text], "Use opens_admin or sees_codes instead."


def test_only_the_settings_and_migrations_read_the_former_setting_for_managers():
    reading = [path for path, text in files(".py") if "FORWARDS_FOR_MANAGERS" in text]
    assert reading == ["config/settings.py"], "Ask for the right `people` instead."
