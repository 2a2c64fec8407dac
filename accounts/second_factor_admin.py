"""Second factors on the admin pages of users: who has one, and its reset for people who lost theirs."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import history, second_factor
from accounts.admin_base import changeable

HAS_ONE = Exists(Authenticator.objects.filter(user=OuterRef("pk"), type__in=second_factor.FACTORS))


class SecondFactorFilter(admin.SimpleListFilter):
    """Lists people by whether they have a second factor."""

    title = _("second factor")
    parameter_name = "second_factor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("set up")), ("no", _("not set up")), ("missing", _("required, and not set up"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "yes":
                return queryset.filter(HAS_ONE)
            case "no":
                return queryset.exclude(HAS_ONE)
            case "missing":
                active = User.objects.filter(is_active=True)
                return queryset.filter(pk__in=second_factor.who_lacks_one(list(active)))
        return queryset


class SecondFactorAdmin(admin.ModelAdmin):
    """Shows whether a person has a second factor, and resets it for editors who may set the password of that person."""

    def has_more(self, request: HttpRequest, person: Any) -> bool:
        """Return whether a person may do or see something that the editor may not."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.show_factors)
        return [path("<id>/second-factor/", page, name="auth_user_second_factor"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        people: QuerySet = super().get_queryset(request).annotate(has_second_factor=HAS_ONE)
        return people

    @admin.display(description=_("second factor"), boolean=True, ordering="has_second_factor")
    def has_second_factor(self, person: Any) -> bool:
        return bool(person.has_second_factor)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        person = context.get("original")
        context["may_reset"] = person is not None and self.has_change_permission(request, person)
        return super().render_change_form(request, context, *args, **kwargs)

    def show_factors(self, request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002 (as Django names it beside)
        """Show which second factors a person has, ask whether to remove them, and do so."""
        person = changeable(self, request, id)
        why_not = self._why_not_reset(request, person)
        back = reverse("admin:auth_user_change", args=[person.pk])
        if request.method == "POST" and not why_not:
            self._reset(request, person)
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Second factor of %(user)s") % {"user": person},
            "opts": self.opts,
            "person": person,
            "factors": Authenticator.objects.filter(user=person, type__in=second_factor.FACTORS).order_by("created_at"),
            "is_required": second_factor.is_required_of(person),
            "why_not": why_not,
            "back": back,
        }
        return TemplateResponse(request, "admin/auth/user/second_factor.html", context)

    def _why_not_reset(self, request: HttpRequest, person: Any) -> str:
        if person.pk == request.user.pk:
            return gettext("You change your own with “Second factor” in the menu of the reports.")
        if self.has_more(request, person):
            return gettext("%(user)s may do or see more than you. Ask a superuser to reset it.") % {"user": person}
        if not second_factor.has(person):
            return gettext("There is nothing to reset.")
        return ""

    def _reset(self, request: HttpRequest, person: Any) -> None:
        with transaction.atomic():
            second_factor.forget(person, f"user {request.user.pk}")
            self.log_change(request, person, [history.change(gettext("Second factor reset"))])
        text = gettext("The second factor of %(user)s was removed, and all their sessions have ended.")
        self.message_user(request, text % {"user": person}, messages.SUCCESS)
