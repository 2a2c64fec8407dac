"""The commands of Calltally's processes, except the database."""

from __future__ import annotations

import os
import sys

from django.conf import settings

HOST = "127.0.0.1"
THIS_MACHINE = {HOST, "localhost", "[::1]"}


def services(port: int) -> dict[str, list[str]]:
    """Return the commands that `quickstart` runs, by the name of the process."""
    celery = [sys.executable, "-m", "celery", "--quiet", "-A"]
    return {
        "web": _serve("config.wsgi:application", port, settings.WEB_PROCESSES, settings.WEB_THREADS),
        # It needs what the intake needs, and none of the apps of pages.
        "drainer": [
            sys.executable,
            str(settings.BASE_DIR / "manage.py"),
            "drain_spool",
            "--settings=config.intake_settings",
        ],
        # Makes workbooks, one at a time. `quickstart` runs it only while there are any to make.
        "files": [
            *celery,
            "config",
            "worker",
            "--queues=files",
            "--hostname=files",
            "--pool=threads",
            "--concurrency=1",
            "--without-mingle",
            "--without-gossip",
            "--without-heartbeat",
            "--loglevel=WARNING",
        ],
        # The default broker does not support messages between workers.
        "worker": [
            *celery,
            "config",
            "worker",
            "--pool=threads",
            "--concurrency=2",
            "--without-mingle",
            "--without-gossip",
            "--without-heartbeat",
            "--loglevel=WARNING",
        ],
        "beat": [*celery, "config.beat", "beat", "--loglevel=WARNING"],
        "live": live_service(port + 1),
        # `quickstart` runs it only while there is an endpoint.
        "dispatcher": dispatcher_service(),
    }


def intake_service(port: int) -> list[str]:
    """Return the command of the intake process. It runs in production only; with `quickstart`, the web processes
    receive posts."""
    return _serve("config.intake_wsgi:application", port, settings.INTAKE_PROCESSES, settings.INTAKE_THREADS)


def live_service(port: int) -> list[str]:
    """Return the command of the process with the streams of calls that ring. One process serves all streams of a host:
    they mostly wait."""
    return [
        sys.executable,
        "-m",
        "granian",
        "--interface=asgi",
        f"--host={HOST}",
        f"--port={port}",
        "--workers=1",
        # The default would let in as many streams as connections may wait, and let all others wait for ever.
        "--backpressure=10000",
        "--respawn-failed-workers",
        # Streams end by themselves when the process stops; what is left after this time is cut off.
        "--workers-kill-timeout=2",
        "--no-ws",
        "config.live_asgi:application",
    ]


def dispatcher_service() -> list[str]:
    """Return the command of the process that sends events to other systems."""
    manage = str(settings.BASE_DIR / "manage.py")
    return [sys.executable, manage, "dispatch_events", "--settings=config.dispatch_settings"]


def _serve(application: str, port: int, processes: int, threads: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "config.serve",
        "--interface=wsgi",
        f"--host={HOST}",
        f"--port={port}",
        f"--workers={processes}",
        f"--blocking-threads={threads}",
        "--respawn-failed-workers",
        # After a HUP each process is replaced. The old one ends this many seconds after the new one has loaded.
        "--respawn-interval=5",
        "--workers-kill-timeout=5",
        "--no-ws",
        application,
    ]


def preparation_of(port: int) -> list[str]:
    """Return the command that `quickstart` runs before all others."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), "prepare_start", str(port)]


def address(port: int) -> str:
    return f"http://{HOST}:{port}"


def needs_no_factor() -> bool:
    """Return whether no second factor is asked for: only this machine opens the pages, and MFA_REQUIRED is not set."""
    is_shown_elsewhere = settings.BEHIND_HTTPS or settings.PUBLIC_URL or not set(settings.ALLOWED_HOSTS) <= THIS_MACHINE
    return not (os.environ.get("MFA_REQUIRED") or is_shown_elsewhere)
