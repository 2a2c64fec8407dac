import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0002_refused_posts_and_senders"),
        ("reports", "0003_opening_hours_and_calls_at_once"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ToldSilence",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateTimeField(help_text="Its last post", verbose_name="silent since")),
                ("told_at", models.DateTimeField(help_text="When the first mail left", verbose_name="told")),
                (
                    "destination_number",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="calls.destinationnumber",
                        verbose_name="number",
                    ),
                ),
                (
                    "people",
                    models.ManyToManyField(related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="people told"),
                ),
            ],
            options={
                "verbose_name": "told silence",
                "verbose_name_plural": "told silences",
                "constraints": [
                    models.UniqueConstraint(fields=("destination_number",), name="silence_told_once_per_number")
                ],
            },
        ),
    ]
