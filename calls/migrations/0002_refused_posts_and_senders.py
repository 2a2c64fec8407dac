import django.contrib.postgres.fields
from django.db import migrations, models

import calls.models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="RefusedPost",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("unknown_number", "unknown number"),
                            ("unknown_key", "unknown access key"),
                            ("key_over", "access key expired, revoked or not yet valid"),
                            ("key_of_another", "access key of another number"),
                            ("no_key", "no access key"),
                            ("no_number", "no number named, and the key opens several"),
                            ("foreign_address", "address that is not listed"),
                            ("bad_post", "no requestType, or no variables"),
                            ("bad_json", "no proper JSON"),
                            ("too_large", "too large"),
                            ("unsupported_media_type", "not sent as JSON"),
                        ],
                        max_length=32,
                        verbose_name="reason",
                    ),
                ),
                ("status", models.PositiveSmallIntegerField(verbose_name="answered")),
                ("received_at", models.DateTimeField(verbose_name="first received")),
                ("last_received_at", models.DateTimeField(verbose_name="last received")),
                (
                    "count",
                    models.PositiveIntegerField(help_text="How many identical ones there were", verbose_name="times"),
                ),
                ("address", models.GenericIPAddressField(null=True, verbose_name="sent from")),
                ("destination_number", models.TextField(blank=True, verbose_name="number")),
                ("request_type", models.TextField(blank=True, verbose_name="requestType")),
                ("fingerprint", models.CharField(editable=False, max_length=64, verbose_name="fingerprint of the key")),
                ("body", models.TextField(blank=True, verbose_name="body")),
                (
                    "ingest_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), editable=False, size=None),
                ),
                (
                    "receipts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DateTimeField(), editable=False, size=None
                    ),
                ),
                ("replayed_at", models.DateTimeField(null=True, verbose_name="counted since")),
            ],
            options={
                "verbose_name": "refused post",
                "verbose_name_plural": "refused posts",
                "ordering": ["-last_received_at", "-id"],
                "get_latest_by": "last_received_at",
            },
        ),
        migrations.CreateModel(
            name="SenderPolicy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("off", "take it, and say nothing"),
                            ("report", "take it, and flag it"),
                            ("enforce", "refuse it, and keep it to be counted later"),
                        ],
                        default="report",
                        max_length=7,
                        verbose_name="a post from elsewhere",
                    ),
                ),
                (
                    "networks",
                    models.TextField(
                        default="80.239.139.193",
                        help_text="One a line, such as 192.0.2.1 or 192.0.2.0/24; what follows a # is a remark.",
                        validators=[calls.models.validate_networks],
                        verbose_name="addresses of the sender",
                    ),
                ),
            ],
            options={
                "verbose_name": "sender's address",
                "verbose_name_plural": "sender's address",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="sender_policy_is_one")],
            },
        ),
    ]
