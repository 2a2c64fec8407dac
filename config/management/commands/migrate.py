"""manage.py migrate: as Django's, but as the owner of the tables; then gives the other roles their rights."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate

from config import roles


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> None:
        # Not only around `handle`: the checks before it ask the database, too.
        with roles.as_owner():
            super().execute(*args, **options)
            roles.give_rights()
