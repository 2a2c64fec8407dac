"""Invitations by mail: a link with which a person chooses their first password.

A link is valid for PASSWORD_RESET_TIMEOUT, until a password is set or the person is invited again. Its token is in no
path, because proxies log paths, and the page takes it out of the address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from accounts import given_passwords
from accounts.audit.actors import Actor, acting
from accounts.password_forms import RepeatedPassword

# The key in a session of the person who opened a link: the id of the person and the token.
OPENED = "invitation"


def days_valid() -> int:
    """Return for how many days a link is valid."""
    return int(settings.PASSWORD_RESET_TIMEOUT // 86_400)


def invite(person: Any, site: str) -> None:
    """Email a person a link to choose a password; earlier links end. Raise OSError or ValueError if it is not sent."""
    person.set_unusable_password()
    person.save(update_fields=["password"])
    EmailMessage(gettext("Calltally: choose your password"), _text(person, site), to=[person.email]).send()


def _text(person: Any, site: str) -> str:
    query = urlencode({"person": person.pk, "token": default_token_generator.make_token(person)})
    parts = [
        gettext("You have a new account in Calltally. Your user name is %(name)s.") % {"name": person.get_username()},
        ngettext(
            "Choose your password within %(days)d day: %(url)s",
            "Choose your password within %(days)d days: %(url)s",
            days_valid(),
        )
        % {"days": days_valid(), "url": f"{site}{reverse('invitation')}?{query}"},
        gettext("If the link is no longer valid, ask your administrator to invite you again."),
        gettext("If you did not expect this mail, do not open the link, and tell your administrator."),
    ]
    return "\n\n".join(parts) + "\n"


def invited(pk: str, token: str) -> User | None:
    """Return the active person of a valid link; None for any other."""
    person = User.objects.filter(pk=pk, is_active=True).first() if pk.isascii() and pk.isdigit() else None
    is_valid = person is not None and default_token_generator.check_token(person, token)
    return person if is_valid else None


class FirstPasswordForm(RepeatedPassword, SetPasswordForm):
    """Asks twice for a password."""

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:
        user = super().save(commit)
        given_passwords.note_own(user)
        return user


@method_decorator([sensitive_post_parameters(), never_cache], name="dispatch")
class AcceptInvitation(FormView):
    """The page on which who was invited chooses a password."""

    template_name = "registration/accept_invitation.html"
    form_class = FirstPasswordForm
    success_url = reverse_lazy("invitation_accepted")
    person: User | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "token" in request.GET:
            opened = [request.GET.get("person", ""), request.GET["token"]]
            if invited(*opened):
                request.session[OPENED] = opened
                return HttpResponseRedirect(request.path)
        else:
            self.person = invited(*request.session.get(OPENED, ["", ""]))
        if self.person is None:
            return self.render_to_response({"form": None}, status=410)
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"user": self.person}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(person=self.person, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        with acting(Actor.of_request(self.request, self.person)):
            form.save()
        del self.request.session[OPENED]
        return super().form_valid(form)
