"""Records the rights by which a workbook is made, which are asked again when it is fetched."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reports", "0011_reword_labels")]

    operations = [
        migrations.AddField(
            model_name="workbook",
            name="rights",
            field=models.JSONField(
                default=dict,
                help_text="Ids of the numbers for which its rows depend on each right",
                verbose_name="rights",
            ),
        )
    ]
