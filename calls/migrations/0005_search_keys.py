import datetime

from django.db import migrations, models

from calls.search_keys import search_key


def fill(apps, schema_editor):
    """Make the search keys of the rows that are here. Both tables are small."""
    for name, searched in (("DestinationNumber", "label"), ("OpeningHours", "name")):
        manager = apps.get_model("calls", name)._default_manager.using(schema_editor.connection.alias)
        rows = list(manager.all())
        for row in rows:
            row.search_key = search_key(getattr(row, searched))
        manager.bulk_update(rows, ["search_key"], batch_size=500)


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0004_find_callers_by_part"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="destinationnumber",
            options={"ordering": ["search_key", "e164"], "verbose_name": "number", "verbose_name_plural": "numbers"},
        ),
        migrations.AlterModelOptions(
            name="openinghours",
            options={
                "ordering": ["search_key", "name"],
                "verbose_name": "opening hours",
                "verbose_name_plural": "opening hours",
            },
        ),
        migrations.AddField(
            model_name="destinationnumber",
            name="search_key",
            field=models.TextField(blank=True, db_collation="C", db_default="", default="", editable=False),
        ),
        migrations.AddField(
            model_name="openinghours",
            name="search_key",
            field=models.TextField(blank=True, db_collation="C", db_default="", default="", editable=False),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterConstraint(
            model_name="accesskey",
            name="access_key_once_per_number",
            constraint=models.UniqueConstraint(
                fields=("destination_number", "fingerprint"),
                name="access_key_once_per_number",
                violation_error_message="This key was issued for this number before.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="destinationnumber",
            name="destination_number_is_e164",
            constraint=models.CheckConstraint(
                condition=models.Q(("e164__regex", "^\\+[1-9][0-9]{1,14}$")),
                name="destination_number_is_e164",
                violation_error_message="Type the number with its country code, as +49 221 4710300.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="destinationnumber",
            name="destination_number_silent_after",
            constraint=models.CheckConstraint(
                condition=models.Q(("silent_after_h__gte", 1), ("silent_after_h__lte", 168)),
                name="destination_number_silent_after",
                violation_error_message="A number is silent after 1 to 168 hours.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="senderpolicy",
            name="sender_policy_is_one",
            constraint=models.CheckConstraint(
                condition=models.Q(("id", 1)),
                name="sender_policy_is_one",
                violation_error_message="The senders' addresses are one row: change that one.",
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
                violation_error_message="Write both times, or neither where it is closed all day.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="weeklyhours",
            name="weekly_hours_weekday",
            constraint=models.CheckConstraint(
                condition=models.Q(("weekday__gte", 1), ("weekday__lte", 7)),
                name="weekly_hours_weekday",
                violation_error_message="Weekdays are 1, Monday, to 7, Sunday.",
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
                violation_error_message="Hours close after they open. Over midnight, write two lines.",
            ),
        ),
    ]
