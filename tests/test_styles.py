"""Style sheets and templates use the same classes: no rule is unused, and no class of a template is unknown."""

import re
from pathlib import Path

import django.contrib.admin

ROOT = Path(__file__).parent.parent
PAGES_STATIC = ROOT / "reports" / "static" / "reports"
LIVE_STATIC = ROOT / "live" / "static" / "live"
ADMIN_STATIC = ROOT / "calls" / "static" / "calls"
DJANGO_ADMIN = Path(django.contrib.admin.__file__).parent
# htmx sets it during a request.
BY_HTMX = {"htmx-request"}
# Django's admin names the element of each field after the field.
BY_DJANGO = "field-"
# Django's code gives these, beside its templates.
BY_CODE = {"errorlist", "sorted", "vTextField"}
# Replaces the parts that a template or a format string fills in.
FILLED_IN = "\0"


def page_sheets():
    return sorted([*(PAGES_STATIC / "styles").glob("*.css"), *LIVE_STATIC.glob("*.css")])


def admin_sheets():
    return sorted(ADMIN_STATIC.glob("*.css"))


def page_templates():
    """Return the templates of pages, and the modules that write HTML for them."""
    tags = [path for app in ("calls", "reports") for path in (ROOT / app).rglob("templatetags/**/*.py")]
    return sorted({*(ROOT / "templates").rglob("*.html"), *tags} - set(admin_templates()))


def admin_templates():
    return sorted((ROOT / "templates" / "admin").rglob("*.html"))


def shared():
    """Return the templates around and over pages, which those of the admin have, too."""
    live = [ROOT / "templates" / "live" / name for name in ("_late.html", "_note_form.html", "_ringing.html")]
    names = ("_logo.html", "_navigation.html", "_account.html")
    bars = [ROOT / "templates" / f"{name}.html" for name in ("_session_end", "_top_bar", "_side_bar", "_bottom_bar")]
    return [*live, *(ROOT / "templates" / "reports" / name for name in names), *bars]


def both_sheets():
    """Return the style sheets of pages that the admin has, too."""
    names = ("tokens", "base", "controls", "forms", "shell", "session-end")
    return [LIVE_STATIC / "ringing.css", *(PAGES_STATIC / "styles" / f"{name}.css" for name in names)]


def with_rules(sheets):
    """Return the classes that style sheets have rules for."""
    names = set()
    for sheet in sheets:
        css = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        for selectors in re.findall(r"([^{};]+)\{", css):
            if not selectors.strip().startswith("@"):
                names.update(re.findall(r"\.(-?[A-Za-z_][\w-]*)", selectors))
    return names


def in_templates(files):
    """Return the classes in templates; classes that are put together at run time contain FILLED_IN."""
    names = set()
    for file in files:
        source = file.read_text(encoding="utf-8")
        for value in re.findall(r'\{% data_table .*? "([\w -]+)"(?: sorts=True)? %\}', source):
            names.update(value.split())
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}", " ", source, flags=re.DOTALL)
        text = re.sub(r"\{\{.*?\}\}|\{\w*\}", FILLED_IN, text)
        for value in re.findall(r'\bclass="([^"]*)"', text):
            names.update(value.split())
    return names


def in_scripts(scripts):
    """Return the classes in scripts."""
    given = re.compile(r'classList\.(?:add|toggle)\("([\w-]+)"')
    return {name for script in scripts for name in given.findall(script.read_text(encoding="utf-8"))}


def in_fieldsets():
    """Return the classes that pages of the admin give to their fieldsets."""
    modules = [path for app in ("accounts", "calls", "contacts", "live") for path in (ROOT / app).rglob("admin/*.py")]
    listed = re.compile(r'"classes": \["([\w-]+)"\]')
    return {name for module in modules for name in listed.findall(module.read_text(encoding="utf-8"))}


def beginnings(names):
    """Return the beginnings of classes that are put together at run time."""
    prefixes = {name.partition(FILLED_IN)[0] for name in names if FILLED_IN in name}
    assert all(prefixes), "a class is made at run time without a beginning by which to know it"
    return tuple(prefixes)


def test_no_rule_is_unused():
    scripts = [*PAGES_STATIC.glob("*.js"), *LIVE_STATIC.glob("*.js")]
    given = in_templates(page_templates()) | in_scripts(scripts) | BY_HTMX
    unused = {name for name in with_rules(page_sheets()) - given if not name.startswith(beginnings(given))}
    assert not unused, f"rules for classes that no page has: {sorted(unused)}"


def test_no_rule_of_the_admin_is_unused():
    files = [*DJANGO_ADMIN.glob("templates/**/*.html"), *DJANGO_ADMIN.glob("static/**/*.js")]
    words = {word for file in files for word in re.findall(r"[\w-]+", file.read_text(encoding="utf-8"))}
    given = in_templates([*admin_templates(), *shared()]) | in_scripts(ADMIN_STATIC.glob("*.js")) | words | BY_CODE
    given |= in_fieldsets()
    unused = {name for name in with_rules(admin_sheets()) - given if not name.startswith(BY_DJANGO)}
    assert not unused, f"rules for classes that the admin does not have: {sorted(unused)}"


def test_no_class_of_a_template_is_unknown():
    bootstrap = PAGES_STATIC / "vendor" / "bootstrap" / "bootstrap.min.css"
    for templates, sheets in (
        (page_templates(), [*page_sheets(), bootstrap]),
        (
            [*admin_templates(), *shared()],
            [*admin_sheets(), *both_sheets(), *DJANGO_ADMIN.glob("static/**/*.css")],
        ),
    ):
        given, known = in_templates(templates), with_rules(sheets)
        plain = {name for name in given if FILLED_IN not in name}
        ruled = {beginning for beginning in beginnings(given) if any(name.startswith(beginning) for name in known)}
        unknown = (plain - known) | (set(beginnings(given)) - ruled)
        assert not unknown, f"classes that no style sheet knows: {sorted(unknown)}"


def test_every_style_sheet_of_pages_is_linked_once():
    html = "".join((ROOT / "templates" / name).read_text(encoding="utf-8") for name in ("_styles.html", "base.html"))
    linked = re.findall(r"'(?:reports/styles|live)/([\w-]+\.css)'", html)
    assert sorted(linked) == sorted(sheet.name for sheet in page_sheets())
