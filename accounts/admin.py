"""Admin pages of users, with the numbers that each of them manages, and of groups."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import DATE_SCRIPTS, FoldedAdmin


class ManagerAdmin(FoldedAdmin, UserAdmin):
    """Django's admin of users, extended by the numbers that a user manages."""

    readonly_fields = ["managed_numbers"]
    fieldsets = [
        *(UserAdmin.fieldsets or ()),
        (_("Numbers"), {"fields": ["managed_numbers"]}),
    ]

    class Media:
        js = DATE_SCRIPTS

    @admin.display(description=_("managed numbers"))
    def managed_numbers(self, user: User) -> str:
        numbers = format_html_join(
            ", ",
            '<a href="{}">{}</a>',
            (
                (reverse("admin:calls_destinationnumber_change", args=[number.pk]), number)
                for number in user.destination_numbers.all()
            ),
        )
        return numbers or gettext("None. To assign a number, open the number and select this user as a manager.")


class FoldedGroupAdmin(FoldedAdmin, GroupAdmin):
    """Django's admin of groups."""


admin.site.unregister([User, Group])
admin.site.register(User, ManagerAdmin)
admin.site.register(Group, FoldedGroupAdmin)
