"""Takes over labels and help texts of the models; no table is changed."""

import django.contrib.postgres.fields
from django.db import migrations, models

from accounts.rewording import Rewording


class Migration(Rewording):
    dependencies = [
        ("reports", "0010_month_durations"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="firstpost",
            options={"verbose_name": "first message of a type", "verbose_name_plural": "first messages of each type"},
        ),
        migrations.AlterField(
            model_name="dayblockcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="dayblockcounts",
            name="last_in_call",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Ended calls without an answer whose last block had this type",
                verbose_name="last block",
            ),
        ),
        migrations.AlterField(
            model_name="dayblockcounts",
            name="lost",
            field=models.PositiveIntegerField(
                default=0, help_text="Of these, not answered or hung up before ringing", verbose_name="lost here"
            ),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="abandoned",
            field=models.PositiveIntegerField(default=0, verbose_name="hung up before ringing"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="answered_after_start",
            field=models.PositiveIntegerField(
                default=0, help_text="Answered calls with a CALL_START", verbose_name="answered, start received"
            ),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="answered_in_time",
            field=models.PositiveIntegerField(
                default=0, help_text="Of these, answered within the number's limit", verbose_name="answered in time"
            ),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="end_unknown",
            field=models.PositiveIntegerField(default=0, verbose_name="outcome unknown"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="in_progress",
            field=models.PositiveIntegerField(default=0, verbose_name="ongoing"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="missed",
            field=models.PositiveIntegerField(default=0, verbose_name="not answered"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="offered",
            field=models.PositiveIntegerField(default=0, verbose_name="calls"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="ring_calls",
            field=models.PositiveIntegerField(default=0, verbose_name="calls with a ringing time"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="ring_s",
            field=models.DecimalField(decimal_places=6, default=0, max_digits=20, verbose_name="ringing time, sum (s)"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="ring_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="ringing time, sum (µs)"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="served_in_plan",
            field=models.PositiveIntegerField(default=0, verbose_name="handled automatically"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="short",
            field=models.PositiveIntegerField(default=0, verbose_name="short calls"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="time_to_answer_s",
            field=models.DecimalField(decimal_places=6, default=0, max_digits=20, verbose_name="waiting time, sum (s)"),
        ),
        migrations.AlterField(
            model_name="daycounts",
            name="time_to_answer_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="waiting time, sum (µs)"),
        ),
        migrations.AlterField(
            model_name="dayforwardcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="dayhandovers",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="firstpost",
            name="received_at",
            field=models.DateTimeField(help_text="Of the first message of this type", verbose_name="received"),
        ),
        migrations.AlterField(
            model_name="hourofweekcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="monthblockcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="monthblockcounts",
            name="last_in_call",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Ended calls without an answer whose last block had this type",
                verbose_name="last block",
            ),
        ),
        migrations.AlterField(
            model_name="monthblockcounts",
            name="lost",
            field=models.PositiveIntegerField(
                default=0, help_text="Of these, not answered or hung up before ringing", verbose_name="lost here"
            ),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="abandoned",
            field=models.PositiveIntegerField(default=0, verbose_name="hung up before ringing"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="answered_after_start",
            field=models.PositiveIntegerField(
                default=0, help_text="Answered calls with a CALL_START", verbose_name="answered, start received"
            ),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="answered_in_time",
            field=models.PositiveIntegerField(
                default=0, help_text="Of these, answered within the number's limit", verbose_name="answered in time"
            ),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="end_unknown",
            field=models.PositiveIntegerField(default=0, verbose_name="outcome unknown"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="in_progress",
            field=models.PositiveIntegerField(default=0, verbose_name="ongoing"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="missed",
            field=models.PositiveIntegerField(default=0, verbose_name="not answered"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="offered",
            field=models.PositiveIntegerField(default=0, verbose_name="calls"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="ring_calls",
            field=models.PositiveIntegerField(default=0, verbose_name="calls with a ringing time"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="ring_s",
            field=models.DecimalField(decimal_places=6, default=0, max_digits=20, verbose_name="ringing time, sum (s)"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="ring_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="ringing time, sum (µs)"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="served_in_plan",
            field=models.PositiveIntegerField(default=0, verbose_name="handled automatically"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="short",
            field=models.PositiveIntegerField(default=0, verbose_name="short calls"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="time_to_answer_s",
            field=models.DecimalField(decimal_places=6, default=0, max_digits=20, verbose_name="waiting time, sum (s)"),
        ),
        migrations.AlterField(
            model_name="monthcounts",
            name="time_to_answer_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="waiting time, sum (µs)"),
        ),
        migrations.AlterField(
            model_name="monthdurations",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="monthforwardcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="monthhandovers",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="quarterhourblockcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="quarterhourblockcounts",
            name="last_in_call",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Ended calls without an answer whose last block had this type",
                verbose_name="last block",
            ),
        ),
        migrations.AlterField(
            model_name="quarterhourblockcounts",
            name="lost",
            field=models.PositiveIntegerField(
                default=0, help_text="Of these, not answered or hung up before ringing", verbose_name="lost here"
            ),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="abandoned",
            field=models.PositiveIntegerField(default=0, verbose_name="hung up before ringing"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="answered_after_start",
            field=models.PositiveIntegerField(
                default=0, help_text="Answered calls with a CALL_START", verbose_name="answered, start received"
            ),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="answered_in_time",
            field=models.PositiveIntegerField(
                default=0, help_text="Of these, answered within the number's limit", verbose_name="answered in time"
            ),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="each_ring_s",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveIntegerField(),
                default=list,
                size=None,
                verbose_name="ringing time of each call (s)",
            ),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="each_time_to_answer_s",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveIntegerField(),
                default=list,
                size=None,
                verbose_name="waiting time of each call (s)",
            ),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="end_unknown",
            field=models.PositiveIntegerField(default=0, verbose_name="outcome unknown"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="in_progress",
            field=models.PositiveIntegerField(default=0, verbose_name="ongoing"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="missed",
            field=models.PositiveIntegerField(default=0, verbose_name="not answered"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="offered",
            field=models.PositiveIntegerField(default=0, verbose_name="calls"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="ring_calls",
            field=models.PositiveIntegerField(default=0, verbose_name="calls with a ringing time"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="ring_s",
            field=models.DecimalField(decimal_places=6, default=0, max_digits=20, verbose_name="ringing time, sum (s)"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="ring_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="ringing time, sum (µs)"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="served_in_plan",
            field=models.PositiveIntegerField(default=0, verbose_name="handled automatically"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="short",
            field=models.PositiveIntegerField(default=0, verbose_name="short calls"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="time_to_answer_s",
            field=models.DecimalField(decimal_places=6, default=0, max_digits=20, verbose_name="waiting time, sum (s)"),
        ),
        migrations.AlterField(
            model_name="quarterhourcounts",
            name="time_to_answer_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="waiting time, sum (µs)"),
        ),
        migrations.AlterField(
            model_name="quarterhourforwardcounts",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="quarterhourhandovers",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
        migrations.AlterField(
            model_name="quarterhourpeaks",
            name="is_open",
            field=models.BooleanField(default=True, verbose_name="during opening hours"),
        ),
    ]
