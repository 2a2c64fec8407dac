"""Links that several pages have: reports with the current filters, downloads, coverage."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from calls.models import DestinationNumber
from reports.exports.downloads import WITH_STEPS
from reports.filters import session_filter
from reports.periods import Grain

register = template.Library()

# The files that pages offer: their labels, and what a row is.
FILES = {
    "counts": (gettext_lazy("Counts"), gettext_lazy("One row per number and time step")),
    "blocks": (gettext_lazy("Blocks"), gettext_lazy("One row per number and block type")),
    "week": (gettext_lazy("Week by hours"), gettext_lazy("One row per weekday and hour")),
    "times": (gettext_lazy("Waiting and talking"), gettext_lazy("One row per number and class of time")),
    "peaks": (gettext_lazy("Simultaneous calls"), gettext_lazy("The peak, one row per number and time step")),
    "forwards": (
        gettext_lazy("Forwarding"),
        gettext_lazy("One row per number, time step, destination and ringing order"),
    ),
    "calls": (gettext_lazy("Calls"), gettext_lazy("One row per call, oldest first")),
    "coverage": (gettext_lazy("Data quality"), gettext_lazy("One row per number and kind of message from TENIOS")),
    "planner": (
        gettext_lazy("Workforce planning file"),
        gettext_lazy("One row per number and quarter-hour in UTC, no header"),
    ),
}


@register.filter
def file_label(kind: str) -> str:
    """Return the label of a download."""
    return str(FILES[kind][0]) if kind in FILES else kind


@register.inclusion_tag("reports/_export.html", takes_context=True)
def export_menu(context: template.Context, names: str, query: str = "", **queries: str) -> dict[str, Any]:
    """The menu of a page's downloads, for wide windows. `queries` are query strings of single files."""
    files = _files(context, names, query, queries)
    steps = list(Grain) if any(file["has_steps"] for file in files) else []
    shown = next(
        (parse_qs(file["csv"].partition("?")[2]).get("by", [""])[0] for file in files if file["has_steps"]), ""
    )
    return {"files": files, "steps": steps, "step": shown or Grain.DAY, "question": context.get("question", "")}


@register.inclusion_tag("reports/_export_links.html", takes_context=True)
def export_links(context: template.Context, names: str, query: str = "", **queries: str) -> dict[str, Any]:
    """The same downloads as a line of links, for narrow windows."""
    return {"files": _files(context, names, query, queries)}


def _files(context: template.Context, names: str, query: str, queries: dict[str, str]) -> list[dict[str, Any]]:
    """Return the files; that of single calls only if the user may have it for all numbers of the page."""
    exports_calls, exports_whole = context["page"].exports_calls, context["page"].exports_whole_callers

    def address(name: str, page: str) -> str:
        return f"{reverse(page)}?{queries.get(name, query)}"

    return [
        {
            "name": name,
            "label": FILES[name][0],
            "row": FILES[name][1],
            "csv": address(name, f"{name}_csv"),
            "has_steps": name in WITH_STEPS,
            "xlsx": name != "planner" and address(name, f"{name}_xlsx"),
            "whole_callers": name == "calls" and exports_whole and address(name, "whole_callers"),
        }
        for name in names.split()
        if name != "calls" or exports_calls
    ]


@register.simple_tag(takes_context=True)
def report_url(context: template.Context, name: str, *args: object, place: str = "") -> str:
    """The address of a report with the current filters; `place` is an anchor on its page."""
    return session_filter.carry(f"{_address(name, *args)}{place and f'#{place}'}", context.get("question") or "")


@register.simple_tag(takes_context=True)
def once(context: template.Context, name: str) -> SafeString:
    """Include a template that a page has twice, and render it once. It must have no ids."""
    kept: Any = context.render_context.dicts[0]
    if (once, name) not in kept:
        page: Any = context.template  # set while it is rendered
        kept[once, name] = page.engine.get_template(name).render(context)
    return SafeString(kept[once, name])


# Cached, because a page links to each of many numbers.
@lru_cache(maxsize=4096)
def _address(name: str, *args: object) -> str:
    return reverse(name, args=args)


@register.simple_tag(takes_context=True)
def to_coverage(context: template.Context, number: DestinationNumber | None = None) -> SafeString:
    """A link to the page Data quality, after the reason why something is not measured."""
    href = report_url(context, "data_quality", place=f"n-{number.pk}" if number else "")
    return format_html(' <a href="{}">{}</a>', href, _("Data quality"))
