"""Gives everybody, as rows of access, what they saw so far: managers the calls of their numbers, staff everything.

Destinations and figures of single people go only to those to whom the setting FORWARDS_FOR_MANAGERS showed them; pages
and files that showed them to others no longer do. Superusers see everything without rows. The rows have no `granted_by`,
so that the admin can list them to be narrowed. What changes for whom is written to the terminal."""

import sys

from django.conf import settings
from django.db import migrations

# The permission for the page System status, which was shown to all staff.
SYSTEM = {"codename": "view_system", "name": "Can view the state of the installation"}


def copy_managers(apps, schema_editor):
    using = schema_editor.connection.alias
    User = apps.get_model(settings.AUTH_USER_MODEL)
    DestinationNumber = apps.get_model("calls", "DestinationNumber")
    NumberAccess = apps.get_model("calls", "NumberAccess")
    users = User.objects.using(using)
    # On a second run, after going back, the table may name users and numbers that are gone.
    managed = DestinationNumber.managers.through.objects.using(using).filter(
        user__is_superuser=False, destinationnumber__in=DestinationNumber.objects.using(using).all()
    )
    staff = users.filter(is_staff=True, is_superuser=False)
    rights = {"calls": True, "callers": True, "export": True}
    sees_people = settings.FORWARDS_FOR_MANAGERS

    NumberAccess.objects.using(using).bulk_create(
        [
            *(NumberAccess(user=user, destination_number=None, people=True, **rights) for user in staff),
            *(
                NumberAccess(
                    user_id=row.user_id, destination_number_id=row.destinationnumber_id, people=sees_people, **rights
                )
                for row in managed
            ),
        ],
        ignore_conflicts=True,
    )
    if staff.exists():
        ContentType = apps.get_model("contenttypes", "ContentType")
        content_type, _ = ContentType.objects.using(using).get_or_create(app_label="calls", model="destinationnumber")
        Permission = apps.get_model("auth", "Permission")
        view_system, _ = Permission.objects.using(using).get_or_create(
            content_type=content_type, codename=SYSTEM["codename"], defaults={"name": SYSTEM["name"]}
        )
        for user in staff:
            user.user_permissions.add(view_system)
    for line in changes(users, staff, managed):
        sys.stdout.write(f"\n    {line}")


def changes(users, staff, managed):
    """Say what the update changes for whom, one line each; nothing for an installation without such people."""
    managers = users.filter(pk__in=managed.values("user"), is_staff=False)
    if managers and not settings.FORWARDS_FOR_MANAGERS:
        yield (
            f"No longer see destinations in calls, messages and files, because FORWARDS_FOR_MANAGERS is off: "
            f"{_names(managers)}. Grant “Destinations and figures of single people” where it is wanted."
        )
    if staff:
        yield (
            f"Keep every number with every right as rows of access, and the page System status as a permission: "
            f"{_names(staff)}. Narrow these rows in the admin."
        )
    if superusers := users.filter(is_superuser=True, is_staff=False):
        yield (
            f"Are superusers without access to the admin, and superusers see every number: {_names(superusers)}. "
            f"Take the status away if that is not wanted."
        )


def _names(users):
    return ", ".join(users.order_by("username").values_list("username", flat=True))


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0007_number_access"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(copy_managers, migrations.RunPython.noop)]
