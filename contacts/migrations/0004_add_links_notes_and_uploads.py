"""Adds the tables of links into other systems, of notes on calls, and of files of contacts that are uploaded."""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import contacts.links


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0010_groups"),
        ("contacts", "0003_add_contacts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LinkTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="The text of the link, such as CRM.",
                        max_length=60,
                        unique=True,
                        verbose_name="name",
                    ),
                ),
                (
                    "url",
                    models.CharField(max_length=2000, validators=[contacts.links.check], verbose_name="address"),
                ),
                (
                    "shown_when",
                    models.CharField(
                        choices=[
                            ("any", "always"),
                            ("exact", "the caller's number is that of a contact"),
                            ("company", "only the company is known"),
                            ("nobody", "the caller is not known"),
                        ],
                        default="any",
                        max_length=10,
                        verbose_name="shown when",
                    ),
                ),
                (
                    "opens_in",
                    models.CharField(
                        choices=[("tab", "the same tab for every call"), ("new", "a new tab for each call")],
                        default="tab",
                        max_length=10,
                        verbose_name="opens in",
                    ),
                ),
                (
                    "position",
                    models.PositiveSmallIntegerField(
                        default=1, help_text="Links are shown in this order.", verbose_name="position"
                    ),
                ),
            ],
            options={
                "verbose_name": "link template",
                "verbose_name_plural": "link templates",
                "ordering": ["position", "name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("shown_when__in", ["any", "exact", "company", "nobody"])),
                        name="link_template_shown_when_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("opens_in__in", ["tab", "new"])), name="link_template_opens_in_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("url__regex", "^https?://")), name="link_template_is_web"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CallNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "result",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("resolved", "Resolved"),
                            ("call_back", "Call back"),
                            ("passed_on", "Passed on"),
                            ("follow_up", "To be followed up"),
                            ("wrong_number", "Wrong number"),
                            ("unwanted", "Unwanted call"),
                        ],
                        max_length=20,
                        verbose_name="result",
                    ),
                ),
                (
                    "text",
                    models.TextField(
                        blank=True,
                        validators=[django.core.validators.MaxLengthValidator(2000)],
                        verbose_name="note",
                    ),
                ),
                (
                    "written_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="written"),
                ),
                (
                    "changed_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="changed"),
                ),
                (
                    "call",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notes",
                        to="calls.call",
                        verbose_name="call",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="call_notes",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "note on a call",
                "verbose_name_plural": "notes on calls",
                "ordering": ["written_at", "pk"],
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("result", ""), ("text", ""), _negated=True),
                        name="call_note_says_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "result__in",
                                [
                                    "",
                                    "resolved",
                                    "call_back",
                                    "passed_on",
                                    "follow_up",
                                    "wrong_number",
                                    "unwanted",
                                ],
                            )
                        ),
                        name="call_note_result_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ContactUpload",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=255, verbose_name="file")),
                ("source", models.CharField(blank=True, max_length=40, verbose_name="source")),
                ("columns", models.JSONField(default=dict)),
                ("content", models.BinaryField(null=True, verbose_name="content")),
                ("uploaded_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="uploaded")),
                ("imported_at", models.DateTimeField(null=True, verbose_name="imported")),
                ("counts", models.JSONField(default=dict)),
                ("refused", models.TextField(blank=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="contact_uploads",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "upload of contacts",
                "verbose_name_plural": "uploads of contacts",
                "default_permissions": (),
                "indexes": [models.Index(fields=["uploaded_at"], name="contact_upload_time")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("content__isnull", False), ("imported_at", None)),
                            models.Q(("content", None), ("imported_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="contact_upload_imported_once",
                    )
                ],
            },
        ),
    ]
