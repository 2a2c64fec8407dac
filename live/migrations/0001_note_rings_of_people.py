"""Adds the tables of rings: who was shown which call, how people want to be told, and who feeds and listens."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("calls", "0010_groups"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FeedCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("last_event_id", models.BigIntegerField()),
                ("skipped", models.JSONField(default=list)),
                ("revision", models.BigIntegerField(default=0)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="LiveProcess",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField(unique=True)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("streams", models.PositiveIntegerField(default=0)),
                ("delay_p50_ms", models.FloatField(null=True)),
                ("delay_p99_ms", models.FloatField(null=True)),
                ("clock_offset_s", models.FloatField(default=0)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="LiveProfile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("pops", models.BooleanField(default=True, verbose_name="show calls that ring for me")),
                (
                    "notification",
                    models.BooleanField(default=True, verbose_name="also as a notification of the browser"),
                ),
                ("open_at_once", models.BooleanField(default=False, verbose_name="open the first link at once")),
                ("sound", models.BooleanField(default=False, verbose_name="play a sound")),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="live_profile",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "settings for rings",
                "verbose_name_plural": "settings for rings",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="NumberRings",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "pop_on",
                    models.CharField(
                        choices=[
                            ("forward", "when it rings at their destination"),
                            ("start", "at the start of the call"),
                            ("never", "never"),
                        ],
                        default="forward",
                        max_length=7,
                        verbose_name="show calls",
                    ),
                ),
                (
                    "ring_timeout_s",
                    models.PositiveIntegerField(
                        default=60,
                        help_text="Seconds. Then a call that was not answered is no longer shown as ringing.",
                        validators=[
                            django.core.validators.MinValueValidator(5),
                            django.core.validators.MaxValueValidator(600),
                        ],
                        verbose_name="rings for at most",
                    ),
                ),
                (
                    "destination_number",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rings",
                        to="calls.destinationnumber",
                        verbose_name="number",
                    ),
                ),
                (
                    "team",
                    models.ManyToManyField(
                        blank=True,
                        help_text="They see calls that ring at a destination where nobody is named.",
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="team",
                    ),
                ),
            ],
            options={
                "verbose_name": "rings of a number",
                "verbose_name_plural": "rings of numbers",
                "default_permissions": ("view", "change"),
            },
        ),
        migrations.CreateModel(
            name="Listener",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "process",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="listeners",
                        to="live.liveprocess",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("process", "user"), name="listener_once")],
            },
        ),
        migrations.CreateModel(
            name="Pop",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("destination", models.TextField(blank=True, verbose_name="destination")),
                ("destination_type", models.TextField(blank=True, verbose_name="destinationType")),
                ("is_of_team", models.BooleanField(default=False)),
                ("is_test", models.BooleanField(default=False)),
                ("rang_at", models.DateTimeField(verbose_name="rang")),
                ("dimmed_at", models.DateTimeField(null=True)),
                ("answered_at", models.DateTimeField(null=True, verbose_name="answered")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="closed")),
                (
                    "why_closed",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("answered", "Answered, and the call has ended"),
                            ("answered_elsewhere", "Somebody else answered"),
                            ("not_answered", "Not answered"),
                            ("timed_out", "Rang for longer than the time limit"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "why_not",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("late", "The message came more than 10 seconds late"),
                            ("ended", "The call had already ended"),
                            ("over", "It no longer rang there when the message was read"),
                            ("callback", "Calltally was told that this is a callback"),
                            ("already_ringing", "This call was already shown"),
                            ("number_off", "Pops are switched off for this number"),
                            ("switched_off", "The person has switched pops off"),
                            ("not_connected", "No page of the person was open"),
                        ],
                        max_length=20,
                    ),
                ),
                ("shown_at", models.DateTimeField(null=True, verbose_name="shown")),
                ("opened_at", models.DateTimeField(null=True, verbose_name="opened")),
                ("revision", models.BigIntegerField()),
                (
                    "answer",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="calls.callevent",
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="calls.callevent",
                        verbose_name="message",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "ring",
                "verbose_name_plural": "rings",
                "get_latest_by": "rang_at",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["revision"], name="pop_revision"),
                    models.Index(condition=models.Q(("closed_at", None)), fields=["user"], name="pop_open"),
                    models.Index(fields=["user", "-rang_at"], name="pop_user_time"),
                    models.Index(fields=["rang_at"], name="pop_time"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "event"), name="pop_once"),
                    models.CheckConstraint(
                        condition=models.Q(("is_test", True), ("event__isnull", False), _connector="OR"),
                        name="pop_has_event",
                    ),
                ],
            },
        ),
    ]
