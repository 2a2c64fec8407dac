"""Deletes rows to which other processes add rows at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import QuerySet


@contextmanager
def locked(rows: QuerySet) -> Iterator[None]:
    """Lock rows in a transaction: what others were adding to them is stored by then, and nothing is added until its
    end."""
    with transaction.atomic():
        found = rows.model._base_manager.filter(pk__in=list(rows.values_list("pk", flat=True)))
        list(found.order_by("pk").select_for_update().values_list("pk"))
        yield
