"""What processes load: memory that each of them would use, and none of them needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Modules that load many others.
PAGES = {"config.urls"}
ADMIN = {"django.contrib.admin.sites"}
CELERY = {"celery", "kombu"}
MODELS = {"calls.models"}
DISPATCHER = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.dispatch_settings"
django.setup()
import live.management.commands.dispatch_events
"""
QUICKSTART = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"  # as a shell may have it
sys.argv[1:] = ["quickstart", "--help"]
import manage; manage.main()
"""
STARTS = "app.loader.init_worker(); app.finalize()"


@pytest.mark.parametrize(
    ("process", "program", "unneeded"),
    [
        ("quickstart", QUICKSTART, CELERY | PAGES | ADMIN | MODELS),
        ("web", "import config.serve, config.wsgi", CELERY),
        ("intake", "import config.intake_wsgi", CELERY),
        ("live", "import config.live_asgi", CELERY | PAGES),
        ("drainer", "import manage; manage.main()", CELERY | PAGES | ADMIN),
        ("dispatcher", DISPATCHER, CELERY | PAGES | ADMIN),
        ("worker", f"from config.celery import app; {STARTS}", PAGES),
        ("beat", f"from config.beat import app; {STARTS}", PAGES | ADMIN | MODELS),
    ],
)
def test_a_process_loads_only_what_it_needs(process, program, unneeded, tmp_path):
    """Runs in a separate process, because the process of the tests has loaded everything."""
    ends = f"import atexit, sys; atexit.register(lambda: print({unneeded} & set(sys.modules)))"
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-c", f"{ends}; {program}", "drain_spool", "--settings=config.intake_settings", "--show"],
        cwd=ROOT,
        env=environment | {"SPOOL_FOLDER": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.endswith("set()\n")) == (0, True), f"{process}: {done.stdout}{done.stderr}"


def test_a_worker_logs_the_hourly_head_of_the_audit():
    """Celery sets the level of all loggers to that of the command line, but not of those with one of their own."""
    program = "import logging, django; from config.celery import app; django.setup(); app.log.setup('WARNING'); "
    asks = "print(*(logging.getLogger(name).isEnabledFor(logging.INFO) for name in ('calltally.audit', 'others')))"
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-c", f"{program}{asks}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True False\n", done.stderr
