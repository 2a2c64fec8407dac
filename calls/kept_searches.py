"""Texts of searches, kept out of addresses: the session holds the text, and the address has a token for it.

A person searches for a limited number of phone numbers an hour. The hidden digits of a masked caller could be found by
trying them out, a thousand searches for three digits."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import actors, chain
from accounts.audit.actions import Action
from accounts.audit.entries import how_often, lock, write
from calls import phones

SEARCHES_KEPT = 20
LONGEST_SEARCH = 200
KEPT_AS = "searches"
# Of phone numbers, whole or in part; searches for ids and names are not limited.
MOST_AN_HOUR = 100
HOUR = timedelta(hours=1)


class TooManySearches(Exception):  # noqa: N818 (a state of the request)
    """A person has searched for too many phone numbers; the text says so to them."""


def keep_search(session: SessionBase, text: str) -> str:
    """Store a search in the session, and note it in the audit; return its token for the address.

    Raise TooManySearches after MOST_AN_HOUR phone numbers of the current person. A search that the session still has
    is not counted again."""
    text = text.replace("\0", "").strip()[:LONGEST_SEARCH]
    if not text:
        return ""
    kept = session.get(KEPT_AS, [])
    for token, before in kept:
        if before == text:
            return str(token)
    _note(text)
    token = secrets.token_urlsafe(9)
    session[KEPT_AS] = [*kept, [token, text]][-SEARCHES_KEPT:]
    return token


def _note(text: str) -> None:
    after: dict[str, object] = {"checksum": checksum_of(text)}
    if not may_be_number(text):
        write(Action.SEARCHED, after=after)
        return
    with transaction.atomic():
        lock()  # so that of several requests at once none passes the limit
        if how_often(actors.current().id, Action.SEARCHED, HOUR, after__may_be_number=True) >= MOST_AN_HOUR:
            raise TooManySearches(
                _("You have searched for %(n)d phone numbers within an hour, which is the limit. Try again later.")
                % {"n": MOST_AN_HOUR}
            )
        write(Action.SEARCHED, after=after | {"may_be_number": True})


def may_be_number(text: str) -> bool:
    """Return whether a text can be read as a phone number or a part of one: it has digits and separators only."""
    return phones.is_written_number(text) and not phones.is_withheld(text)


def kept_search(session: SessionBase, token: str) -> str:
    """Return the search of a token; blank if the session no longer has it."""
    return str(dict(session.get(KEPT_AS, [])).get(token, ""))


def checksum_of(text: str) -> str:
    """Return what the audit has of a search, which may be a caller: the same checksum for each spelling of a number."""
    return chain.pseudonym(phones.e164(text) or text.casefold())
