import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import contacts.lookup_format


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0005_let_operators_edit_contacts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Lookup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="The text of the link to what was found, such as CRM.",
                        max_length=60,
                        unique=True,
                        verbose_name="name",
                    ),
                ),
                (
                    "is_on",
                    models.BooleanField(
                        default=False,
                        help_text="Save and try it first, then switch it on.",
                        verbose_name="asked while it rings",
                    ),
                ),
                (
                    "url",
                    models.CharField(
                        max_length=2000, validators=[contacts.lookup_format.check_address], verbose_name="address"
                    ),
                ),
                (
                    "header_name",
                    models.CharField(
                        blank=True,
                        help_text="In which the secret is sent, such as Authorization. Blank if the system needs none.",
                        max_length=60,
                        validators=[
                            django.core.validators.RegexValidator(
                                "(?i)\\A(?!(?:host|content-length|transfer-encoding|connection|te|trailer|upgrade|cookie|expect|accept-encoding)\\Z)[a-z0-9!#$%&'*+.^_`|~-]+\\Z",
                                code="header",
                                message="Enter the name of a header, such as Authorization or X-Api-Key.",
                            )
                        ],
                        verbose_name="header",
                    ),
                ),
                ("header_secret", models.TextField(blank=True, editable=False)),
                (
                    "list_path",
                    models.CharField(
                        blank=True,
                        help_text="Where the list of records is in the answer. Blank if the answer is the list.",
                        max_length=500,
                        validators=[contacts.lookup_format.check_expression],
                        verbose_name="records",
                    ),
                ),
                (
                    "name_path",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[contacts.lookup_format.check_expression],
                        verbose_name="name of the person",
                    ),
                ),
                (
                    "company_path",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[contacts.lookup_format.check_expression],
                        verbose_name="company",
                    ),
                ),
                (
                    "customer_number_path",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[contacts.lookup_format.check_expression],
                        verbose_name="customer number",
                    ),
                ),
                (
                    "url_path",
                    models.CharField(
                        blank=True,
                        help_text="To the record in the other system, beginning with https://",
                        max_length=500,
                        validators=[contacts.lookup_format.check_expression],
                        verbose_name="link",
                    ),
                ),
                (
                    "note_path",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[contacts.lookup_format.check_expression],
                        verbose_name="note",
                    ),
                ),
                ("failures", models.PositiveIntegerField(default=0, editable=False, verbose_name="failures in a row")),
                ("rests_until", models.DateTimeField(editable=False, null=True, verbose_name="rests until")),
                ("last_failure", models.TextField(blank=True, editable=False, verbose_name="last failure")),
            ],
            options={
                "verbose_name": "look-up",
                "verbose_name_plural": "look-ups",
                "ordering": ["name"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("url__regex", "^https?://")), name="lookup_is_web"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("header_secret", ""), models.Q(("header_name", ""), _negated=True), _connector="OR"
                        ),
                        name="lookup_secret_has_header",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LookupAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("caller", models.TextField()),
                ("number", models.TextField(blank=True)),
                ("asked_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("is_pending", models.BooleanField(default=True)),
                ("found", models.JSONField(null=True)),
                (
                    "lookup",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="answers",
                        to="contacts.lookup",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["caller"], name="lookup_answer_caller"),
                    models.Index(fields=["expires_at"], name="lookup_answer_expires"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("lookup", "caller", "number"), name="lookup_answer_once")
                ],
            },
        ),
    ]
