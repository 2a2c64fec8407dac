"""The base of all admin pages: what is added, changed, done and deleted there becomes an entry of the audit."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write

# Of more objects that are deleted at once, one entry has the ids.
MOST_NAMED = 20


class AuditedAdmin(admin.ModelAdmin):
    """Writes an entry beside each one of the admin's history.

    An entry has values only of `audited_fields`, before and after, and of other fields only that they changed. It names
    an object by its text only with `audited_by_name`. Neither may be or contain a caller or a secret."""

    audited_fields: tuple[str, ...] = ()
    audited_by_name = False
    # Why the pages write no entries: what else writes them.
    audited_elsewhere = ""

    def audited_values(self, obj: Any) -> dict[str, Any]:
        """Return what entries may say of an object, by field."""
        return {name: _value(getattr(obj, name)) for name in self.audited_fields}

    def audited_subject(self, obj: Any) -> Subject:
        return Subject.of(obj, None if self.audited_by_name else "")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the object, with what it was before a form changes it."""
        obj: Any = super().get_object(request, object_id, from_field)
        if obj is not None and request.method == "POST":
            obj.audited_before = self.audited_values(obj)
        return obj

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        entry = super().log_addition(request, obj, message)
        if not self.audited_elsewhere:
            write(Action.OBJECT_ADDED, self.audited_subject(obj), after=self.audited_values(obj))
        return entry

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        entry = super().log_change(request, obj, message)
        if not self.audited_elsewhere:
            was: dict[str, Any] = getattr(obj, "audited_before", {})
            now = self.audited_values(obj) if was else {}
            changed = [name for name in now if now[name] != was[name]]
            after = {name: now[name] for name in changed} | _said(message)
            # A form that was saved without a change has no entry.
            if after:
                before = {name: was[name] for name in changed} or None
                write(Action.OBJECT_CHANGED, self.audited_subject(obj), before=before, after=after)
        return entry

    def log_deletions(self, request: Any, queryset: Any) -> Any:
        """Keep what is deleted; the entry is written afterwards, so that deleting much holds up no other entry."""
        entries = super().log_deletions(request, queryset)
        request.audited_deletions = [(self.audited_subject(obj), self.audited_values(obj)) for obj in queryset]
        return entries

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        self._note_deletions(request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        super().delete_queryset(request, queryset)
        self._note_deletions(request)

    def _note_deletions(self, request: Any) -> None:
        deleted: list[tuple[Subject, dict[str, Any]]] = getattr(request, "audited_deletions", [])
        if self.audited_elsewhere:
            return
        if len(deleted) > MOST_NAMED:
            ids = {"ids": [subject.id for subject, _values in deleted]}
            about = Subject(self.opts.label_lower)
            write(Action.OBJECT_DELETED, about, before=ids, rows=len(deleted))
            return
        for subject, values in deleted:
            write(Action.OBJECT_DELETED, subject, before=values)


def _value(value: Any) -> Any:
    """Return a value of a field as entries hold it: numbers and boxes as they are, rows by their names."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [str(part) for part in value]
    if hasattr(value, "all"):
        return sorted(str(row) for row in value.all())
    return str(value)


def _said(message: Any) -> dict[str, Any]:
    """Return what the admin's history says, without values of fields and texts of related rows."""
    if isinstance(message, str):
        return {"done": [message]} if message else {}
    done = [str(part["said"]) for part in message if "said" in part]
    fields = [str(name) for part in message for name in part.get("changed", {}).get("fields", [])]
    related = [
        f"{kind}: {part[kind]['name']}"
        for part in message
        for kind in ("added", "changed", "deleted")
        if "name" in part.get(kind, {})
    ]
    said = {"done": done, "fields": fields, "related": related}
    return {key: texts for key, texts in said.items() if texts}
