"""Pages of one endpoint beside its form: a test call, switching on and off, a new secret, sending failed ones again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from accounts.moments import exactly
from live import endpoint_secrets
from live.admin.endpoint_forms import ResendForm, SwitchOnForm
from live.dispatch import formats, made_up, stored
from live.models import Endpoint, Format

# Since when failed deliveries are offered to be sent again, where the endpoint does not say since when it fails.
FAILED_SINCE = timedelta(days=1)


class EndpointPages(admin.ModelAdmin):
    """What may be done with an endpoint needs the permission and the rights to change it."""

    change_form_template = "admin/live/endpoint/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        pages = {"test": self.test_view, "switch": self.switch_view, "secret": self.secret_view}
        pages["resend"] = self.resend_view
        own = [
            path(f"<int:endpoint>/{name}/", self.admin_site.admin_view(view), name=f"live_endpoint_{name}")
            for name, view in pages.items()
        ]
        return [*own, *super().get_urls()]

    def tools(self, request: HttpRequest, endpoint: Endpoint) -> dict[str, Any]:
        """Return what the page of an endpoint offers."""
        may_change = self.has_change_permission(request, endpoint)
        return {
            "may_change": may_change,
            "has_secret": formats.of(endpoint.format).is_signed,
            "can_resend": endpoint.format == Format.WEBHOOK,
            "waiting": stored.waiting(endpoint).count() if endpoint.off_at else 0,
            "off_at": exactly(endpoint.off_at),
        }

    def _endpoint(self, request: HttpRequest, pk: int) -> Endpoint:
        """Return an endpoint that the person may change; an unseen one is answered like a missing one."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        endpoint: Endpoint | None = self.get_queryset(request).filter(pk=pk).first()
        if endpoint is None:
            raise Http404
        if not self.has_change_permission(request, endpoint):
            raise PermissionDenied
        return endpoint

    def _page(self, request: HttpRequest, name: str, endpoint: Endpoint, title: str, **more: Any) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": title,
            "endpoint": endpoint,
            "back": self._address(endpoint),
            **more,
        }
        return TemplateResponse(request, f"admin/live/endpoint/{name}.html", context)

    def _address(self, endpoint: Endpoint) -> str:
        return reverse("admin:live_endpoint_change", args=[endpoint.pk])

    def _done(self, request: HttpRequest, endpoint: Endpoint, said: str, shown: str) -> HttpResponse:
        self.log_change(request, endpoint, said)
        self.message_user(request, shown, messages.SUCCESS)
        return HttpResponseRedirect(self._address(endpoint))

    def saved(self, request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
        """Say of a new endpoint what comes next, on its page."""
        text = gettext("The endpoint is saved. Send a test call now. If it arrives, switch the endpoint on.")
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(self._address(endpoint))

    # --- Test call ----------------------------------------------------------------------------------

    def test_view(self, request: HttpRequest, endpoint: int) -> HttpResponse:
        """Send a made-up call right now, and show how that went."""
        tested = self._endpoint(request, endpoint)
        title = gettext("Test call to %(endpoint)s") % {"endpoint": tested}
        if request.method != "POST":
            return self._page(request, "test", tested, title)
        steps = made_up.send_call(tested)
        self.log_change(request, tested, "Sent a test call.")
        is_well = all(step.tried is None or step.tried.is_delivered for step in steps)
        return self._page(request, "test", tested, title, steps=steps, is_well=is_well)

    # --- On and off ---------------------------------------------------------------------------------

    def switch_view(self, request: HttpRequest, endpoint: int) -> HttpResponse:
        """Ask, then switch an endpoint on or off. What waited is sent or dropped, as the person chooses."""
        switched = self._endpoint(request, endpoint)
        if switched.is_on:
            return self._switch_off(request, switched)
        waiting = stored.waiting(switched).count()
        form = SwitchOnForm(request.POST or None) if waiting else None
        if request.method == "POST" and (form is None or form.is_valid()):
            sends = form is not None and form.cleaned_data["waiting"] == "send"
            count = stored.switch_on(switched, sends_waiting=sends)
            said = "Switched on." if not count else f"Switched on. Deliveries that waited: {count}, "
            if count:
                said += "sent now." if sends else "not sent."
            of_waiting = gettext("The endpoint is on. What waits is sent within a minute.")
            return self._done(request, switched, said, of_waiting if sends else gettext("The endpoint is on."))
        title = gettext("Switch %(endpoint)s on") % {"endpoint": switched}
        more = {"form": form, "waiting": waiting, "off_at": exactly(switched.off_at)}
        return self._page(request, "switch", switched, title, **more)

    def _switch_off(self, request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
        if request.method == "POST":
            stored.switch_off(endpoint)
            return self._done(request, endpoint, "Switched off.", gettext("The endpoint is off."))
        return self._page(request, "switch", endpoint, gettext("Switch %(endpoint)s off") % {"endpoint": endpoint})

    # --- Secret -------------------------------------------------------------------------------------

    def secret_view(self, request: HttpRequest, endpoint: int) -> HttpResponse:
        """Ask, then make a new secret and show it once, or end the previous one now."""
        signing = self._endpoint(request, endpoint)
        if not formats.of(signing.format).is_signed:
            raise Http404
        if request.method == "POST":
            return self._change_secret(request, signing, ends="end" in request.POST)
        overlaps = endpoint_secrets.has_overlap(signing)
        more = {"previous_signs": signing.previous_signs, "overlaps": overlaps}
        title = gettext("New secret of %(endpoint)s") % {"endpoint": signing}
        return self._page(request, "secret", signing, title, until=exactly(signing.previous_until), **more)

    def _change_secret(self, request: HttpRequest, endpoint: Endpoint, *, ends: bool) -> HttpResponse:
        stored_fields = ["secret_encrypted", "previous_secret_encrypted", "previous_until"]
        if ends:
            endpoint_secrets.end_previous(endpoint)
            endpoint.save(update_fields=stored_fields)
            return self._done(request, endpoint, "Ended the old secret.", gettext("The old secret no longer signs."))
        endpoint.made_secret = endpoint_secrets.new_secret(endpoint.format)
        endpoint_secrets.replace(endpoint, endpoint.made_secret, overlaps=True)
        endpoint.save(update_fields=stored_fields)
        self.log_change(request, endpoint, "New secret.")
        return self.secret_page(request, endpoint)

    def secret_page(self, request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
        """Show the secret that was just made, in this answer only. admin_view forbids browsers to store it."""
        title = gettext("Secret of %(endpoint)s") % {"endpoint": endpoint}
        until = exactly(endpoint.previous_until) if endpoint.previous_signs else ""
        return self._page(request, "new_secret", endpoint, title, secret=endpoint.made_secret, until=until)

    # --- Sending again ------------------------------------------------------------------------------

    def resend_view(self, request: HttpRequest, endpoint: int) -> HttpResponse:
        """Ask since when, show how many failed since then, and send them again."""
        resent = self._endpoint(request, endpoint)
        if resent.format != Format.WEBHOOK:
            raise Http404
        first = resent.failing_since or timezone.now() - FAILED_SINCE
        since = timezone.localtime(first).replace(second=0, microsecond=0)
        form = ResendForm(request.POST or None, initial={"since": since})
        count = None
        if request.method == "POST" and form.is_valid():
            failed = stored.failed_since(resent, form.cleaned_data["since"])
            if "send" in request.POST:
                return self._resent(request, resent, stored.resend(failed))
            count = failed.count()
        title = gettext("Send failed deliveries of %(endpoint)s again") % {"endpoint": resent}
        return self._page(request, "resend", resent, title, form=form, count=count)

    def _resent(self, request: HttpRequest, endpoint: Endpoint, count: int) -> HttpResponse:
        shown = ngettext("%(n)d delivery is sent again.", "%(n)d deliveries are sent again.", count) % {"n": count}
        return self._done(request, endpoint, f"Failed deliveries sent again: {count}.", shown)
