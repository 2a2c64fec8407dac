"""Templates can be reviewed line by line, and load the tags and filters that they use, and no others."""

import re
from pathlib import Path

import pytest
from django.template import engines
from django.template.base import Lexer, Origin, TokenType

from config.templates import Loader

ROOT = Path(__file__).parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
FILTER = re.compile(r"\|(\w+)")
LONGEST_LINE = 120
each_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))


def blocks(source):
    """Yield the text of each tag and variable."""
    for token in Lexer(source).tokenize():
        if token.token_type in {TokenType.BLOCK, TokenType.VAR}:
            yield token.token_type, token.contents


@each_template
def test_lines_are_short(path):
    lines = enumerate(path.read_text().splitlines(), start=1)
    assert [f"{path.name}:{number}" for number, line in lines if len(line) > LONGEST_LINE] == []


@each_template
def test_an_attribute_is_on_one_line(path):
    """The line break would be part of its value."""
    text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", "", path.read_text())
    assert re.findall(r'[\w-]+="[^"<>]*\n[^"<>]*"', text) == []


@each_template
def test_a_block_that_ends_on_another_line_ends_with_its_name(path):
    opened, nameless = [], []
    for token in Lexer(path.read_text()).tokenize():
        match token.token_type, token.split_contents():
            case TokenType.BLOCK, ["block", name]:
                opened.append((name, token.lineno))
            case TokenType.BLOCK, ["endblock", *named]:
                name, first_line = opened.pop()
                if named != [name] and token.lineno != first_line:
                    nameless.append(name)
    assert opened == nameless == []


@each_template
def test_a_translated_text_of_several_lines_is_trimmed(path):
    """Otherwise its indentation is part of what is translated, and formatting the template loses the translation."""
    first, untrimmed = None, []
    for token in Lexer(path.read_text()).tokenize():
        match token.token_type, token.split_contents():
            case TokenType.BLOCK, ["blocktranslate", *_]:
                first = token
            case TokenType.BLOCK, ["endblocktranslate"]:
                if token.lineno != first.lineno and "trimmed" not in first.split_contents():
                    untrimmed.append(first.lineno)
    assert untrimmed == []


@each_template
def test_a_template_loads_only_what_it_uses(path):
    engine = engines["django"].engine
    loaded, tags, filters = [], set(), set()
    for kind, contents in blocks(path.read_text()):
        if kind is TokenType.BLOCK:
            tag, *words = contents.split()
            loaded += words if tag == "load" else []
            tags.add(tag)
        filters |= set(FILTER.findall(contents))
    assert loaded == sorted(set(loaded))
    unused = [
        name
        for name in loaded
        if not tags & set((library := engine.template_libraries[name]).tags) and not filters & set(library.filters)
    ]
    assert not unused


def test_names_of_our_tags_and_filters_are_unique():
    """Otherwise a template that loads two libraries could get the wrong one."""
    engine = engines["django"].engine
    ours = [engine.template_libraries[name] for name in ("figures", "formats", "links", "marks", "notices")]
    for names in ([library.tags for library in ours], [library.filters for library in ours]):
        every = [name for library in names for name in library]
        assert len(every) == len(set(every))


@each_template
def test_what_keeps_its_blanks_is_on_one_line(path):
    """Templates are loaded without the indentation of their lines."""
    broken = re.findall(r"<(pre|textarea)\b(?:(?!</\1>).)*$", path.read_text(), re.MULTILINE)
    assert broken == []


def test_pages_are_loaded_without_indentation_and_with_all_their_lines():
    path = ROOT / "templates" / "reports" / "calls.html"
    loaded = engines["django"].engine.get_template("reports/calls.html").source
    assert loaded.splitlines() == [line.lstrip(" ") for line in path.read_text().splitlines()]


def test_text_that_is_no_page_keeps_its_indentation(tmp_path):
    for name in ("a.html", "a.txt"):
        (tmp_path / name).write_text("- one\n  - two\n")
    loader = Loader(engines["django"].engine, [tmp_path])
    contents = [loader.get_contents(Origin(str(tmp_path / name), loader=loader)) for name in ("a.html", "a.txt")]
    assert contents == ["- one\n- two\n", "- one\n  - two\n"]
