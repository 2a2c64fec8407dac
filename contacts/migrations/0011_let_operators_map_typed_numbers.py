"""Lets the group operator say in which variables callers type, unless the group was changed, renamed or deleted.

What they see there is no permission, but access: only numbers that they see, and of values only how long they are."""

from importlib import import_module

from django.db import migrations

PERMISSIONS = [f"{action}_typednumber" for action in ("view", "add", "change", "delete")]


def let_operators_map_typed_numbers(apps, schema_editor):
    let_operators = import_module("contacts.migrations.0007_let_operators_edit_lookups").let_operators
    let_operators(apps, schema_editor, PERMISSIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0010_add_typed_numbers"),
    ]

    operations = [migrations.RunPython(let_operators_map_typed_numbers, migrations.RunPython.noop)]
