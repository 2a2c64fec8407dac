"""A number with three calls, and a person who may download them. Imports that need Django are in the fixtures."""

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, settings):
    """The folder of files of one test."""
    settings.FILES_FOLDER = tmp_path / "files"
    return settings.FILES_FOLDER


@pytest.fixture
def small(monkeypatch):
    """Make every workbook of calls in the background."""
    from reports.views import downloads as views

    monkeypatch.setattr(views, "ROWS_AT_ONCE", 0)


@pytest.fixture
def number():
    from reports.counting import rollups
    from tests.factories import make_number, make_user
    from tests.reports.helpers import ALL_ON, NOON, call

    number = make_number(label="Hotline", managers=[make_user("manager")], **ALL_ON)
    for n in range(3):
        call(number, f"c{n}", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()
    return number


@pytest.fixture
def manager(client, number):
    from django.contrib.auth.models import User

    manager = User.objects.get(username="manager")
    client.force_login(manager)
    return manager
