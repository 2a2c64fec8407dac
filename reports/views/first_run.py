"""The page shown before the first call."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from calls import posts
from calls.access import Rights
from calls.models import BOXES, AccessKey, DestinationNumber, RefusedPost, RequestType, Right
from reports import permissions
from reports.models import FirstPost
from reports.views.readable import Readable
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


class Reach(Enum):
    """What can be said of an address from here, without sending a request: can TENIOS reach it?"""

    PRIVATE = "private"  # this machine or the own network: no
    NOT_HTTPS = "not_https"  # TENIOS sends to https only: no
    PUBLIC = "public"  # a message from TENIOS will show it

    do_not_call_in_templates = True

    @classmethod
    def of(cls, address: str) -> Reach:
        parts = urlsplit(address)
        if not _is_public(parts.hostname or ""):
            return cls.PRIVATE
        return cls.PUBLIC if parts.scheme == "https" else cls.NOT_HTTPS


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        # A name without a dot, or with an ending that is reserved for own networks.
        return "." in host and host.rpartition(".")[2] not in {"local", "localhost", "internal", "lan", "test"}


@dataclass(frozen=True)
class Command(Readable):
    """A command that sends a test message, for one kind of terminal."""

    name: str
    label: Any
    text: str


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
    reach: Reach
    # The last message that was rejected, if the user may see it.
    rejected: RefusedPost | None
    commands: Sequence[Command]
    boxes: Sequence[Box]

    @property
    def step(self) -> int:
        """The step to take next; only this one is open."""
        return 2 if self.newest and self.keys else 1

    @property
    def rejected_from_outside(self) -> bool:
        """Whether a message came from a public address: then this server is reached from outside."""
        return bool(self.rejected and self.rejected.address and _is_public(self.rejected.address))

    # The template shares its list with the overview; before the first call it has only notices.
    attention: ClassVar = ()


def build_first_run_page(choices: Sequence[DestinationNumber], user: Any, here_url: str) -> FirstRunPage:
    """Build the page shown before the first call; `here_url` is the address of this server for posts."""
    # A person who may set up numbers but would not see a new one needs access first.
    is_theirs = bool(choices) or Rights.of(user).everywhere(Right.FIGURES)
    newest = max(choices, key=lambda choice: choice.created_at, default=None)
    seen = set(FirstPost.objects.filter(destination_number=newest).values_list("request_type", flat=True))
    posts_url = settings.PUBLIC_URL + settings.POSTS_PATH if settings.PUBLIC_URL else ""
    rejected = RefusedPost.objects.visible_to(user).waiting() if user.has_perm("calls.view_refusedpost") else None
    return FirstRunPage(
        sets_up=permissions.may_administer(user) and is_theirs,
        newest=newest,
        keys=[key for key in newest.access_keys.all() if key.is_live()] if newest else [],
        posts_url=posts_url,
        here_url=here_url,
        reach=Reach.of(posts_url or here_url),
        commands=_commands(here_url, newest.e164 if newest else "+49…"),
        rejected=rejected.first() if rejected is not None else None,
        boxes=[Box(BOXES[post], post.value, UNSEEN_WITHOUT[post], post.value in seen) for post in RequestType],
    )


def _commands(address: str, e164: str) -> list[Command]:
    body, kind = json.dumps(posts.sample(e164), ensure_ascii=False), "Content-Type: application/json"
    in_quotes = body.replace('"', '\\"')
    return [
        Command("linux", _("macOS and Linux"), f"curl -sS {address} \\\n  -H '{kind}' \\\n  -d '{body}'"),
        # Through a pipe, because versions of PowerShell pass quotes to programs in different ways.
        Command("powershell", _("Windows: PowerShell"), f"'{body}' |\n  curl.exe -sS {address} -H '{kind}' -d '@-'"),
        # On one line: within quotes the Command Prompt has no character that continues a line.
        Command("cmd", _("Windows: Command Prompt"), f'curl.exe -sS {address} -H "{kind}" -d "{in_quotes}"'),
    ]
