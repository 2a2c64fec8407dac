"""The admin page that shows the audit, and its CSV file. No one changes it there."""

from __future__ import annotations

import csv
import json
import re
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.audit.actions import ACTIONS, label_of
from accounts.audit.actors import ITSELF
from accounts.audit.downloads import Download, Pieces
from accounts.audit.model_admin import AuditedAdmin
from accounts.models import AuditEntry
from accounts.moments import NOTHING, exactly
from accounts.spreadsheets import FORMULA

# Who is no person: the value in the address, and the condition.
NO_PERSON: dict[str, tuple[Any, dict[str, Any]]] = {
    "command": (_("commands"), {"actor_id": None, "actor__startswith": "manage.py "}),
    "calltally": (ITSELF, {"actor_id": None, "actor": ITSELF}),
    "unknown": (_("not signed in"), {"actor_id": None, "actor": ""}),
}
# Kinds of objects that are no models, and boxes.
OTHER_KINDS = {"download": _("download"), "command": _("command")}
BOXES: dict[bool | None, Any] = {True: _("yes"), False: _("no"), None: NOTHING}
COLUMNS = (
    *("position", "at", "actor_id", "actor", "address", "action", "object_type", "object_id", "object"),
    *("before", "after", "rows", "bytes", "reason", "carried", "key_id", "previous", "checksum"),
)
_FORMULA = re.compile(FORMULA)


class PersonFilter(admin.SimpleListFilter):
    """Offers everyone named in entries. The address has ids and no names."""

    title = _("person")
    parameter_name = "person"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        people = AuditEntry.objects.exclude(actor_id=None).order_by("actor_id", "-position").distinct("actor_id")
        named = sorted(people.values_list("actor", "actor_id"))
        return [(str(pk), name) for name, pk in named] + [(key, label) for key, (label, _rows) in NO_PERSON.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = self.value()
        if chosen not in {key for key, _label in self.lookup_choices}:
            return queryset
        return queryset.filter(**NO_PERSON[chosen][1] if chosen in NO_PERSON else {"actor_id": int(chosen)})


class ActionFilter(admin.SimpleListFilter):
    """Offers all actions."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(action.value, described.label) for action, described in ACTIONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = self.value()
        return queryset.filter(action=chosen) if chosen in dict(self.lookup_choices) else queryset


class AuditEntryAdmin(AuditedAdmin):
    """Entries, newest first, by person, action and period."""

    audited_elsewhere = "only shows entries"
    list_display = ("moment", "who", "address", "done", "about", "rows")
    list_display_links = ("moment",)
    list_filter = (PersonFilter, ActionFilter, ("at", admin.DateFieldListFilter))
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    list_per_page = 50
    fields = (
        *("position", "moment", "who", "address", "done", "about", "was", "became", "rows", "bytes", "reason"),
        *("carried", "previous", "checksum"),
    )
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {"title": gettext("Audit"), **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        download = path("audit.csv", self.admin_site.admin_view(self.csv_view), name="accounts_auditentry_csv")
        return [download, *super().get_urls()]

    @method_decorator(require_safe)
    def csv_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the entries of the list as a file. The download is an entry itself."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            entries: Any = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse("admin:accounts_auditentry_changelist"))
        download = Download("audit", {"filters": request.GET.urlencode()})
        headers = {
            "Content-Disposition": 'attachment; filename="audit.csv"',
            "Cache-Control": "private, no-store",
        }
        pieces = download.streamed(_pieces(entries))
        return StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8", headers=headers)

    @admin.display(description=_("time"))
    def moment(self, entry: AuditEntry) -> str:
        return exactly(entry.at)

    @admin.display(description=_("person"))
    def who(self, entry: AuditEntry) -> str:
        return entry.actor or NOTHING

    @admin.display(description=_("action"))
    def done(self, entry: AuditEntry) -> str:
        return label_of(entry.action)

    @admin.display(description=_("object"))
    def about(self, entry: AuditEntry) -> str:
        return " ".join(part for part in (_kind(entry), entry.object or entry.object_id) if part) or NOTHING

    @admin.display(description=_("before"))
    def was(self, entry: AuditEntry) -> str:
        return _lines(entry, entry.before)

    @admin.display(description=_("after"))
    def became(self, entry: AuditEntry) -> str:
        return _lines(entry, entry.after)


def _model_of(entry: AuditEntry) -> Any:
    """Return the model of what an entry is about; None if it is of no model of this version."""
    try:
        return apps.get_model(entry.object_type)
    except (LookupError, ValueError):
        return None


def _kind(entry: AuditEntry) -> str:
    """Return how pages name what an entry is about: a model as elsewhere, else by the word that is stored."""
    if model := _model_of(entry):
        return str(model._meta.verbose_name)
    return str(OTHER_KINDS.get(entry.object_type) or entry.object_type.partition(".")[2] or entry.object_type)


def _lines(entry: AuditEntry, values: dict[str, Any] | None) -> str:
    """Return what an entry holds, one name and value in each line; fields in the order and with the names of forms."""
    model, rest = _model_of(entry), dict(values or {})
    fields = [field for field in model._meta.fields if field.name in rest] if model else []
    named = [(str(field.verbose_name), rest.pop(field.name)) for field in fields] + list(rest.items())
    return "\n".join(f"{name}: {_in_words(value)}" for name, value in named) or NOTHING


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(BOXES[value]) if value is None or isinstance(value, bool) else str(value)


class _Line:
    """What csv writes a line to: it is taken from there at once."""

    def write(self, text: str) -> str:
        return text


def _pieces(entries: QuerySet) -> Pieces:
    writer = csv.writer(_Line())
    yield str(writer.writerow(COLUMNS)).encode()
    for entry in entries.order_by("position").iterator(500):
        yield str(writer.writerow([_cell(getattr(entry, name)) for name in COLUMNS])).encode()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if _FORMULA.match(text) else text
