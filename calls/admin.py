"""Numbers and their access keys, and the posts behind a call. Calls and counts stand in reports.admin."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from calls import issuing, keys, phones
from calls.models import AccessKey, Call, CallEvent, DestinationNumber, RequestType

admin.site.site_title = admin.site.site_header = "Calltally"
admin.site.index_title = _("Numbers, keys and calls")

# Where each of the five boxes stands in TENIOS' portal, in the order in which their posts arrive.
BOXES = {
    RequestType.CALL_START: _("at the start of the plan"),
    RequestType.BLOCK_END: _("after each block"),
    RequestType.INITIATE_FORWARD: _("when a forward starts"),
    RequestType.FORWARD_ANSWER: _("when a forward is answered"),
    RequestType.CALL_END: _("at the end of the plan"),
}
MOST_AT_ONCE = 100


class CappedPaginator(Paginator):
    """Counts no further than it lets people turn pages, so that a list of millions opens as fast as a short one."""

    MOST = 5_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


class ReadOnlyAdmin(admin.ModelAdmin):
    """For what posts and roll-ups write: to be looked at, never changed by hand."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def may_issue_keys(request: HttpRequest) -> bool:
    """Who may change numbers may issue, rotate and revoke their keys."""
    return request.user.has_perm("calls.change_destinationnumber")


def posts_address(request: HttpRequest) -> str:
    """Return the address that TENIOS is given."""
    return (settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}") + "/tenios/posts"


def with_query(name: str, **lists: list[int]) -> str:
    return f"{reverse(name)}?{urlencode(lists, doseq=True)}"


def ids_of(request: HttpRequest, name: str) -> list[int]:
    """Return the ids of a query string, those that can be one."""
    return [int(text) for text in request.GET.getlist(name) if re.fullmatch(r"[0-9]{1,18}", text)]


def printable(text: str) -> str:
    """Return text with what is invisible, turns the line around or cannot be UTF-8 written as an escape."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode() for sign in text
    )


def pretty(payload: str) -> str:
    """Return a stored payload with line breaks and its umlauts."""
    return printable(json.dumps(json.loads(payload), indent=2, ensure_ascii=False))


def exactly(moment: datetime | None) -> str:
    """Return a moment to the second, in the reports' zone."""
    return "-" if moment is None else f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"


# --- Numbers ---------------------------------------------------------------------------------


