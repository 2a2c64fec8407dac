"""What config.serve serves."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Django, but for headers that it stumbles over before it has a request: those are the sender's fault."""
    try:
        return django(environ, start_response)
    except (LookupError, ValueError):  # an encoding that does not exist, named by a Content-Type
        start_response("400 Bad Request", [("Content-Type", "application/json")])
        return [b'{"error":"bad_header"}']
