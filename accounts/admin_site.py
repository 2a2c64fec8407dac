"""The site of the admin, which pages call *Settings*: its menu, and the frame that its pages share with reports.

Its address that leads from an id to a page is as closed as the pages of the admin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.contrib.contenttypes.models import ContentType
from django.contrib.contenttypes.views import shortcut
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from accounts.moments import NOTHING


@dataclass(frozen=True)
class MenuEntry:
    """A page that the menu leads to. `add_url` is blank for people who may not add a row there."""

    name: str
    url: str
    add_url: str = ""
    is_current: bool = False


@dataclass(frozen=True)
class MenuGroup:
    name: str
    entries: list[MenuEntry]


class CalltallySite(admin.AdminSite):
    site_title = site_header = "Calltally"
    index_title = _("Settings")
    empty_value_display = NOTHING
    enable_nav_sidebar = False  # its place is taken by the menu

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Return the addresses of Django's site, `r/…` with our own view."""
        ours = path(
            "r/<path:content_type_id>/<path:object_id>/", self.admin_view(self.view_on_site), name="view_on_site"
        )
        return [ours if getattr(url, "name", None) == "view_on_site" else url for url in super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add the menu of the settings, and what the frame of reports shows to this person."""
        context = super().each_context(request)
        if not context["has_permission"]:
            return context
        menu = self._menu(request, context["available_apps"])
        current = [entry for group in menu for entry in group.entries if entry.is_current]
        frame: dict[str, Any] = import_string(settings.FRAME_OF_SETTINGS)(request.user)
        return {**context, **frame, "settings_menu": menu, "menu_entry": current[0] if current else None}

    def _menu(self, request: HttpRequest, available_apps: list[Any]) -> list[MenuGroup]:
        """Return the groups of the menu with the entries that the person may open."""
        listed = {model["model"]._meta.label_lower: model for app in available_apps for model in app["models"]}

        def entries(wanted: Any) -> Iterator[MenuEntry]:
            for entry in wanted:
                if isinstance(entry, tuple):
                    yield MenuEntry(str(entry[1]), reverse(entry[0]))
                elif (model := listed.get(entry)) and (url := model["admin_url"] or model["add_url"]):
                    is_current = request.path.startswith(url)
                    yield MenuEntry(str(model["name"]), url, model["add_url"] or "", is_current)

        groups = [MenuGroup(str(name), list(entries(wanted))) for name, wanted in settings.SETTINGS_MENU]
        return [group for group in groups if group.entries]

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """Redirect to the menu, which has no parts for single apps."""
        super().app_index(request, app_label, extra_context)  # Http404 for those who may open nothing of the app
        return redirect("admin:index")

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Lead to the one page for signing in, which asks for the second factor too."""
        if not request.user.is_authenticated:
            asked = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index", current_app=self.name)
            ended = {"ended": 1} if request.GET.get("ended") else None
            return redirect_to_login(asked, reverse("login", query=ended))
        if not self.has_permission(request):
            raise PermissionDenied
        return redirect("admin:index")

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Redirect to the page on which everybody changes their password."""
        return HttpResponseRedirect(reverse("password_change"))

    def view_on_site(self, request: HttpRequest, content_type_id: str, object_id: str) -> HttpResponse:
        """Redirect to the page of an object. For people who may not open it in the admin, it does not exist."""
        try:
            model: Any = ContentType.objects.get(pk=content_type_id).model_class()
            model_admin = self.get_model_admin(model)
        except (ContentType.DoesNotExist, ValueError, NotRegistered) as error:
            raise Http404 from error
        row = model_admin.get_object(request, object_id)
        if row is None or not model_admin.has_view_permission(request, row):
            raise Http404
        return shortcut(request, content_type_id, object_id)
