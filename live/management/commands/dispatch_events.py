"""manage.py dispatch_events: sends events of calls to other systems. Runs as a separate process."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand

from live.dispatch.dispatcher import Dispatcher


class Command(BaseCommand):
    help = "Sends events to the endpoints that are on, until stopped. If it runs several times, one process works."
    # They would load all pages. They are run by `manage.py check`, and by other commands.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        dispatcher = Dispatcher()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: dispatcher.stop())
        dispatcher.run()
