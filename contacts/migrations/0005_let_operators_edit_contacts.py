"""Lets the group operator edit contacts and links into other systems, unless the group was changed, renamed or deleted.

A contact does not say who called: that operators see no calls stays as it is."""

from importlib import import_module

from django.contrib.auth.management import create_permissions
from django.db import migrations

ACTIONS = ("view", "add", "change", "delete")
PERMISSIONS = [f"{action}_{model}" for model in ("contact", "linktemplate") for action in ACTIONS]


def let_operators_edit_contacts(apps, schema_editor):
    using = schema_editor.connection.alias
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    group = Group.objects.using(using).filter(name="operator").first()
    first = import_module("calls.migrations.0010_groups").GROUPS["operator"]
    made = {(label, codename) for label, codenames in first.items() for codename in codenames}
    agents = import_module("contacts.migrations.0002_let_operators_map_agents").PERMISSIONS
    made |= {("contacts", codename) for codename in agents}
    if group is None or made != {*group.permissions.values_list("content_type__app_label", "codename")}:
        return
    # Permissions are made after all migrations, and not for an app that Django's function takes for one without models.
    app_config = apps.get_app_config("contacts")
    models_module = getattr(app_config, "models_module", None)
    app_config.models_module = True
    create_permissions(app_config, verbosity=0, using=using, apps=apps)
    app_config.models_module = models_module
    wanted = Permission.objects.using(using).filter(content_type__app_label="contacts", codename__in=PERMISSIONS)
    group.permissions.add(*wanted)


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0004_add_links_notes_and_uploads"),
    ]

    operations = [migrations.RunPython(let_operators_edit_contacts, migrations.RunPython.noop)]
