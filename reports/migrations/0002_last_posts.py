from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reports", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="firstpost",
            name="last_received_at",
            field=models.DateTimeField(null=True, verbose_name="last received"),
        ),
    ]
