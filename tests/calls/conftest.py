"""Fixtures: a number with a key, a separate intake for tests about what a process caches, a database that is away."""

import pytest


@pytest.fixture
def number():
    """A number with the access key of the tests."""
    from tests.factories import ACCESS_KEY, make_key, make_number

    number = make_number()
    make_key(number, ACCESS_KEY)
    return number


@pytest.fixture
def own_intake(tmp_path, settings, monkeypatch):
    """A separate intake with its own spool, as in a process that has just started."""
    from calls.ingest import intake
    from calls.ingest.spool import open_spool

    settings.SPOOL_FOLDER = tmp_path / "spool"
    own = intake.Intake(open_spool())
    monkeypatch.setattr(intake, "get_intake", lambda: own)
    yield own
    own.close()


@pytest.fixture
def away(own_intake, monkeypatch):
    """Return a function that makes the database unavailable to the intake; it returns a function that undoes this."""
    from django.db import connection

    def back():
        monkeypatch.setitem(connection.settings_dict, "PORT", there)
        connection.close()

    there = connection.settings_dict["PORT"]

    def go():
        own_intake.close()  # its connections would stay open
        monkeypatch.setitem(connection.settings_dict, "PORT", "1")
        return back

    yield go
    back()
