"""Admin pages of refused posts: why they were refused, how to fix the cause, and how to count them afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write
from accounts.moments import NOTHING, exactly
from calls import access_keys, phones, posts
from calls.access import Rights
from calls.admin.base import ReadOnlyAdmin, let_creator_see, may_issue_keys
from calls.admin.refused_advice import WHY, advice_on, count_for, groups_for, label_of_fix, may_fix, numbers_meant_by
from calls.ingest import intake, replay
from calls.masking import masked_payload, variables_of_callers
from calls.models import DestinationNumber, Reason, RefusedPost, Right, SenderPolicy


def content_for(user: Any, post: RefusedPost) -> str:
    """Return the content of a post with its caller masked, and its destination if the user may not see it.

    The destination in a post for a number that is not known here is shown to those who see those of all numbers."""
    rights = Rights.of(user)
    number = DestinationNumber.objects.filter(e164=post.destination_number).first()
    people = rights.may(Right.PEOPLE, number) if number else rights.everywhere(Right.PEOPLE)
    variables = variables_of_callers(number.pk) if number else frozenset()
    return masked_payload(post.body, callers=False, people=people, variables=variables)


class ReplayedFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("not counted")), ("counted", _("counted later"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "waiting":
            return queryset.waiting()
        return queryset.exclude(replayed_at=None) if self.value() == "counted" else queryset


class NewNumberForm(forms.ModelForm):
    class Meta:
        model = DestinationNumber
        fields = ["label"]


@dataclass
class Fix:
    """A fix for the cause of refused posts that is about to be applied."""

    post: RefusedPost
    number: DestinationNumber | None
    user: Any
    # Whether the posts name another number but mean this one.
    is_meant: bool = False

    @property
    def concerned(self) -> QuerySet[RefusedPost]:
        """The posts that wait for the same fix."""
        waiting = RefusedPost.objects.visible_to(self.user).waiting()
        if self.post.reason == Reason.FOREIGN_ADDRESS:
            return waiting.filter(reason=Reason.FOREIGN_ADDRESS, address=self.post.address)
        return waiting.for_number(self.post.destination_number)

    @transaction.atomic
    def do(self, request: HttpRequest, form: NewNumberForm | None) -> str:
        """Apply the fix. Return the message for the admin's log. Raise ValidationError if it cannot be applied."""
        if self.post.reason == Reason.FOREIGN_ADDRESS:
            policy = SenderPolicy.current()
            policy.networks = f"{policy.networks.rstrip()}\n{self.post.address}"
            policy.full_clean(exclude=["id"])
            policy.save()
            return f"Added {self.post.address} to the sender addresses."
        number = self.number
        if number is None and form is not None:
            number = form.save(commit=False)
            number.e164 = self.post.destination_number
            number.full_clean()
            number.save()
            write(Action.OBJECT_ADDED, Subject.of(number), reason="rejected messages")
            let_creator_see(self.user, number)
        if number is None:
            raise ValidationError(gettext("The number was deleted in the meantime."))
        since = min(self.concerned.values_list("received_at", flat=True), default=self.post.received_at)
        access_keys.admit_key(number, self.post.fingerprint, since=since)
        if self.is_meant:
            return "Counted as messages for another number, and accepted their access key."
        return "Accepted the access key of rejected messages."


