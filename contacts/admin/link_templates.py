"""Admin page of link templates, with a link of a made-up call to try each."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import OfferedFiltersAdmin, WordedHistoryAdmin
from contacts import links
from contacts.models import LinkTemplate


@admin.register(LinkTemplate)
class LinkTemplateAdmin(WordedHistoryAdmin, OfferedFiltersAdmin):
    audited_by_name = True
    # Not the address, which may contain a key.
    audited_fields = ("name", "shown_when", "opens_in", "position")
    list_display = ["name", "url", "shown_when", "opens_in", "position"]
    readonly_fields = ["try_it"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        places = {"places": " ".join(f"{{{place}}}" for place in links.EXAMPLES)}
        description = gettext(
            "The address may contain %(places)s. They are replaced by the values of the call, encoded for an address. "
            "A link is not shown where a value is missing."
        )
        fields = ["name", "url", "shown_when", "opens_in", "position"]
        return [(None, {"fields": [*fields, "try_it"] if obj else fields, "description": description % places})]

    @admin.display(description=_("try it"))
    def try_it(self, template: LinkTemplate) -> str:
        """Return the link as it is for a made-up call."""
        link = links.made_up_link(template)
        if link is None:
            return links.why_refused(template.url)
        return format_html(
            '<a href="{}" target="{}" referrerpolicy="no-referrer">{}</a><p class="help">{}</p>',
            link.url,
            link.target or "_blank",
            link.url,
            gettext("This is the link of a made-up call. Save first to try a change."),
        )
