"""The model of notes that people write about calls."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls.models import Call

LONGEST_TEXT = 2_000


class NoteResult(models.TextChoices):
    """What a conversation led to. How a call ended, such as answered or lost, is its outcome and another thing."""

    RESOLVED = "resolved", _("Resolved")
    CALL_BACK = "call_back", _("Call back")
    PASSED_ON = "passed_on", _("Passed on")
    FOLLOW_UP = "follow_up", _("To be followed up")
    WRONG_NUMBER = "wrong_number", _("Wrong number")
    UNWANTED = "unwanted", _("Unwanted call")


class CallNote(models.Model):
    """A note on a call, with what the conversation led to. Only who wrote it may change it."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="notes", verbose_name=_("call"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,  # notes keep the name of who wrote them; users are disabled
        related_name="call_notes",
        verbose_name=_("person"),
    )
    result = models.CharField(_("result"), max_length=20, choices=NoteResult.choices, blank=True)
    text = models.TextField(_("note"), blank=True, validators=[MaxLengthValidator(LONGEST_TEXT)])
    written_at = models.DateTimeField(_("written"), default=timezone.now, editable=False)
    changed_at = models.DateTimeField(_("changed"), null=True, blank=True, editable=False)

    objects: ClassVar[models.Manager[CallNote]] = models.Manager()

    class Meta:
        verbose_name = _("note on a call")
        verbose_name_plural = _("notes on calls")
        # Written on the page of a call, by people who see it.
        default_permissions = ()
        ordering = ["written_at", "pk"]
        constraints = [
            models.CheckConstraint(name="call_note_says_something", condition=~models.Q(text="", result="")),
            models.CheckConstraint(
                name="call_note_result_known", condition=models.Q(result__in=["", *NoteResult.values])
            ),
        ]

    def __str__(self) -> str:
        # Without the text, which may name a caller: the admin lists what a user wrote before it deletes the user.
        return gettext("note %(pk)s") % {"pk": self.pk}
