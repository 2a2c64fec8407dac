"""What is kept of the answer of another system: its beginning, without the secrets of the endpoint."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import unquote, urlsplit

from calls.masking import HIDDEN

# In characters.
LONGEST_KEPT = 2000
# What is shorter is never masked.
SHORTEST = 4
# A part of an address may be a key if it is this long; with a digit in it, shorter ones may be. Others, such as v1 and
# calls, are words that an answer may need.
SHORTEST_KEY, SHORTEST_KEY_WITH_DIGIT = 8, SHORTEST


def kept(body: bytes, urls: Collection[str], secrets: Collection[str]) -> str:
    """Return the beginning of an answer. The secrets, and what may be a key in the addresses, are masked in it.

    Pages of errors often repeat the address that was asked, and some repeat headers."""
    text = body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    found = {*secrets, *(secret.removeprefix("whsec_") for secret in secrets)}
    for url in urls:
        found.update(_keys_in(url))
    # The longest first, because one may be the beginning of another.
    hidden = sorted((part for part in found if len(part) >= SHORTEST), key=len, reverse=True)
    if hidden:
        text = re.sub("|".join(map(re.escape, hidden)), HIDDEN, text, flags=re.IGNORECASE)
    return text[:LONGEST_KEPT]


def _keys_in(url: str) -> Iterator[str]:
    """Yield the parts of path and query that may be keys, as they are written and as servers read them."""
    parts = urlsplit(url)
    for part in re.split(r"[/&=;]", f"{parts.path}&{parts.query}"):
        if len(part) >= (SHORTEST_KEY_WITH_DIGIT if re.search(r"\d", part) else SHORTEST_KEY):
            yield from (part, unquote(part))
