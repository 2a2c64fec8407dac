"""Adds the audit. Triggers let entries only be added, and expire.

An entry may be deleted only if it is older than six months and a later entry says that it expired. The function that
deletes runs as its owner, so the role of the application needs no right to delete."""

from django.db import migrations, models

TRIGGERS = """
CREATE FUNCTION accounts_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.at < now() - interval '6 months' AND EXISTS (
      SELECT FROM accounts_auditentry AS expiry
      WHERE expiry.action = 'audit_expired' AND expiry.carried IS NULL AND expiry.position > OLD.position
        AND (expiry.after->>'position')::bigint >= OLD.position
    ) THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION 'entries of the audit are only added: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON accounts_auditentry
  FOR EACH ROW EXECUTE FUNCTION accounts_refuse_audit_change();
CREATE TRIGGER audit_stays BEFORE TRUNCATE ON accounts_auditentry
  FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_audit_change();

CREATE FUNCTION accounts_expire_audit() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE deleted bigint;
BEGIN
  DELETE FROM accounts_auditentry
  WHERE at < now() - interval '6 months' AND position <= (
    SELECT (expiry.after->>'position')::bigint FROM accounts_auditentry AS expiry
    WHERE expiry.action = 'audit_expired' AND expiry.carried IS NULL ORDER BY expiry.position DESC LIMIT 1
  );
  GET DIAGNOSTICS deleted = ROW_COUNT;
  RETURN deleted;
END $$;
REVOKE ALL ON FUNCTION accounts_expire_audit() FROM PUBLIC;
"""
NO_TRIGGERS = """
DROP FUNCTION accounts_expire_audit();
DROP FUNCTION accounts_refuse_audit_change() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_add_sessions"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "position",
                    models.PositiveBigIntegerField(primary_key=True, serialize=False, verbose_name="position"),
                ),
                ("at", models.DateTimeField(verbose_name="time")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="id of the person")),
                ("actor", models.CharField(max_length=200, verbose_name="person")),
                ("address", models.CharField(blank=True, max_length=45, verbose_name="address")),
                ("action", models.CharField(max_length=40, verbose_name="action")),
                ("object_type", models.CharField(blank=True, max_length=100, verbose_name="kind of object")),
                ("object_id", models.CharField(blank=True, max_length=100, verbose_name="id of the object")),
                ("object", models.CharField(blank=True, max_length=300, verbose_name="object")),
                ("before", models.JSONField(null=True, verbose_name="before")),
                ("after", models.JSONField(null=True, verbose_name="after")),
                ("rows", models.BigIntegerField(null=True, verbose_name="rows")),
                ("bytes", models.BigIntegerField(null=True, verbose_name="bytes")),
                ("reason", models.CharField(blank=True, max_length=500, verbose_name="reason")),
                ("carried", models.JSONField(null=True, verbose_name="carried over")),
                ("key_id", models.CharField(max_length=8, verbose_name="id of the key")),
                ("previous", models.CharField(blank=True, max_length=64, verbose_name="checksum of the entry before")),
                ("checksum", models.CharField(max_length=64, verbose_name="checksum")),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit",
                "ordering": ("-position",),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["actor_id", "-position"], name="audit_by_actor"),
                    models.Index(fields=["action", "-position"], name="audit_by_action"),
                    models.Index(fields=["at"], name="audit_by_time"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CappedEntries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField(verbose_name="hour")),
                ("action", models.CharField(max_length=40, verbose_name="action")),
                ("network", models.CharField(blank=True, max_length=45, verbose_name="network")),
                ("count", models.BigIntegerField(default=0, verbose_name="count")),
            ],
            options={
                "verbose_name": "counted entries",
                "verbose_name_plural": "counted entries",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("hour", "action", "network"), name="one_count_of_network")
                ],
            },
        ),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
