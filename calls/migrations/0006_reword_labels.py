"""Takes over labels, help texts and messages of the models; no table is changed."""

import datetime

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import calls.models
from accounts.rewording import Rewording


class Migration(Rewording):
    dependencies = [
        ("calls", "0005_search_keys"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="callevent",
            options={
                "get_latest_by": "received_at",
                "verbose_name": "message from TENIOS",
                "verbose_name_plural": "messages from TENIOS",
            },
        ),
        migrations.AlterModelOptions(
            name="refusedpost",
            options={
                "get_latest_by": "last_received_at",
                "ordering": ["-last_received_at", "-id"],
                "verbose_name": "rejected message",
                "verbose_name_plural": "rejected messages",
            },
        ),
        migrations.AlterModelOptions(
            name="senderpolicy",
            options={"verbose_name": "sender addresses", "verbose_name_plural": "sender addresses"},
        ),
        migrations.AlterField(
            model_name="accesskey",
            name="created_at",
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created"),
        ),
        migrations.AlterField(
            model_name="accesskey",
            name="last4",
            field=models.CharField(editable=False, max_length=4, verbose_name="last four characters"),
        ),
        migrations.AlterField(
            model_name="call",
            name="caller_id_number",
            field=models.TextField(
                blank=True,
                help_text="Phone numbers are in E.164 format. Blank if withheld.",
                verbose_name="caller",
            ),
        ),
        migrations.AlterField(
            model_name="call",
            name="first_post_at",
            field=models.DateTimeField(help_text="When the earliest message was received", verbose_name="started"),
        ),
        migrations.AlterField(
            model_name="call",
            name="has_odd_posts",
            field=models.BooleanField(
                default=False,
                help_text="A message of this call has unknown, missing or invalid fields.",
                verbose_name="unusual data",
            ),
        ),
        migrations.AlterField(
            model_name="call",
            name="last_post_at",
            field=models.DateTimeField(verbose_name="last message"),
        ),
        migrations.AlterField(
            model_name="call",
            name="silent_at",
            field=models.DateTimeField(
                help_text="No message was received within the number's time limit.",
                null=True,
                verbose_name="closed without an end",
            ),
        ),
        migrations.AlterField(
            model_name="call",
            name="weakly_identified",
            field=models.BooleanField(
                default=False,
                help_text="A message of this call has no call_uuid.",
                verbose_name="uncertain match",
            ),
        ),
        migrations.AlterField(
            model_name="callevent",
            name="flags",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                blank=True,
                default=list,
                help_text="Unusual data in the message",
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="callevent",
            name="payload",
            field=models.TextField(verbose_name="content"),
        ),
        migrations.AlterField(
            model_name="callevent",
            name="request_type",
            field=models.TextField(help_text="As sent by TENIOS", verbose_name="requestType"),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="call_end",
            field=models.CharField(
                choices=[("automatic", "automatic"), ("on", "on"), ("off", "off")],
                default="automatic",
                max_length=9,
                verbose_name="call ended",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="customer_number",
            field=models.CharField(
                blank=True,
                help_text="Your TENIOS customer number. Messages with a different one are accepted and flagged.",
                max_length=40,
                verbose_name="customer number",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="e164",
            field=models.CharField(
                error_messages={"unique": "This number already exists."},
                max_length=16,
                unique=True,
                validators=[calls.models.validate_e164],
                verbose_name="number",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="expects_forward",
            field=models.BooleanField(
                default=True,
                help_text="Turn off for a number that only plays announcements or records voicemail. Its calls then "
                "count as handled automatically.",
                verbose_name="calls go to people",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="forward_answer",
            field=models.CharField(
                choices=[("automatic", "automatic"), ("on", "on"), ("off", "off")],
                default="automatic",
                max_length=9,
                verbose_name="forwarding answered",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="initiate_forward",
            field=models.CharField(
                choices=[("automatic", "automatic"), ("on", "on"), ("off", "off")],
                default="automatic",
                max_length=9,
                verbose_name="forwarding started",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="label",
            field=models.CharField(
                blank=True, help_text="For example, Hotline Köln.", max_length=100, verbose_name="name"
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="managers",
            field=models.ManyToManyField(
                blank=True,
                help_text="Managers see the reports of this number. Staff see every number.",
                related_name="destination_numbers",
                to=settings.AUTH_USER_MODEL,
                verbose_name="managers",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="opening_hours",
            field=models.ForeignKey(
                blank=True,
                help_text="Reports can show calls during or outside opening hours. Without them, the number is always "
                "open.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="numbers",
                to="calls.openinghours",
                verbose_name="opening hours",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="service_level_aim",
            field=models.PositiveSmallIntegerField(
                blank=True,
                default=80,
                help_text="Percent of calls to answer within that time. Leave blank for no target.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)],
                verbose_name="target",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="service_level_s",
            field=models.PositiveIntegerField(
                default=20,
                help_text="Seconds from the start of a call to its answer. The service level is the share of calls "
                "answered in time.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(3600),
                ],
                verbose_name="answer within",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="short_call_s",
            field=models.PositiveIntegerField(
                default=5,
                help_text="Seconds. A shorter call that was not answered counts as a short call. 0 turns this off.",
                validators=[django.core.validators.MaxValueValidator(3600)],
                verbose_name="count as short call under",
            ),
        ),
        migrations.AlterField(
            model_name="destinationnumber",
            name="silent_after_h",
            field=models.PositiveIntegerField(
                default=4,
                help_text="Hours. A call without an end is closed when no message has arrived for this time.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(168),
                ],
                verbose_name="close calls without end after",
            ),
        ),
        migrations.AlterField(
            model_name="openinghours",
            name="name",
            field=models.CharField(
                error_messages={"unique": "Opening hours with this name already exist."},
                max_length=100,
                unique=True,
                verbose_name="name",
            ),
        ),
        migrations.AlterField(
            model_name="openinghours",
            name="state",
            field=models.CharField(
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
                help_text="Closed on the public holidays of this state. Without a state, they are normal days.",
                max_length=2,
                verbose_name="public holidays",
            ),
        ),
        migrations.AlterField(
            model_name="refusedpost",
            name="body",
            field=models.TextField(blank=True, verbose_name="content"),
        ),
        migrations.AlterField(
            model_name="refusedpost",
            name="count",
            field=models.PositiveIntegerField(
                help_text="How many identical messages were received", verbose_name="count"
            ),
        ),
        migrations.AlterField(
            model_name="refusedpost",
            name="fingerprint",
            field=models.CharField(editable=False, max_length=64, verbose_name="fingerprint of the access key"),
        ),
        migrations.AlterField(
            model_name="refusedpost",
            name="reason",
            field=models.CharField(
                choices=[
                    ("unknown_number", "unknown number"),
                    ("unknown_key", "unknown access key"),
                    ("key_over", "access key expired, revoked or not yet valid"),
                    ("key_of_another", "access key of another number"),
                    ("no_key", "no access key"),
                    ("no_number", "no number, and the access key is used for several numbers"),
                    ("foreign_address", "sender's address not in the list"),
                    ("bad_post", "requestType or variables missing"),
                    ("bad_json", "invalid JSON"),
                    ("too_large", "too large"),
                    ("unsupported_media_type", "not sent as JSON"),
                ],
                max_length=32,
                verbose_name="reason",
            ),
        ),
        migrations.AlterField(
            model_name="refusedpost",
            name="replayed_at",
            field=models.DateTimeField(null=True, verbose_name="counted on"),
        ),
        migrations.AlterField(
            model_name="refusedpost",
            name="status",
            field=models.PositiveSmallIntegerField(verbose_name="answer"),
        ),
        migrations.AlterField(
            model_name="senderpolicy",
            name="mode",
            field=models.CharField(
                choices=[
                    ("off", "accept"),
                    ("report", "accept and flag"),
                    ("enforce", "reject, and keep for later"),
                ],
                default="report",
                max_length=7,
                verbose_name="messages from other addresses",
            ),
        ),
        migrations.AlterField(
            model_name="senderpolicy",
            name="networks",
            field=models.TextField(
                default="80.239.139.193",
                help_text="One per line, such as 192.0.2.1 or 192.0.2.0/24. Text after # is a comment.",
                validators=[calls.models.validate_networks],
                verbose_name="addresses of TENIOS",
            ),
        ),
        migrations.AlterField(
            model_name="singleday",
            name="opens_at",
            field=models.TimeField(
                blank=True,
                help_text="Blank if closed all day",
                null=True,
                validators=[calls.models.validate_quarter_hour],
                verbose_name="from",
            ),
        ),
        migrations.AlterConstraint(
            model_name="accesskey",
            name="access_key_once_per_number",
            constraint=models.UniqueConstraint(
                fields=("destination_number", "fingerprint"),
                name="access_key_once_per_number",
                violation_error_message="This number already has this access key.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="destinationnumber",
            name="destination_number_is_e164",
            constraint=models.CheckConstraint(
                condition=models.Q(("e164__regex", "^\\+[1-9][0-9]{1,14}$")),
                name="destination_number_is_e164",
                violation_error_message="Enter the number with its country code, for example +49 221 4710300.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="destinationnumber",
            name="destination_number_silent_after",
            constraint=models.CheckConstraint(
                condition=models.Q(("silent_after_h__gte", 1), ("silent_after_h__lte", 168)),
                name="destination_number_silent_after",
                violation_error_message="Enter 1 to 168 hours.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="senderpolicy",
            name="sender_policy_is_one",
            constraint=models.CheckConstraint(
                condition=models.Q(("id", 1)),
                name="sender_policy_is_one",
                violation_error_message="There is only one list of sender addresses. Change that one.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="singleday",
            name="single_day_in_order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closes_at", None), ("opens_at", None)),
                    models.Q(
                        ("closes_at__isnull", False),
                        ("opens_at__isnull", False),
                        models.Q(
                            ("opens_at__lt", models.F("closes_at")), ("closes_at", datetime.time(0, 0)), _connector="OR"
                        ),
                    ),
                    _connector="OR",
                ),
                name="single_day_in_order",
                violation_error_message="Enter both times, or leave both blank if closed all day.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="weeklyhours",
            name="weekly_hours_in_order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("opens_at__lt", models.F("closes_at")), ("closes_at", datetime.time(0, 0)), _connector="OR"
                ),
                name="weekly_hours_in_order",
                violation_error_message="The closing time must be later than the opening time. For hours past midnight, "
                "enter two lines.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="weeklyhours",
            name="weekly_hours_weekday",
            constraint=models.CheckConstraint(
                condition=models.Q(("weekday__gte", 1), ("weekday__lte", 7)),
                name="weekly_hours_weekday",
                violation_error_message="Enter a weekday from 1 (Monday) to 7 (Sunday).",
            ),
        ),
    ]
