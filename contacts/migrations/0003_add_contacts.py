"""Adds the tables of contacts, of their phone numbers, and of the keys with which other systems write them."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import calls.models.numbers


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0002_let_operators_map_agents"),
    ]

    operations = [
        migrations.CreateModel(
            name="ContactKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="Which system uses the key, for example Odoo.",
                        max_length=100,
                        unique=True,
                        verbose_name="name",
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z0-9][a-z0-9_-]{0,39}\\Z",
                                code="source",
                                message="Use up to 40 lower-case letters, digits, - and _, for example crm.",
                            )
                        ],
                        verbose_name="source",
                    ),
                ),
                (
                    "fingerprint",
                    models.CharField(editable=False, max_length=64, unique=True, verbose_name="fingerprint"),
                ),
                ("last4", models.CharField(editable=False, max_length=4, verbose_name="last four characters")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created"),
                ),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="revoked")),
            ],
            options={
                "verbose_name": "contact key",
                "verbose_name_plural": "contact keys",
                "ordering": ["name"],
                "default_permissions": ("view", "change"),
            },
        ),
        migrations.CreateModel(
            name="Contact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "search_key",
                    models.TextField(blank=True, db_collation="C", db_default="", default="", editable=False),
                ),
                (
                    "source",
                    models.CharField(
                        blank=True,
                        help_text="The system the contact comes from, for example crm. Leave blank if you enter it here.",
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z0-9][a-z0-9_-]{0,39}\\Z",
                                code="source",
                                message="Use up to 40 lower-case letters, digits, - and _, for example crm.",
                            )
                        ],
                        verbose_name="source",
                    ),
                ),
                (
                    "external_id",
                    models.CharField(
                        blank=True,
                        help_text="An update from the source finds it by this id.",
                        max_length=200,
                        verbose_name="id in its source",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=200, verbose_name="name")),
                ("company", models.CharField(blank=True, max_length=200, verbose_name="company")),
                (
                    "url",
                    models.CharField(
                        blank=True,
                        help_text="The address of its record in your CRM or ERP.",
                        max_length=1000,
                        validators=[django.core.validators.URLValidator(schemes=["https", "http"])],
                        verbose_name="link",
                    ),
                ),
                (
                    "note",
                    models.TextField(
                        blank=True, validators=[django.core.validators.MaxLengthValidator(2000)], verbose_name="note"
                    ),
                ),
                ("customer_number", models.CharField(blank=True, max_length=60, verbose_name="customer number")),
                ("important", models.BooleanField(default=False, verbose_name="important")),
                (
                    "updated_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="changed"),
                ),
            ],
            options={
                "verbose_name": "contact",
                "verbose_name_plural": "contacts",
                "ordering": ["search_key", "pk"],
                "indexes": [
                    models.Index(fields=["search_key", "id"], name="contact_search_key"),
                    models.Index(
                        condition=models.Q(("customer_number", ""), _negated=True),
                        fields=["customer_number"],
                        name="contact_customer_number",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("external_id", ""), _negated=True),
                        fields=("source", "external_id"),
                        name="contact_once_per_source",
                        violation_error_message="This source already has a contact with this id.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("company", ""), ("name", ""), _negated=True),
                        name="contact_has_a_name",
                        violation_error_message="Enter a name or a company.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("url", ""), ("url__regex", "^https?://"), _connector="OR"),
                        name="contact_url_is_web",
                        violation_error_message="Enter an address that begins with https://.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ContactNumber",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "e164",
                    models.CharField(
                        db_collation="C",
                        max_length=16,
                        validators=[calls.models.numbers.validate_e164],
                        verbose_name="number",
                    ),
                ),
                (
                    "has_extensions",
                    models.BooleanField(
                        default=False,
                        help_text="All callers whose number begins with this one belong to the contact. Enter it without extension.",
                        verbose_name="with extensions",
                    ),
                ),
                (
                    "label",
                    models.CharField(blank=True, help_text="For example, mobile.", max_length=60, verbose_name="label"),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="numbers",
                        to="contacts.contact",
                        verbose_name="contact",
                    ),
                ),
            ],
            options={
                "verbose_name": "phone number",
                "verbose_name_plural": "phone numbers",
                "ordering": ["e164", "pk"],
                "default_permissions": (),
                "indexes": [models.Index(fields=["e164"], name="contact_number_e164")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("contact", "e164"),
                        name="contact_number_once",
                        violation_error_message="This contact already has this number.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("e164__regex", "^\\+[1-9][0-9]{1,14}$")),
                        name="contact_number_is_e164",
                        violation_error_message="Enter the number with its country code, for example +49 221 4710300.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("has_extensions", False), ("e164__regex", "^.{8,}$"), _connector="OR"),
                        name="contact_number_with_extensions_is_long",
                        violation_error_message="A number with extensions needs at least 7 digits.",
                    ),
                ],
            },
        ),
    ]
