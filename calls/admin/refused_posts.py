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
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from calls import access_keys, phones, posts
from calls.admin.base import ReadOnlyAdmin, exactly, may_issue_keys
from calls.ingest import intake, replay
from calls.models import DestinationNumber, Reason, RefusedPost, SenderPolicy

# What each reason means.
WHY = {
    Reason.UNKNOWN_NUMBER: _("The post names a number that is not among the numbers here."),
    Reason.UNKNOWN_KEY: _("The number is known, but no number here has the access key of this post."),
    Reason.KEY_OVER: _("The access key is one of this number, but it had expired, was revoked or was not yet valid."),
    Reason.KEY_OF_ANOTHER: _("The access key admits posts for another number, not for this one."),
    Reason.NO_KEY: _("The post has no access key."),
    Reason.NO_NUMBER: _("The post names no number, and its access key admits posts for several."),
    Reason.FOREIGN_ADDRESS: _("The post came from an address that is not listed as a sender's address."),
    Reason.BAD_POST: _("The post has no requestType or no variables."),
    Reason.BAD_JSON: _("The body of the post is not valid JSON."),
    Reason.TOO_LARGE: _("The post is larger than 64 KiB."),
    Reason.MEDIA_TYPE: _("The post was not sent as JSON, or its body was compressed."),
}
# What the fix page does about each reason that can be fixed from here.
FIXES = {
    Reason.UNKNOWN_NUMBER: _("Add this number, and admit the key"),
    Reason.UNKNOWN_KEY: _("Admit the key for this number"),
    Reason.KEY_OF_ANOTHER: _("Admit the key for this number"),
    Reason.KEY_OVER: _("Let the key go on for 14 days"),
    Reason.FOREIGN_ADDRESS: _("List this address"),
}
# What to do about each reason.
ADVICE = {
    Reason.UNKNOWN_NUMBER: _(
        "If the number is yours, check its digits and add it. If it is not, nothing needs to be done."
    ),
    Reason.UNKNOWN_KEY: _(
        "If the post is from TENIOS, admit its key, or enter the number's own key in TENIOS, in each of the five boxes."
    ),
    Reason.KEY_OVER: _(
        "Let the key go on for 14 days, and enter the newest key in TENIOS meanwhile. A revoked key stays revoked: "
        "issue a new one."
    ),
    Reason.KEY_OF_ANOTHER: _(
        "If both numbers share this key, admit it for this one too. If not, enter the number's own key in TENIOS."
    ),
    Reason.FOREIGN_ADDRESS: _(
        "If TENIOS posts from this address, list it. Behind a proxy, check the address of the client first."
    ),
    Reason.NO_KEY: _("Enter the number's access key in TENIOS, in each of the five boxes."),
    Reason.NO_NUMBER: _("Have TENIOS send destination_number, or issue each number a key of its own."),
    Reason.BAD_POST: _("TENIOS sends both with every call. Check who else posts to this address."),
    Reason.BAD_JSON: _("Check whether a proxy changes posts, and who else posts to this address."),
    Reason.TOO_LARGE: _("Name fewer variables in the routing plan."),
    Reason.MEDIA_TYPE: _(
        "TENIOS sends application/json. Check whether a proxy changes posts, and who else posts to this address."
    ),
}


NO_NUMBER = _("The text is not a whole phone number and cannot be added as one: correct it where it is entered.")


def can_be_added(post: RefusedPost) -> bool:
    """Return whether the number that a post names is valid and could be added."""
    return phones.e164(post.destination_number) == post.destination_number


def advice_on(post: RefusedPost) -> Any:
    """Return the text that says what to do about a refused post."""
    return NO_NUMBER if post.reason == Reason.UNKNOWN_NUMBER and not can_be_added(post) else ADVICE[Reason(post.reason)]


def label_of_fix(post: RefusedPost) -> Any:
    """Return the label of the fix that is offered for a refused post; None if there is none."""
    if post.replayed_at is not None or (post.reason == Reason.FOREIGN_ADDRESS and post.address is None):
        return None
    if post.reason == Reason.UNKNOWN_NUMBER and not can_be_added(post):
        return None
    return FIXES.get(Reason(post.reason))


def numbers_meant_by(post: RefusedPost) -> list[DestinationNumber]:
    """Return the numbers here that a post for an unknown number may mean."""
    if post.reason != Reason.UNKNOWN_NUMBER or post.replayed_at is not None or not post.can_be_replayed:
        return []
    return DestinationNumber.objects.meant_by(post.destination_number)


def count_for(number: DestinationNumber) -> str:
    return gettext("Count for %(number)s") % {"number": number}


class ReplayedFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("not counted")), ("counted", _("counted since"))]

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
    # Whether the posts name another number but mean this one.
    is_meant: bool = False

    @property
    def concerned(self) -> QuerySet[RefusedPost]:
        """The posts that wait for the same fix."""
        waiting = RefusedPost.objects.waiting()
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
            return f"Listed {self.post.address}."
        number = self.number
        if number is None and form is not None:
            number = form.save(commit=False)
            number.e164 = self.post.destination_number
            number.full_clean()
            number.save()
        if number is None:
            raise ValidationError(gettext("The number is not there any more."))
        since = min(self.concerned.values_list("received_at", flat=True), default=self.post.received_at)
        access_keys.admit_key(number, self.post.fingerprint, since=since)
        if self.is_meant:
            return (
                f"Counted posts for {self.post.destination_number} as posts for {number.e164}, and admitted their key."
            )
        return "Admitted the key that refused posts came with."


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
        "pretty_payload",
    ]
    readonly_fields = ["number", "first_received", "received", "counted", "pretty_payload"]

    @admin.display(description=_("last received"))
    def received(self, post: RefusedPost) -> str:
        return exactly(post.last_received_at)

    @admin.display(description=_("first received"))
    def first_received(self, post: RefusedPost) -> str:
        return exactly(post.received_at)

    @admin.display(description=_("counted since"))
    def counted(self, post: RefusedPost) -> str:
        return exactly(post.replayed_at)

    @admin.display(description=_("number"))
    def number(self, post: RefusedPost) -> str:
        return phones.readable(post.destination_number) if post.destination_number else "-"

    @admin.display(description=_("body"))
    def pretty_payload(self, post: RefusedPost) -> str:
        if not post.body:
            return "-"
        return format_html("<pre>{}</pre>", posts.pretty(post.body))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        condition = Q(destination_number__icontains=term)
        if e164 := phones.e164(term):
            condition |= Q(destination_number=e164)
        return queryset.filter(condition), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "destination_number" or super().lookup_allowed(lookup, value, request)

    def get_urls(self) -> list[URLPattern]:
        return [
            path("<int:pk>/mend/", self.admin_site.admin_view(self.mend_view), name="calls_refusedpost_mend"),
            *super().get_urls(),
        ]

    def has_mend_permission(self, request: HttpRequest) -> bool:
        return may_issue_keys(request)

    @admin.action(description=_("Take again, and count"), permissions=["mend"])
    def replay(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._replay(request, queryset)

    def _replay(self, request: HttpRequest, queryset: QuerySet, meant: DestinationNumber | None = None) -> None:
        try:
            result = replay.replay(queryset, meant)
        except replay.ReplayError as error:
            self.message_user(request, f"{error} {gettext('Try again in a minute.')}", messages.ERROR)
            return
        if result.taken:
            text = ngettext(
                "%(posts)d post is taken now, and will be counted within seconds.",
                "%(posts)d posts are taken now, and will be counted within seconds.",
                result.taken,
            )
            self.message_user(request, text % {"posts": result.taken}, messages.SUCCESS)
        if result.refused:
            text = ngettext(
                "%(posts)d post is still refused: its page says why.",
                "%(posts)d posts are still refused: their pages say why.",
                result.refused,
            )
            self.message_user(request, text % {"posts": result.refused}, messages.WARNING)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        post: RefusedPost = context["original"]
        context["why"] = WHY[Reason(post.reason)]
        if post.replayed_at is None:
            context["advice"] = advice_on(post)
            context["meant"] = numbers_meant_by(post)
        if may_issue_keys(request):
            context["mend"] = label_of_fix(post)
            context["counts"] = [(number.pk, count_for(number)) for number in context.get("meant", [])]
        return super().render_change_form(request, context, *args, **kwargs)

    def mend_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for confirmation, apply the fix, and replay all posts that waited for it."""
        if not may_issue_keys(request):
            raise PermissionDenied
        post = get_object_or_404(RefusedPost, pk=pk)
        back = reverse("admin:calls_refusedpost_change", args=[pk])
        meant = numbers_meant_by(post)
        number = next((number for number in meant if str(number.pk) == request.GET.get("number")), None)
        is_meant = number is not None
        title = count_for(number) if number else label_of_fix(post)
        if title is None:
            self.message_user(request, gettext("There is nothing to mend here any more."), messages.WARNING)
            return HttpResponseRedirect(back)
        number = number or DestinationNumber.objects.filter(e164=post.destination_number).first()
        fix = Fix(post, number, is_meant)
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
        return TemplateResponse(request, "admin/calls/refusedpost/mend.html", context)
