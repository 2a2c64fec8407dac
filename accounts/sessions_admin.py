"""The sessions of a user, on a page of their own in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext

from accounts import history, sessions
from accounts.admin_base import changeable
from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write


class SessionsAdmin(admin.ModelAdmin):
    """Lists and ends the sessions of users that the editor may change."""

    def get_urls(self) -> list[URLPattern]:
        page = path("<id>/sessions/", self.admin_site.admin_view(self.sessions), name="auth_user_sessions")
        return [page, *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        person = context.get("original")
        context["may_end_sessions"] = person is not None and self.has_change_permission(request, person)
        return super().render_change_form(request, context, *args, **kwargs)

    def sessions(self, request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002 (as Django names it beside)
        """List the sessions of a user. A POST ends one, or all but that of the editor."""
        person = changeable(self, request, id)
        this: Any = getattr(request, "signed_in_session", None)
        if request.method == "POST":
            ended = sessions.end_chosen(person, request.POST.get("end", ""), this)
            self._say_ended(request, person, ended)
            return HttpResponseRedirect(reverse("admin:auth_user_sessions", args=[person.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Sessions of %(user)s") % {"user": person},
            "opts": self.opts,
            "person": person,
            "sessions": sessions.of(person),
            "this": this,
            "back": reverse("admin:auth_user_change", args=[person.pk]),
        }
        return TemplateResponse(request, "admin/auth/user/sessions.html", context)

    def _say_ended(self, request: HttpRequest, person: Any, ended: int) -> None:
        text = ngettext("%(n)d session ended", "%(n)d sessions ended", ended) % {"n": ended}
        if ended:
            self.log_change(request, person, [history.change(text)])
            write(Action.SESSIONS_ENDED, Subject.of(person), rows=ended)
        self.message_user(request, text)
