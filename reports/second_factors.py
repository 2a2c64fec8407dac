"""The line of the page System status that says how many people must set up a second factor and have not done so."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils.translation import gettext, ngettext

from accounts import second_factor
from reports.monitoring import Finding


def finding() -> Finding:
    """Return the line. Until these people have set one up, their password alone lets anybody do it in their place."""
    name = gettext("Second factors")
    if not second_factor.is_asked_for():
        return Finding(name, True, gettext("A password is enough to sign in, because MFA_REQUIRED is none."))
    missing = len(second_factor.who_lacks_one(list(User.objects.filter(is_active=True))))
    if not missing:
        return Finding(name, True, gettext("Everybody of whom a second factor is required has set one up."))
    says = ngettext(
        "%(n)d person has to set up a second factor at the next sign-in. The list of users in the admin has a filter "
        "that shows who it is.",
        "%(n)d people have to set up a second factor at the next sign-in. The list of users in the admin has a filter "
        "that shows who they are.",
        missing,
    )
    return Finding(name, True, says % {"n": missing})
