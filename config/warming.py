"""Loads views, URL patterns, templates and password rules before the first page of a process needs them.

Several first pages in parallel would each spend 0.3 s of processor time on that, which posts at the same moment need.
Nothing here queries the database, and the intake process does not run it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib.auth.password_validation import get_default_password_validators
from django.forms.renderers import get_default_renderer
from django.template import Engine
from django.urls import NoReverseMatch, Resolver404, get_resolver, resolve, reverse
from django.utils.module_loading import import_string

# Apps whose templates no page uses.
UNUSED = frozenset({"rest_framework", "allauth", "allauth.account", "allauth.mfa"})


def warm_up() -> None:
    load_addresses()
    load_templates()
    get_default_password_validators()  # keeps them, with their lists of words


def load_addresses() -> None:
    """Import all views with what they import by name, and compile the patterns for resolving and reversing URLs."""
    for name in (settings.ACCOUNT_ADAPTER, settings.MFA_ADAPTER, settings.MESSAGE_STORAGE):
        import_string(name)
    with suppress(Resolver404):
        resolve("/no/such/address/")
    for namespace in ("", *(f"{name}:" for name in get_resolver().namespace_dict)):
        with suppress(NoReverseMatch):
            reverse(f"{namespace}no-such-address")


def load_templates() -> None:
    """Compile the templates of pages and of form fields."""
    engine, fields = Engine.get_default(), get_default_renderer()
    of_apps = [Path(app.path) / "templates" for app in apps.get_app_configs() if app.name not in UNUSED]
    for folder in (*map(Path, engine.dirs), *of_apps):
        for name in names(folder, folder.rglob("*.html")):
            origin = engine.get_template(name).origin
            if Path(origin.name) != folder / name:  # another template has the same name, and may extend it
                engine.find_template(name, skip=[origin])
    for folder in of_apps:
        for name in names(folder, folder.rglob("widgets/*.html")):
            fields.get_template(name)
    folder = Path(forms.__path__[0]) / "templates"
    for name in names(folder, folder.rglob("*.html")):
        fields.get_template(name)


def names(folder: Path, files: Iterable[Path]) -> list[str]:
    """Return the names by which templates in a folder are loaded."""
    return sorted(file.relative_to(folder).as_posix() for file in files)
