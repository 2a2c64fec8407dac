"""Adds the function by which patterns of typed numbers are applied: one that cannot be read matches nothing.

Without it, a pattern that was written past its check, or read by another version of PostgreSQL, would fail the whole
statement, and with it the page of each call of its number."""

from django.db import migrations

CREATE = """
CREATE OR REPLACE FUNCTION contacts_matches_whole(value text, pattern text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  RETURN value ~* ('^(?:' || pattern || ')$');
EXCEPTION WHEN invalid_regular_expression THEN
  RETURN NULL;
END $$
"""
DROP = "DROP FUNCTION contacts_matches_whole(text, text)"


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0011_let_operators_map_typed_numbers"),
    ]

    operations = [migrations.RunSQL(CREATE, DROP)]
