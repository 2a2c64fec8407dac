"""Lets the group operator edit look-ups, unless the group was changed, renamed or deleted."""

from importlib import import_module

from django.contrib.auth.management import create_permissions
from django.db import migrations

PERMISSIONS = [f"{action}_lookup" for action in ("view", "add", "change", "delete")]


def let_operators(apps, schema_editor, permissions):
    """Give the group operator these permissions of this app; later updates call this, too."""
    using = schema_editor.connection.alias
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    group = Group.objects.using(using).filter(name="operator").first()
    first = import_module("calls.migrations.0010_groups").GROUPS["operator"]
    made = {(label, codename) for label, codenames in first.items() for codename in codenames}
    for migration in ("0002_let_operators_map_agents", "0005_let_operators_edit_contacts"):
        made |= {("contacts", codename) for codename in import_module(f"contacts.migrations.{migration}").PERMISSIONS}
    if group is None:
        return
    has = {*group.permissions.values_list("content_type__app_label", "codename")}
    # Other updates of these apps may have added some, before this one or after it.
    if not made <= has or any(label not in {"contacts", "live"} for label, _codename in has - made):
        return
    # Permissions are made after all migrations, and not for an app that Django's function takes for one without models.
    app_config = apps.get_app_config("contacts")
    models_module = getattr(app_config, "models_module", None)
    app_config.models_module = True
    create_permissions(app_config, verbosity=0, using=using, apps=apps)
    app_config.models_module = models_module
    wanted = Permission.objects.using(using).filter(content_type__app_label="contacts", codename__in=permissions)
    group.permissions.add(*wanted)


def let_operators_edit_lookups(apps, schema_editor):
    let_operators(apps, schema_editor, PERMISSIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0006_add_lookups"),
    ]

    operations = [migrations.RunPython(let_operators_edit_lookups, migrations.RunPython.noop)]
