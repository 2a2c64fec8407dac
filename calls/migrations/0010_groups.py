"""Creates the groups of permissions that an installation starts with.

A migration rather than a receiver of post_migrate: it runs once, so a group that is changed, renamed or deleted later
stays as it is. A group with one of these names is left alone. Permissions are made after all migrations, so this one
makes those that it needs by Django's own function."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

# The permissions of each group, by app. What a person sees of numbers and calls is no permission, but access
# (NumberAccess); so two groups have none and only say what somebody is.
GROUPS = {
    "viewer": {},
    "team lead": {},
    # Sets up numbers, keys and hours, and reads refused posts; no calls.
    "operator": {
        "calls": [
            *("view_destinationnumber", "add_destinationnumber", "change_destinationnumber"),
            *("view_accesskey", "add_accesskey", "change_accesskey"),
            *("view_openinghours", "add_openinghours", "change_openinghours", "delete_openinghours"),
            *("view_refusedpost", "change_refusedpost"),
            *("view_senderpolicy", "add_senderpolicy", "change_senderpolicy"),
            "view_system",
        ]
    },
    # Adds people and grants access. Users are disabled, not deleted.
    "user admin": {
        "auth": ["view_user", "add_user", "change_user", "view_group"],
        "calls": [
            *("view_numberaccess", "add_numberaccess", "change_numberaccess", "delete_numberaccess"),
            "view_destinationnumber",
        ],
    },
    # Sees who may see what; no calls, no content.
    "data protection": {"auth": ["view_user", "view_group"], "calls": ["view_numberaccess", "view_destinationnumber"]},
}


def create_groups(apps, schema_editor):
    using = schema_editor.connection.alias
    for label in ("auth", "calls"):
        app_config = apps.get_app_config(label)
        app_config.models_module = True  # or Django's function takes it for an app without models
        create_permissions(app_config, verbosity=0, using=using, apps=apps)
        app_config.models_module = None
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    for name, by_app in GROUPS.items():
        group, is_new = Group.objects.using(using).get_or_create(name=name)
        for label, codenames in by_app.items() if is_new else ():
            wanted = Permission.objects.using(using).filter(content_type__app_label=label, codename__in=codenames)
            group.permissions.add(*wanted)


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0009_remove_managers"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
