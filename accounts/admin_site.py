"""The site of the admin. Its address that leads from an id to a page is as closed as the pages of the admin."""

from __future__ import annotations

from typing import Any

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


class CalltallySite(admin.AdminSite):
    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Return the addresses of Django's site, `r/…` with our own view."""
        ours = path(
            "r/<path:content_type_id>/<path:object_id>/", self.admin_view(self.view_on_site), name="view_on_site"
        )
        return [ours if getattr(url, "name", None) == "view_on_site" else url for url in super().get_urls()]

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
