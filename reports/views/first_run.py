"""The page shown before the first call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from calls.access import Rights
from calls.models import BOXES, AccessKey, DestinationNumber, RequestType, Right
from reports import permissions
from reports.models import FirstPost
from reports.views.shared import Page

# For each of the five posts, what is missing without it.
UNSEEN_WITHOUT = {
    RequestType.CALL_START: _("calls that end at once; the whole waiting time"),
    RequestType.BLOCK_END: _("where callers give up"),
    RequestType.INITIATE_FORWARD: _(
        "calls not answered, callers who hung up before ringing, ringing time, service level"
    ),
    RequestType.FORWARD_ANSWER: _("answered calls, service level, all times"),
    RequestType.CALL_END: _("calls not answered, callers who hung up before ringing, short calls, talk time"),
}


@dataclass(frozen=True)
class Box:
    """A box to tick in TENIOS, and whether its post has arrived."""

    box: Any
    post: str
    unseen: Any
    seen: bool


@dataclass(frozen=True, kw_only=True)
class FirstRunPage(Page):
    """The next step for those who set up numbers; for others, the person to ask."""

    sets_up: bool
    newest: DestinationNumber | None
    keys: Sequence[AccessKey]
    posts_url: str
    here_url: str
    boxes: Sequence[Box]

    # The template shares its list with the overview; before the first call it has only notices.
    attention: ClassVar = ()


def build_first_run_page(choices: Sequence[DestinationNumber], user: Any, here_url: str) -> FirstRunPage:
    """Build the page shown before the first call; `here_url` is the address of this server for posts."""
    # A person who may set up numbers but would not see a new one needs access first.
    is_theirs = bool(choices) or Rights.of(user).everywhere(Right.FIGURES)
    newest = max(choices, key=lambda choice: choice.created_at, default=None)
    seen = set(FirstPost.objects.filter(destination_number=newest).values_list("request_type", flat=True))
    return FirstRunPage(
        sets_up=permissions.may_administer(user) and is_theirs,
        newest=newest,
        keys=[key for key in newest.access_keys.all() if key.is_live()] if newest else [],
        posts_url=settings.PUBLIC_URL + settings.POSTS_PATH if settings.PUBLIC_URL else "",
        here_url=here_url,
        boxes=[Box(BOXES[post], post.value, UNSEEN_WITHOUT[post], post.value in seen) for post in RequestType],
    )
