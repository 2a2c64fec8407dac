"""Texts of searches, kept out of addresses: the session holds the text, and the address has a token for it."""

from __future__ import annotations

import secrets

from django.contrib.sessions.backends.base import SessionBase

from accounts.audit import chain
from accounts.audit.actions import Action
from accounts.audit.entries import write
from calls import phones

SEARCHES_KEPT = 20
LONGEST_SEARCH = 200
KEPT_AS = "searches"


def keep_search(session: SessionBase, text: str) -> str:
    """Store a search in the session, and note it in the audit; return its token for the address."""
    text = text.replace("\0", "").strip()[:LONGEST_SEARCH]
    if not text:
        return ""
    kept = session.get(KEPT_AS, [])
    for token, before in kept:
        if before == text:
            return str(token)
    write(Action.SEARCHED, after={"checksum": checksum_of(text)})
    token = secrets.token_urlsafe(9)
    session[KEPT_AS] = [*kept, [token, text]][-SEARCHES_KEPT:]
    return token


def kept_search(session: SessionBase, token: str) -> str:
    """Return the search of a token; blank if the session no longer has it."""
    return str(dict(session.get(KEPT_AS, [])).get(token, ""))


def checksum_of(text: str) -> str:
    """Return what the audit has of a search, which may be a caller: the same checksum for each spelling of a number."""
    return chain.pseudonym(phones.e164(text) or text.casefold())
