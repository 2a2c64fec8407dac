from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0005_search_keys"),
        ("reports", "0007_workbooks"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="dayblockcounts",
            name="block_counts_once_per_day",
        ),
        migrations.RemoveConstraint(
            model_name="daycounts",
            name="counts_once_per_day",
        ),
        migrations.RemoveConstraint(
            model_name="dayforwardcounts",
            name="forwards_once_per_day",
        ),
        migrations.RemoveConstraint(
            model_name="dayhandovers",
            name="handovers_once_per_day",
        ),
        migrations.RemoveConstraint(
            model_name="hourofweekcounts",
            name="counts_once_per_hour_of_week",
        ),
        migrations.RemoveConstraint(
            model_name="monthblockcounts",
            name="block_counts_once_per_month",
        ),
        migrations.RemoveConstraint(
            model_name="monthcounts",
            name="counts_once_per_month",
        ),
        migrations.RemoveConstraint(
            model_name="monthforwardcounts",
            name="forwards_once_per_month",
        ),
        migrations.RemoveConstraint(
            model_name="monthhandovers",
            name="handovers_once_per_month",
        ),
        migrations.AddField(
            model_name="dayblockcounts",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="daycounts",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="daycounts",
            name="ring_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="ring time, sum (µs)"),
        ),
        migrations.AddField(
            model_name="daycounts",
            name="talk_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="talk time, sum (µs)"),
        ),
        migrations.AddField(
            model_name="daycounts",
            name="time_to_answer_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="time to answer, sum (µs)"),
        ),
        migrations.AddField(
            model_name="dayforwardcounts",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="dayforwardcounts",
            name="ring_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="ring time, sum (µs)"),
        ),
        migrations.AddField(
            model_name="dayhandovers",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="hourofweekcounts",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="monthblockcounts",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="monthcounts",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="monthcounts",
            name="ring_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="ring time, sum (µs)"),
        ),
        migrations.AddField(
            model_name="monthcounts",
            name="talk_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="talk time, sum (µs)"),
        ),
        migrations.AddField(
            model_name="monthcounts",
            name="time_to_answer_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="time to answer, sum (µs)"),
        ),
        migrations.AddField(
            model_name="monthforwardcounts",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="monthforwardcounts",
            name="ring_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="ring time, sum (µs)"),
        ),
        migrations.AddField(
            model_name="monthhandovers",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="quarterhourblockcounts",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="quarterhourcounts",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="quarterhourcounts",
            name="ring_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="ring time, sum (µs)"),
        ),
        migrations.AddField(
            model_name="quarterhourcounts",
            name="talk_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="talk time, sum (µs)"),
        ),
        migrations.AddField(
            model_name="quarterhourcounts",
            name="time_to_answer_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="time to answer, sum (µs)"),
        ),
        migrations.AddField(
            model_name="quarterhourforwardcounts",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddField(
            model_name="quarterhourforwardcounts",
            name="ring_us",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="ring time, sum (µs)"),
        ),
        migrations.AddField(
            model_name="quarterhourhandovers",
            name="measured",
            field=models.PositiveSmallIntegerField(
                help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16",
                null=True,
                verbose_name="measured",
            ),
        ),
        migrations.AddConstraint(
            model_name="dayblockcounts",
            constraint=models.UniqueConstraint(
                fields=("destination_number", "day", "is_open", "measured", "block_type"),
                name="block_counts_once_per_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="daycounts",
            constraint=models.UniqueConstraint(
                fields=("destination_number", "day", "is_open", "measured"), name="counts_once_per_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="dayforwardcounts",
            constraint=models.UniqueConstraint(
                fields=(
                    "destination_number",
                    "day",
                    "is_open",
                    "measured",
                    "destination",
                    "destination_type",
                    "course",
                ),
                name="forwards_once_per_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="dayhandovers",
            constraint=models.UniqueConstraint(
                fields=(
                    "destination_number",
                    "day",
                    "is_open",
                    "measured",
                    "first_destination",
                    "first_type",
                    "destination",
                    "destination_type",
                ),
                name="handovers_once_per_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="hourofweekcounts",
            constraint=models.UniqueConstraint(
                fields=("destination_number", "month", "weekday", "hour", "is_open", "measured"),
                name="counts_once_per_hour_of_week",
            ),
        ),
        migrations.AddConstraint(
            model_name="monthblockcounts",
            constraint=models.UniqueConstraint(
                fields=("destination_number", "month", "is_open", "measured", "block_type"),
                name="block_counts_once_per_month",
            ),
        ),
        migrations.AddConstraint(
            model_name="monthcounts",
            constraint=models.UniqueConstraint(
                fields=("destination_number", "month", "is_open", "measured"), name="counts_once_per_month"
            ),
        ),
        migrations.AddConstraint(
            model_name="monthforwardcounts",
            constraint=models.UniqueConstraint(
                fields=(
                    "destination_number",
                    "month",
                    "is_open",
                    "measured",
                    "destination",
                    "destination_type",
                    "course",
                ),
                name="forwards_once_per_month",
            ),
        ),
        migrations.AddConstraint(
            model_name="monthhandovers",
            constraint=models.UniqueConstraint(
                fields=(
                    "destination_number",
                    "month",
                    "is_open",
                    "measured",
                    "first_destination",
                    "first_type",
                    "destination",
                    "destination_type",
                ),
                name="handovers_once_per_month",
            ),
        ),
    ]
