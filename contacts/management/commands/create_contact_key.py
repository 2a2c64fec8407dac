"""manage.py create_contact_key: creates a key with which another system writes contacts; it is printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.audit.commands import note_command
from contacts import contact_keys


class Command(BaseCommand):
    help = "Creates a key with which another system writes the contacts of one source, and prints it once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="which system uses the key, for example Odoo")
        parser.add_argument("--source", required=True, help="the source of its contacts, for example crm")

    def handle(self, *args: Any, name: str, source: str, **options: Any) -> None:
        try:
            key = contact_keys.create_key(name, source)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        note_command("create_contact_key", name=name, source=source, key=f"…{key[-4:]}")
        address = settings.PUBLIC_URL or "https://<this installation>"
        self.stdout.write(f"Contact key: {key}")
        self.stdout.write(
            "The key is not shown again. It adds, replaces and removes contacts:\n"
            f"  PUT or DELETE {address}/api/contacts/{source}/<id>, with the header Authorization: Bearer <key>\n"
            f"To revoke it: manage.py revoke_contact_key {name!r}"
        )
