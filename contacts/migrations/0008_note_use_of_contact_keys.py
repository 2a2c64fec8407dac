"""Adds when a contact key was last used, and lets the group operator handle keys if it may edit contacts.

A key lets another system write what operators may write themselves. The permissions exist since the group got those
for contacts."""

from importlib import import_module

import django.core.validators
from django.db import migrations, models

PERMISSIONS = ("view_contactkey", "change_contactkey")


def let_operators_handle_keys(apps, schema_editor):
    using = schema_editor.connection.alias
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    group = Group.objects.using(using).filter(name="operator").first()
    if group is None:
        return
    of_contacts = import_module("contacts.migrations.0005_let_operators_edit_contacts").PERMISSIONS
    has = group.permissions.filter(content_type__app_label="contacts").values_list("codename", flat=True)
    if {*of_contacts} <= {*has}:
        group.permissions.add(
            *Permission.objects.using(using).filter(content_type__app_label="contacts", codename__in=PERMISSIONS)
        )


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0007_let_operators_edit_lookups"),
    ]

    operations = [
        migrations.AddField(
            model_name="contactkey",
            name="last_used_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="last used"),
        ),
        migrations.AlterField(
            model_name="contactkey",
            name="source",
            field=models.CharField(
                help_text="The source whose contacts it writes, for example erp.",
                max_length=40,
                validators=[
                    django.core.validators.RegexValidator(
                        "\\A[a-z0-9][a-z0-9_-]{0,39}\\Z",
                        code="source",
                        message="Use up to 40 lower-case letters, digits, - and _, for example crm.",
                    )
                ],
                verbose_name="source",
            ),
        ),
        migrations.RunPython(let_operators_handle_keys, migrations.RunPython.noop),
    ]
