"""The WSGI application of the web processes."""

import logging
import os
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config.shares import Guard, Shares, quiet
from config.warming import warm_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django = get_wsgi_application()
warm_up()  # before the process accepts a connection

for handler in logging.getLogger("_granian").handlers:  # the loggers below it use these handlers
    handler.addFilter(quiet)
guarded = Guard(django, Shares(settings.WEB_THREADS))


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Django behind config.shares. Answers 400 if Django fails on a header before it has created a request."""
    try:
        return guarded(environ, start_response)
    except (LookupError, ValueError):  # an encoding that does not exist, named by a Content-Type
        headers = {"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        start_response("400 Bad Request", list(headers.items()))
        return [b'{"error":"bad_header"}']
