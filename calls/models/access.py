"""The model of access: which person may see what of which number, and until when."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls import querysets
from calls.access import Right
from calls.models.numbers import DestinationNumber


class NumberAccess(models.Model):
    """What one person may see of one number, or of all numbers. A row without further rights shows figures.

    A person may have a row for all numbers and rows for single numbers; the rights of both apply."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="number_access",
        verbose_name=_("user"),
        db_index=False,  # number_access_once begins with it
    )
    destination_number = models.ForeignKey(
        DestinationNumber,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="access",
        verbose_name=_("number"),
        help_text=_("Leave blank for all numbers, including those that are added later."),
    )
    calls = models.BooleanField(
        _("single calls"), default=False, help_text=_("The list of calls and single calls, with masked caller numbers.")
    )
    callers = models.BooleanField(
        _("callers, shown one by one, and their contacts"),
        default=False,
        help_text=_(
            "Callers are masked. The person can have the caller of one call shown for a reason, search for callers and "
            "see their contacts. Needs single calls."
        ),
    )
    people = models.BooleanField(
        _("destinations and figures of single people"),
        default=False,
        help_text=_("To whom calls were forwarded, and who answered. Without it, only the type is shown."),
    )
    export = models.BooleanField(
        _("downloads of single calls"), default=False, help_text=_("Files with one row per call. Needs single calls.")
    )
    until = models.DateField(
        _("until"), null=True, blank=True, help_text=_("The last day of access. Leave blank for access without an end.")
    )
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("granted by"),
    )
    granted_at = models.DateTimeField(_("granted at"), default=timezone.now, editable=False)

    objects = querysets.NumberAccessQuerySet.as_manager()

    class Meta:
        verbose_name = _("access to a number")
        verbose_name_plural = _("access to numbers")
        constraints = [
            # Also answers: what may this user see?
            models.UniqueConstraint(
                name="number_access_once",
                fields=["user", "destination_number"],
                nulls_distinct=False,
                violation_error_message=_("This user already has access to this number. Change that access instead."),
            ),
            models.CheckConstraint(
                name="number_access_needs_calls",
                condition=Q(calls=True) | Q(callers=False, export=False),
                violation_error_message=_("Callers and downloads of single calls need single calls."),
            ),
        ]

    def __str__(self) -> str:
        name = self.user.get_username()
        if self.destination_number is None:
            return gettext("%(user)s: all numbers") % {"user": name}
        return f"{name}: {self.destination_number}"

    @property
    def rights(self) -> frozenset[Right]:
        """The rights that this row grants while it is in force."""
        return frozenset({Right.FIGURES, *(right for right in Right if getattr(self, right, False))})
