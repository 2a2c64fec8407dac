"""Admin pages that issue and rotate access keys of numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts.admin_base import DATE_SCRIPTS
from calls import access_keys, key_check, keys
from calls.admin.base import MOST_AT_ONCE, ids_of, may_issue_keys, posts_address, with_query
from calls.models import BOXES, AccessKey, DestinationNumber


class KeyForm(forms.Form):
    """Asks whether to generate a key or to use one that is entered in TENIOS already."""

    access_key = forms.CharField(
        label=_("Use an existing key"),
        required=False,
        max_length=500,
        help_text=_(
            "Leave blank to create a new key. Enter a key only if it is already set in TENIOS. It needs at least "
            "8 characters; 20 or more are recommended. Several numbers can use the same key."
        ),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off", "class": "vTextField"}
        ),
    )
    # Fields that are rarely needed: in a collapsed section.
    FOLDED = ("valid_from", "expires_at")

    # The newest key when the form was opened. A form that is sent twice issues only once.
    newest = forms.IntegerField(widget=forms.HiddenInput)

    def issue(self, number: DestinationNumber) -> str:
        raise NotImplementedError


class IssueKeyForm(KeyForm):
    valid_from = forms.SplitDateTimeField(
        label=_("Valid from"), required=False, widget=AdminSplitDateTime, help_text=_("Leave blank to start now.")
    )
    expires_at = forms.SplitDateTimeField(
        label=_("Expires"),
        required=False,
        widget=AdminSplitDateTime,
        help_text=_("Leave blank if the key does not expire."),
    )

    def issue(self, number: DestinationNumber) -> str:
        given = self.cleaned_data
        return access_keys.issue_key(
            number,
            access_key=given["access_key"],
            valid_from=given["valid_from"],
            expires_at=given["expires_at"],
        )


class RotateKeyForm(KeyForm):
    overlap_days = forms.IntegerField(
        label=_("Keep current keys for (days)"),
        min_value=0,
        max_value=365,
        initial=access_keys.OVERLAP.days,
        help_text=_("The active keys stay valid for this number of days. With 0 they expire at once."),
    )

    def issue(self, number: DestinationNumber) -> str:
        given = self.cleaned_data
        return access_keys.rotate_key(
            number, access_key=given["access_key"], overlap=timedelta(days=given["overlap_days"])
        )


class KeyCheckForm(forms.Form):
    access_key = forms.CharField(
        label=_("Key as it is entered in TENIOS"),
        max_length=500,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off", "class": "vTextField"}
        ),
    )


class KeyPages(admin.ModelAdmin):
    """The part of the numbers' admin that issues, rotates and tests keys."""

    actions = ["issue_keys", "rotate_keys"]

    class Media:
        js = DATE_SCRIPTS

    def get_urls(self) -> list[URLPattern]:
        return [
            path("keys/issue/", self.admin_site.admin_view(self.issue_view), name="calls_destinationnumber_issue"),
            path("keys/rotate/", self.admin_site.admin_view(self.rotate_view), name="calls_destinationnumber_rotate"),
            path("keys/test/", self.admin_site.admin_view(self.test_view), name="calls_destinationnumber_test"),
            *super().get_urls(),
        ]

    @admin.action(description=_("Create keys…"), permissions=["change"])
    def issue_keys(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._with_chosen(request, queryset, "admin:calls_destinationnumber_issue")

    @admin.action(description=_("Replace keys…"), permissions=["change"])
    def rotate_keys(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._with_chosen(request, queryset, "admin:calls_destinationnumber_rotate")

    def _with_chosen(self, request: HttpRequest, queryset: QuerySet, name: str) -> HttpResponse | None:
        chosen = list(queryset.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            text = gettext("Select at most %(most)d numbers at once.") % {"most": MOST_AT_ONCE}
            self.message_user(request, text, messages.ERROR)
            return None
        return HttpResponseRedirect(with_query(name, number=chosen))

    @method_decorator(sensitive_post_parameters("access_key"))
    def issue_view(self, request: HttpRequest) -> HttpResponse:
        return self._key_view(
            request, IssueKeyForm, _("Create access key"), lambda last4: f"Created the access key ending in {last4}."
        )

    @method_decorator(sensitive_post_parameters("access_key"))
    def rotate_view(self, request: HttpRequest) -> HttpResponse:
        return self._key_view(
            request,
            RotateKeyForm,
            _("Replace access keys"),
            lambda last4: f"Replaced the access keys with the one ending in {last4}.",
        )

    @method_decorator(sensitive_post_parameters("access_key"))
    def test_view(self, request: HttpRequest) -> HttpResponse:
        """Say whether messages with a key are accepted for a number. Nothing is sent, stored or counted."""
        if not may_issue_keys(request):
            raise PermissionDenied
        number = DestinationNumber.objects.visible_to(request.user).filter(pk__in=ids_of(request, "number")[:1]).first()
        if number is None:
            self.message_user(request, gettext("Select a number first."), messages.WARNING)
            return HttpResponseRedirect(reverse("admin:calls_destinationnumber_changelist"))
        form = KeyCheckForm(request.POST or None)
        check = key_check.check_key(number, form.cleaned_data["access_key"], request.user) if form.is_valid() else None
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": gettext("Test a key of %(number)s") % {"number": number},
            "number": number,
            "form": KeyCheckForm() if check else form,  # a key is never sent back to the browser
            "check": check,
            "keys": number.access_keys.order_by("-created_at", "-pk"),
            "address": posts_address(request),
        }
        return TemplateResponse(request, "admin/calls/destinationnumber/test_key.html", context)

    def _key_view(
        self, request: HttpRequest, form_class: type[KeyForm], title: Any, log_message: Callable[[str], str]
    ) -> HttpResponse:
        """Ask for the key, then show it in this response only. admin_view forbids browsers to store the response."""
        if not may_issue_keys(request):
            raise PermissionDenied
        chosen = ids_of(request, "number")[:MOST_AT_ONCE]
        numbers = list(DestinationNumber.objects.visible_to(request.user).filter(pk__in=chosen))
        if not numbers:
            self.message_user(request, gettext("Select a number first."), messages.WARNING)
            return HttpResponseRedirect(reverse("admin:calls_destinationnumber_changelist"))
        form = form_class(request.POST or None, initial={"newest": newest_key_of(numbers)})
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": title,
            "numbers": numbers,
            "boxes": BOXES.values(),
            "address": posts_address(request),
            "advised_length": keys.ADVISED_LENGTH,
        }
        if form.is_valid():
            try:
                issued = self._issue(request, form, numbers, log_message)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                brought = form.cleaned_data["access_key"]
                context |= {
                    "title": ngettext("New access key", "New access keys", len(issued)),
                    "issued": issued,
                    "is_weak": bool(brought) and keys.is_weak(brought),
                }
                return TemplateResponse(request, "admin/calls/destinationnumber/new_keys.html", context)
        folded = [field for field in form.visible_fields() if field.name in form.FOLDED]
        context |= {
            "asked": [field for field in form.visible_fields() if field not in folded],
            "folded": folded,
            "unfolded": any(field.errors for field in folded),
        }
        context |= {"form": form, "media": self.media + form.media, "errors": form.errors}
        return TemplateResponse(request, "admin/calls/destinationnumber/key_form.html", context)

    @transaction.atomic
    def _issue(
        self,
        request: HttpRequest,
        form: KeyForm,
        numbers: list[DestinationNumber],
        log_message: Callable[[str], str],
    ) -> list[tuple[DestinationNumber, str]]:
        """Issue a key for each number, or for none of them."""
        # Locked in the order of ids, so that two people who choose the same numbers cannot deadlock.
        ids = [number.pk for number in numbers]
        list(DestinationNumber.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))
        if newest_key_of(numbers) != form.cleaned_data["newest"]:
            raise ValidationError(
                gettext("A key was created after this page was opened. To create another one, reload the page.")
            )
        issued = []
        for number in numbers:
            access_key = form.issue(number)
            self.log_change(request, number, log_message(access_key[-4:]))
            issued.append((number, access_key))
        return issued


def newest_key_of(numbers: list[DestinationNumber]) -> int:
    return AccessKey.objects.filter(destination_number__in=numbers).aggregate(newest=Max("pk"))["newest"] or 0
