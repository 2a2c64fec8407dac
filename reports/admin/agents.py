"""Admin page of agents: who answers at which destination. It shows how often each rang, so it belongs to reports.

Destinations are shown by token in addresses, and only of numbers for which the person has the right *people*."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.widgets import AdminDateWidget
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import history
from accounts.admin_base import DATE_SCRIPTS
from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write
from accounts.audit.model_admin import AuditedAdmin
from contacts import agents
from contacts.models import AgentDestination, name_of
from reports.queries import destinations
from reports.queries.destinations import Destination

NOBODY = "nobody"
ENTRIES_ON_A_PAGE = 100


class AgentForm(forms.Form):
    """Asks who answers at a destination from which day on."""

    person = forms.ChoiceField(label=_("Person"))
    from_day = forms.DateField(
        label=_("From"),
        required=False,
        widget=AdminDateWidget,
        help_text=AgentDestination._meta.get_field("from_day").help_text,
    )
    joins = forms.ChoiceField(
        label=_("Those before"),
        choices=[("no", _("no longer answer there")), ("yes", _("go on answering there, too"))],
        required=False,
        widget=forms.RadioSelect,
    )

    def __init__(self, editor: Any, shown: Destination, *args: Any) -> None:
        super().__init__(*args)
        self._shown, self._editor = shown, editor
        if not any(turn.people for turn in shown.turns):
            del self.fields["joins"]
        self.users = {str(user.pk): user for user in agents.nameable_by(editor)}
        named = sorted(((_choice(user), pk) for pk, user in self.users.items()), key=lambda row: row[0].casefold())
        people: Any = self.fields["person"]
        people.choices = [("", "---------"), *((pk, name) for name, pk in named), (NOBODY, gettext("Nobody"))]

    def clean(self) -> dict[str, Any]:
        """Ask whether others go on answering there: to replace them must be chosen. Refuse editors who add themselves
        to see callers that they may not see otherwise."""
        person = self.users.get(self.cleaned_data.get("person", ""))
        if person and person == self._editor and (why_not := agents.why_not_join(person)):
            self.add_error("person", why_not)
        if person and "from_day" in self.cleaned_data and not self.cleaned_data.get("joins"):
            answering = agents.answering_on(self.cleaned_data["from_day"], self._shown.turns)
            if {user.pk for user in answering} - {person.pk}:
                names = ", ".join(map(name_of, answering))
                self.add_error(
                    "joins", gettext("Choose whether those before go on answering there: %(names)s.") % {"names": names}
                )
        return self.cleaned_data

    def save(self) -> list[str]:
        """Store it; return in words what changed."""
        day: date | None = self.cleaned_data["from_day"]
        person = self.users.get(self.cleaned_data["person"])
        joins = self.cleaned_data.get("joins") == "yes" and person is not None
        shown = self._shown
        return agents.take_over(shown.destination, shown.destination_type, [person], day, joins=joins)


def _choice(user: User) -> str:
    name = name_of(user)
    return name if name == user.get_username() else f"{name} ({user.get_username()})"


@admin.register(AgentDestination)
class AgentsAdmin(AuditedAdmin):
    """A list of destinations and a page for each, in place of a list of rows and their pages."""

    audited_elsewhere = "its own page"

    class Media:
        js = DATE_SCRIPTS

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> None:
        """Rows have no pages of their own."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """List destinations, those without people first."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        context = self._context(request) | {
            "title": gettext("Agents"),
            "listed": destinations.of_numbers_seen_by(request.user),
            "days": destinations.LOOKED_BACK.days,
        }
        return TemplateResponse(request, "admin/contacts/agentdestination/list.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show and change who answers at a destination; `object_id` is its token."""
        found = self._found(request, object_id)
        if isinstance(found, HttpResponse):
            return found
        seen, shown = found
        may_change = self.has_change_permission(request)
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            form = self._saved(request, shown)
            if form is None:
                return HttpResponseRedirect(request.path)
        else:
            form = AgentForm(request.user, shown)
        context = self._context(request) | {
            "title": str(shown),
            "shown": shown,
            "are_enough": seen.are_enough,
            "days": destinations.LOOKED_BACK.days,
            "may_change": may_change,
            "form": form,
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/contacts/agentdestination/destination.html", context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show who changed the people of a destination."""
        found = self._found(request, object_id)
        if isinstance(found, HttpResponse):
            return found
        _seen, shown = found
        entries = LogEntry.objects.filter(content_type=self._content_type, object_id=shown.name)
        paginator = Paginator(entries.select_related("user").order_by("-action_time"), ENTRIES_ON_A_PAGE)
        page = paginator.get_page(request.GET.get("p"))
        history.word_entries(page, lambda *_about: True)
        context = self._context(request) | {
            "title": gettext("Change history: %(destination)s") % {"destination": shown},
            "action_list": page,
            "page_range": paginator.get_elided_page_range(page.number),
            "page_var": "p",
            "pagination_required": paginator.count > ENTRIES_ON_A_PAGE,
            "module_name": gettext("Agents"),
            "object": shown,
        }
        return TemplateResponse(request, "admin/object_history.html", context)

    def _found(self, request: HttpRequest, token: str) -> tuple[destinations.Destinations, Destination] | HttpResponse:
        """Return the destination of a token among those that the person sees; others do not exist for them."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        seen = destinations.of_numbers_seen_by(request.user)
        shown = seen.get(token)
        if shown is None:
            self.message_user(request, gettext("There is no such destination."), messages.WARNING)
            return HttpResponseRedirect(reverse("admin:index"))
        return seen, shown

    @transaction.atomic
    def _saved(self, request: HttpRequest, shown: Destination) -> AgentForm | None:
        """Store what was posted, and note it for the history. Return the form if it has errors."""
        if pk := request.POST.get("remove", ""):
            rows = [row for turn in shown.turns for row in turn.rows if str(row.pk) == pk]
            changes = [text for row in rows for text in agents.remove(row)]
        else:
            form = AgentForm(request.user, shown, request.POST)
            if not form.is_valid():
                return form
            changes = form.save()
        if changes:
            editor: Any = request.user
            LogEntry.objects.create(
                user=editor,
                content_type=self._content_type,
                object_id=shown.name,
                action_flag=CHANGE,
                change_message=json.dumps([history.change(text) for text in changes]),
            )
            write(Action.OBJECT_CHANGED, Subject(AgentDestination._meta.label_lower, shown.pk), after={"done": changes})
            self.message_user(request, gettext("%(changes)s.") % {"changes": "; ".join(changes)}, messages.SUCCESS)
        return None

    @property
    def _content_type(self) -> ContentType:
        return ContentType.objects.get_for_model(AgentDestination)

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts}
