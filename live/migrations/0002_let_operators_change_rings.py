"""Lets the group operator change how numbers ring and see why rings were not shown, unless the group was changed.

What they see there is no permission, but access: only numbers that they see, and rings of calls that they see."""

from importlib import import_module

from django.contrib.auth.management import create_permissions
from django.db import migrations

PERMISSIONS = ("view_numberrings", "change_numberrings", "view_pop")


def let_operators_change_rings(apps, schema_editor):
    using = schema_editor.connection.alias
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    group = Group.objects.using(using).filter(name="operator").first()
    first = import_module("calls.migrations.0010_groups").GROUPS["operator"]
    of_agents = import_module("contacts.migrations.0002_let_operators_map_agents").PERMISSIONS
    made = {(label, codename) for label, codenames in first.items() for codename in codenames}
    made |= {("contacts", codename) for codename in of_agents}
    if group is None:
        return
    has = {*group.permissions.values_list("content_type__app_label", "codename")}
    # Later updates of contacts may have added some.
    if not made <= has or any(label != "contacts" for label, _codename in has - made):
        return
    # Permissions are made after all migrations, and not for an app that Django's function takes for one without models.
    app_config = apps.get_app_config("live")
    models_module = getattr(app_config, "models_module", None)
    app_config.models_module = True
    create_permissions(app_config, verbosity=0, using=using, apps=apps)
    app_config.models_module = models_module
    wanted = Permission.objects.using(using).filter(content_type__app_label="live", codename__in=PERMISSIONS)
    group.permissions.add(*wanted)


class Migration(migrations.Migration):
    dependencies = [
        ("live", "0001_note_rings_of_people"),
        ("contacts", "0005_let_operators_edit_contacts"),
        ("calls", "0010_groups"),
    ]

    operations = [migrations.RunPython(let_operators_change_rings, migrations.RunPython.noop)]