@admin.register(RefusedPost)
class RefusedPostAdmin(ReadOnlyAdmin):
    list_display = ["received", "reason", "number", "request_type", "count", "address"]
    list_filter = [ReplayedFilter, "reason"]
    search_fields = ["destination_number"]
    search_help_text = _("Number in any spelling")
    ordering = ["-last_received_at", "-pk"]
    sortable_by = ()
    actions = ["replay"]
    fields = [
        "reason",
        "status",
        "number",
        "request_type",
        "address",
        "first_received",
        "received",
        "count",
        "counted",
        "fingerprint",
    ]
    readonly_fields = ["number", "first_received", "received", "counted"]

    def get_queryset(self, request: HttpRequest) -> Any:
        rows: Any = super().get_queryset(request)
        return rows.visible_to(request.user)

    @admin.display(description=_("last received"))
    def received(self, post: RefusedPost) -> str:
        return exactly(post.last_received_at)

    @admin.display(description=_("first received"))
    def first_received(self, post: RefusedPost) -> str:
        return exactly(post.received_at)

    @admin.display(description=_("counted on"))
    def counted(self, post: RefusedPost) -> str:
        return exactly(post.replayed_at)

    @admin.display(description=_("number"))
    def number(self, post: RefusedPost) -> str:
        return phones.readable(post.destination_number) if post.destination_number else NOTHING

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        condition = Q(destination_number__icontains=term)
        if e164 := phones.e164(term):
            condition |= Q(destination_number=e164)
        return queryset.filter(condition), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in {"destination_number", "address"} or super().lookup_allowed(lookup, value, request)

    def get_urls(self) -> list[URLPattern]:
        return [
            path("<int:pk>/mend/", self.admin_site.admin_view(self.fix_view), name="calls_refusedpost_fix"),
            *super().get_urls(),
        ]

    def has_fix_permission(self, request: HttpRequest) -> bool:
        return may_issue_keys(request)

    @admin.action(description=_("Process again"), permissions=["fix"])
    def replay(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._replay(request, queryset)

    def _replay(self, request: HttpRequest, queryset: QuerySet, meant: DestinationNumber | None = None) -> None:
        try:
            result = replay.replay(queryset, meant)
        except replay.ReplayError as error:
            text = gettext("The database is not accepting messages (%(error)s). Try again in a minute.")
            self.message_user(request, text % {"error": error.reason}, messages.ERROR)
            return
        counted = {"taken": result.taken, "refused": result.refused, "for": str(meant) if meant else None}
        write(Action.OBJECT_CHANGED, Subject(self.opts.label_lower), after={"done": ["Processed again."], **counted})
        if result.taken:
            text = ngettext(
                "%(posts)d message was accepted and will be counted within seconds.",
                "%(posts)d messages were accepted and will be counted within seconds.",
                result.taken,
            )
            self.message_user(request, text % {"posts": result.taken}, messages.SUCCESS)
        if result.refused:
            text = ngettext(
                "%(posts)d message was rejected again. Open it to see the reason.",
                "%(posts)d messages were rejected again. Open them to see the reasons.",
                result.refused,
            )
            self.message_user(request, text % {"posts": result.refused}, messages.WARNING)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show above the messages what has to be done about them, once for each reason and number."""
        groups = [] if request.GET else groups_for(request, self.get_queryset(request))
        is_empty = not request.GET and not groups and not self.get_queryset(request).exists()
        return super().changelist_view(request, {**(extra_context or {}), "groups": groups, "is_empty": is_empty})

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        post: RefusedPost = context["original"]
        context["content"] = posts.pretty(content_for(request.user, post)) if post.body else ""
        context["why"] = WHY[Reason(post.reason)]
        if post.replayed_at is None:
            context["advice"] = advice_on(post)
            context["meant"] = numbers_meant_by(post, request.user)
        context["fix"] = label_of_fix(post) if may_fix(request, post) else None
        if may_fix(request, post, is_meant=True):
            context["counts"] = [(number.pk, count_for(number)) for number in context.get("meant", [])]
        return super().render_change_form(request, context, *args, **kwargs)

    def fix_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for confirmation, apply the fix, and replay all posts that waited for it."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        post = get_object_or_404(self.get_queryset(request), pk=pk)
        back = reverse("admin:calls_refusedpost_change", args=[pk])
        meant = numbers_meant_by(post, request.user)
        number = next((number for number in meant if str(number.pk) == request.GET.get("number")), None)
        is_meant = number is not None
        if not may_fix(request, post, is_meant=is_meant):
            raise PermissionDenied
        title = count_for(number) if number else label_of_fix(post)
        if title is None:
            self.message_user(request, gettext("This message needs no action any more."), messages.WARNING)
            return HttpResponseRedirect(back)
        number = number or DestinationNumber.objects.filter(e164=post.destination_number).first()
        fix = Fix(post, number, request.user, is_meant)
        is_new = post.reason == Reason.UNKNOWN_NUMBER and fix.number is None
        form = NewNumberForm(request.POST or None) if is_new else None
        errors: list[str] = []
        if request.method == "POST" and (form is None or form.is_valid()):
            try:
                log_message = fix.do(request, form)
            except ValidationError as error:
                errors = error.messages
            else:
                intake.get_intake().read_again()
                self.log_change(request, post, log_message)
                if is_meant and number:
                    # Not in the history of the message, which people without access to the number may read.
                    named = f"Counted messages for {post.destination_number} as messages for this number."
                    self.log_change(request, number, named)
                self._replay(request, fix.concerned, number if is_meant else None)
                return HttpResponseRedirect(reverse("admin:calls_refusedpost_changelist"))
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": title,
            "post": post,
            "number": number.readable if is_meant and number else self.number(post),
            "named": self.number(post) if is_meant else "",
            "meant": [] if is_meant else meant,
            "posts": sum(fix.concerned.values_list("count", flat=True)),
            "form": form,
            "asked": form.visible_fields() if form else [],
            "errors": errors,
            "back": back,
        }
        return TemplateResponse(request, "admin/calls/refusedpost/fix.html", context)
