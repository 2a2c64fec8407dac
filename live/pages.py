"""The pages of rings: My calls with its switches, Why no pop, and the lead time of a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from calls.models import DestinationNumber
from live import lead_time
from live import my_calls as rings
from live.models import LiveProcess, LiveProfile
from live.my_calls import Connections, RingRow
from live.state import LiveState
from reports import permissions
from reports.views.shared import Page, page_of, passed_on, personal


class ProfileForm(forms.ModelForm):
    """How calls are shown to a person."""

    class Meta:
        model = LiveProfile
        fields = ("pops", "notification", "open_at_once", "sound")


@dataclass(frozen=True, kw_only=True)
class MyCallsPage(Page):
    """What rings for the person now, what rang last, and how calls are shown to them."""

    connections: Connections
    form: ProfileForm
    last: Sequence[RingRow]
    # Whether the person may say who answers where.
    maps_people: bool

    @property
    def has_unseen(self) -> bool:
        """Whether any of the last rings was not shown."""
        return rings.are_any(self.last)


@dataclass(frozen=True, kw_only=True)
class WhyPage(Page):
    """Rings that were not shown, each with why and what to do."""

    rows: Sequence[RingRow]
    may_see_all: bool
    is_of_all: bool
    most: int
    wrong_clocks: Sequence[LiveProcess]


@require_safe
@login_required
@personal
def my_calls(request: HttpRequest) -> HttpResponse:
    page = build_my_calls_page(request.user)
    return page_of(request, "live/my_calls.html", page, _choices(request), passed_on(request))


@require_POST
@login_required
@personal
def save_profile(request: HttpRequest) -> HttpResponse:
    """Store the switches of the person."""
    form = ProfileForm(request.POST, instance=LiveProfile.for_user(request.user))
    form.save()
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(reverse("live:my_calls"))


@require_safe
@login_required
@personal
def why(request: HttpRequest) -> HttpResponse:
    page = build_why_page(request.user, of_all=request.GET.get("who") == "all")
    return page_of(request, "live/why.html", page, _choices(request), passed_on(request))


@require_safe
@login_required
@personal
def number_lead_time(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of a number's page about lead time, which htmx adds to it."""
    number = get_object_or_404(DestinationNumber.objects.visible_to(request.user), pk=pk)
    context = {"lead": lead_time.of_number(number, request.user), "days": lead_time.LOOKED_BACK.days}
    return render(request, "live/lead_time.html", context)


def build_my_calls_page(user: Any) -> MyCallsPage:
    """Build the page My calls of a person."""
    return MyCallsPage(
        zone=settings.TIME_ZONE,
        connections=rings.connections_of(user),
        form=ProfileForm(instance=LiveProfile.for_user(user)),
        last=rings.last_rings(user),
        maps_people=permissions.opens_admin(user) and user.has_perm("contacts.change_agentdestination"),
    )


def build_why_page(user: Any, *, of_all: bool) -> WhyPage:
    """Build the page Why no pop; `of_all` counts only for people who may see rings of others."""
    may_see_all = permissions.opens_admin(user) and user.has_perm("live.view_pop")
    of_all = of_all and may_see_all
    return WhyPage(
        zone=settings.TIME_ZONE,
        rows=rings.unseen_rings(user, of_all=of_all),
        may_see_all=may_see_all,
        is_of_all=of_all,
        most=rings.UNSEEN_RINGS,
        wrong_clocks=LiveState.read().wrong_clocks if may_see_all else [],
    )


def _choices(request: HttpRequest) -> list[DestinationNumber]:
    return list(DestinationNumber.objects.visible_to(request.user))
