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
        ("calls", "0003_opening_hours"),
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
    ]
