"""The process `live` on the database of a test, beside the pages of its live server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

ROOT = Path(__file__).parent.parent.parent
STARTS_WITHIN_S = 30.0


def let_pages_read(settings: Any, pages_port: int) -> int:
    """Return the port after that of the pages, as under `make run`, and let pages read the stream there."""
    port = pages_port + 1
    settings.LIVE_PORT = port
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    origins = ["'self'", f"http://localhost:{port}"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": policy | {"connect-src": origins}}
    return port


@contextmanager
def live_process(settings: Any, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the process at this port."""
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict)
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    keys = {name: getattr(settings, name) for name in ("SECRET_KEY", "ACCESS_KEY_PEPPER")}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "granian", "--interface", "asgi", "--workers-kill-timeout", "2"),
            *("--host", "127.0.0.1", "--port", str(port), "config.live_asgi:application"),
        ],
        cwd=ROOT,
        env=environment | keys | {"DATABASE_URL": url, "LIVE_PORT": str(port)},
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz")
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(address: str) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            assert time.monotonic() < until, "the process live did not start"
            time.sleep(0.05)
        else:
            return
