"""Every page is a frozen dataclass; a view reads the request, has the page built and renders it."""

import dataclasses
import inspect
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from calls.models import Call
from reports import urls
from reports.counting import rollups
from reports.models import Workbook
from reports.views import moved
from reports.views.shared import Page
from tests.factories import make_number, make_staff, take

MOST_LINES = 25


def views():
    """Return the views of reports by the names of their addresses, without those that lead on."""
    return {
        pattern.name: inspect.unwrap(pattern.callback)
        for pattern in urls.urlpatterns
        if pattern.callback.__module__.startswith("reports.views.") and pattern.callback.__module__ != moved.__name__
    }


def addresses():
    """Return the addresses of all pages by name, without files and redirects."""
    call, workbook = Call.objects.get(), Workbook.objects.get()
    arguments = {"call": call.pk, "file": workbook.pk}
    arguments |= {name: call.destination_number.pk for name in views() if re.match(r"number(_|$)", name)}
    by_name = {}
    for pattern in urls.urlpatterns:
        address = str(pattern.pattern)
        if pattern.name in views() and address and not address.endswith((".csv", ".xlsx")):
            before, _, after = address.partition("<")
            by_name[pattern.name] = f"/{before}" + (f"{arguments[pattern.name]}/" if after else "")
    return by_name


def is_page(answer):
    page = answer.context["page"]
    assert isinstance(page, Page), f"{answer.request['PATH_INFO']} passes {type(page)}"
    return dataclasses.is_dataclass(page) and type(page).__dataclass_params__.frozen


@pytest.mark.django_db(transaction=True)
def test_every_page_is_a_frozen_dataclass(client, settings, tmp_path):
    settings.FILES_FOLDER = tmp_path
    user = make_staff()
    client.force_login(user)
    number = make_number()
    assert is_page(client.get("/reports/"))  # before the first call
    take(number, "CALL_START", timezone.now() - timedelta(days=1))
    rollups.recount_changed()
    assert client.post("/reports/files/", {"kind": "counts", "query": ""}).status_code == 302
    pages = addresses()
    assert {
        "overview",
        "number",
        "busy_hours",
        "trend",
        "numbers",
        "forwards",
        "data_quality",
        "glossary",
        "system",
        "file",
        "calls",
        "call",
    } < set(pages)
    for name, address in pages.items():
        answer = client.get(f"{address}?kind=counts" if name == "new_file" else address)
        assert answer.status_code == 200, name
        assert is_page(answer)


def test_no_view_is_longer_than_it_takes_to_read_build_and_render():
    def lines(view):
        source = inspect.getsource(view).splitlines()
        return len(source) - next(n for n, line in enumerate(source) if line.lstrip().startswith("def "))

    by_name = views()
    assert len(by_name) > 25
    assert not {name: lines(view) for name, view in by_name.items() if lines(view) > MOST_LINES}
