"""The models of look-ups: other systems that are asked who calls, and what they answered a moment ago."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import encryption
from contacts import links, lookup_format

# Headers that are not a key, but belong to the request itself.
_OF_THE_REQUEST = "host|content-length|transfer-encoding|connection|te|trailer|upgrade|cookie|expect|accept-encoding"

validate_header = RegexValidator(
    rf"(?i)\A(?!(?:{_OF_THE_REQUEST})\Z)[a-z0-9!#$%&'*+.^_`|~-]+\Z",
    message=_("Enter the name of a header, such as Authorization or X-Api-Key."),
    code="header",
)
FIELDS = ("name", "company", "customer_number", "url", "note")


def _path(label: Any, help_text: Any = "") -> models.CharField:
    return models.CharField(
        label,
        max_length=lookup_format.LONGEST_EXPRESSION,
        blank=True,
        validators=[lookup_format.check_expression],
        help_text=help_text,
    )


class Lookup(models.Model):
    """Another system that is asked who calls, while it rings: how it is asked and how its answer is read.

    The secret is stored encrypted. Failures are counted by those who ask; after some in a row it rests."""

    name = models.CharField(
        _("name"), max_length=60, unique=True, help_text=_("The text of the link to what was found, such as CRM.")
    )
    is_on = models.BooleanField(
        _("asked while it rings"), default=False, help_text=_("Save and try it first, then switch it on.")
    )
    url = models.CharField(_("address"), max_length=links.LONGEST_ADDRESS, validators=[lookup_format.check_address])
    header_name = models.CharField(
        _("header"),
        max_length=60,
        blank=True,
        validators=[validate_header],
        help_text=_("In which the secret is sent, such as Authorization. Blank if the system needs none."),
    )
    # Encrypted; blank if there is none.
    header_secret = models.TextField(blank=True, editable=False)
    list_path = _path(_("records"), _("Where the list of records is in the answer. Blank if the answer is the list."))
    name_path = _path(_("name of the person"))
    company_path = _path(_("company"))
    customer_number_path = _path(_("customer number"))
    url_path = _path(_("link"), _("To the record in the other system, beginning with https://"))
    note_path = _path(_("note"))
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    rests_until = models.DateTimeField(_("rests until"), null=True, editable=False)
    last_failure = models.TextField(_("last failure"), blank=True, editable=False)

    objects: ClassVar[models.Manager[Lookup]] = models.Manager()

    class Meta:
        verbose_name = _("look-up")
        verbose_name_plural = _("look-ups")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="lookup_is_web", condition=Q(url__regex=r"^https?://")),
            # A secret is never sent without the name of its header.
            models.CheckConstraint(name="lookup_secret_has_header", condition=Q(header_secret="") | ~Q(header_name="")),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def paths(self) -> dict[str, str]:
        """The expression for each field of a record."""
        return {field: getattr(self, f"{field}_path") for field in FIELDS}

    @property
    def secret(self) -> str:
        """The secret in the clear, blank if there is none; raise accounts.encryption.NotReadable."""
        return encryption.decrypt(self.header_secret) if self.header_secret else ""

    def set_secret(self, secret: str) -> None:
        self.header_secret = encryption.encrypt(secret) if secret else ""


class LookupAnswer(models.Model):
    """What a look-up answered about a caller, or that it is being asked. Deleted when it has expired."""

    lookup = models.ForeignKey(Lookup, on_delete=models.CASCADE, related_name="answers", db_index=False)
    caller = models.TextField()
    # The number that was called; blank if the address does not name it.
    number = models.TextField(blank=True)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    is_pending = models.BooleanField(default=True)
    # Null: the caller is not known.
    found = models.JSONField(null=True)

    objects: ClassVar[models.Manager[LookupAnswer]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints = [
            # Who has the row asks, so a caller is asked for once however many people it rings for.
            models.UniqueConstraint(name="lookup_answer_once", fields=["lookup", "caller", "number"]),
        ]
        indexes = [
            # What was answered about a caller?
            models.Index(name="lookup_answer_caller", fields=["caller"]),
            # What has expired?
            models.Index(name="lookup_answer_expires", fields=["expires_at"]),
        ]

    def __str__(self) -> str:
        return str(self.pk)
