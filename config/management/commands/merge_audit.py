"""manage.py merge_audit: puts the audit of before a restore together with that of the backup; `restore` runs it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from config import roles


class Command(BaseCommand):
    help = (
        "Puts the audit of before a restore together with that of the backup. Restore runs it; it does no harm twice."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with roles.as_owner():
            merged = import_string("accounts.audit.merging.merge")()
        if merged is None:
            self.stdout.write("There are no entries to put together.")
            return
        self.stdout.write(
            f"The audit has {merged.before} entries of before and {merged.restored} of the backup; "
            f"{merged.carried} were added."
        )
