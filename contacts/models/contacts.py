"""The models of contacts: who callers are."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import MaxLengthValidator, RegexValidator, URLValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls import phones
from calls.models import validate_e164
from calls.models.base import WithSearchKey
from calls.search_keys import search_key

# Characters of each text, also in files and in the API.
LONGEST = {"external_id": 200, "name": 200, "company": 200, "url": 1000, "note": 2000, "customer_number": 60}
LONGEST_LABEL = 60

validate_source = RegexValidator(
    r"\A[a-z0-9][a-z0-9_-]{0,39}\Z",
    message=_("Use up to 40 lower-case letters, digits, - and _, for example crm."),
    code="source",
)


class Contact(WithSearchKey):
    """A person or company that calls.

    The source says which system it comes from, and the external id which record it is there. Both are blank for a
    contact that was entered here."""

    source = models.CharField(
        _("source"),
        max_length=40,
        blank=True,
        validators=[validate_source],
        help_text=_("The system the contact comes from, for example crm. Leave blank if you enter it here."),
    )
    external_id = models.CharField(
        _("id in its source"),
        max_length=LONGEST["external_id"],
        blank=True,
        help_text=_("An update from the source finds it by this id."),
    )
    name = models.CharField(_("name"), max_length=LONGEST["name"], blank=True)
    company = models.CharField(_("company"), max_length=LONGEST["company"], blank=True)
    url = models.CharField(
        _("link"),
        max_length=LONGEST["url"],
        blank=True,
        validators=[URLValidator(schemes=["https", "http"])],
        help_text=_("The address of its record in your CRM or ERP."),
    )
    note = models.TextField(_("note"), blank=True, validators=[MaxLengthValidator(LONGEST["note"])])
    customer_number = models.CharField(_("customer number"), max_length=LONGEST["customer_number"], blank=True)
    important = models.BooleanField(_("important"), default=False)
    updated_at = models.DateTimeField(_("changed"), default=timezone.now, editable=False)

    objects: ClassVar[models.Manager[Contact]] = models.Manager()

    SEARCHED = "name"

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["search_key", "pk"]
        constraints = [
            # Which contact is this record of this source?
            models.UniqueConstraint(
                name="contact_once_per_source",
                fields=["source", "external_id"],
                condition=~Q(external_id=""),
                violation_error_message=_("This source already has a contact with this id."),
            ),
            models.CheckConstraint(
                name="contact_has_a_name",
                condition=~Q(name="", company=""),
                violation_error_message=_("Enter a name or a company."),
            ),
            # It becomes a link on pages.
            models.CheckConstraint(
                name="contact_url_is_web",
                condition=Q(url="") | Q(url__regex=r"^https?://"),
                violation_error_message=_("Enter an address that begins with https://."),
            ),
        ]
        indexes = [
            # The list of contacts, in alphabetical order.
            models.Index(name="contact_search_key", fields=["search_key", "id"]),
            # Whose customer number is this, in upper or lower case?
            models.Index(
                Upper("customer_number"), name="contact_customer_number_folded", condition=~Q(customer_number="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.company})" if self.name and self.company else self.name or self.company

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.updated_at = timezone.now()
        super().save(*args, **kwargs)

    def set_search_key(self) -> None:
        """Update the search key from name and company, unless they were not loaded."""
        if not {"name", "company"} & self.get_deferred_fields():
            self.search_key = search_key_of(self.name, self.company)


def search_key_of(name: str, company: str) -> str:
    """Return the search key of a contact."""
    return search_key(f"{name} {company}".strip())


class ContactNumber(models.Model):
    """A phone number of a contact, in E.164.

    With extensions it is the beginning of all numbers of a company: `+4922147103` for `0221 47103-0` to `-999`."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="numbers", verbose_name=_("contact"))
    e164 = models.CharField(_("number"), max_length=16, validators=[validate_e164], db_collation="C")
    has_extensions = models.BooleanField(
        _("with extensions"),
        default=False,
        help_text=_("All callers whose number begins with this one belong to the contact. Enter it without extension."),
    )
    label = models.CharField(_("label"), max_length=LONGEST_LABEL, blank=True, help_text=_("For example, mobile."))

    objects: ClassVar[models.Manager[ContactNumber]] = models.Manager()

    class Meta:
        verbose_name = _("phone number")
        verbose_name_plural = _("phone numbers")
        # Numbers are changed with their contact.
        default_permissions = ()
        ordering = ["e164", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="contact_number_once",
                fields=["contact", "e164"],
                violation_error_message=_("This contact already has this number."),
            ),
            models.CheckConstraint(
                name="contact_number_is_e164",
                condition=Q(e164__regex=r"^\+[1-9][0-9]{1,14}$"),
                violation_error_message=_("Enter the number with its country code, for example +49 221 4710300."),
            ),
            # A shorter one would be the beginning of the numbers of a whole town.
            models.CheckConstraint(
                name="contact_number_with_extensions_is_long",
                condition=Q(has_extensions=False) | Q(e164__regex=rf"^.{{{phones.FEWEST_DIGITS + 1},}}$"),
                violation_error_message=_("A number with extensions needs at least 7 digits."),
            ),
        ]
        indexes = [
            # Who has this number, or one of the numbers that it begins with? By code points, so also: which begin so?
            models.Index(name="contact_number_e164", fields=["e164"]),
        ]

    def __str__(self) -> str:
        return phones.readable(self.e164)

    @property
    def readable(self) -> str:
        """The number as people write it."""
        return phones.readable(self.e164)
