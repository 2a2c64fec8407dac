from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("live", "0008_add_dispatch_processes"),
    ]

    operations = [
        migrations.AddField(
            model_name="liveprocess",
            name="boards",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
