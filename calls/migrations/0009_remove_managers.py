"""Takes the field `managers` out of the models. Its table stays for one version, so that the update can be undone.

Django no longer deletes its rows with a user or a number. So the table loses its foreign keys, which would otherwise
refuse to let them go. That locks users and numbers against readers too, for a moment. Behind a long download it would
wait for that lock, and posts and pages behind it; so it gives up after half a second and tries again, for ten minutes.
Going back does not bring the foreign keys back: the version before does without them."""

from django.db import migrations

DROP_FOREIGN_KEYS = """
DO $$
DECLARE
  foreign_key name;
BEGIN
  PERFORM set_config('lock_timeout', '500ms', true);
  FOR attempt IN 1..600 LOOP
    BEGIN
      FOR foreign_key IN
        SELECT conname FROM pg_constraint WHERE conrelid = 'calls_destinationnumber_managers'::regclass AND contype = 'f'
      LOOP
        EXECUTE format('ALTER TABLE calls_destinationnumber_managers DROP CONSTRAINT %I', foreign_key);
      END LOOP;
      EXIT;
    EXCEPTION WHEN lock_not_available THEN
      IF attempt = 600 THEN
        RAISE;
      END IF;
      PERFORM pg_sleep(0.5);
    END;
  END LOOP;
  PERFORM set_config('lock_timeout', '0', true);
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
