"""The model of typed numbers: which variable of a number's messages has what a caller typed, and what it is."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls.models import DestinationNumber
from contacts import links, patterns

LONGEST_VARIABLE = 64


class TypedKind(models.TextChoices):
    """What a typed number is. Contacts are found by customer numbers."""

    CUSTOMER = "customer", _("customer number")
    TICKET = "ticket", _("ticket number")
    ORDER = "order", _("order number")


class TypedNumber(models.Model):
    """A variable of the messages of a number in which callers type a customer, ticket or order number.

    Variables without a row are never shown beside a call that rings, and never sent."""

    destination_number = models.ForeignKey(
        DestinationNumber,
        on_delete=models.CASCADE,
        related_name="typed_numbers",
        verbose_name=_("number"),
        db_index=False,  # typed_number_once begins with it
    )
    variable = models.CharField(
        _("variable"), max_length=LONGEST_VARIABLE, help_text=_("Its name in the messages from TENIOS.")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=TypedKind)
    label = models.CharField(
        _("label"), max_length=40, help_text=_("Shown before the number, for example Ticket in Ticket 4711.")
    )
    pattern = models.CharField(
        _("pattern"),
        max_length=patterns.LONGEST_PATTERN,
        validators=[patterns.check],
        help_text=_(
            "A regular expression that matches the whole number: \\d{4,8} for 4 to 8 digits, [A-Z]{2}\\d+ for two "
            "letters and digits. What does not match is not shown."
        ),
    )
    url = models.CharField(
        _("link"),
        max_length=links.LONGEST_ADDRESS,
        blank=True,
        validators=[links.check_typed],
        help_text=_(
            "Optional: an address such as https://helpdesk.example.com/tickets/{value}, where {value} becomes the "
            "number. It may contain what link templates may contain, too."
        ),
    )

    objects: ClassVar[models.Manager[TypedNumber]] = models.Manager()

    class Meta:
        verbose_name = _("typed number")
        verbose_name_plural = _("typed numbers")
        constraints = [
            # Also answers: what may callers of this number have typed?
            models.UniqueConstraint(
                name="typed_number_once",
                fields=["destination_number", "variable"],
                violation_error_message=_("This variable of the number is already used."),
            ),
            models.CheckConstraint(name="typed_number_kind_known", condition=Q(kind__in=TypedKind.values)),
            # It becomes a link on pages.
            models.CheckConstraint(name="typed_number_url_is_web", condition=Q(url="") | Q(url__regex=r"^https?://")),
        ]

    def __str__(self) -> str:
        # Without the number called, which not everyone may see.
        return gettext("%(label)s (%(variable)s)") % {"label": self.label, "variable": self.variable}