class NumberForm(forms.ModelForm):
    # Room for any spelling; the model makes E.164 of it.
    e164 = forms.CharField(
        label=_("Number"), max_length=40, help_text=_("In any spelling: 0221 4710300, +49 221 4710300.")
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
        return issuing.issue_key(
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
        initial=issuing.OVERLAP.days,
        help_text=_("How long the keys that are live now go on working. 0 ends them at once."),
    )

    def issue(self, number: DestinationNumber) -> str:
        given = self.cleaned_data
        return issuing.rotate_key(number, access_key=given["access_key"], overlap=timedelta(days=given["overlap_days"]))


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
    list_filter = ["expects_forward", HasLiveKey, ("managers", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["label", "e164", "customer_number"]
    search_help_text = _("Label, number in any spelling, or customer number")
    filter_horizontal = ["managers"]
    inlines = [KeysOfNumber]
    actions = ["issue_keys", "rotate_keys"]
    fieldsets = [
        (None, {"fields": ["e164", "label", "customer_number"]}),
        (
            _("How calls are judged"),
            {
                "fields": ["expects_forward", "short_call_s", "service_level_s", "silent_after_h"],
                "description": _("A change counts the whole history of the number again."),
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

    @admin.display(description=_("name"), ordering="label")
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
        found = Q(label__icontains=term) | Q(customer_number__icontains=term)
        if e164 := phones.e164(term):
            found |= Q(e164=e164)
        if digits:
            found |= Q(e164__contains=digits)
        return queryset.filter(found), False

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


# --- Keys ------------------------------------------------------------------------------------


class KeyState(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("live")), ("expired", _("expired")), ("revoked", _("revoked"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        now = timezone.now()
        if self.value() == "live":
            return queryset.live_at(now)
        if self.value() == "expired":
            return queryset.filter(expires_at__lte=now, revoked_at=None)
        return queryset.filter(revoked_at__lte=now) if self.value() == "revoked" else queryset


@admin.register(AccessKey)
class AccessKeyAdmin(ReadOnlyAdmin):
    """To find a key and revoke it; issued and rotated where its number is."""

    list_display = [
        "ends_in",
        "destination_number",
        "state",
        "valid_from",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ]
    list_filter = [KeyState, "destination_number"]
    list_select_related = ["destination_number"]
    search_fields = ["last4", "destination_number__label", "destination_number__e164"]
    search_help_text = _("The last four characters, or the number")
    fields = [
        "destination_number",
        "ends_in",
        "state",
        "valid_from",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "created_at",
    ]
    readonly_fields = ["ends_in", "state"]
    actions = ["revoke_keys"]
    ordering = ["destination_number", "-created_at", "-pk"]

    @admin.display(description=_("ends in"), ordering="last4")
    def ends_in(self, key: AccessKey) -> str:
        return str(key)

    @admin.display(description=_("state"))
    def state(self, key: AccessKey) -> str:
        return key.state

    def get_urls(self) -> list[URLPattern]:
        return [
            path("revoke/", self.admin_site.admin_view(self.revoke_view), name="calls_accesskey_revoke"),
            *super().get_urls(),
        ]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return may_issue_keys(request)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context["may_revoke"] = may_issue_keys(request)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=_("Revoke keys…"), permissions=["revoke"])
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        chosen = list(queryset.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            text = gettext("Choose at most %(most)d keys at once.") % {"most": MOST_AT_ONCE}
            self.message_user(request, text, messages.ERROR)
            return None
        return HttpResponseRedirect(with_query("admin:calls_accesskey_revoke", key=chosen))

    def revoke_view(self, request: HttpRequest) -> HttpResponse:
        """Ask whether to revoke keys, and do so: posts with them are refused from then on."""
        if not may_issue_keys(request):
            raise PermissionDenied
        chosen = list(
            AccessKey.objects.filter(pk__in=ids_of(request, "key")[:MOST_AT_ONCE], revoked_at=None)
            .select_related("destination_number")
            .order_by("destination_number", "pk")
        )
        numbers = {key.destination_number_id for key in chosen}
        back = (
            reverse("admin:calls_destinationnumber_change", args=[*numbers])
            if len(numbers) == 1
            else reverse("admin:calls_accesskey_changelist")
        )
        if not chosen:
            self.message_user(request, gettext("There is no key left to revoke here."), messages.WARNING)
            return HttpResponseRedirect(back)
        if request.method == "POST":
            self._revoke(request, chosen)
            return HttpResponseRedirect(back)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": ngettext("Revoke this access key?", "Revoke these access keys?", len(chosen)),
            "chosen": chosen,
            "back": back,
        }
        return TemplateResponse(request, "admin/calls/accesskey/revoke.html", context)

    @transaction.atomic
    def _revoke(self, request: HttpRequest, chosen: list[AccessKey]) -> None:
        for key in chosen:
            issuing.revoke_key(key)
            self.log_change(request, key, "Revoked.")
            self.log_change(request, key.destination_number, f"Revoked the key that ends in {key.last4}.")
        told = ngettext("%(count)d key is revoked.", "%(count)d keys are revoked.", len(chosen))
        self.message_user(request, told % {"count": len(chosen)}, messages.SUCCESS)


# --- Events ----------------------------------------------------------------------------------


class KindOfPost(admin.SimpleListFilter):
    title = "requestType"
    parameter_name = "request_type"
    OTHER = "other"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*((kind.value, kind.value) for kind in RequestType), (self.OTHER, _("any other"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == self.OTHER:
            return queryset.exclude(request_type__in=RequestType.values)
        return queryset.filter(request_type=self.value()) if self.value() in RequestType.values else queryset


@admin.register(CallEvent)
class CallEventAdmin(ReadOnlyAdmin):
    list_display = [
        "received",
        "request_type",
        "detail",
        "destination_number",
        "caller_id_number",
        "flags",
        "of_call",
    ]
    list_filter = [KindOfPost]
    list_select_related = ["call"]
    search_fields = ["caller_id_number"]
    search_help_text = _("Caller, in any spelling")
    # Version-7 ids are in the order of receipt, and indexed.
    ordering = ["-ingest_id"]
    sortable_by = ()
    fields = [
        "of_call",
        "received",
        "request_type",
        "block_type",
        "destination",
        "destination_type",
        "destination_number",
        "caller_id_number",
        "customer_number",
        "access_key",
        "flags",
        "pretty_payload",
    ]
    readonly_fields = ["of_call", "received", "pretty_payload"]

    # Calls of one caller whose posts are listed: enough to find one, few enough to stay quick.
    MOST_CALLS = 1_000

    @admin.display(description=_("received"))
    def received(self, event: CallEvent) -> str:
        return exactly(event.received_at)

    @admin.display(description=_("block or destination"))
    def detail(self, event: CallEvent) -> str:
        return event.block_type or event.destination

    @admin.display(description=_("call"))
    def of_call(self, event: CallEvent) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:calls_call_change", args=[event.call_id]), event.call)

    @admin.display(description=_("payload"))
    def pretty_payload(self, event: CallEvent) -> str:
        return format_html("<pre>{}</pre>", pretty(event.payload))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        calls = Call.objects.of_caller(search_term).order_by("-first_post_at").values_list("pk", flat=True)
        return queryset.filter(call__in=list(calls[: self.MOST_CALLS])), False


# --- Users -----------------------------------------------------------------------------------


class ManagerAdmin(UserAdmin):
    """Django's page of users, with the numbers each one manages."""

    readonly_fields = ["managed_numbers"]
    fieldsets = [
        *(UserAdmin.fieldsets or ()),
        (_("Numbers"), {"fields": ["managed_numbers"]}),
    ]

    @admin.display(description=_("manages"))
    def managed_numbers(self, user: User) -> str:
        numbers = format_html_join(
            ", ",
            '<a href="{}">{}</a>',
            (
                (reverse("admin:calls_destinationnumber_change", args=[number.pk]), number)
                for number in user.destination_numbers.all()
            ),
        )
        return numbers or capfirst(gettext("none yet: a number's page says who manages it"))


admin.site.unregister(User)
admin.site.register(User, ManagerAdmin)
