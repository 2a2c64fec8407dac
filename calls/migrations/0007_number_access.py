"""Adds the table of access: which person may see what of which number. The next migration fills it."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0006_reword_labels"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="destinationnumber",
            options={
                "ordering": ["search_key", "e164"],
                "permissions": [("view_system", "Can view the state of the installation")],
                "verbose_name": "number",
                "verbose_name_plural": "numbers",
            },
        ),
        migrations.CreateModel(
            name="NumberAccess",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "calls",
                    models.BooleanField(
                        default=False,
                        help_text="The list of calls and single calls, with masked caller numbers.",
                        verbose_name="single calls",
                    ),
                ),
                (
                    "callers",
                    models.BooleanField(
                        default=False,
                        help_text="Caller numbers are not masked. Needs single calls.",
                        verbose_name="whole caller numbers",
                    ),
                ),
                (
                    "people",
                    models.BooleanField(
                        default=False,
                        help_text="To whom calls were forwarded, and who answered. Without it, only the type is shown.",
                        verbose_name="destinations and figures of single people",
                    ),
                ),
                (
                    "export",
                    models.BooleanField(
                        default=False,
                        help_text="Files with one row per call. Needs single calls.",
                        verbose_name="downloads of single calls",
                    ),
                ),
                (
                    "until",
                    models.DateField(
                        blank=True,
                        help_text="The last day of access. Leave blank for access without an end.",
                        null=True,
                        verbose_name="until",
                    ),
                ),
                (
                    "granted_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="granted at"),
                ),
                (
                    "destination_number",
                    models.ForeignKey(
                        blank=True,
                        help_text="Leave blank for all numbers, including those that are added later.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="access",
                        to="calls.destinationnumber",
                        verbose_name="number",
                    ),
                ),
                (
                    "granted_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="granted by",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="number_access",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "access to a number",
                "verbose_name_plural": "access to numbers",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "destination_number"),
                        name="number_access_once",
                        nulls_distinct=False,
                        violation_error_message="This user already has access to this number. Change that access "
                        "instead.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("calls", True), models.Q(("callers", False), ("export", False)), _connector="OR"
                        ),
                        name="number_access_needs_calls",
                        violation_error_message="Whole caller numbers and downloads of single calls need single calls.",
                    ),
                ],
            },
        ),
    ]
