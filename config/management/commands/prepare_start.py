"""manage.py prepare_start: what `quickstart` does before it starts the other processes.

A process of its own, because tables and models need memory that the one which watches the others would keep."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.utils.module_loading import import_string

from config import first_start, unsaid


class Command(BaseCommand):
    help = "Updates tables and static files, creates a superuser and a first number, and prints how to begin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("port", type=int, help="of the web server")

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        with unsaid.keeping_output(settings.HOME):
            call_command("migrate", verbosity=0, interactive=False)
        first_start.collect_static()
        import_string("live.dispatch.wanted.mark")()
        self.stdout.write(unsaid.output(settings.HOME) + first_start.greeting(port))
