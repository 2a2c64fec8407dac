"""Lets the group operator set up endpoints and see deliveries, unless the group was changed, renamed or deleted.

Which endpoints they see and change is no permission, but access: only what they may see of calls themselves."""

from importlib import import_module

from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

PERMISSIONS = [f"{action}_endpoint" for action in ("view", "add", "change", "delete")]
PERMISSIONS += ["view_delivery", "change_delivery"]
# Updates of contacts that gave the group permissions before.
OF_CONTACTS = ("0002_let_operators_map_agents", "0005_let_operators_edit_contacts", "0007_let_operators_edit_lookups")


def let_operators_run_endpoints(apps, schema_editor):
    using = schema_editor.connection.alias
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    group = Group.objects.using(using).filter(name="operator").first()
    if group is None:
        return
    first = import_module("calls.migrations.0010_groups").GROUPS["operator"]
    made = {(label, codename) for label, codenames in first.items() for codename in codenames}
    for migration in OF_CONTACTS:
        made |= {("contacts", codename) for codename in import_module(f"contacts.migrations.{migration}").PERMISSIONS}
    rings = import_module("live.migrations.0002_let_operators_change_rings").PERMISSIONS
    made |= {("live", codename) for codename in rings}
    has = {*group.permissions.values_list("content_type__app_label", "codename")}
    # Other updates of these apps may have added some, before this one or after it.
    if not made <= has or any(label not in {"contacts", "live"} for label, _codename in has - made):
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
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("live", "0006_add_board_keys"),
        ("contacts", "0007_let_operators_edit_lookups"),
        ("calls", "0010_groups"),
    ]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="off_told",
            field=models.ManyToManyField(editable=False, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="resend_from",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RunPython(let_operators_run_endpoints, migrations.RunPython.noop),
    ]
