"""What is said about refused posts: why they were refused, what to do, and which fix is offered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, QuerySet, Sum
from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.moments import exactly
from calls import phones
from calls.admin.base import may_issue_keys
from calls.models import DestinationNumber, Reason, RefusedPost

# The most groups of refused posts that are explained at once.
MOST_GROUPS = 10

# What each reason means.
WHY = {
    Reason.UNKNOWN_NUMBER: _("The number in this message has not been added to Calltally."),
    Reason.UNKNOWN_KEY: _("The number is known, but the access key in this message belongs to no number."),
    Reason.KEY_OVER: _("The access key belongs to this number, but had expired, was revoked or was not yet valid."),
    Reason.KEY_OF_ANOTHER: _("The access key belongs to another number."),
    Reason.NO_KEY: _("The message has no access key."),
    Reason.NO_NUMBER: _("The message has no number, and its access key is used for several numbers."),
    Reason.FOREIGN_ADDRESS: _("The message came from an address that is not in the list of sender addresses."),
    Reason.BAD_POST: _("The message has no requestType or no variables."),
    Reason.BAD_JSON: _("The message is not valid JSON."),
    Reason.TOO_LARGE: _("The message is larger than 64 KiB."),
    Reason.MEDIA_TYPE: _("The message was not sent as JSON, or it was compressed."),
}
# What the fix page does about each reason that can be fixed from here.
FIXES = {
    Reason.UNKNOWN_NUMBER: _("Add number and accept its key"),
    Reason.UNKNOWN_KEY: _("Accept the key for this number"),
    Reason.KEY_OF_ANOTHER: _("Accept the key for this number"),
    Reason.KEY_OVER: _("Keep this key for 14 more days"),
    Reason.FOREIGN_ADDRESS: _("Add address to the list"),
}
# What to do about each reason.
ADVICE = {
    Reason.UNKNOWN_NUMBER: _("If this is your number, check its digits and add it. Otherwise no action is needed."),
    Reason.UNKNOWN_KEY: _(
        "If the message is from TENIOS, accept its key, or enter this number's key in TENIOS in each of the five boxes."
    ),
    Reason.KEY_OVER: _(
        "Keep this key for 14 more days, and enter the newest key in TENIOS within that time. A revoked key cannot be "
        "used again. Create a new one instead."
    ),
    Reason.KEY_OF_ANOTHER: _(
        "If both numbers use this key, accept it for this number too. If not, enter this number's key in TENIOS."
    ),
    Reason.FOREIGN_ADDRESS: _(
        "If TENIOS sends from this address, add it to the list. If Calltally is behind a proxy, first check that this "
        "is not the proxy's address."
    ),
    Reason.NO_KEY: _("Enter the number's access key in TENIOS in each of the five boxes."),
    Reason.NO_NUMBER: _("Let TENIOS send destination_number, or create a separate key for each number."),
    Reason.BAD_POST: _("TENIOS sends both with every call. Check who else sends to this address."),
    Reason.BAD_JSON: _("Check whether a proxy changes the messages, and who else sends to this address."),
    Reason.TOO_LARGE: _("Use fewer variables in the routing plan."),
    Reason.MEDIA_TYPE: _(
        "TENIOS sends application/json. Check whether a proxy changes the messages, and who else sends to this address."
    ),
}


NO_NUMBER = _("This is not a complete phone number, so it cannot be added. Correct the number in TENIOS.")


def can_be_added(post: RefusedPost) -> bool:
    """Return whether the number that a post names is valid and could be added."""
    return phones.e164(post.destination_number) == post.destination_number


def advice_on(post: RefusedPost) -> Any:
    """Return the text that says what to do about a refused post."""
    return NO_NUMBER if post.reason == Reason.UNKNOWN_NUMBER and not can_be_added(post) else ADVICE[Reason(post.reason)]


def label_of_fix(post: RefusedPost) -> Any:
    """Return the label of the fix that is offered for a refused post; None if there is none."""
    if post.replayed_at is not None or (post.reason == Reason.FOREIGN_ADDRESS and post.address is None):
        return None
    if post.reason == Reason.UNKNOWN_NUMBER and not can_be_added(post):
        return None
    return FIXES.get(Reason(post.reason))


# What a fix needs beside the permission to issue keys: it may also add an address or a number.
FURTHER = {Reason.FOREIGN_ADDRESS: "calls.change_senderpolicy", Reason.UNKNOWN_NUMBER: "calls.add_destinationnumber"}


def may_fix(request: HttpRequest, post: RefusedPost, *, is_meant: bool = False) -> bool:
    """Return whether the user may apply the fix that is offered for a post; with `is_meant`, whether they may count it
    for a number that exists."""
    further = None if is_meant else FURTHER.get(Reason(post.reason))
    return may_issue_keys(request) and (further is None or request.user.has_perm(further))


def numbers_meant_by(post: RefusedPost, user: Any) -> list[DestinationNumber]:
    """Return the numbers of this user that a post for an unknown number may mean."""
    if post.reason != Reason.UNKNOWN_NUMBER or post.replayed_at is not None or not post.can_be_replayed:
        return []
    return DestinationNumber.objects.visible_to(user).meant_by(post.destination_number)


def count_for(number: DestinationNumber) -> str:
    return gettext("Count as messages for %(number)s") % {"number": number}


@dataclass(frozen=True)
class RefusedGroup:
    """The posts that were refused for the same reason, number and, if it matters, sender, and are not counted yet."""

    newest: RefusedPost
    # How many were received, identical ones included, and when the last one came.
    messages: int
    last_received_at: datetime
    # The numbers that they may mean instead, each with the address that counts them for it; blank if the user may not.
    meant: list[tuple[DestinationNumber, str]]
    # The fix that is offered; blank if there is none, or the user may not apply it.
    fix: str

    @property
    def last_received(self) -> str:
        return exactly(self.last_received_at)

    @property
    def number(self) -> str:
        return phones.readable(self.newest.destination_number)

    @property
    def address(self) -> str:
        """The sender, where the posts were refused because of it."""
        return (self.newest.address or "") if self.newest.reason == Reason.FOREIGN_ADDRESS else ""

    @property
    def why(self) -> Any:
        return WHY[Reason(self.newest.reason)]

    @property
    def advice(self) -> Any:
        return advice_on(self.newest)

    @property
    def query(self) -> str:
        """The query string of the list of these posts."""
        filters = {"state": "waiting", "reason__exact": self.newest.reason}
        filters["destination_number"] = self.newest.destination_number
        return urlencode(filters | ({"address": self.address} if self.address else {}))


def groups_for(request: HttpRequest, posts: QuerySet) -> list[RefusedGroup]:
    """Return the refused posts that wait, one group for each reason and number, the newest first."""
    found = (
        posts.waiting()  # type: ignore[attr-defined]
        .order_by()
        .values("reason", "destination_number", "address")
        .annotate(messages=Sum("count"), last=Max("last_received_at"), newest=Max("pk"))
        .order_by("-last", "-newest")
    )
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in found.iterator():
        address = row["address"] if row["reason"] == Reason.FOREIGN_ADDRESS else ""
        key = (row["reason"], row["destination_number"], address or "")
        # Older rows of a group may follow, so all are read.
        if key in groups or len(groups) < MOST_GROUPS:
            group = groups.setdefault(key, row | {"messages": 0})
            group["messages"] += row["messages"]
    newest = RefusedPost.objects.in_bulk([group["newest"] for group in groups.values()])
    return [_group(request, newest[group["newest"]], group) for group in groups.values() if group["newest"] in newest]


def _group(request: HttpRequest, post: RefusedPost, found: dict[str, Any]) -> RefusedGroup:
    may_count = may_fix(request, post, is_meant=True)
    meant = [(number, str(count_for(number)) if may_count else "") for number in numbers_meant_by(post, request.user)]
    fix = label_of_fix(post) if may_fix(request, post) else None
    return RefusedGroup(post, found["messages"], found["last"], meant, str(fix or ""))
