"""Searches, kept out of addresses: the session holds the text, and the address has a token for it."""

from __future__ import annotations

import secrets

from django.contrib.sessions.backends.base import SessionBase
from django.http import QueryDict
from django.utils.translation import gettext as _

from calls import phones, search
from calls.querysets import CallQuerySet
from reports.filters.base import Filter, Pairs

SEARCHES_KEPT = 20
LONGEST_SEARCH = 200
LONGEST_TOKEN = 40
KEPT_AS = "searches"


def keep_search(session: SessionBase, text: str) -> str:
    """Store a search in the session; return its token for the address."""
    text = text.replace("\0", "").strip()[:LONGEST_SEARCH]
    if not text:
        return ""
    kept = session.get(KEPT_AS, [])
    for token, before in kept:
        if before == text:
            return str(token)
    token = secrets.token_urlsafe(9)
    session[KEPT_AS] = [*kept, [token, text]][-SEARCHES_KEPT:]
    return token


def kept_search(session: SessionBase, token: str) -> str:
    """Return the search of a token; blank if the session no longer has it."""
    return str(dict(session.get(KEPT_AS, [])).get(token, ""))


class SearchFilter(Filter):
    """Calls that match a search by caller or id. The address has a token, never the text."""

    names = ("search",)
    chip = "search"
    has_field = True
    token = text = ""

    def parse(self, query: QueryDict) -> None:
        self.token = query.get("search", "")[:LONGEST_TOKEN]
        self.text = kept_search(self.asked.session, self.token) if self.token else ""
        if self.token and not self.text:
            self.asked.errors["search"] = _("This search has expired. Search again.")

    def to_query(self) -> Pairs:
        return [("search", self.token)] if self.token else []

    def chip_label(self) -> str:
        return _("Search: “%(search)s”") % {"search": self.readable} if self.text else ""

    @property
    def readable(self) -> str:
        """What was searched for, a phone number as people write it; blank where nothing was."""
        return phones.readable(self.text) if self.text else ""

    def in_words(self) -> str:
        """Return the ways in which the text is read."""
        return search.in_words(search.readings(self.text)) if self.text else ""

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        return search.narrowed(calls, search.readings(self.text)) if self.text else calls
