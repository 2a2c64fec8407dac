"""Lets the group data protection read the audit, unless the group was changed, renamed or deleted."""

from importlib import import_module

from django.contrib.auth.management import create_permissions
from django.db import migrations


def let_data_protection(apps, schema_editor):
    using = schema_editor.connection.alias
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    group = Group.objects.using(using).filter(name="data protection").first()
    first = import_module("calls.migrations.0010_groups").GROUPS["data protection"]
    made = {(label, codename) for label, codenames in first.items() for codename in codenames}
    if group is None or {*group.permissions.values_list("content_type__app_label", "codename")} != made:
        return
    # Permissions are made after all migrations, and not for an app that Django's function takes for one without models.
    app_config = apps.get_app_config("accounts")
    models_module = getattr(app_config, "models_module", None)
    app_config.models_module = True
    create_permissions(app_config, verbosity=0, using=using, apps=apps)
    app_config.models_module = models_module
    wanted = {"content_type__app_label": "accounts", "codename": "view_auditentry"}
    group.permissions.add(*Permission.objects.using(using).filter(**wanted))


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0011_find_silent_calls"),
        ("accounts", "0003_add_audit"),
    ]

    operations = [migrations.RunPython(let_data_protection, migrations.RunPython.noop)]
