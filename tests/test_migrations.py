"""Migrations that are said to change words alone need no statement."""

import pytest
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from accounts.rewording import Rewording


@pytest.mark.django_db
def test_django_would_run_no_statement_for_a_migration_of_words():
    loader = MigrationLoader(connection)
    rewordings = {key: one for key, one in loader.disk_migrations.items() if isinstance(one, Rewording)}
    assert ("reports", "0011_reword_labels") in rewordings
    for key, migration in rewordings.items():
        before = loader.project_state(key, at_end=False)
        with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            Migration.apply(migration, before, editor, collect_sql=True)
        assert editor.collected_sql
        assert [line for line in editor.collected_sql if not line.startswith("--")] == [], key
