"""Takes over the label and help text of the right to callers; no table is changed."""

from django.db import migrations, models

from accounts.rewording import Rewording


class Migration(Rewording):
    dependencies = [("calls", "0012_let_data_protection_read_the_audit")]

    operations = [
        migrations.AlterField(
            model_name="numberaccess",
            name="callers",
            field=models.BooleanField(
                default=False,
                help_text="Callers are masked. The person can have the caller of one call shown for a reason, search for "
                "callers and see their contacts. Needs single calls.",
                verbose_name="callers, shown one by one, and their contacts",
            ),
        ),
        migrations.AlterConstraint(
            model_name="numberaccess",
            name="number_access_needs_calls",
            constraint=models.CheckConstraint(
                condition=models.Q(("calls", True), models.Q(("callers", False), ("export", False)), _connector="OR"),
                name="number_access_needs_calls",
                violation_error_message="Callers and downloads of single calls need single calls.",
            ),
        ),
    ]
