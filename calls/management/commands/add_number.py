"""manage.py add_number: creates or updates a number; a new one gets an access key, which is printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.audit.commands import note_command
from calls import access_keys, keys, phones
from calls.models import DestinationNumber


class Command(BaseCommand):
    help = "Adds a number and prints its access key once. An existing number is updated."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", help="in any spelling: 0221 4710300, +49 221 4710300")
        parser.add_argument("--label", help="name of the number")
        parser.add_argument("--key", help="an access key that is already set in TENIOS; without it, a key is created")
        parser.add_argument(
            "--expects-forward",
            choices=["yes", "no"],
            help="no if the number only plays announcements or records voicemail",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            e164 = phones.parse(options["number"])
        except phones.NotANumber as error:
            raise CommandError(str(error)) from error
        number = DestinationNumber.objects.filter(e164=e164).first()
        is_new = number is None
        number = number or DestinationNumber(e164=e164)
        if options["label"] is not None:
            number.label = options["label"]
        if options["expects_forward"] is not None:
            number.expects_forward = options["expects_forward"] == "yes"
        try:
            with transaction.atomic():  # no number is created if its key cannot be used
                number.full_clean()
                number.save()
                wanted = is_new or options["key"] is not None
                issued = self.issue(number, options["key"]) if wanted else None
                self.note(number, issued, is_new=is_new)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.report(number, issued, is_new=is_new, brought=options["key"] is not None)

    def note(self, number: DestinationNumber, issued: str | None, *, is_new: bool) -> None:
        key = f"…{issued[-4:]}" if issued else None
        settings_of_it = {"label": number.label, "expects_forward": number.expects_forward}
        note_command("add_number", number=number.e164, is_new=is_new, new_key=key, **settings_of_it)

    def issue(self, number: DestinationNumber, brought: str | None) -> str | None:
        """Issue the number's key and return it; None if the given key is live already."""
        if brought is not None:
            if not brought.strip():
                raise CommandError("The access key is empty. Omit --key to create one.")
            known = number.access_keys.filter(fingerprint=keys.fingerprint(brought.strip())).first()
            if known is not None and known.is_live():
                return None
        return access_keys.issue_key(number, access_key=brought or "")

    def report(self, number: DestinationNumber, issued: str | None, *, is_new: bool, brought: bool) -> None:
        self.stdout.write(f"{'Added' if is_new else 'Updated'} {number}.")
        if issued is None:
            if brought:
                self.stdout.write("This access key is already active for this number.")
            return
        self.stdout.write(f"Access key: {issued}")
        address = (settings.PUBLIC_URL or "https://<this installation>") + settings.POSTS_PATH
        self.stdout.write(
            "The key is not shown again. In TENIOS, open the routing plan of this number and tick the five boxes.\n"
            f"Enter this key in each of them, and the address {address}"
        )
        if brought and keys.is_weak(issued):
            self.stderr.write(
                f"This key is shorter than the recommended {keys.ADVISED_LENGTH} characters. "
                "Replace it with a new key when you can."
            )
