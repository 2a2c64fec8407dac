"""Adds keys of the live board, and lets the group operator handle them if it may change how numbers ring.

For which numbers they may create keys is no permission, but access: only numbers that they see."""

import django.utils.timezone
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

import live.models.board_keys

PERMISSIONS = ("view_boardkey", "change_boardkey")


def let_operators_handle_keys(apps, schema_editor):
    using = schema_editor.connection.alias
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    group = Group.objects.using(using).filter(name="operator").first()
    may = group and group.permissions.filter(content_type__app_label="live", codename="change_numberrings").exists()
    if not may:
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
        ("calls", "0010_groups"),
        ("live", "0005_add_endpoints"),
    ]

    operations = [
        migrations.CreateModel(
            name="BoardKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="Where the screen is, for example Service team.",
                        max_length=100,
                        unique=True,
                        verbose_name="name",
                    ),
                ),
                (
                    "is_for_all",
                    models.BooleanField(
                        default=False, help_text="Also numbers that are added later.", verbose_name="all numbers"
                    ),
                ),
                (
                    "until",
                    models.DateField(
                        blank=True,
                        default=live.models.board_keys.in_a_year,
                        help_text="Leave blank for a key that never expires.",
                        null=True,
                        verbose_name="last day",
                    ),
                ),
                (
                    "fingerprint",
                    models.CharField(editable=False, max_length=64, unique=True, verbose_name="fingerprint"),
                ),
                ("last4", models.CharField(editable=False, max_length=4, verbose_name="last four characters")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created"),
                ),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="last used")),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="revoked")),
                (
                    "numbers",
                    models.ManyToManyField(
                        blank=True, related_name="+", to="calls.destinationnumber", verbose_name="numbers"
                    ),
                ),
            ],
            options={
                "verbose_name": "board key",
                "verbose_name_plural": "board keys",
                "ordering": ["name"],
                "default_permissions": ("view", "change"),
            },
        ),
        migrations.RunPython(let_operators_handle_keys, migrations.RunPython.noop),
    ]
