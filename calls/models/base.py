"""Shared by several models: the kinds of posts, and search keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from calls import search_keys


class RequestType(models.TextChoices):
    """The five posts, as TENIOS names them and as we do. Other kinds are stored under the name they came with."""

    CALL_START = "CALL_START", _("Call started")
    BLOCK_END = "BLOCK_END", _("Block ended")
    INITIATE_FORWARD = "INITIATE_FORWARD", _("Forwarding started")
    FORWARD_ANSWER = "FORWARD_ANSWER", _("Forwarding answered")
    CALL_END = "CALL_END", _("Call ended")


# The place of each of the five boxes in TENIOS' portal, in the order in which their posts arrive.
BOXES = {
    RequestType.CALL_START: _("at the start of the plan"),
    RequestType.BLOCK_END: _("after each block"),
    RequestType.INITIATE_FORWARD: _("when a forward starts"),
    RequestType.FORWARD_ANSWER: _("when a forward is answered"),
    RequestType.CALL_END: _("at the end of the plan"),
}


class WithSearchKey(models.Model):
    """A model whose rows are searched and ordered by one of their text fields."""

    # The name of that field.
    SEARCHED: ClassVar[str]

    # Collated by code points: the same order in every database. Blank in rows that an older version wrote.
    search_key = models.TextField(default="", db_default="", blank=True, editable=False, db_collation="C")

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        self.set_search_key()
        if update_fields is not None and self.SEARCHED in update_fields:
            update_fields = {*update_fields, "search_key"}
        super().save(*args, update_fields=update_fields, **kwargs)

    def set_search_key(self) -> None:
        """Update the search key from the text, unless the text was not loaded."""
        if self.SEARCHED not in self.get_deferred_fields():
            self.search_key = search_keys.search_key(getattr(self, self.SEARCHED))
