"""The history of the admin: who did anything, and entries that name what was changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

from django.apps import apps
from django.core.paginator import Page
from django.db.models import Model, ProtectedError
from django.utils.translation import gettext

# A relation of users: the model that refers to them, and the name of its field.
Relation = tuple[type[Model], str]


def did_anything(user: Any, possessions: Collection[Relation] = ()) -> bool:
    """Return whether a user ever signed in, or is named by a row of any model.

    Rows of `possessions` say what a user has, and not what they did."""
    if user.last_login is not None:
        return True
    return any(
        relation.related_model._base_manager.filter(**{relation.field.name: user}).exists()
        for relation in user._meta.get_fields(include_hidden=True)
        if relation.auto_created
        and (relation.one_to_many or relation.one_to_one)
        and not relation.related_model._meta.auto_created
        and (relation.related_model, relation.field.name) not in possessions
    )


def protect_history(instance: Any, **_kwargs: Any) -> None:
    """Raise ProtectedError if the user to delete is named in the history of the admin. Also for code and the shell."""
    entries = apps.get_model("admin", "LogEntry")._base_manager.filter(user=instance.pk)
    if entries.exists():
        text = gettext("%(user)s is named in the history, and can only be disabled.")
        raise ProtectedError(text % {"user": instance.get_username()}, set(entries[:1]))


def change(text: str, model: type[Model] | None = None, pk: Any = None) -> dict[str, Any]:
    """Return the part of an entry's message that says one change in words, and which object it names."""
    return {"said": text, "about": [model._meta.label_lower, pk] if model else None}


def word_entries(page: Page, sees: Callable[[str, Any], bool]) -> None:
    """Replace the messages of a page of entries by words. `sees` says whether the reader may see an object, by the
    label of its model and its id; changes of other objects are left out."""
    entries: list[Any] = list(page.object_list)
    shown = [entry for entry in entries if _word(entry, sees)]
    page.object_list = shown
    paginator: Any = page.paginator
    paginator.count -= len(entries) - len(shown)


def _word(entry: Any, sees: Callable[[str, Any], bool]) -> bool:
    """Replace the message of one entry by words; return False if the reader may see nothing of it."""
    try:
        parts = json.loads(entry.change_message)
    except ValueError:
        return True  # a plain text
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        return True
    changes = [part for part in parts if "said" in part]
    if not changes:
        return True
    said = [part["said"] for part in changes if part["about"] is None or sees(*part["about"])]
    others = [part for part in parts if "said" not in part]
    words = []
    if others:
        entry.change_message = json.dumps(others)
        words.append(entry.get_change_message())
    if said:
        words.append("; ".join(said))
    entry.change_message = " ".join(words)
    return bool(words)
