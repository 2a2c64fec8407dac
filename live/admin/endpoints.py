"""Admin pages of endpoints, with one form for each format."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import history
from accounts.admin_base import LockedDeleteAdmin, NoRelatedButtonsAdmin, OfferedFiltersAdmin, WordedHistoryAdmin
from accounts.confirming_admin import ConfirmingAdmin
from accounts.moments import NOTHING, exactly
from live import endpoint_rights
from live.admin.endpoint_forms import MEANT_FOR, EndpointForm
from live.admin.endpoint_pages import EndpointPages
from live.dispatch import formats, stored
from live.models import Delivery, Endpoint, Format


@admin.register(Endpoint)
class EndpointAdmin(
    ConfirmingAdmin, EndpointPages, NoRelatedButtonsAdmin, LockedDeleteAdmin, WordedHistoryAdmin, OfferedFiltersAdmin
):
    """The endpoints of which one sees all numbers. Changing one needs the rights to what its system gets."""

    form = EndpointForm
    audited_by_name = True
    audited_fields = ("name", "format", "shown_address", "all_numbers", "numbers", "events", "caller")
    list_display = ["name", "format", "state", "host", "delivered", "failing"]
    sortable_by = ()
    readonly_fields = ["format", "shown_address", "state", "secret_state", "delivered", "failing"]
    filter_horizontal = ["numbers"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        return endpoint_rights.visible_endpoints(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or endpoint_rights.may_set_up(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and (obj is None or endpoint_rights.may_set_up(request.user, obj))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Endpoints are deleted one by one: each needs rights of its own."""
        return {}

    # --- The form ---------------------------------------------------------------------------------

    def _format(self, request: HttpRequest, obj: Endpoint | None) -> str:
        """Return the format of an endpoint, or the one that the address of a new one names; blank if it names none."""
        if obj is not None:
            return str(obj.format)
        named = request.GET.get("format", "")
        return named if named in formats.FORMATS and named in Format.values else ""

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask for the format first: it decides what else is needed."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if named := self._format(request, None):
            title = gettext("Add endpoint: %(format)s") % {"format": Format(named).label}
            return super().add_view(request, form_url, {"title": title} | (extra_context or {}))
        offered = [
            (Format(name).label, urlencode({"format": name}), MEANT_FOR[Format(name)])
            for name in Format.values
            if name in formats.FORMATS
        ]
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": gettext("Add endpoint"),
            "formats": offered,
        }
        return TemplateResponse(request, "admin/live/endpoint/choose_format.html", context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        of_format = {"editor": request.user, "endpoint_format": self._format(request, obj)}
        return type(made.__name__, (made,), of_format)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        chosen = self._format(request, obj)
        may_change = self.has_change_permission(request, obj) if obj else True
        has_rows, is_signed = formats.of(chosen).has_rows, formats.of(chosen).is_signed
        about = ["name", *(["format", "state", "shown_address"] if obj else []), *(["address"] if may_change else [])]
        if is_signed:
            about += [*(["secret_state"] if obj else [])]
            about += ["secret"] if chosen == Format.PLACETEL and may_change else []
        contents = ["all_numbers", "numbers", "rows" if has_rows else "events", "caller"]
        description = "" if obj else gettext("The format cannot be changed later. Another one is another endpoint.")
        return [
            (None, {"fields": about, "description": description}),
            (gettext("What the system gets"), {"fields": contents}),
            *([(gettext("How it goes"), {"fields": ["delivered", "failing"]})] if obj else []),
        ]

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        """Store what the form changes; how deliveries go is noted by the dispatcher meanwhile."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        changed = ["name", "url", "rows", "caller", "all_numbers", "events"]
        changed += ["secret_encrypted", "previous_secret_encrypted", "previous_until"]
        if form.cleaned_data.get("address"):
            changed += ["failing_since", "last_failure"]
        obj.save(update_fields=changed)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if form.is_narrower:
            stored.narrow(form.instance)

    def delete_model(self, request: HttpRequest, obj: Endpoint) -> None:
        stored.hold_additions()
        super().delete_model(request, obj)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Secrets are named as such, and what they are nowhere."""
        message: list[dict[str, Any]] = super().construct_change_message(request, form, formsets, add)
        if form.instance.made_secret and not add:
            message = [*message, history.change("New secret.")]
        return message

    def response_add(self, request: HttpRequest, obj: Endpoint, post_url_continue: Any = None) -> HttpResponse:
        if obj.made_secret:
            return self.secret_page(request, obj)
        return self.saved(request, obj)

    def response_change(self, request: HttpRequest, obj: Endpoint) -> HttpResponse:
        if obj.made_secret:
            return self.secret_page(request, obj)
        return super().response_change(request, obj)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        endpoint = context.get("original")
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        if endpoint is not None:
            context |= self.tools(request, endpoint)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Say how many deliveries go with it: there may be too many to list."""
        texts = [gettext("%(endpoint)s, with its deliveries") % {"endpoint": endpoint} for endpoint in objs]
        counts = {
            self.opts.verbose_name_plural: len(texts),
            Delivery._meta.verbose_name_plural: Delivery.objects.filter(endpoint__in=objs).count(),
        }
        return texts, counts, set(), []

    # --- What is shown ------------------------------------------------------------------------------

    @admin.display(description=_("address"))
    def shown_address(self, endpoint: Endpoint) -> str:
        return endpoint.shown_address

    @admin.display(description=_("host"))
    def host(self, endpoint: Endpoint) -> str:
        return endpoint.shown_address.split("/")[2]

    @admin.display(description=_("state"))
    def state(self, endpoint: Endpoint) -> str:
        if not endpoint.is_on:
            if not endpoint.why_off:
                return gettext("off")
            text = gettext("switched off by Calltally on %(moment)s: %(why)s")
            return text % {"moment": exactly(endpoint.off_at), "why": endpoint.get_why_off_display()}
        return gettext("on, failing") if endpoint.failing_since else gettext("on")

    @admin.display(description=_("last delivery"))
    def delivered(self, endpoint: Endpoint) -> str:
        return exactly(endpoint.delivered_at)

    @admin.display(description=_("failing since"))
    def failing(self, endpoint: Endpoint) -> str:
        if endpoint.failing_since is None:
            return NOTHING
        values = {"moment": exactly(endpoint.failing_since), "why": endpoint.last_failure}
        return gettext("%(moment)s. The last failure: %(why)s") % values

    @admin.display(description=_("stored secret"))
    def secret_state(self, endpoint: Endpoint) -> str:
        if not endpoint.secret_encrypted:
            return gettext("None")
        if endpoint.previous_signs:
            text = gettext("There is one. It cannot be shown. The one before signs, too, until %(moment)s.")
            return text % {"moment": exactly(endpoint.previous_until)}
        return gettext("There is one. It cannot be shown.")
