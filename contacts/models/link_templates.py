"""The model of link templates: links from a call into another system."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts import links


class ShownWhen(models.TextChoices):
    """How much has to be known of a caller for a link to be shown."""

    ANY = "any", _("always")
    EXACT = "exact", _("the caller is a contact")
    COMPANY = "company", _("only the company is known")
    NOBODY = "nobody", _("the caller is not known")
    TYPED = "typed", _("the caller typed a customer, ticket or order number")


class OpensIn(models.TextChoices):
    """Where a link opens."""

    TAB = "tab", _("the same tab for every call")
    NEW = "new", _("a new tab for each call")


class LinkTemplate(models.Model):
    """A link that is filled in with a call and its contact: it opens the caller's record in a CRM or ERP."""

    name = models.CharField(_("name"), max_length=60, unique=True, help_text=_("The text of the link, such as CRM."))
    url = models.CharField(_("address"), max_length=links.LONGEST_ADDRESS, validators=[links.check])
    shown_when = models.CharField(_("shown when"), max_length=10, choices=ShownWhen.choices, default=ShownWhen.ANY)
    opens_in = models.CharField(_("opens in"), max_length=10, choices=OpensIn.choices, default=OpensIn.TAB)
    position = models.PositiveSmallIntegerField(_("position"), default=1, help_text=_("Links are shown in this order."))

    objects: ClassVar[models.Manager[LinkTemplate]] = models.Manager()

    class Meta:
        verbose_name = _("link template")
        verbose_name_plural = _("link templates")
        ordering = ["position", "name"]
        constraints = [
            models.CheckConstraint(
                name="link_template_shown_when_known", condition=models.Q(shown_when__in=ShownWhen.values)
            ),
            models.CheckConstraint(
                name="link_template_opens_in_known", condition=models.Q(opens_in__in=OpensIn.values)
            ),
            # It becomes a link on pages.
            models.CheckConstraint(name="link_template_is_web", condition=models.Q(url__regex=r"^https?://")),
        ]

    def __str__(self) -> str:
        return self.name
