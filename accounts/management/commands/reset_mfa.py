"""manage.py reset_mfa: removes the second factor of a person who lost it, and ends their sessions."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from accounts import second_factor


class Command(BaseCommand):
    help = "Removes app, security keys and recovery codes of a person who lost them, and ends their sessions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the user name")

    def handle(self, *args: Any, name: str = "", **options: Any) -> None:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name}.")
        n = second_factor.forget(user, "reset_mfa")
        if not n:
            self.stdout.write(f"{name} had no second factor. All sessions have ended.")
            return
        self.stdout.write(
            f"Removed the second factor of {name} ({n} entries). All sessions have ended. If one is required, the next "
            "sign-in with the password sets up a new one: make sure that it is the right person who does so."
        )
