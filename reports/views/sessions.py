"""The page of the sessions in which a person is signed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_http_methods

from accounts import confirming, sessions
from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write
from calls.models import DestinationNumber
from reports.views.shared import Page, page_of, passed_on, personal


@dataclass(frozen=True, kw_only=True)
class SessionsPage(Page):
    """The person's sessions: the one of this browser, and the others, the last used first."""

    this: Any
    others: Sequence[Any]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def own_sessions(request: HttpRequest) -> HttpResponse:
    """List the person's sessions. A POST ends one, or all but this one; first it may ask who the person is."""
    person: Any = request.user
    this: Any = getattr(request, "signed_in_session", None)
    if request.method == "POST":
        if not confirming.is_confirmed(request):
            text = gettext("Nothing was ended, because you had to confirm first that it is you. Do it again.")
            messages.warning(request, text)
            return redirect(confirming.address(request.path))
        ended = sessions.end_chosen(person, request.POST.get("end", ""), this)
        if ended:
            write(Action.SESSIONS_ENDED, Subject.of(person), rows=ended)
        text = ngettext("%(n)d session was ended.", "%(n)d sessions were ended.", ended)
        messages.success(request, text % {"n": ended})
        return redirect("sessions")
    others = [session for session in sessions.of(person) if this is None or session.pk != this.pk]
    page = SessionsPage(this=this, others=others)
    choices = list(DestinationNumber.objects.visible_to(request.user))
    return page_of(request, "reports/sessions.html", page, choices, passed_on(request))
