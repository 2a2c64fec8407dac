"""Admin pages of deliveries: what was sent to endpoints, with which result, sending it again, and showing it for a
reason where it may contain a whole caller."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import confirming
from accounts.moments import NOTHING, exactly
from calls import showing
from calls.admin.base import ReadOnlyAdmin, VisibleAdmin
from calls.models import Right
from live import endpoint_rights
from live.dispatch import stored
from live.dispatch.steps import ANSWER, HANGUP, NEW_CALL
from live.models import Delivery, EventType, State


class EndpointFilter(admin.SimpleListFilter):
    """Offers the endpoints that the person sees."""

    title = _("endpoint")
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(one.pk), one.name) for one in endpoint_rights.visible_endpoints(request.user)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.value()
        return queryset.filter(endpoint=chosen) if chosen in dict(self.lookup_choices) else queryset


class KindFilter(admin.SimpleListFilter):
    """Offers all events, also those that no delivery has."""

    title = _("event")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind) for kind in (*EventType.values, NEW_CALL, ANSWER, HANGUP)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.value()
        return queryset.filter(kind=chosen) if chosen in dict(self.lookup_choices) else queryset


def _asked(reason: str, error: str = "") -> dict[str, Any]:
    """Return what the field for the reason shows."""
    return {"reason": reason, "error": error, "longest_reason": showing.LONGEST_REASON}


@admin.register(Delivery)
class DeliveryAdmin(VisibleAdmin, ReadOnlyAdmin):
    """Deliveries of calls that one sees. What was sent is shown to people who see destinations. Where it may contain a
    whole caller, they need the right to callers, too, and post a reason."""

    needs = Right.CALLS
    number_path = "event__call__destination_number"
    list_display = ["created", "endpoint", "kind", "call", "state", "tries", "status", "took", "next_try"]
    list_filter = [EndpointFilter, "state", KindFilter]
    list_select_related = ["endpoint", "event"]
    ordering = ["-pk"]
    sortable_by = ()
    actions = ["resend"]
    fields = ["endpoint", "kind", "call", "state", "late", "created", "tries", "last_try", "next_try", "status"]
    fields += ["took", "error"]
    readonly_fields = ["call", "late", "created", "last_try", "next_try", "took"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(endpoint__in=endpoint_rights.visible_endpoints(request.user))

    @admin.display(description=_("late"))
    def late(self, delivery: Delivery) -> str:
        """In words: Django's red cross would make a delivery in time look like a failure."""
        return gettext("yes") if delivery.is_late else gettext("no")

    @admin.display(description=_("created"))
    def created(self, delivery: Delivery) -> str:
        return exactly(delivery.created_at)

    @admin.display(description=_("last try"))
    def last_try(self, delivery: Delivery) -> str:
        return exactly(delivery.tried_at)

    @admin.display(description=_("next try"))
    def next_try(self, delivery: Delivery) -> str:
        return exactly(delivery.next_at) if delivery.state == State.WAITING else NOTHING

    @admin.display(description=_("took"))
    def took(self, delivery: Delivery) -> str:
        return NOTHING if delivery.took_ms is None else gettext("%(ms)d ms") % {"ms": delivery.took_ms}

    @admin.display(description=_("call"))
    def call(self, delivery: Delivery) -> str:
        call = delivery.event.call_id
        return format_html('<a href="{}">{}</a>', reverse("call", args=[call]), call)

    # --- Sending again ------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        resend, sent = self.admin_site.admin_view(self.resend_view), self.admin_site.admin_view(self.sent_view)
        return [
            path("<int:delivery>/resend/", resend, name="live_delivery_resend"),
            path("<int:delivery>/sent/", sent, name="live_delivery_sent"),
            *super().get_urls(),
        ]

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("live.change_delivery")

    @admin.action(description=_("Send again (signed webhooks)"), permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        chosen = queryset.count()
        count = self._resend(request, queryset)
        if left := chosen - count:
            text = ngettext(
                "%(n)d delivery is not sent again: it waits already, is in a CTI format, or is from a time when the "
                "endpoint got more.",
                "%(n)d deliveries are not sent again: they wait already, are in a CTI format, or are from a time when "
                "the endpoint got more.",
                left,
            )
            self.message_user(request, text % {"n": left}, messages.WARNING)

    def _resend(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> int:
        resent = list(stored.resendable(queryset))
        count = stored.resend(Delivery.objects.filter(pk__in=[delivery.pk for delivery in resent]))
        for delivery in resent:
            self.log_change(request, delivery, "Sent again.")
        if count:
            text = ngettext("%(n)d delivery is sent again.", "%(n)d deliveries are sent again.", count)
            self.message_user(request, text % {"n": count}, messages.SUCCESS)
        return count

    def resend_view(self, request: HttpRequest, delivery: int) -> HttpResponse:
        """Ask, then send one delivery again."""
        if not self.has_resend_permission(request):
            raise PermissionDenied
        own = self.get_queryset(request).filter(pk=delivery)
        resent = own.select_related("endpoint").first()
        if resent is None:
            raise Http404
        back = reverse("admin:live_delivery_change", args=[delivery])
        if request.method == "POST":
            self._resend(request, own)
            return HttpResponseRedirect(back)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": gettext("Send this delivery again?"),
            "delivery": resent,
            "may_be_sent": stored.resendable(own).exists(),
            "back": back,
        }
        return TemplateResponse(request, "admin/live/delivery/resend.html", context)

    # --- What was sent ------------------------------------------------------------------------------

    def sent_view(self, request: HttpRequest, delivery: int) -> HttpResponse:
        """Ask for a reason, then show what was sent and answered, which may contain a whole caller."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        sent = self.get_queryset(request).select_related("endpoint").filter(pk=delivery).first()
        if sent is None:
            raise Http404
        back = reverse("admin:live_delivery_change", args=[delivery])
        if not stored.may_hold_caller(sent):
            return HttpResponseRedirect(back)
        if not (sent.sees_callers and sent.sees_people):
            raise PermissionDenied
        confirm = "" if confirming.is_confirmed(request) else confirming.address(request.path)
        if request.method == "POST" and confirm:
            showing.keep_reason(request.session, request.path, request.POST.get("reason", ""))
            return HttpResponseRedirect(confirm)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": gettext("What was sent and answered"),
            "delivery": sent,
            "confirm": confirm,
            "back": back,
            "asked": _asked(showing.kept_reason(request.session, request.path)),
        }
        if request.method == "POST":
            context |= self._shown(request, sent)
        return TemplateResponse(request, "admin/live/delivery/sent.html", context)

    def _shown(self, request: HttpRequest, sent: Delivery) -> dict[str, Any]:
        reason = request.POST.get("reason", "")
        try:
            showing.show(sent.event.call, request.user, reason)
        except showing.NotShown as error:
            return {"asked": _asked(reason, str(error))}
        showing.forget_reason(request.session)
        return {"is_shown": True}

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        delivery = context["original"]
        context["may_hold_caller"] = stored.may_hold_caller(delivery)
        context["may_show"] = delivery.sees_people and (delivery.sees_callers or not context["may_hold_caller"])
        resendable = stored.resendable(Delivery.objects.filter(pk=delivery.pk))
        context["can_resend"] = self.has_resend_permission(request) and resendable.exists()
        return super().render_change_form(request, context, *args, **kwargs)
