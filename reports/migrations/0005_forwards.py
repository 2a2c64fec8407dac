import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0003_opening_hours"),
        ("reports", "0004_told_silences"),
    ]

    operations = [
        migrations.CreateModel(
            name="DayForwardCounts",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("destination", models.TextField(verbose_name="destination")),
                ("destination_type", models.TextField(verbose_name="destinationType")),
                ("course", models.TextField(verbose_name="course")),
                (
                    "attempts",
                    models.PositiveIntegerField(default=0, help_text="INITIATE_FORWARD posts", verbose_name="attempts"),
                ),
                (
                    "calls",
                    models.PositiveIntegerField(
                        default=0, help_text="Calls with at least one of them", verbose_name="calls"
                    ),
                ),
                (
                    "answers",
                    models.PositiveIntegerField(
                        default=0, help_text="Calls that this destination answered", verbose_name="answers"
                    ),
                ),
                (
                    "ring_s",
                    models.DecimalField(decimal_places=6, default=0, max_digits=20, verbose_name="ring time, sum (s)"),
                ),
                ("ring_calls", models.PositiveIntegerField(default=0, verbose_name="calls with a ring time")),
                ("day", models.DateField(help_text="Of the reports' zone", verbose_name="day")),
                ("is_open", models.BooleanField(default=True, verbose_name="inside opening hours")),
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
            ],
            options={
                "verbose_name": "forwards of a day",
                "verbose_name_plural": "forwards by day",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("destination_number", "day", "is_open", "destination", "destination_type", "course"),
                        name="forwards_once_per_day",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DayHandovers",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_destination", models.TextField(verbose_name="tried first")),
                ("first_type", models.TextField(verbose_name="type of the one tried first")),
                ("destination", models.TextField(verbose_name="answered by")),
                ("destination_type", models.TextField(verbose_name="type of the one who answered")),
                ("calls", models.PositiveIntegerField(default=0, verbose_name="calls")),
                ("day", models.DateField(help_text="Of the reports' zone", verbose_name="day")),
                ("is_open", models.BooleanField(default=True, verbose_name="inside opening hours")),
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
            ],
            options={
                "verbose_name": "handovers of a day",
                "verbose_name_plural": "handovers by day",
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "destination_number",
                            "day",
                            "is_open",
                            "first_destination",
                            "first_type",
                            "destination",
                            "destination_type",
                        ),
                        name="handovers_once_per_day",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="QuarterHourForwardCounts",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("destination", models.TextField(verbose_name="destination")),
                ("destination_type", models.TextField(verbose_name="destinationType")),
                ("course", models.TextField(verbose_name="course")),
                (
                    "attempts",
                    models.PositiveIntegerField(default=0, help_text="INITIATE_FORWARD posts", verbose_name="attempts"),
                ),
                (
                    "calls",
                    models.PositiveIntegerField(
                        default=0, help_text="Calls with at least one of them", verbose_name="calls"
                    ),
                ),
                (
                    "answers",
                    models.PositiveIntegerField(
                        default=0, help_text="Calls that this destination answered", verbose_name="answers"
                    ),
                ),
                (
                    "ring_s",
                    models.DecimalField(decimal_places=6, default=0, max_digits=20, verbose_name="ring time, sum (s)"),
                ),
                ("ring_calls", models.PositiveIntegerField(default=0, verbose_name="calls with a ring time")),
                ("quarter_hour", models.DateTimeField(help_text="Start, UTC", verbose_name="quarter-hour")),
                ("is_open", models.BooleanField(default=True, verbose_name="inside opening hours")),
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
            ],
            options={
                "verbose_name": "forwards of a quarter-hour",
                "verbose_name_plural": "forwards by quarter-hour",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("destination_number", "quarter_hour", "destination", "destination_type", "course"),
                        name="forwards_once_per_quarter_hour",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="QuarterHourHandovers",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_destination", models.TextField(verbose_name="tried first")),
                ("first_type", models.TextField(verbose_name="type of the one tried first")),
                ("destination", models.TextField(verbose_name="answered by")),
                ("destination_type", models.TextField(verbose_name="type of the one who answered")),
                ("calls", models.PositiveIntegerField(default=0, verbose_name="calls")),
                ("quarter_hour", models.DateTimeField(help_text="Start, UTC", verbose_name="quarter-hour")),
                ("is_open", models.BooleanField(default=True, verbose_name="inside opening hours")),
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
            ],
            options={
                "verbose_name": "handovers of a quarter-hour",
                "verbose_name_plural": "handovers by quarter-hour",
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "destination_number",
                            "quarter_hour",
                            "first_destination",
                            "first_type",
                            "destination",
                            "destination_type",
                        ),
                        name="handovers_once_per_quarter_hour",
                    )
                ],
            },
        ),
    ]
