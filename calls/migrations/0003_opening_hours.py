import datetime

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import calls.models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0002_refused_posts_and_senders"),
    ]

    operations = [
        migrations.CreateModel(
            name="OpeningHours",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        error_messages={"unique": "Opening hours of this name are here already."},
                        max_length=100,
                        unique=True,
                        verbose_name="name",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("BW", "Baden-Württemberg"),
                            ("BY", "Bayern"),
                            ("BE", "Berlin"),
                            ("BB", "Brandenburg"),
                            ("HB", "Bremen"),
                            ("HH", "Hamburg"),
                            ("HE", "Hessen"),
                            ("MV", "Mecklenburg-Vorpommern"),
                            ("NI", "Niedersachsen"),
                            ("NW", "Nordrhein-Westfalen"),
                            ("RP", "Rheinland-Pfalz"),
                            ("SL", "Saarland"),
                            ("SN", "Sachsen"),
                            ("ST", "Sachsen-Anhalt"),
                            ("SH", "Schleswig-Holstein"),
                            ("TH", "Thüringen"),
                        ],
                        help_text="Closed on them. Without a state they are days like others.",
                        max_length=2,
                        verbose_name="public holidays of",
                    ),
                ),
            ],
            options={
                "verbose_name": "opening hours",
                "verbose_name_plural": "opening hours",
                "ordering": ["name"],
            },
        ),
        migrations.AddField(
            model_name="destinationnumber",
            name="service_level_aim",
            field=models.PositiveSmallIntegerField(
                blank=True,
                default=80,
                help_text="Percent of calls to answer within that time; none where blank.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)],
                verbose_name="service level aimed at",
            ),
        ),
        migrations.AddField(
            model_name="destinationnumber",
            name="opening_hours",
            field=models.ForeignKey(
                blank=True,
                help_text="Reports tell calls inside them from calls outside. Without any, the number is always open.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="numbers",
                to="calls.openinghours",
                verbose_name="opening hours",
            ),
        ),
        migrations.CreateModel(
            name="SingleDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(verbose_name="day")),
                (
                    "opens_at",
                    models.TimeField(
                        blank=True,
                        help_text="blank: closed all day",
                        null=True,
                        validators=[calls.models.validate_quarter_hour],
                        verbose_name="from",
                    ),
                ),
                (
                    "closes_at",
                    models.TimeField(
                        blank=True,
                        help_text="00:00 is midnight",
                        null=True,
                        validators=[calls.models.validate_quarter_hour],
                        verbose_name="to",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=100, verbose_name="note")),
                (
                    "opening_hours",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="days", to="calls.openinghours"
                    ),
                ),
            ],
            options={
                "verbose_name": "single day",
                "verbose_name_plural": "single days",
                "ordering": ["day", "opens_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closes_at", None), ("opens_at", None)),
                            models.Q(
                                ("closes_at__isnull", False),
                                ("opens_at__isnull", False),
                                models.Q(
                                    ("opens_at__lt", models.F("closes_at")),
                                    ("closes_at", datetime.time(0, 0)),
                                    _connector="OR",
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="single_day_in_order",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WeeklyHours",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("opens_at", models.TimeField(validators=[calls.models.validate_quarter_hour], verbose_name="from")),
                (
                    "closes_at",
                    models.TimeField(
                        help_text="00:00 is midnight",
                        validators=[calls.models.validate_quarter_hour],
                        verbose_name="to",
                    ),
                ),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (1, "Monday"),
                            (2, "Tuesday"),
                            (3, "Wednesday"),
                            (4, "Thursday"),
                            (5, "Friday"),
                            (6, "Saturday"),
                            (7, "Sunday"),
                        ],
                        verbose_name="weekday",
                    ),
                ),
                (
                    "opening_hours",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="weekly", to="calls.openinghours"
                    ),
                ),
            ],
            options={
                "verbose_name": "weekly hours",
                "verbose_name_plural": "weekly hours",
                "ordering": ["weekday", "opens_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("weekday__gte", 1), ("weekday__lte", 7)), name="weekly_hours_weekday"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("opens_at__lt", models.F("closes_at")), ("closes_at", datetime.time(0, 0)), _connector="OR"
                        ),
                        name="weekly_hours_in_order",
                    ),
                ],
            },
        ),
    ]
