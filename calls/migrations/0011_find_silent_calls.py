"""Finds calls that fell silent a moment ago. Built beside running posts, which wait for nothing."""

from importlib import import_module

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

drop_what_was_left = import_module("calls.migrations.0004_find_callers_by_part").drop_what_was_left


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("calls", "0010_groups"),
    ]

    operations = [
        drop_what_was_left("call_silent"),
        AddIndexConcurrently(
            model_name="call",
            index=models.Index(
                name="call_silent", fields=["silent_at"], condition=models.Q(("silent_at", None), _negated=True)
            ),
        ),
    ]
