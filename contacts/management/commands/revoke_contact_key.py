"""manage.py revoke_contact_key: refuses a key with which another system writes contacts from now on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.audit.commands import note_command
from contacts import contact_keys


class Command(BaseCommand):
    help = "Revokes a key with which another system writes contacts. The contacts stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the name that the key was created with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            was_live = contact_keys.revoke_key(name)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        note_command("revoke_contact_key", name=name)
        self.stdout.write(f"The key {name} is revoked." if was_live else f"The key {name} was revoked already.")
