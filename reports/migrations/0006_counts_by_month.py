import django.db.models.deletion
from django.db import migrations, models

# What is counted already adds up here; from then on the roll-up keeps it. Days are of the zone that the roll-up noted.
OF_DAYS = """
INSERT INTO reports_month{table} (destination_number_id, month, is_open, {columns})
SELECT destination_number_id, date_trunc('month', day)::date, is_open, {summed}
FROM reports_day{table} GROUP BY destination_number_id, date_trunc('month', day), is_open{parts}"""
TABLES = {
    "counts": (
        [],
        [
            "offered",
            "answered",
            "served_in_plan",
            "missed",
            "abandoned",
            "short",
            "in_progress",
            "end_unknown",
            "answered_after_start",
            "answered_in_time",
            "time_to_answer_s",
            "ring_s",
            "ring_calls",
            "talk_s",
            "talk_calls",
        ],
    ),
    "blockcounts": (["block_type"], ["blocks", "calls", "last_in_call", "lost"]),
    "forwardcounts": (
        ["destination", "destination_type", "course"],
        ["attempts", "calls", "answers", "ring_s", "ring_calls"],
    ),
    "handovers": (["first_destination", "first_type", "destination", "destination_type"], ["calls"]),
}
OF_HOURS = """
INSERT INTO reports_hourofweekcounts
  (destination_number_id, month, weekday, hour, is_open, offered, answered, missed, abandoned)
SELECT destination_number_id, date_trunc('month', local)::date, extract(isodow FROM local), extract(hour FROM local),
  is_open, sum(offered), sum(answered), sum(missed), sum(abandoned)
FROM reports_quarterhourcounts CROSS JOIN reports_rollup AS roll_up
CROSS JOIN LATERAL (SELECT quarter_hour AT TIME ZONE roll_up.time_zone AS local) AS clock
GROUP BY 1, 2, 3, 4, 5"""


def add_up(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for table, (parts, sums) in TABLES.items():
            cursor.execute(
                OF_DAYS.format(
                    table=table,
                    columns=", ".join([*parts, *sums]),
                    summed=", ".join([*parts, *(f"sum({name})" for name in sums)]),
                    parts="".join(f", {part}" for part in parts),
                )
            )
        cursor.execute(OF_HOURS)


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0003_opening_hours"),
        ("reports", "0005_forwards"),
    ]

    operations = [
        migrations.CreateModel(
            name="HourOfWeekCounts",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day, of the reports' zone", verbose_name="month")),
                ("is_open", models.BooleanField(default=True, verbose_name="inside opening hours")),
                ("weekday", models.PositiveSmallIntegerField(help_text="1 is Monday", verbose_name="weekday")),
                ("hour", models.PositiveSmallIntegerField(verbose_name="hour")),
                ("offered", models.PositiveIntegerField(default=0, verbose_name="offered")),
                ("answered", models.PositiveIntegerField(default=0, verbose_name="answered")),
                ("missed", models.PositiveIntegerField(default=0, verbose_name="missed")),
                ("abandoned", models.PositiveIntegerField(default=0, verbose_name="abandoned")),
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
                "verbose_name": "counts of an hour of the week",
                "verbose_name_plural": "counts by hour of the week",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("destination_number", "month", "weekday", "hour", "is_open"),
                        name="counts_once_per_hour_of_week",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MonthBlockCounts",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day, of the reports' zone", verbose_name="month")),
                ("is_open", models.BooleanField(default=True, verbose_name="inside opening hours")),
                ("block_type", models.TextField(verbose_name="blockType")),
                (
                    "blocks",
                    models.PositiveIntegerField(
                        default=0, help_text="BLOCK_END posts of this type", verbose_name="blocks"
                    ),
                ),
                (
                    "calls",
                    models.PositiveIntegerField(
                        default=0, help_text="Calls with at least one of them", verbose_name="calls"
                    ),
                ),
                (
                    "last_in_call",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Ended calls without an answer whose last block was of this type",
                        verbose_name="last in call",
                    ),
                ),
                (
                    "lost",
                    models.PositiveIntegerField(
                        default=0, help_text="Missed or abandoned", verbose_name="of these, lost"
                    ),
                ),
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
                "verbose_name": "block counts of a month",
                "verbose_name_plural": "block counts by month",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("destination_number", "month", "is_open", "block_type"),
                        name="block_counts_once_per_month",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MonthCounts",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day, of the reports' zone", verbose_name="month")),
                ("is_open", models.BooleanField(default=True, verbose_name="inside opening hours")),
                ("offered", models.PositiveIntegerField(default=0, verbose_name="offered")),
                ("answered", models.PositiveIntegerField(default=0, verbose_name="answered")),
                ("served_in_plan", models.PositiveIntegerField(default=0, verbose_name="served in plan")),
                ("missed", models.PositiveIntegerField(default=0, verbose_name="missed")),
                ("abandoned", models.PositiveIntegerField(default=0, verbose_name="abandoned")),
                ("short", models.PositiveIntegerField(default=0, verbose_name="short")),
                ("in_progress", models.PositiveIntegerField(default=0, verbose_name="in progress")),
                ("end_unknown", models.PositiveIntegerField(default=0, verbose_name="end unknown")),
                (
                    "answered_after_start",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Answered calls that have a CALL_START",
                        verbose_name="answered, start seen",
                    ),
                ),
                (
                    "answered_in_time",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Of these, within the number's service level",
                        verbose_name="answered in time",
                    ),
                ),
                (
                    "time_to_answer_s",
                    models.DecimalField(
                        decimal_places=6, default=0, max_digits=20, verbose_name="time to answer, sum (s)"
                    ),
                ),
                (
                    "ring_s",
                    models.DecimalField(decimal_places=6, default=0, max_digits=20, verbose_name="ring time, sum (s)"),
                ),
                ("ring_calls", models.PositiveIntegerField(default=0, verbose_name="calls with a ring time")),
                (
                    "talk_s",
                    models.DecimalField(decimal_places=6, default=0, max_digits=20, verbose_name="talk time, sum (s)"),
                ),
                ("talk_calls", models.PositiveIntegerField(default=0, verbose_name="calls with a talk time")),
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
                "verbose_name": "counts of a month",
                "verbose_name_plural": "counts by month",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("destination_number", "month", "is_open"), name="counts_once_per_month"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MonthForwardCounts",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day, of the reports' zone", verbose_name="month")),
                ("is_open", models.BooleanField(default=True, verbose_name="inside opening hours")),
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
                "verbose_name": "forwards of a month",
                "verbose_name_plural": "forwards by month",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("destination_number", "month", "is_open", "destination", "destination_type", "course"),
                        name="forwards_once_per_month",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MonthHandovers",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day, of the reports' zone", verbose_name="month")),
                ("is_open", models.BooleanField(default=True, verbose_name="inside opening hours")),
                ("first_destination", models.TextField(verbose_name="tried first")),
                ("first_type", models.TextField(verbose_name="type of the one tried first")),
                ("destination", models.TextField(verbose_name="answered by")),
                ("destination_type", models.TextField(verbose_name="type of the one who answered")),
                ("calls", models.PositiveIntegerField(default=0, verbose_name="calls")),
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
                "verbose_name": "handovers of a month",
                "verbose_name_plural": "handovers by month",
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "destination_number",
                            "month",
                            "is_open",
                            "first_destination",
                            "first_type",
                            "destination",
                            "destination_type",
                        ),
                        name="handovers_once_per_month",
                    )
                ],
            },
        ),
        migrations.RunPython(add_up, migrations.RunPython.noop),
    ]
