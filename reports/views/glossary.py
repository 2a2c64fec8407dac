"""The page Glossary: what every figure means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from calls.models import DestinationNumber
from reports.figures.definitions import FIGURES, Figure
from reports.views.readable import Readable
from reports.views.shared import Page, page_of, passed_on, personal


@require_safe
@login_required
@personal
def glossary(request: HttpRequest) -> HttpResponse:
    choices = list(DestinationNumber.objects.visible_to(request.user))
    return page_of(request, "reports/glossary.html", build_glossary_page(), choices, passed_on(request))


@dataclass(frozen=True)
class DefinedFigure(Readable):
    """A figure, and the labels of the posts that it needs."""

    figure: Figure
    posts: Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class GlossaryPage(Page):
    """Every figure with its definition and the posts it depends on."""

    figures: Sequence[DefinedFigure]


def build_glossary_page() -> GlossaryPage:
    """Build the page, which is the same for everyone."""
    return GlossaryPage(
        figures=[DefinedFigure(figure, [post.label for post in figure.rests_on]) for figure in FIGURES.values()]
    )
