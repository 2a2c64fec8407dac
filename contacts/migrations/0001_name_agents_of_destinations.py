"""Adds the table of agents: who answers at which destination, and from which day on."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AgentDestination",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("destination_type", models.TextField(blank=True, verbose_name="destinationType")),
                ("destination", models.TextField(verbose_name="destination")),
                (
                    "from_day",
                    models.DateField(
                        blank=True,
                        help_text="The first day. Leave blank for from the beginning.",
                        null=True,
                        verbose_name="from",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        help_text="Leave blank for nobody.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="agent_destinations",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "agent",
                "verbose_name_plural": "agents",
                "default_permissions": ("view", "change"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("destination_type", "destination", "from_day", "user"),
                        name="agent_destination_once",
                        nulls_distinct=False,
                        violation_error_message="This person already answers there from this day on.",
                    )
                ],
            },
        ),
    ]
