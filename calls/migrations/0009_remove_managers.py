"""Takes the field `managers` out of the models. Its table stays for one version, so that the update can be undone.

Django no longer deletes its rows with a user or a number. So the table loses its foreign keys, which would otherwise
refuse to let them go; that locks users and numbers for a moment only."""

from django.db import migrations

DROP_FOREIGN_KEYS = """
DO $$
DECLARE
  foreign_key name;
BEGIN
  FOR foreign_key IN
    SELECT conname FROM pg_constraint WHERE conrelid = 'calls_destinationnumber_managers'::regclass AND contype = 'f'
  LOOP
    EXECUTE format('ALTER TABLE calls_destinationnumber_managers DROP CONSTRAINT %I', foreign_key);
  END LOOP;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("calls", "0008_copy_managers_to_access")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="destinationnumber", name="managers")],
            database_operations=[migrations.RunSQL(DROP_FOREIGN_KEYS, migrations.RunSQL.noop)],
        )
    ]
