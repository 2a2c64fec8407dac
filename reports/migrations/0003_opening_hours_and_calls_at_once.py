import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0002_refused_posts_and_senders"),
        ("reports", "0002_last_posts"),
    ]

    operations = [
        migrations.CreateModel(
            name="QuarterHourPeaks",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quarter_hour", models.DateTimeField(help_text="Start, UTC", verbose_name="quarter-hour")),
                ("is_open", models.BooleanField(default=True, verbose_name="inside opening hours")),
                ("peak", models.PositiveIntegerField(default=0, verbose_name="calls at once")),
            ],
            options={
                "verbose_name": "calls at once in a quarter-hour",
                "verbose_name_plural": "calls at once by quarter-hour",
            },
        ),
        migrations.RemoveConstraint(
            model_name="dayblockcounts",
            name="block_counts_once_per_day",
        ),
        migrations.RemoveConstraint(
            model_name="daycounts",
            name="counts_once_per_day",
        ),
        migrations.AddField(
            model_name="dayblockcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="inside opening hours"),
        ),
        migrations.AddField(
            model_name="daycounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="inside opening hours"),
        ),
        migrations.AddField(
            model_name="quarterhourblockcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="inside opening hours"),
        ),
        migrations.AddField(
            model_name="quarterhourcounts",
            name="each_ring_s",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveIntegerField(),
                default=list,
                size=None,
                verbose_name="ring time of each call (s)",
            ),
        ),
        migrations.AddField(
            model_name="quarterhourcounts",
            name="each_talk_s",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveIntegerField(),
                default=list,
                size=None,
                verbose_name="talk time of each call (s)",
            ),
        ),
        migrations.AddField(
            model_name="quarterhourcounts",
            name="each_time_to_answer_s",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveIntegerField(),
                default=list,
                size=None,
                verbose_name="time to answer of each call (s)",
            ),
        ),
        migrations.AddField(
            model_name="quarterhourcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="inside opening hours"),
        ),
        migrations.AddConstraint(
            model_name="dayblockcounts",
            constraint=models.UniqueConstraint(
                fields=("destination_number", "day", "is_open", "block_type"), name="block_counts_once_per_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="daycounts",
            constraint=models.UniqueConstraint(
                fields=("destination_number", "day", "is_open"), name="counts_once_per_day"
            ),
        ),
        migrations.AddField(
            model_name="quarterhourpeaks",
            name="destination_number",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="calls.destinationnumber",
                verbose_name="number",
            ),
        ),
        migrations.AddConstraint(
            model_name="quarterhourpeaks",
            constraint=models.UniqueConstraint(
                fields=("destination_number", "quarter_hour"), name="peak_once_per_quarter_hour"
            ),
        ),
    ]
