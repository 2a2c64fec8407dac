"""Adds the table of typed numbers, links that are shown where a caller typed one, and contacts by customer number."""

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models

import contacts.links
import contacts.patterns


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0010_groups"),
        ("contacts", "0009_reword_help_of_agents"),
    ]

    operations = [
        migrations.CreateModel(
            name="TypedNumber",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "variable",
                    models.CharField(
                        help_text="Its name in the messages from TENIOS.", max_length=64, verbose_name="variable"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("customer", "customer number"),
                            ("ticket", "ticket number"),
                            ("order", "order number"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "label",
                    models.CharField(
                        help_text="Shown before the number, for example Ticket in Ticket 4711.",
                        max_length=40,
                        verbose_name="label",
                    ),
                ),
                (
                    "pattern",
                    models.CharField(
                        help_text=(
                            "A regular expression that matches the whole number: \\d{4,8} for 4 to 8 digits, "
                            "[A-Z]{2}\\d+ for two letters and digits. What does not match is not shown."
                        ),
                        max_length=100,
                        validators=[contacts.patterns.check],
                        verbose_name="pattern",
                    ),
                ),
                (
                    "url",
                    models.CharField(
                        blank=True,
                        help_text=(
                            "Optional: an address such as https://helpdesk.example.com/tickets/{value}, where {value} "
                            "becomes the number. It may contain what link templates may contain, too."
                        ),
                        max_length=2000,
                        validators=[contacts.links.check_typed],
                        verbose_name="link",
                    ),
                ),
                (
                    "destination_number",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="typed_numbers",
                        to="calls.destinationnumber",
                        verbose_name="number",
                    ),
                ),
            ],
            options={
                "verbose_name": "typed number",
                "verbose_name_plural": "typed numbers",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("destination_number", "variable"),
                        name="typed_number_once",
                        violation_error_message="This variable of the number is already used.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["customer", "ticket", "order"])),
                        name="typed_number_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("url", ""), ("url__regex", "^https?://"), _connector="OR"),
                        name="typed_number_url_is_web",
                    ),
                ],
            },
        ),
        migrations.RemoveConstraint(model_name="linktemplate", name="link_template_shown_when_known"),
        migrations.AlterField(
            model_name="linktemplate",
            name="shown_when",
            field=models.CharField(
                choices=[
                    ("any", "always"),
                    ("exact", "the caller is a contact"),
                    ("company", "only the company is known"),
                    ("nobody", "the caller is not known"),
                    ("typed", "the caller typed a customer, ticket or order number"),
                ],
                default="any",
                max_length=10,
                verbose_name="shown when",
            ),
        ),
        migrations.AddConstraint(
            model_name="linktemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("shown_when__in", ["any", "exact", "company", "nobody", "typed"])),
                name="link_template_shown_when_known",
            ),
        ),
        migrations.RemoveIndex(model_name="contact", name="contact_customer_number"),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                django.db.models.functions.text.Upper("customer_number"),
                condition=models.Q(("customer_number", ""), _negated=True),
                name="contact_customer_number_folded",
            ),
        ),
    ]
