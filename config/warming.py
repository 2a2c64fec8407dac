"""Loads in advance what the first page of a process would load: views, addresses and templates.

Several first pages at once would each spend a third of a second of processor time on that, in turns with the posts of
that moment. Nothing here asks the database, and the intake process loads none of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from django import forms
from django.apps import apps
from django.forms.renderers import get_default_renderer
from django.template import Engine
from django.urls import NoReverseMatch, Resolver404, get_resolver, resolve, reverse

# It brings templates, but no page of ours uses them.
UNUSED = frozenset({"rest_framework"})


def warm_up() -> None:
    load_addresses()
    load_templates()


def load_addresses() -> None:
    """Import all views, and compile the patterns by which addresses are found and written."""
    with suppress(Resolver404):
        resolve("/no/such/address/")
    for namespace in ("", *(f"{name}:" for name in get_resolver().namespace_dict)):
        with suppress(NoReverseMatch):
            reverse(f"{namespace}no-such-address")


def load_templates() -> None:
    """Compile the templates of pages, and those of the fields in their forms."""
    engine, fields = Engine.get_default(), get_default_renderer()
    of_apps = [Path(app.path) / "templates" for app in apps.get_app_configs() if app.name not in UNUSED]
    for folder in (*map(Path, engine.dirs), *of_apps):
        for name in names(folder, folder.rglob("*.html")):
            origin = engine.get_template(name).origin
            if Path(origin.name) != folder / name:  # another one has its name, and may extend it
                engine.find_template(name, skip=[origin])
    for folder in of_apps:
        for name in names(folder, folder.rglob("widgets/*.html")):
            fields.get_template(name)
    folder = Path(forms.__path__[0]) / "templates"
    for name in names(folder, folder.rglob("*.html")):
        fields.get_template(name)


def names(folder: Path, files: Iterable[Path]) -> list[str]:
    """Return by which names templates are loaded from a folder."""
    return sorted(file.relative_to(folder).as_posix() for file in files)
