"""Removes access keys and other secrets from the bodies of refused posts.

A known key is found by its fingerprint, under any name and in any kind of body. Values under names such as `token` or
`password` are removed even if they are unknown. Accepted posts are never processed here."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_plus

from calls import keys, posts

KEY, SECRET = "[access key]", "[removed]"
# A body with more distinct texts, each of which costs an HMAC, or more texts in total, is not stored at all.
LONGEST_IN_ESCAPES = 512
MOST_FINGERPRINTS, MOST_LOOKS = 2_000, 10_000

IsKnown = Callable[[str], bool]

# Parts of a text that may be a key, from the widest to the narrowest.
TOKENS = [
    re.compile(pattern % keys.LEAST_LENGTH)
    for pattern in (
        r'(?:(?<=[^\\]")|(?<=\A"))(?:[^"\\]|\\.){%d,128}+(?=")',
        r"(?:(?<=[^\\]')|(?<=\A'))(?:[^'\\]|\\.){%d,128}+(?=')",
        r"[^\r\n]{%d,}",
        r"(?<=[:=-] )[^\r\n]{%d,}",
        r"[^\r\n:=,;|]{%d,}",
        r"[^<>]{%d,}",
        r"[^&=?#\s]{%d,}",
        r"\S{%d,}",
        r"""[^\s"'<>&=;,:{}\[\]()|\\/]{%d,}""",
        r"[A-Za-z0-9_+/=.~-]{%d,}",
        r"[A-Za-z0-9_-]{%d,}",
        r"(?<=\\[a-z])[A-Za-z0-9_-]{%d,}",
        r"[A-Za-z0-9]{%d,}",
    )
]
PUNCTUATION = " \t.,;:!?"

# Names of secrets in English and German: these within a word, the next ones also across words, as in `pass word`.
WITHIN_A_WORD = ("key", "pwd")
ACROSS_WORDS = ("token", "secret", "passw", "passphrase", "passcode", "kennwort", "schlüssel", "schluessel", "geheim")
WORDS = re.compile(r"[^\W_]+")
CAMEL = re.compile(r"[A-ZÄÖÜ]?[a-zäöüß]+|[A-ZÄÖÜ]+(?![a-zäöüß])")
# The same in a text that is not JSON: a name, then `:`, `=` or the end of a tag, then the value.
NAMED = re.compile(
    r"((?:key|token|secret|pass ?w|passphrase|passcode|pwd|kennwort|schl(?:ü|ue|Ã¼)ssel|geheim"
    r"|(?<![a-z])pin|pin(?![a-z])|(?-i:Pin(?![a-z])))"
    r"""[\w .-]{0,40}+(?:["']?\s{0,8}[:=]>?\s{0,8}|["']\s{0,4}\r?\n\r?\n|["']?\s{0,4}>))"""
    r"""(?!["']?\[(?:access key|removed)\])("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,;&}\]<>]+)""",
    re.IGNORECASE,
)


class TooMany(Exception):  # noqa: N818 (a limit, not an error)
    """A body contains more distinct texts than may be fingerprinted."""


def without_secrets(body: str, is_known: IsKnown) -> str:
    """Return the body of a refused post without secrets; unchanged if it has none, empty if it has too many texts.

    `is_known` returns whether a fingerprint is that of an issued key, live or not. Repeating this changes nothing."""
    search = _Search(is_known)
    try:
        try:
            posted = posts.read_json(body.encode())
        except posts.Refusal:
            # As posts.text_without_key wrote it: printable ASCII, all other characters as escapes.
            text = body.encode("ascii", "backslashreplace").decode("unicode_escape")
            cleared = search.clear_text(NAMED.sub(rf"\1{SECRET}", text))
            return body if cleared == text else cleared.encode("unicode_escape").decode()
        cleared_post = search.clear_value(posted)
    except (TooMany, UnicodeError):
        return ""
    return body if cleared_post == posted else json.dumps(cleared_post, separators=(",", ":"))


def is_marked(text: str) -> bool:
    """Return whether a secret was removed from a text."""
    return KEY in text or SECRET in text


def names_secret(name: str) -> bool:
    """Return whether a name contains key, token, secret, password or PIN, in any spelling."""
    name = unicodedata.normalize("NFKC", name)
    words = [word.casefold() for word in WORDS.findall(name)]
    joined = "".join(words)
    parts = [*words, *(part.casefold() for part in CAMEL.findall(name)), joined if len(joined) == len("pin") else ""]
    return (
        any(secret in joined for secret in ACROSS_WORDS)
        or any(secret in word for word in words for secret in WITHIN_A_WORD)
        or any(
            part.strip("0123456789").startswith("pin") or part.rstrip("0123456789").endswith("pin") for part in parts
        )
    )


class _Search:
    """Searches one body for known keys, and caches the results."""

    def __init__(self, is_known: IsKnown) -> None:
        self._is_known = is_known
        self._seen: dict[str, bool] = {}
        self._looks = 0

    def clear_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                self.clear_text(name): SECRET
                if _may_be_secret(member) and names_secret(name)
                else self.clear_value(member)
                for name, member in value.items()
            }
        if isinstance(value, list):
            return [self.clear_value(member) for member in value]
        if isinstance(value, str):
            return self.clear_text(value)
        return KEY if not isinstance(value, bool) and value is not None and self._is_key(str(value)) else value

    def clear_text(self, text: str) -> str:
        if len(text) < keys.LEAST_LENGTH:
            return text
        if self._holds(text):
            return KEY
        if text.isalnum() and text.isascii():
            return text  # its only token is the whole text
        for token in TOKENS:
            text = token.sub(lambda match: KEY if self._holds(match[0]) else match[0], text)
        return text

    def _holds(self, token: str) -> bool:
        self._looks += 1
        if self._looks > MOST_LOOKS:
            raise TooMany
        return any(self._is_key(spelling) for spelling in _spellings(token))

    def _is_key(self, text: str) -> bool:
        if len(text) < keys.LEAST_LENGTH:
            return False
        if text not in self._seen:
            if len(self._seen) >= MOST_FINGERPRINTS:
                raise TooMany
            self._seen[text] = self._is_known(keys.fingerprint(text))
        return self._seen[text]


def _may_be_secret(value: Any) -> bool:
    return value not in (None, "", KEY, SECRET) and not isinstance(value, bool)


def _spellings(token: str) -> Iterator[str]:
    """Yield the keys that a token may be: itself, and itself with each kind of escape decoded."""
    stripped = token.strip()
    yield stripped
    if len(stripped) > LONGEST_IN_ESCAPES:
        return
    if (bare := stripped.strip(PUNCTUATION)) != stripped:
        yield bare
    if "%" in stripped or "+" in stripped:
        yield unquote_plus(stripped).strip()
    if "&" in stripped:
        yield html.unescape(stripped).strip()
    if "\\" in stripped:
        yield re.sub(r"\\(.)", r"\1", stripped)
    if not stripped.isascii():
        try:
            yield stripped.encode("latin-1").decode()
        except UnicodeError:
            return
