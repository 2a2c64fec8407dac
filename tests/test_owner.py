"""Tests connect as pages and workers do."""

import os

import pytest

from config import roles
from tests.conftest import APPLICATION_URL
from tests.owner import as_owner


@pytest.mark.skipif(APPLICATION_URL not in os.environ, reason="DATABASE_URL was given, and its role owns the tables")
@pytest.mark.django_db
def test_a_test_may_change_tables_only_where_it_says_so():
    assert not roles.may_change_tables()
    with as_owner():
        assert roles.may_change_tables()
    assert not roles.may_change_tables()
