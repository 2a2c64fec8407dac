"""Variables that messages of a number carry beyond the documented ones: names, how often, and what values look like.

Values themselves are not returned: callers type them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calls import posts
from calls.masking import masked_text
from calls.models import DestinationNumber
from contacts.models import LONGEST_VARIABLE

LOOKED_BACK = timedelta(days=30)
# At most this many calls are read, and of each the latest messages, so that a busy number takes no longer.
MOST_CALLS = 1_000
MOST_MESSAGES = 10
LONGEST_MESSAGE = 8_192  # bytes

_PAYLOADS = f"""
SELECT call.id, event.payload FROM (
  SELECT id FROM calls_call WHERE destination_number_id = %s AND first_post_at >= %s
  ORDER BY first_post_at DESC, id DESC LIMIT {MOST_CALLS}
) AS call CROSS JOIN LATERAL (
  SELECT payload FROM calls_callevent WHERE call_id = call.id ORDER BY id DESC LIMIT {MOST_MESSAGES}
) AS event
WHERE octet_length(event.payload) <= {LONGEST_MESSAGE}
"""


@dataclass
class SeenVariable:
    """A variable, in how many calls it was seen, and the shape of its values."""

    name: str
    calls: set[int] = field(default_factory=set)
    shortest: int = 0
    longest: int = 0
    are_digits: bool = True

    def see(self, call: int, value: str) -> None:
        self.calls.add(call)
        length = len(value)
        if length:
            self.shortest = min(self.shortest or length, length)
            self.longest = max(self.longest, length)
            self.are_digits &= value.isascii() and value.isdigit()

    @property
    def shape(self) -> str:
        """What values look like: `6 digits`, `4 to 6 digits`, `3 to 12 characters`."""
        lengths = {"least": self.shortest, "most": self.longest}
        if not self.longest:
            return _("always empty")
        if self.shortest == self.longest and self.are_digits:
            return ngettext("%(most)d digit", "%(most)d digits", self.longest) % lengths
        if self.shortest == self.longest:
            return ngettext("%(most)d character", "%(most)d characters", self.longest) % lengths
        words = _("%(least)d to %(most)d digits") if self.are_digits else _("%(least)d to %(most)d characters")
        return words % lengths

    def __str__(self) -> str:
        words = ngettext("%(name)s: in %(n)d call, %(shape)s", "%(name)s: in %(n)d calls, %(shape)s", len(self.calls))
        return words % {"name": self.name, "n": len(self.calls), "shape": self.shape}


def of_number(number: DestinationNumber) -> list[SeenVariable]:
    """Return the variables that were seen in the latest calls of a number, the most frequent ones first."""
    with connection.cursor() as cursor:
        cursor.execute(_PAYLOADS, [number.pk, timezone.now() - LOOKED_BACK])
        return _seen(cursor.fetchall())


def _seen(payloads: Iterable[tuple[int, str]]) -> list[SeenVariable]:
    found: dict[str, SeenVariable] = {}
    for call, payload in payloads:
        for name, value in _variables(payload).items():
            if may_be_mapped(name) and not isinstance(value, bool | dict | list):
                found.setdefault(name, SeenVariable(name)).see(call, "" if value is None else str(value).strip())
    return sorted(found.values(), key=lambda seen: (-len(seen.calls), seen.name))


def may_be_mapped(name: str) -> bool:
    """Return whether a variable can be found in payloads by its name, and the name itself contains no phone number."""
    is_plain = name.isascii() and name.isprintable() and not {'"', "\\"} & {*name}
    is_documented = name in (*posts.NAMED_VARIABLES, *posts.NAMED_FIELDS, "variables")
    return is_plain and not is_documented and 0 < len(name) <= LONGEST_VARIABLE and masked_text(name) == name


def _variables(payload: str) -> dict[str, object]:
    try:
        variables = json.loads(payload).get("variables", {})
    except (ValueError, AttributeError):
        return {}
    return variables if isinstance(variables, dict) else {}
