"""Adds a reason why a ring was not shown: the call could not be followed. Nothing changes in the database."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("live", "0003_reword_rings"),
    ]

    operations = [
        migrations.AlterField(
            model_name="pop",
            name="why_not",
            field=models.CharField(
                blank=True,
                choices=[
                    ("late", "The message from TENIOS came more than 10 seconds late."),
                    ("ended", "The call was over before it could be shown."),
                    ("over", "It no longer rang there when the message was read."),
                    ("callback", "It is a callback, which Calltally started for the person."),
                    ("already_ringing", "This call was already shown and still rang."),
                    ("number_off", "Calls to this number are not shown."),
                    ("switched_off", "The person has switched it off."),
                    ("not_connected", "No page of Calltally was open."),
                    ("failed", "Calltally could not follow this call. Its log says why."),
                ],
                max_length=20,
            ),
        ),
    ]
