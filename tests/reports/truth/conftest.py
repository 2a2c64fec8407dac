"""Compares every figure of every page and file with a scripted month, for each user.

scenario.py has the month and expected.py the right figures; html_reader.py reads pages and assertions.py checks them.
The month is loaded once for all files of this folder. A new figure is added to expected.py; tests of a new page use
`read`."""

import pytest


@pytest.fixture(scope="package")
def month(_delete_rows_after_each_test, django_db_blocker):
    """The month, loaded and committed once for all tests, and removed at the end."""
    from django.contrib.auth.models import User
    from django.test import Client

    from calls.models import Call, DestinationNumber
    from tests.reports import scenario
    from tests.reports.assertions import Month
    from tests.reports.scenario import LINES, PEOPLE

    with django_db_blocker.unblock():
        try:
            scenario.play()
            clients = {}
            for name in PEOPLE:
                clients[name] = Client()
                clients[name].force_login(User.objects.get(username=name))
            numbers = dict(DestinationNumber.objects.values_list("e164", "pk"))
            yield Month(
                clients, {line: numbers[line.e164] for line in LINES}, dict(Call.objects.values_list("call_uuid", "pk"))
            )
        finally:
            _delete_rows_after_each_test()
