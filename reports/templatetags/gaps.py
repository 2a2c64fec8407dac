"""One line beside a table that says which figures do not cover all calls, and behind it of which numbers and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import template
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from reports import periods
from reports.figures.cells import Row
from reports.figures.definitions import FIGURES
from reports.figures.gaps import Covered, Gap, Gaps, find_gaps
from reports.templatetags.links import report_url

register = template.Library()


@register.inclusion_tag("reports/_gaps.html", takes_context=True)
def gaps(
    context: template.Context,
    name: str,
    total: Row,
    keys: str | Sequence[str],
    rows: Iterable[Row] | str = (),
    *,
    is_note: bool = False,
) -> dict[str, Any]:
    """What the figures `keys` of a row do not cover; nothing if they cover all its calls. `name` makes the id unique.

    `rows` are the rows of its numbers if the page has them. With `is_note` it is all that is below a table."""
    known = () if isinstance(rows, str) else rows
    found = find_gaps(total, keys.split() if isinstance(keys, str) else keys, known)
    if found is None:
        return {}
    return {
        "name": name,
        "is_note": is_note,
        "covered": [_covered(group) for group in found.covered] if len(found.coverage) > 1 else [],
        "gaps": [_gap(context, gap, found) for gap in found.gaps],
    }


def _covered(group: Covered) -> str:
    return ngettext(
        "%(figures)s covers %(n)d of %(all)d numbers in full.",
        "%(figures)s cover %(n)d of %(all)d numbers in full.",
        len(group.keys),
    ) % {"figures": _labels(group.keys), "n": group.numbers, "all": group.of_numbers}


def _gap(context: template.Context, gap: Gap, found: Gaps) -> SafeString:
    """Return a gap in words; its figures are named only if they are not all that have gaps, and of a single number."""
    names_figures = len(found.coverage) == 1 or gap.keys != found.keys
    if gap.since is not None:
        words = _("%(number)s: measured since %(moment)s")
        if names_figures:
            words = _("%(number)s: %(figures)s measured since %(moment)s")
    else:
        words = _("%(number)s: not measured, missing: %(posts)s")
        if names_figures:
            words = _("%(number)s: %(figures)s not measured, missing: %(posts)s")
    href = report_url(context, "data_quality", place=f"n-{gap.number.pk}")
    return _filled(
        words,
        number=format_html('<a href="{}">{}</a>', href, gap.number.name),
        figures=_labels(gap.keys),
        moment=periods.moment_label(gap.since) if gap.since else "",
        posts=", ".join(str(post.label) for post in gap.missing),
    )


def _labels(keys: Sequence[str]) -> str:
    return get_text_list([str(FIGURES[key].label) for key in keys], _("and"))


def _filled(words: str, **parts: str) -> SafeString:
    """Return a sentence with its named parts, all of it escaped but what is safe."""
    escaped = {name: conditional_escape(part) for name, part in parts.items()}
    return SafeString(escape(words) % escaped)  # all of it is escaped
