"""The model of agents: who answers at which destination, and from which day on."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls import phones, posts


def normalised(destination: str, destination_type: str) -> tuple[str, str]:
    """Return destination and type as posts are stored: shortened, phone numbers in E.164."""
    destination, destination_type = posts.bounded(destination), posts.bounded(destination_type)
    if destination_type == posts.EXTERNAL_NUMBER:
        destination = phones.comparable_number(destination)
    return destination, destination_type


class AgentDestination(models.Model):
    """A person who answers at a destination from a day on.

    On a day those answer whose rows have the latest `from_day` that is not after it. So rows of a later day take over
    from all before them; people who go on answering have a row of that day, too. A row without a user says that from
    then on no person with a name here answers there."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,  # figures of earlier days keep their names; users are disabled
        null=True,
        blank=True,
        related_name="agent_destinations",
        verbose_name=_("person"),
        help_text=_("Leave blank if no named person answers there from then on."),
    )
    destination_type = models.TextField("destinationType", blank=True)
    destination = models.TextField("destination")
    from_day = models.DateField(
        _("from"),
        null=True,
        blank=True,
        help_text=_("The first day. Leave blank if they have always answered there."),
    )

    objects: ClassVar[models.Manager[AgentDestination]] = models.Manager()

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")
        # Adding and removing people is changing who answers.
        default_permissions = ("view", "change")
        constraints = [
            # Also answers: who answers at this destination?
            models.UniqueConstraint(
                name="agent_destination_once",
                fields=["destination_type", "destination", "from_day", "user"],
                nulls_distinct=False,
                violation_error_message=_("This person already answers there from this day on."),
            )
        ]

    def __str__(self) -> str:
        return gettext("%(people)s (%(destination)s)") % {
            "people": self.person_name,
            "destination": phones.readable(self.destination),
        }

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.destination, self.destination_type = normalised(self.destination, self.destination_type)
        super().save(*args, **kwargs)

    @property
    def person_name(self) -> str:
        """The name of the person, or *Nobody*."""
        return name_of(self.user)


def name_of(user: Any) -> str:
    """Return the name of a person: first and last name, or else the user name; for None *Nobody*."""
    return str(user.get_full_name() or user.get_username()) if user else gettext("Nobody")
