"""Admin pages of numbers: the list, and the form with the number's keys."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminRadioSelect
from django.contrib.auth.models import User
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import IntegrityError
from django.db.models import Count, Exists, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import WordedHistoryAdmin
from accounts.moments import to_the_minute
from calls import phones, recounting, search_keys
from calls.admin import access
from calls.admin.base import VisibleAdmin, let_creator_see, may_issue_keys, with_query
from calls.admin.key_pages import KeyPages
from calls.models import BOXES, AccessKey, Call, DestinationNumber

# The fields of a form that decide how calls are counted.
JUDGING = {name.removesuffix("_id") for name in DestinationNumber.JUDGING}


class NumberForm(forms.ModelForm):
    # Long enough for any spelling; the model converts it to E.164.
    e164 = forms.CharField(
        label=_("Number"), max_length=100, help_text=_("In any spelling, for example 0221 4710300 or +49 221 4710300.")
    )

    class Meta:
        model = DestinationNumber
        fields = "__all__"  # noqa: DJ007 (the admin's fieldsets name them)
        help_texts = {request_type.lower(): box for request_type, box in BOXES.items()}


class NewNumberForm(NumberForm):
    """Asks who answers as a choice of two, and for the rest only whom it concerns."""

    expects_forward = forms.BooleanField(
        label=_("Who answers"),
        required=False,
        initial=True,
        widget=AdminRadioSelect(
            choices=[
                (True, _("People: the calls are forwarded to them")),
                (False, _("Announcement only: the calls count as handled automatically")),
            ]
        ),
    )


class HasLiveKey(admin.SimpleListFilter):
    title = _("active key")
    parameter_name = "live_key"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("yes")), ("no", _("no"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        live = Exists(AccessKey.objects.live_at(timezone.now()).filter(destination_number=OuterRef("pk")))
        if self.value() == "yes":
            return queryset.filter(live)
        return queryset.filter(~live) if self.value() == "no" else queryset


class KeysOfNumber(admin.TabularInline):
    """The number's keys, read-only; buttons above the form issue and rotate them."""

    model = AccessKey
    extra = max_num = 0
    can_delete = False
    verbose_name_plural = _("access keys (at most three active)")
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
        return True  # users who may see the number may see the state of its keys

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
class DestinationNumberAdmin(VisibleAdmin, WordedHistoryAdmin, KeyPages):
    number_path = ""
    form = NumberForm
    audited_by_name = True
    audited_fields = (
        *("e164", "label", "customer_number", "expects_forward", "short_call_s", "service_level_s"),
        *("service_level_aim", "silent_after_h", "opening_hours", *(box.lower() for box in BOXES)),
    )
    list_display = ["name", "number", "expects_forward", "live_keys", "people_count", "last_call_at"]
    list_display_links = ["name", "number"]
    list_filter = ["expects_forward", HasLiveKey, "opening_hours"]
    search_fields = ["search_key", "e164", "customer_number"]
    search_help_text = _("Name, number in any spelling, or customer number")
    inlines = [KeysOfNumber]
    boxes: ClassVar = {
        "fields": [request_type.lower() for request_type in BOXES],
        "description": _(
            "Each of the five messages has a box of its own in the routing plan. With “automatic”, figures "
            "are measured from the first message of that type. With “off”, figures that need it are shown "
            "as not measured."
        ),
    }

    def get_queryset(self, request: HttpRequest) -> Any:
        live = (
            AccessKey.objects.live_at(timezone.now())
            .filter(destination_number=OuterRef("pk"))
            .order_by()
            .values("destination_number")
            .annotate(number_of=Count("pk"))
        )
        people = access.in_force(OuterRef("pk")).annotate(
            number_of=Func(F("user"), template="COUNT(DISTINCT %(expressions)s)", output_field=IntegerField())
        )
        newest = Call.objects.filter(destination_number=OuterRef("pk")).order_by("-first_post_at", "-id")
        numbers = super().get_queryset(request)
        return numbers.annotate(
            live_keys=Coalesce(Subquery(live.values("number_of")), 0),
            people_count=Subquery(people.values("number_of")),
            last_call_at=Subquery(newest.values("first_post_at")[:1]),
        )

    @admin.display(description=_("name"), ordering="search_key")
    def name(self, number: DestinationNumber) -> str:
        return number.name

    @admin.display(description=_("number"), ordering="e164")
    def number(self, number: DestinationNumber) -> str:
        return number.readable

    @admin.display(description=_("active keys"), ordering="live_keys")
    def live_keys(self, number: Any) -> Any:
        return number.live_keys

    @admin.display(description=_("people with access"), ordering="people_count")
    def people_count(self, number: Any) -> Any:
        return number.people_count

    @admin.display(description=_("last call"), ordering="last_call_at")
    def last_call_at(self, number: Any) -> str:
        return to_the_minute(number.last_call_at)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        term = search_term.strip()
        digits = re.sub(r"\D", "", term).lstrip("0")
        condition = search_keys.contains("search_key", term) | Q(customer_number__icontains=term)
        if e164 := phones.e164(term):
            condition |= Q(e164=e164)
        if digits:
            condition |= Q(e164__contains=digits)
        return queryset.filter(condition), False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Give number fields the limits of the model's validators; without them, the form says only `at least 0`."""
        if isinstance(db_field, IntegerField):
            for validator in db_field.validators:
                if isinstance(validator, MinValueValidator):
                    kwargs["min_value"] = max(kwargs.get("min_value", 0), validator.limit_value)
                elif isinstance(validator, MaxValueValidator):
                    kwargs["max_value"] = min(kwargs.get("max_value", validator.limit_value), validator.limit_value)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **({"form": NewNumberForm} if obj is None else {}), **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask four things about a new number; the rest has defaults, in a folded section."""
        judging = ["short_call_s", "service_level_s", "service_level_aim", "silent_after_h"]
        if obj is None:
            folded = {"classes": ["collapse"]}
            return [
                (None, {"fields": ["e164", "label", "expects_forward", "opening_hours"]}),
                (_("More settings"), {"fields": ["customer_number", *judging], **folded}),
                (_("Notifications (boxes) in TENIOS"), self.boxes | folded),
            ]
        evaluation = {
            "fields": ["expects_forward", *judging, "opening_hours"],
            "description": SimpleLazyObject(lambda: recounting.before_a_change([obj.pk])),
        }
        return [
            (None, {"fields": ["e164", "label", "customer_number"]}),
            (_("Evaluation of calls"), evaluation),
            (_("Notifications (boxes) in TENIOS"), self.boxes),
        ]

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else super().get_inlines(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Calls belong to the number: a number with calls cannot become another number.
        return ["e164"] if obj is not None and obj.calls.exists() else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            let_creator_see(request.user, obj)
        elif {*form.changed_data} & JUDGING and (said := recounting.after_a_change([obj.pk])):
            self.message_user(request, said, messages.INFO)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        if context["original"] is None:
            context |= {"show_save_and_add_another": False, "show_save_and_continue": False}  # the key comes next
        context["shows_people"] = context["original"] is not None and access.may_view_access(request)
        if context["shows_people"]:
            context["people"] = access.people_of(context["original"])
            context["links_people"] = request.user.has_perm("auth.view_user")
        return super().render_change_form(request, context, *args, **kwargs)

    def sees(self, request: HttpRequest, model: str, pk: Any) -> bool:
        if model == User._meta.label_lower:
            return access.sees_access_of(request, pk)
        return super().sees(request, model, pk)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Redirect to the page that issues a key: without a key, no post for the number is accepted."""
        response = super().response_add(request, obj, post_url_continue)
        if "_save" in request.POST and may_issue_keys(request):
            return HttpResponseRedirect(with_query("admin:calls_destinationnumber_issue", number=[obj.pk]))
        return response

    # Deletion: a number with calls is kept. Its calls are not loaded to find that out.

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        with_calls = [number for number in objs if number.calls.exists()]
        if with_calls:
            protected = [
                gettext("Calls of %(number)s. A number with calls cannot be deleted.") % {"number": number}
                for number in with_calls
            ]
            return [str(number) for number in with_calls], {}, set(), protected
        _related, counted, lacking, protected = super().get_deleted_objects(objs, request)
        # Access and pins are deleted with a number as well. They would tell of people that others may not see.
        told = {str(model._meta.verbose_name_plural) for model in (DestinationNumber, AccessKey)}
        counts = {name: n for name, n in counted.items() if str(name) in told}
        # Keys cannot be deleted on their own, but they are deleted with their number.
        return [str(number) for number in objs], counts, lacking - {AccessKey._meta.verbose_name}, protected

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except IntegrityError:
            # The form was sent twice at the same moment: this time validation finds the number and shows an error.
            return super().add_view(request, form_url, extra_context)
