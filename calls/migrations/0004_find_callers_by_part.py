"""Finds callers by the beginning and the end of their number. Built beside running posts, which wait for nothing."""

import django.contrib.postgres.indexes
import django.db.models.functions
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


def drop_what_was_left(name: str) -> migrations.RunSQL:
    """Drop an index that an interrupted run left behind half built, so that this can be run again."""
    return migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {name}", migrations.RunSQL.noop)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("calls", "0003_opening_hours"),
    ]

    operations = [
        drop_what_was_left("call_caller_begins"),
        AddIndexConcurrently(
            model_name="call",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass("caller_id_number", name="text_pattern_ops"),
                models.F("first_post_at"),
                name="call_caller_begins",
            ),
        ),
        drop_what_was_left("call_caller_ends"),
        AddIndexConcurrently(
            model_name="call",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.Reverse("caller_id_number"), name="text_pattern_ops"
                ),
                condition=models.Q(("caller_id_number", ""), _negated=True),
                name="call_caller_ends",
            ),
        ),
        RemoveIndexConcurrently(model_name="call", name="call_caller_time"),
    ]
