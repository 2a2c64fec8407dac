"""What a person may not see any more, or sees of a number as figures only, is as if it did not exist."""

import pytest

from tests.access.addresses import fill, filled, make_workbook, missing_objects, objects_of
from tests.access.answers import ask
from tests.factories import expire, give, make_number, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def installation(client, settings, tmp_path):
    """A number of the person who asks and one of somebody else, with everything that addresses name."""
    settings.FILES_FOLDER = tmp_path / "files"
    own, foreign = make_number(label="Hotline"), make_number("+4930123456", label="Sales")
    fill(client, own, foreign)
    return own, foreign


def test_calls_are_missing_where_figures_alone_are_shown(client, installation):
    own, foreign = installation
    user = make_user("anna")
    give(user, own, "calls", "callers", "people", "export")
    give(user, foreign)
    client.force_login(user)
    objects = objects_of(foreign, user)

    assert ask(client, filled("reports/numbers/<int:pk>/", objects)).status == "200"
    page = "reports/calls/<int:pk>/"
    missing = ask(client, filled(page, missing_objects(objects)))
    assert ask(client, filled(page, objects)) == missing
    assert missing.status == "404"
    # That the number exists they see; why there are no calls is said.
    assert ask(client, filled("reports/calls.csv", objects)).status == "403"
    assert ask(client, "/reports/calls.csv").body.count(b"\n") == 2  # the heading, and the one call of their own


def test_a_workbook_shows_nothing_after_the_right_to_it_ended(client, installation):
    own, _foreign = installation
    user = make_user("anna")
    give(user, own, "calls", "export")
    workbook = make_workbook(own, user)
    client.force_login(user)
    address = f"/reports/files/{workbook.pk}.xlsx"
    assert ask(client, address).body.startswith(b"PK")

    expire(user, own)

    assert ask(client, address).status == "403"
