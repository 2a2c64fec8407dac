"""Rewords two help texts. Nothing changes in the database."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("contacts", "0008_note_use_of_contact_keys"),
    ]

    operations = [
        migrations.AlterField(
            model_name="agentdestination",
            name="from_day",
            field=models.DateField(
                blank=True,
                help_text="The first day. Leave blank if they have always answered there.",
                null=True,
                verbose_name="from",
            ),
        ),
        migrations.AlterField(
            model_name="agentdestination",
            name="user",
            field=models.ForeignKey(
                blank=True,
                help_text="Leave blank if no named person answers there from then on.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="agent_destinations",
                to=settings.AUTH_USER_MODEL,
                verbose_name="person",
            ),
        ),
    ]
