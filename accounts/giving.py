"""What a person may give to others in the admin: only permissions, and groups of permissions, that they have."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

# Apps whose tables are on no page of the admin: permissions for them would do nothing.
WITHOUT_PAGES = ("account", "mfa")


def givable_permissions(user: Any) -> QuerySet[Permission]:
    """Return the permissions that a user has and may give to others; for a superuser all that do anything."""
    permissions = Permission.objects.exclude(content_type__app_label__in=WITHOUT_PAGES)
    if user.is_superuser:
        return permissions
    own = Permission.objects.filter(Q(user=user) | Q(group__user=user)).order_by().values("pk")
    return permissions.filter(pk__in=own)


def givable_groups(user: Any) -> QuerySet[Group]:
    """Return the groups without a permission that the user lacks."""
    if user.is_superuser:
        return Group.objects.all()
    lacking = Permission.objects.exclude(pk__in=givable_permissions(user).order_by().values("pk")).order_by()
    return Group.objects.exclude(permissions__in=lacking.values("pk"))


def has_more_permissions(person: Any, editor: Any) -> bool:
    """Return whether a person has a permission that the editor lacks."""
    if editor.is_superuser:
        return False
    has: QuerySet[Permission] = givable_permissions(person)
    return bool(person.is_superuser or has.exclude(pk__in=givable_permissions(editor).order_by().values("pk")).exists())
