"""Invitations on the admin pages of users."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext

from accounts import history, invitations
from accounts.admin_base import changeable
from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write

logger = logging.getLogger("calltally.mail")


class InvitingAdmin(admin.ModelAdmin):
    """Invites new users without a password by mail, and again on a page of their own."""

    def has_more(self, request: HttpRequest, person: Any) -> bool:
        """Return whether a person may do or see something that the editor may not."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        invite = path("<id>/invite/", self.admin_site.admin_view(self.invite), name="auth_user_invite")
        return [invite, *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change and not obj.has_usable_password():
            # A mail cannot be taken back, so the user is stored first.
            transaction.on_commit(partial(self._invite_new, request, obj))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        person = context.get("original")
        context["may_invite"] = (
            person is not None and not person.has_usable_password() and self.has_change_permission(request, person)
        )
        return super().render_change_form(request, context, *args, **kwargs)

    def invite(self, request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002 (as Django names it beside)
        """Ask whether to invite a person, and do so."""
        person = changeable(self, request, id)
        why_not = self._why_not_invited(request, person)
        back = reverse("admin:auth_user_change", args=[person.pk])
        if request.method == "POST" and not why_not:
            self._invite(request, person)
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Invite %(user)s by mail") % {"user": person},
            "opts": self.opts,
            "person": person,
            "why_not": why_not,
            "days": invitations.days_valid(),
            "back": back,
        }
        return TemplateResponse(request, "admin/auth/user/invite.html", context)

    def _why_not_invited(self, request: HttpRequest, person: Any) -> str:
        if person.has_usable_password():
            return gettext("%(user)s has a password already.") % {"user": person}
        if self.has_more(request, person):
            return gettext("%(user)s may do or see more than you. Ask a superuser to invite them.") % {"user": person}
        if not settings.SENDS_MAIL:
            return gettext(
                "No mail server is set up, so no one can be invited. Set a password for %(user)s, and pass it on."
            ) % {"user": person}
        if not person.email:
            return gettext("%(user)s has no email address. Enter it first.") % {"user": person}
        if not person.is_active:
            return gettext("%(user)s is not active.") % {"user": person}
        return ""

    def _invite_new(self, request: HttpRequest, person: Any) -> None:
        if why_not := self._why_not_invited(request, person):
            self.message_user(request, why_not, messages.WARNING)
        else:
            self._invite(request, person)

    def _invite(self, request: HttpRequest, person: Any) -> None:
        site = settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
        try:
            invitations.invite(person, site)
        except (OSError, ValueError) as error:  # OSError: network errors, and all of smtplib
            logger.warning("user %d was not invited: %s", person.pk, type(error).__name__)
            text = gettext(
                "The invitation of %(user)s could not be sent. Check the address, try again with “Invite by mail”, or "
                "set a password and pass it on."
            )
            self.message_user(request, text % {"user": person}, messages.ERROR)
            return
        self.log_change(request, person, [history.change(gettext("Invited by mail"))])
        write(Action.USER_INVITED, Subject.of(person))
        days = invitations.days_valid()
        text = ngettext(
            "An invitation was sent to %(user)s. The link is valid for %(days)d day.",
            "An invitation was sent to %(user)s. The link is valid for %(days)d days.",
            days,
        )
        self.message_user(request, text % {"user": person, "days": days})
