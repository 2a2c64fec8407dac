"""Searches, kept out of addresses: the session holds the text, and the address has a token for it.

All calls of a caller can be listed without knowing the caller: the session then holds the id of one of the calls."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase
from django.http import QueryDict
from django.utils.translation import gettext as _

from calls import phones, search
from calls.kept_searches import keep_search, kept_search
from calls.masking import masked
from calls.models import Call, Right
from calls.querysets import CallQuerySet
from reports.filters.base import Filter, Pairs

LONGEST_TOKEN = 40
LONGEST_ID = 19
# The text of a search for the caller of a call, before the id of the call.
CALLER_OF = "caller of call "


def keep_caller_of(session: SessionBase, call_id: str) -> str:
    """Store a search for all calls of the caller of a call; return its token for the address."""
    return keep_search(session, f"{CALLER_OF}{call_id}")


class SearchFilter(Filter):
    """Calls that match a search by caller or id. The address has a token, never the text."""

    names = ("search",)
    chip = "search"
    has_field = True
    token = text = ""
    # The call whose caller is searched for; None for a text.
    same_caller: Call | None = None

    def parse(self, query: QueryDict) -> None:
        self.token = query.get("search", "")[:LONGEST_TOKEN]
        self.text = kept_search(self.asked.session, self.token) if self.token else ""
        if self.text.startswith(CALLER_OF):
            self.same_caller = self._call(self.text.removeprefix(CALLER_OF))
            self.text = self.text if self.same_caller else ""
        if self.token and not self.text:
            self.asked.errors["search"] = _("This search has expired. Search again.")

    def _call(self, call_id: str) -> Call | None:
        """Return the call with this id if the user may see it and its caller is not withheld."""
        if not (call_id.isascii() and call_id.isdigit() and len(call_id) < LONGEST_ID):
            return None
        calls = Call.objects.visible_to(self.asked.user, Right.CALLS).exclude(caller_id_number="")
        call: Call | None = calls.filter(pk=int(call_id)).first()
        return call

    def to_query(self) -> Pairs:
        return [("search", self.token)] if self.token else []

    def chip_label(self) -> str:
        return _("Search: “%(search)s”") % {"search": self.readable} if self.text else ""

    @property
    def typed(self) -> str:
        """The text for the field of the form; blank if nothing was typed."""
        return "" if self.same_caller else self.text

    @property
    def readable(self) -> str:
        """What was searched for, a phone number as people write it; blank where nothing was."""
        if self.same_caller is None:
            return phones.readable(self.text) if self.text else ""
        return masked(self.same_caller.caller_id_number)

    @property
    def reads_callers(self) -> bool:
        """Whether a text is searched for as a caller at all."""
        return any(self._may_see_callers_of(number.pk) for number in self.asked.choices)

    @property
    def why_limited(self) -> str:
        """Why not all callers are searched; blank if they are. It does not depend on what is found."""
        if not self.typed or phones.is_withheld(self.typed):
            return ""
        if not self.reads_callers:
            return _(
                "Callers are not searched, because you may not see their whole numbers. You can search for an id, or "
                "for “withheld”."
            )
        if all(self._may_see_callers_of(number.pk) for number in self.asked.choices):
            return ""
        return _("Callers are searched only in calls to numbers whose callers you may see completely.")

    def in_words(self) -> str:
        """Return the ways in which the text is read."""
        return search.in_words(self._readings()) if self.typed else self.readable

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        if self.same_caller:
            return calls.filter(
                caller_id_number=self.same_caller.caller_id_number,
                destination_number__in=self._numbers_of_caller(self.same_caller),
            )
        return search.narrowed(calls, self._readings()) if self.text else calls

    def _numbers_of_caller(self, call: Call) -> list[int]:
        """Return the ids of the numbers with the same right to their callers as for that of a call.

        With both in one list, the contact in one call would tell who the caller of another is."""
        may_see = self._may_see_callers_of(call.destination_number_id)
        return [number.pk for number in self.asked.choices if self._may_see_callers_of(number.pk) == may_see]

    def _readings(self) -> list[search.Reading]:
        return search.readings(self.text, callers_of=self.asked.rights.numbers(Right.CALLERS))

    def _may_see_callers_of(self, number_id: int) -> bool:
        return self.asked.rights.may(Right.CALLERS, number_id)
