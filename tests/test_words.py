"""Translated texts are used as they are: German nouns keep their case, and its sentences another order of words."""

import ast
import re
from pathlib import Path

import pytest
from django.template.base import Lexer, TokenType

ROOT = Path(__file__).parent.parent
OUR_APPS = ("accounts", "calls", "config", "contacts", "live", "reports")
FILES = sorted(path for app in OUR_APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
GETTEXT = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy", "npgettext"}
CASES = {"lower", "upper", "capitalize", "title", "swapcase", "casefold"}
# Attributes and names that hold translated text.
TRANSLATED = re.compile(r"(^|_)(labels?|heading|definition|verbose_name|verbose_name_plural|help_text|says|advice)$")
CASE_FILTERS = re.compile(r"\|\s*(lower|upper|capfirst|title)\b")
# Django writes names of models without a capital, and its own admin begins breadcrumbs with one in the same way.
OF_DJANGO = {"opts.verbose_name_plural|capfirst"}


def is_gettext(node):
    """Whether an expression is a call of gettext, also with its named parts filled in."""
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)) if name in GETTEXT:
            return True
        case ast.BinOp(op=ast.Mod(), left=left):
            return is_gettext(left)
        case ast.Call(func=ast.Name(id="str"), args=[inner]):
            return is_gettext(inner)
        case ast.IfExp(body=body, orelse=orelse):
            return is_gettext(body) or is_gettext(orelse)
    return False


def is_translated(node):
    """Whether any part of an expression is a translated text, as far as names say so."""
    return any(
        is_gettext(part)
        or (isinstance(part, ast.Attribute) and TRANSLATED.search(part.attr))
        or (isinstance(part, ast.Name) and TRANSLATED.search(part.id))
        for part in ast.walk(node)
    )


def changed_in_case(tree):
    """Yield the lines in which code changes the case of a translated text."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=text, attr=method)) if method in CASES and is_translated(text):
                yield node.lineno
            case ast.Call(func=ast.Name(id="capfirst") | ast.Attribute(attr="capfirst")):
                yield node.lineno


def added_up(tree):
    """Yield the lines in which a translated text is a piece of a longer one: with `+`, in an f-string, as a joint."""
    named = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign) and is_gettext(node.value)]
            names = {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}
            named |= dict.fromkeys(ast.walk(function), names)

    def is_text(node, within):
        return is_gettext(node) or (isinstance(node, ast.Name) and node.id in named.get(within, ()))

    for node in ast.walk(tree):
        match node:
            case ast.BinOp(op=ast.Add(), left=left, right=right) if is_text(left, node) or is_text(right, node):
                yield node.lineno
            case ast.AugAssign(op=ast.Add(), value=value) if is_text(value, node):
                yield node.lineno
            case ast.JoinedStr(values=values) if any(
                isinstance(value, ast.FormattedValue) and is_text(value.value, node) for value in values
            ):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=text, attr="join")) if is_gettext(text):
                yield node.lineno


@pytest.mark.parametrize(
    "code",
    [
        "str(label).lower()",
        "opening.label.lower()",
        "_('Words').capitalize()",
        "capfirst(verbose_name)",
        "', '.join(FIGURES[key].label.lower() for key in keys)",
    ],
)
def test_changes_of_case_are_found(code):
    assert list(changed_in_case(ast.parse(code))) == [1]


@pytest.mark.parametrize(
    "code",
    [
        "_('One.') + more",
        "more + gettext('%(n)d calls') % {'n': 1}",
        "f\"{days} {_('Words')}\"",
        "_(' or ').join(words)",
        "text += ngettext('call', 'calls', n)",
        "def say():\n    words = _('known')\n    return f'{time} {words}'",
    ],
)
def test_sentences_that_are_added_up_are_found(code):
    assert len(list(added_up(ast.parse(code)))) == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_leaves_translated_texts_as_they_are(path):
    tree = ast.parse(path.read_text())

    assert list(changed_in_case(tree)) == []
    assert list(added_up(tree)) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_do_not_change_the_case_of_texts(path):
    tokens = Lexer(path.read_text()).tokenize()
    found = [
        token.contents
        for token in tokens
        if token.token_type in {TokenType.BLOCK, TokenType.VAR} and CASE_FILTERS.search(token.contents)
    ]

    assert [text for text in found if text not in OF_DJANGO] == []
