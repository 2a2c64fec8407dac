"""Rewords choices and help texts: why a ring was not shown is a sentence. Nothing changes in the database."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("live", "0002_let_operators_change_rings"),
    ]

    operations = [
        migrations.AlterField(
            model_name="numberrings",
            name="team",
            field=models.ManyToManyField(
                blank=True,
                help_text="They see calls that ring at a destination without a named person.",
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="team",
            ),
        ),
        migrations.AlterField(
            model_name="pop",
            name="why_closed",
            field=models.CharField(
                blank=True,
                choices=[
                    ("answered", "Answered, and the call has ended"),
                    ("answered_elsewhere", "Answered by someone else"),
                    ("not_answered", "Not answered"),
                    ("timed_out", "Rang for longer than the time limit"),
                ],
                max_length=20,
            ),
        ),
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
                ],
                max_length=20,
            ),
        ),
    ]
