"""Numbers, and the pages that issue and rotate their access keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, IntegerField, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts.admin_base import DATE_SCRIPTS
from calls import access_keys, keys, phones, search_keys
from calls.admin.base import (
    MOST_AT_ONCE,
    exactly,
    ids_of,
    may_issue_keys,
    posts_address,
    with_query,
)
from calls.models import BOXES, AccessKey, Call, DestinationNumber


class NumberForm(forms.ModelForm):
    # Room for any spelling; the model makes E.164 of it.
    e164 = forms.CharField(
        label=_("Number"), max_length=100, help_text=_("In any spelling: 0221 4710300, +49 221 4710300.")
    )

    class Meta:
        model = DestinationNumber
        fields = "__all__"  # noqa: DJ007 (the admin's fieldsets name them)
        help_texts = {request_type.lower(): box for request_type, box in BOXES.items()}


class KeyForm(forms.Form):
    """Asks which key: one of ours, or one that stands in TENIOS already."""

    access_key = forms.CharField(
        label=_("Own key"),
        required=False,
        max_length=500,
        help_text=_(
            "Leave empty to have one made. Fill in only a key that stands in TENIOS already: "
            "at least 8 characters, better 20. The same key may serve several numbers."
        ),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off", "class": "vTextField"}
        ),
    )
    # Asked for rarely: folded away.
    FOLDED = ("valid_from", "expires_at")

    # The newest key when the form was opened: sent twice, it issues once.
    newest = forms.IntegerField(widget=forms.HiddenInput)

    def issue(self, number: DestinationNumber) -> str:
        raise NotImplementedError


class IssueKeyForm(KeyForm):
    valid_from = forms.SplitDateTimeField(
        label=_("Valid from"), required=False, widget=AdminSplitDateTime, help_text=_("Empty: from now on.")
    )
    expires_at = forms.SplitDateTimeField(
        label=_("Expires"), required=False, widget=AdminSplitDateTime, help_text=_("Empty: never.")
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
        label=_("Overlap, days"),
        min_value=0,
        max_value=365,
        initial=access_keys.OVERLAP.days,
        help_text=_("How long the keys that are live now go on working. 0 ends them at once."),
    )

    def issue(self, number: DestinationNumber) -> str:
        given = self.cleaned_data
        return access_keys.rotate_key(
            number, access_key=given["access_key"], overlap=timedelta(days=given["overlap_days"])
        )


class HasLiveKey(admin.SimpleListFilter):
    title = _("live key")
    parameter_name = "live_key"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("has one")), ("no", _("has none"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        live = Exists(AccessKey.objects.live_at(timezone.now()).filter(destination_number=OuterRef("pk")))
        if self.value() == "yes":
            return queryset.filter(live)
        return queryset.filter(~live) if self.value() == "no" else queryset


class KeysOfNumber(admin.TabularInline):
    """The number's keys, to be looked at; buttons above issue and rotate them."""

    model = AccessKey
    extra = max_num = 0
    can_delete = False
    verbose_name_plural = _("access keys: up to three live, shown once when issued")
    ordering = ["-created_at", "-pk"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        columns = ["state", "valid_from", "expires_at", "revoked_at", "last_used_at"]
        return [*columns, "revoke"] if may_issue_keys(request) else columns

    get_fields = get_readonly_fields  # type: ignore[assignment]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # who sees the number sees how its keys stand

    @admin.display(description=_("state"))
    def state(self, key: AccessKey) -> str:
        return key.state

    @admin.display(description=_("revoke"))
    def revoke(self, key: AccessKey) -> str:
        return "" if key.revoked_at is not None else revoke_link(key)


def revoke_link(key: AccessKey) -> str:
    address = with_query("admin:calls_accesskey_revoke", key=[key.pk])
    return format_html('<a href="{}">{}</a>', address, gettext("Revoke…"))


@admin.register(DestinationNumber)
class DestinationNumberAdmin(admin.ModelAdmin):
    form = NumberForm
    list_display = ["name", "number", "expects_forward", "live_keys", "manager_count", "last_call_at"]
    list_display_links = ["name", "number"]
    list_filter = ["expects_forward", HasLiveKey, "opening_hours", ("managers", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["search_key", "e164", "customer_number"]
    search_help_text = _("Label, number in any spelling, or customer number")
    filter_horizontal = ["managers"]
    inlines = [KeysOfNumber]
    actions = ["issue_keys", "rotate_keys"]
    fieldsets = [
        (None, {"fields": ["e164", "label", "customer_number"]}),
        (
            _("How calls are judged"),
            {
                "fields": [
                    "expects_forward",
                    "short_call_s",
                    ("service_level_s", "service_level_aim"),
                    "silent_after_h",
                    "opening_hours",
                ],
                "description": _(
                    "A change counts the whole history of the number again, unless it is of the aim alone."
                ),
            },
        ),
        (
            _("Boxes ticked in TENIOS"),
            {
                "fields": [request_type.lower() for request_type in BOXES],
                "description": _(
                    "Each of the five posts is a box of its own in the routing plan. Automatic counts on a post from "
                    "the first one that arrives; off shows what rests on it as not measured."
                ),
            },
        ),
        (_("Who sees its reports"), {"fields": ["managers"]}),
    ]

    class Media:
        js = DATE_SCRIPTS  # for the pages that issue and rotate keys

    def get_queryset(self, request: HttpRequest) -> Any:
        live = (
            AccessKey.objects.live_at(timezone.now())
            .filter(destination_number=OuterRef("pk"))
            .order_by()
            .values("destination_number")
            .annotate(number_of=Count("pk"))
        )
        managed: Any = DestinationNumber.managers.through
        managing = (
            managed.objects.filter(destinationnumber=OuterRef("pk"))
            .values("destinationnumber")
            .annotate(number_of=Count("pk"))
        )
        newest = Call.objects.filter(destination_number=OuterRef("pk")).order_by("-first_post_at", "-id")
        numbers = super().get_queryset(request)
        return numbers.annotate(
            live_keys=Coalesce(Subquery(live.values("number_of")), 0),
            manager_count=Coalesce(Subquery(managing.values("number_of")), 0),
            last_call_at=Subquery(newest.values("first_post_at")[:1]),
        )

    @admin.display(description=_("name"), ordering="search_key")
    def name(self, number: DestinationNumber) -> str:
        return number.name

    @admin.display(description=_("number"), ordering="e164")
    def number(self, number: DestinationNumber) -> str:
        return number.readable

    @admin.display(description=_("live keys"), ordering="live_keys")
    def live_keys(self, number: Any) -> Any:
        return number.live_keys

    @admin.display(description=_("managers"), ordering="manager_count")
    def manager_count(self, number: Any) -> Any:
        return number.manager_count

    @admin.display(description=_("last call"), ordering="last_call_at")
    def last_call_at(self, number: Any) -> str:
        return exactly(number.last_call_at)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        term = search_term.strip()
        digits = re.sub(r"\D", "", term).lstrip("0")
        found = search_keys.contains("search_key", term) | Q(customer_number__icontains=term)
        if e164 := phones.e164(term):
            found |= Q(e164=e164)
        if digits:
            found |= Q(e164__contains=digits)
        return queryset.filter(found), False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Give a number of seconds, hours or percent the limits of its model: else the form says only `at least 0`."""
        if isinstance(db_field, IntegerField):
            for validator in db_field.validators:
                if isinstance(validator, MinValueValidator):
                    kwargs["min_value"] = max(kwargs.get("min_value", 0), validator.limit_value)
                elif isinstance(validator, MaxValueValidator):
                    kwargs["max_value"] = min(kwargs.get("max_value", validator.limit_value), validator.limit_value)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # What has calls is known by its number: another number is another row.
        return ["e164"] if obj is not None and obj.calls.exists() else []

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Go on to the number's key: without one, no post of it is taken."""
        response = super().response_add(request, obj, post_url_continue)
        if "_save" in request.POST and may_issue_keys(request):
            return HttpResponseRedirect(with_query("admin:calls_destinationnumber_issue", number=[obj.pk]))
        return response

    # Deleting: a number with calls stays, and its calls are not gathered to say so.

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        with_calls = [number for number in objs if number.calls.exists()]
        if with_calls:
            protected = [
                gettext("the calls of %(number)s: a number with calls is kept") % {"number": number}
                for number in with_calls
            ]
            return [str(number) for number in with_calls], {}, set(), protected
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        # Keys are never deleted by themselves, but they go with their number.
        return to_delete, counts, lacking - {AccessKey._meta.verbose_name}, protected

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except IntegrityError:
            # Sent twice at once: the second time, the check finds the number and says so on the form.
            return super().add_view(request, form_url, extra_context)

    # Keys

    def get_urls(self) -> list[URLPattern]:
        return [
            path("keys/issue/", self.admin_site.admin_view(self.issue_view), name="calls_destinationnumber_issue"),
            path("keys/rotate/", self.admin_site.admin_view(self.rotate_view), name="calls_destinationnumber_rotate"),
            *super().get_urls(),
        ]

    @admin.action(description=_("Issue keys…"), permissions=["change"])
    def issue_keys(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._with_chosen(request, queryset, "admin:calls_destinationnumber_issue")

    @admin.action(description=_("Rotate keys…"), permissions=["change"])
    def rotate_keys(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._with_chosen(request, queryset, "admin:calls_destinationnumber_rotate")

    def _with_chosen(self, request: HttpRequest, queryset: QuerySet, name: str) -> HttpResponse | None:
        chosen = list(queryset.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            text = gettext("Choose at most %(most)d numbers at once.") % {"most": MOST_AT_ONCE}
            self.message_user(request, text, messages.ERROR)
            return None
        return HttpResponseRedirect(with_query(name, number=chosen))

    @method_decorator(sensitive_post_parameters("access_key"))
    def issue_view(self, request: HttpRequest) -> HttpResponse:
        return self._key_view(
            request, IssueKeyForm, _("Issue an access key"), lambda last4: f"Issued a key that ends in {last4}."
        )

    @method_decorator(sensitive_post_parameters("access_key"))
    def rotate_view(self, request: HttpRequest) -> HttpResponse:
        return self._key_view(
            request, RotateKeyForm, _("Rotate access keys"), lambda last4: f"Rotated to a key that ends in {last4}."
        )

    def _key_view(
        self, request: HttpRequest, form_class: type[KeyForm], title: Any, told: Callable[[str], str]
    ) -> HttpResponse:
        """Ask for the key; then show it, in this one answer and nowhere else (admin_view forbids to store it)."""
        if not may_issue_keys(request):
            raise PermissionDenied
        numbers = list(DestinationNumber.objects.filter(pk__in=ids_of(request, "number")[:MOST_AT_ONCE]))
        if not numbers:
            self.message_user(request, gettext("Choose a number first."), messages.WARNING)
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
                issued = self._issue(request, form, numbers, told)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                brought = form.cleaned_data["access_key"]
                context |= {
                    "title": ngettext("The new access key", "The new access keys", len(issued)),
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
        told: Callable[[str], str],
    ) -> list[tuple[DestinationNumber, str]]:
        """Issue a key for each number, or for none of them."""
        # In the order of ids, so that two who choose the same numbers do not wait for each other for ever.
        ids = [number.pk for number in numbers]
        list(DestinationNumber.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))
        if newest_key_of(numbers) != form.cleaned_data["newest"]:
            raise ValidationError(
                gettext("A key was issued since this page was opened. Open it again if you want another one.")
            )
        issued = []
        for number in numbers:
            access_key = form.issue(number)
            self.log_change(request, number, told(access_key[-4:]))
            issued.append((number, access_key))
        return issued


def newest_key_of(numbers: list[DestinationNumber]) -> int:
    return AccessKey.objects.filter(destination_number__in=numbers).aggregate(newest=Max("pk"))["newest"] or 0
