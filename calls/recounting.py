"""How long it takes until the calls of numbers are counted again after a setting that decides how they are counted."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import timedelta

from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from calls.models import Call, ChangedQuarterHour

# Half of what was measured on two cores with other work, because others are slower: docs/performance.md, Counting.
CALLS_PER_S = 10_000
# The worker looks for changes every ten seconds.
BEGINS_WITHIN_S = 10
# More calls are not counted only to say how long they take.
MOST_CALLS = 1_000_000
# Younger quarter-hours are counted again all the time, because their calls go on.
HISTORY_IS_OLDER = timedelta(days=1)
# Fewer may wait because late messages came, or calls without an end were closed. A change of a setting logs all.
FEWEST_OF_A_CHANGE = 20


def stored_calls(numbers: Collection[int]) -> int:
    """Return how many calls of these numbers are stored, at most MOST_CALLS."""
    return Call.objects.filter(destination_number__in=numbers).order_by()[:MOST_CALLS].count()


def estimated_s(calls: int) -> float:
    """Return the seconds from a change until this many calls are counted again."""
    return BEGINS_WITHIN_S + calls / CALLS_PER_S if calls else 0


def is_waiting(numbers: Collection[int]) -> bool:
    """Return whether the history of these numbers waits to be counted again."""
    before = timezone.now() - HISTORY_IS_OLDER
    numbers = list(numbers)
    waiting = ChangedQuarterHour.objects.filter(destination_number__in=numbers, quarter_hour__lt=before).order_by()
    if waiting[:FEWEST_OF_A_CHANGE].count() == FEWEST_OF_A_CHANGE:
        return True
    oldest = Call.objects.filter(destination_number__in=numbers).aggregate(at=Min("first_post_at"))["at"]
    return oldest is not None and waiting.filter(quarter_hour__lte=oldest).exists()


def duration_in_words(calls: int) -> str:
    """Return how long it takes to count this many calls again, rounded up to whole minutes."""
    minutes = math.ceil(estimated_s(calls) / 60)
    if calls >= MOST_CALLS:
        return ngettext("more than %(n)d minute", "more than %(n)d minutes", minutes) % {"n": minutes}
    if minutes <= 1:
        return gettext("less than a minute")
    return gettext("about %(n)d minutes") % {"n": minutes}


def before_a_change(numbers: Collection[int]) -> str:
    """Return what a form says of a change: that one is still being counted, or how long the next one takes."""
    if is_waiting(numbers):
        return gettext("All calls are being counted again right now. When that is done, this note is gone.")
    calls = stored_calls(numbers)
    if not calls:
        return gettext("There are no calls yet that would have to be counted again after a change.")
    return gettext("After a change, all calls are counted again, which takes %(duration)s.") % {
        "duration": duration_in_words(calls)
    }


def after_a_change(numbers: Collection[int]) -> str:
    """Return what is said once a change is saved; blank if there is nothing to count again."""
    calls = stored_calls(numbers)
    if not calls:
        return ""
    return gettext(
        "All calls are counted again, which takes %(duration)s. Until that is done, reports show the old figures, and "
        "the form says that they are being counted."
    ) % {"duration": duration_in_words(calls)}
