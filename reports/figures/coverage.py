"""Since when each figure of a number is measured, and why it is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property

from django.db.models import BigIntegerField
from django.db.models.functions import Cast, Extract
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calls.models import BOXES, Arrives, DestinationNumber, RequestType
from reports import periods
from reports.counting.measured import ALWAYS, NEVER
from reports.figures.definitions import FIGURES
from reports.models import FirstPost

_POSTS = tuple(RequestType)
CALL_START, BLOCK_END, INITIATE_FORWARD, FORWARD_ANSWER, CALL_END = _POSTS
# Many figures depend on the same posts.
_KEYS_BY_POSTS = {
    posts: [key for key, figure in FIGURES.items() if figure.rests_on == posts]
    for posts in {figure.rests_on: None for figure in FIGURES.values()}
}
_OF_FORWARDS = [key for key, figure in FIGURES.items() if not figure.without_forwards]


@dataclass(frozen=True)
class Coverage:
    """Since when each figure of these numbers is measured. First posts are read once, when it is made."""

    numbers: Sequence[DestinationNumber]
    first_posts: dict[tuple[int, str], datetime]
    # Cache of `shown`, by id of the number.
    _shown: dict[int, dict[str, datetime | None]] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, numbers: Iterable[DestinationNumber] | Coverage) -> Coverage:
        """Return the coverage of `numbers`. A coverage is returned unchanged, so that a page reads first posts once."""
        if isinstance(numbers, Coverage):
            return numbers
        numbers = list(dict.fromkeys(numbers))
        first_posts = FirstPost.objects.filter(destination_number__any_of=[number.pk for number in numbers])
        # As seconds: reading hundreds of times takes several times as long.
        since = Cast(Extract("quarter_hour", "epoch", tzinfo=UTC), BigIntegerField())
        return cls(
            numbers,
            {
                (number_id, request_type): datetime.fromtimestamp(seconds, UTC)
                for number_id, request_type, seconds in first_posts.values_list(
                    "destination_number_id", "request_type", since
                )
            },
        )

    def __iter__(self) -> Iterator[DestinationNumber]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def only(self, *numbers: DestinationNumber) -> Coverage:
        """Return the coverage of some of these numbers without a query."""
        return Coverage(list(dict.fromkeys(numbers)), self.first_posts, self._shown)

    @cached_property
    def first_day(self) -> date:
        """The day of the first call of any of these numbers; date.max if there is none."""
        numbers = {number.pk for number in self.numbers}
        first = min((at for (number_id, _post), at in self.first_posts.items() if number_id in numbers), default=None)
        return periods.day_of(first) if first else date.max

    def arrives_from(self, number: DestinationNumber, request_type: str) -> datetime:
        """Return since when a kind of post counts as arriving: ALWAYS, a quarter-hour, or NEVER."""
        setting = number.arrives(request_type)
        if setting == Arrives.AUTOMATIC:
            return self.first_posts.get((number.pk, str(request_type)), NEVER)
        return ALWAYS if setting == Arrives.ON else NEVER

    def measured_from(self, number: DestinationNumber, key: str) -> datetime:
        """Return since when a figure is measured: ALWAYS, a quarter-hour, or NEVER."""
        moments = [self.arrives_from(number, request_type) for request_type in FIGURES[key].rests_on]
        return max(moments, default=ALWAYS)

    def applies(self, number: DestinationNumber, key: str) -> bool:
        """Return whether a figure applies. Figures of forwards do not if no forward is expected or was ever sent."""
        return FIGURES[key].without_forwards or self.forwards(number)

    def shown_from(self, number: DestinationNumber, key: str) -> datetime | None:
        """Return since when a figure is shown: as `measured_from`, or None if it does not apply."""
        return self.shown(number)[key]

    def shown(self, number: DestinationNumber) -> dict[str, datetime | None]:
        """Return since when each figure is shown."""
        if number.id not in self._shown:
            forwards = self.forwards(number)
            arrives_from = {post: self.arrives_from(number, post) for post in _POSTS}
            shown: dict[str, datetime | None] = {}
            for posts, keys in _KEYS_BY_POSTS.items():
                shown |= dict.fromkeys(keys, max([arrives_from[post] for post in posts], default=ALWAYS))
            self._shown[number.id] = shown if forwards else shown | dict.fromkeys(_OF_FORWARDS)
        return self._shown[number.id]

    @cached_property
    def shown_by_number(self) -> dict[int, dict[str, datetime | None]]:
        """Since when each figure is shown (`shown`), by id of the number."""
        return {number.id: self.shown(number) for number in self.numbers}

    def missing(self, number: DestinationNumber, key: str, before: datetime = NEVER) -> tuple[RequestType, ...]:
        """Return the posts that a figure depends on and that had not begun to arrive by `before`."""
        return tuple(post for post in FIGURES[key].rests_on if self.arrives_from(number, post) >= before)

    def reason(self, number: DestinationNumber, key: str, before: datetime = NEVER) -> str:
        """Return, in one or more sentences, why a figure of a number is not measured."""
        never: list[str] = []
        since: dict[datetime, list[str]] = {}
        for post in self.missing(number, key, before):
            moment = self.arrives_from(number, post)
            if moment == NEVER:
                never.append(self._why(number, post))
            else:
                since.setdefault(moment, []).append(str(post.label))
        late = [
            _("Messages from TENIOS for %(number)s before %(moment)s did not include: %(posts)s.")
            % {
                "number": number.readable,
                "posts": ", ".join(posts),
                "moment": periods.moment_label(moment),
            }
            for moment, posts in sorted(since.items())
        ]
        return " ".join([*never, *late])

    def reason_of_all(self, key: str, left_out: int, before: datetime = NEVER) -> str:
        """Return why a figure is not measured for `left_out` of these numbers."""
        lacking = [
            number
            for number in self.numbers
            if (moment := self.shown_from(number, key)) is not None and moment >= before
        ]
        if len(lacking) == 1:
            return self.reason(lacking[0], key, before)
        posts = {post: None for number in lacking for post in self.missing(number, key, before)}
        count = left_out or len(lacking)
        return ngettext(
            "Not measured for %(count)d number. These messages from TENIOS are missing: %(posts)s.",
            "Not measured for %(count)d numbers. These messages from TENIOS are missing: %(posts)s.",
            count,
        ) % {"count": count, "posts": ", ".join(str(post.label) for post in posts)}

    def forwards(self, number: DestinationNumber) -> bool:
        """Return whether figures of forwards apply to a number: it expects forwards, or one was sent."""
        return number.expects_forward or any(
            (number.id, post.value) in self.first_posts for post in (INITIATE_FORWARD, FORWARD_ANSWER)
        )

    def _why(self, number: DestinationNumber, post: RequestType) -> str:
        words = {"number": number.readable, "box": BOXES[post], "post": post.label}
        if number.arrives(post) == Arrives.OFF:
            return _("The box “%(box)s” is set to off for %(number)s.") % words
        if post == FORWARD_ANSWER:
            return _("No call to %(number)s has been answered yet, or the box “%(box)s” in TENIOS is off.") % words
        if post == INITIATE_FORWARD:
            return _("No call to %(number)s has been forwarded yet, or the box “%(box)s” in TENIOS is off.") % words
        return (
            _("No message “%(post)s” has arrived for %(number)s, because the box “%(box)s” in TENIOS is off.") % words
        )


@dataclass(frozen=True)
class Lacking:
    """Why a figure is not measured before a time, for all or some of these numbers.

    The reason is made only when it is read, because most cells never show theirs."""

    coverage: Coverage
    key: str
    left_out: int
    before: datetime

    @cached_property
    def reason(self) -> str:
        return self.coverage.reason_of_all(self.key, self.left_out, self.before)

    @cached_property
    def posts(self) -> tuple[str, ...]:
        """The posts that do not arrive."""
        posts = {
            post.value: None
            for number in self.coverage
            if self.coverage.applies(number, self.key)
            for post in self.coverage.missing(number, self.key, self.before)
        }
        return tuple(posts)
