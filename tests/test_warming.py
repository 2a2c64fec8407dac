"""A process has loaded everything that pages share before the first request."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection

from config.warming import warm_up
from tests.factories import make_number, take

ROOT = Path(__file__).parent.parent
# Prints the templates that pages compile and the modules that they import in addition to those of config.wsgi.
ASK_FOR_PAGES = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
from django.conf import settings
settings.STORAGES = settings.STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
import config.wsgi
from django.contrib import admin
from django.contrib.auth.models import User
from django.forms.renderers import get_default_renderer
from django.template import engines
from django.template.base import Template
from django.test import Client
from django.urls import reverse
from calls.models import Call
from reports import urls

ENGINES = [engines["django"].engine, get_default_renderer().engine.engine]

def compiled():
    caches = [loader.get_template_cache for engine in ENGINES for loader in engine.template_loaders]
    return {name for cache in caches for name, found in cache.items() if isinstance(found, Template)}

def imported():
    apps = {"accounts", "calls", "contacts", "live", "reports", "xlsxwriter", "rest_framework"}
    return {name for name in sys.modules if name.split(".")[0] in apps}

call = Call.objects.get()
pages = ["/no/such/page/", f"/reports/calls/{call.pk}/"]
tabs = ("", "waiting/", "by-hour/", "forwarding/", "comparison/", "data/", "all/")
pages += [f"/reports/numbers/{call.destination_number_id}/{tab}" for tab in tabs]
pages += [f"/{pattern.pattern}" for pattern in urls.urlpatterns if "<" not in str(pattern.pattern)]
for model in admin.site._registry:
    pages += [reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_{page}") for page in ("changelist", "add")]
pages += ["/admin/", reverse("admin:calls_destinationnumber_change", args=[call.destination_number_id])]
client = Client()
client.force_login(User.objects.create_superuser("warm"), "django.contrib.auth.backends.ModelBackend")
templates, modules = compiled(), imported()
anonymous = Client().get("/accounts/login/", headers={"host": "127.0.0.1"})
answers = [client.get(page, headers={"host": "127.0.0.1"}).status_code for page in pages]
assert anonymous.status_code == 200 and answers.count(200) > 25 and max(answers) < 500, dict(zip(pages, answers))
print("loaded late:", sorted(compiled() - templates), sorted(imported() - modules))
"""


def run(program):
    """Run code in a separate process on the database of this test; return its output."""
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_it_does_not_query_the_database():
    """This test has no database, so that a query would fail."""
    warm_up()


@pytest.mark.django_db(transaction=True)
def test_no_page_compiles_a_template_or_imports_a_module():
    take(make_number(), "CALL_START", datetime.now(UTC))
    assert run(ASK_FOR_PAGES) == "loaded late: [] []"
