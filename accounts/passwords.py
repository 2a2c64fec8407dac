"""Rules of new passwords: long, not common, and more than guessable words. No kind of character is required; of digits
alone it takes more.

A password is covered with guessable pieces as far as possible. It is refused if what they do not cover is short, and
shorter than the pieces: random passwords contain `123` or a year, too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext, ngettext

from accounts import guessable_words
from accounts.folding import fold
from accounts.guessable_words import FILLING, GUESSABLE

LONGEST = 128
# Letters and digits beside the guessable pieces, and different signs, of which no more than MOST_SIGNS count.
LEAST_BESIDE = 8
MOST_SIGNS = 3
LEAST_DIFFERENT = 5
# Fewer digits alone can be a phone number (15), the number of a card (16 to 19) or two dates, and can all be tried.
LEAST_DIGITS = 20
ONLY_DIGITS = re.compile(r"[\d\s+\-./()]+")
# What people write in place of a letter.
LOOK_ALIKES = {
    "a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1!", "o": "0", "s": "5$", "t": "7+", "z": "2",
}  # fmt: skip
_FORWARD = (
    "1234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertzuiop",
    "qwertyuiop",
    "asdfghjkl",
    "yxcvbnm",
    "zxcvbnm",
    "1qay2wsx3edc4rfv5tgb6zhn7ujm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6z7u8i9o0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5z6u7i8o9p0",
)
ROWS = (*_FORWARD, *(row[::-1] for row in _FORWARD))
# Shorter parts of rows with letters are parts of words, such as `wert` and `rst`.
SHORTEST_ROW, SHORTEST_DIGITS = 5, 3
YEAR = re.compile(r"(?:19|20)\d\d")
_DAY, _MONTH, _JOINT = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])", r"[-./ ]?"
DATES = (
    re.compile(f"{_DAY}{_JOINT}{_MONTH}{_JOINT}{YEAR.pattern}"),
    re.compile(f"{YEAR.pattern}{_JOINT}{_MONTH}{_JOINT}{_DAY}"),
)
SAME = re.compile(r"([^\W_])\1\1+")
# One or two digits at the beginning or the end of a word.
FEW_DIGITS = re.compile(r"(?<![^\W_])\d{1,2}(?!\d)|(?<!\d)\d{1,2}(?![^\W_])")
BLOCK = re.compile(r"(.{1,5}?)\1+")


class Piece(NamedTuple):
    """A guessable part of a password: where it ends, and what it is; blank if it is no reason to refuse one."""

    end: int
    name: str


def what_it_rests_on(password: str, words: Mapping[str, str] | None = None) -> str:
    """Return the guessable word, year or row that a password is little more than; blank if it is more.

    `words` are guessable here in addition, as `guessable_words.read` returns them."""
    text = fold(password)
    if repeated := BLOCK.fullmatch(text):
        return repeated[1]
    all_words = _OF_ALL | _patterns(words or {})
    # From the end: how little remains of the rest of the text, and by which piece at its beginning.
    beside = [0] * (len(text) + 1)
    chosen: list[Piece | None] = [None] * len(text)
    for start in range(len(text) - 1, -1, -1):
        beside[start] = text[start].isalnum() + beside[start + 1]
        for piece in _pieces_at(text, start, all_words):
            best = chosen[start]
            if (beside[piece.end], -piece.end) < (beside[start], -best.end if best else 0):
                beside[start], chosen[start] = beside[piece.end], piece
    signs = {sign for sign in text if not sign.isalnum() and not sign.isspace()}
    rest = beside[0] + min(len(signs), MOST_SIGNS)
    pieces = list(_named(chosen))
    if rest < LEAST_BESIDE and rest <= sum(length for length, _name in pieces):
        return max(pieces, default=(0, ""))[1]
    return ""


def _patterns(words: Mapping[str, str]) -> dict[re.Pattern[str], str]:
    """Return words by patterns of how they are written, also with look-alikes of their letters."""
    return {
        re.compile("".join(f"[{re.escape(letter + LOOK_ALIKES.get(letter, ''))}]" for letter in spelling)): word
        for spelling, word in words.items()
    }


_OF_ALL = _patterns(GUESSABLE)


def _pieces_at(text: str, start: int, words: Mapping[re.Pattern[str], str]) -> Iterator[Piece]:
    for pattern, word in words.items():
        if found := pattern.match(text, start):
            yield Piece(found.end(), word)
    for row in ROWS:
        if end := _end_in_row(text, start, row):
            yield Piece(end, text[start:end])
    for pattern in (YEAR, SAME, *DATES):
        if found := pattern.match(text, start):
            yield Piece(found.end(), found[0])
    if found := FEW_DIGITS.match(text, start):
        yield Piece(found.end(), "")
    for word in FILLING:
        if text.startswith(word, start):
            yield Piece(start + len(word), "")


def _end_in_row(text: str, start: int, row: str) -> int:
    """Return where the longest part of a row ends that the text has there; 0 if it is too short to count."""
    place = row.find(text[start])
    if place < 0:
        return 0
    end = start
    while end < len(text) and place < len(row) and text[end] == row[place]:
        end, place = end + 1, place + 1
    shortest = SHORTEST_DIGITS if text[start:end].isdigit() else SHORTEST_ROW
    return end if end - start >= shortest else 0


def _named(chosen: list[Piece | None]) -> Iterator[tuple[int, str]]:
    """Yield the length and the name of each piece of the best cover that has one."""
    start = 0
    while start < len(chosen):
        piece = chosen[start]
        if piece and piece.name:
            yield piece.end - start, piece.name
        start = piece.end if piece else start + 1


class GuessablePasswordValidator:
    """Refuses passwords that are common, or little more than words that others guess: those of the lists, of this
    company, of the person, years, dates, rows of keys, and few digits."""

    def __init__(self) -> None:
        self._common: frozenset[str] = frozenset(CommonPasswordValidator().passwords)

    def validate(self, password: str, user: Any = None) -> None:
        if len(password) > LONGEST:
            text = ngettext(
                "This password is too long. Use at most %(most)d character.",
                "This password is too long. Use at most %(most)d characters.",
                LONGEST,
            )
            raise ValidationError(text, code="password_too_long", params={"most": LONGEST})
        if len(set(fold(password))) < LEAST_DIFFERENT:
            text = gettext(
                "This password repeats a few characters and is easily guessed. Use four or more random words instead."
            )
            raise ValidationError(text, code="password_repeats")
        if ONLY_DIGITS.fullmatch(password) and sum(sign.isdigit() for sign in password) < LEAST_DIGITS:
            text = gettext(
                "Use at least %(least)d digits if there are only digits, or four or more random words instead."
            )
            raise ValidationError(text, code="password_few_digits", params={"least": LEAST_DIGITS})
        words = guessable_words.read(f"{_words_here()} {_words_of(user)} {self._common_word(password)}")
        if word := what_it_rests_on(password, words):
            text = gettext(
                "This password is easily guessed, because it is little more than “%(word)s”. Use four or more random "
                "words that have nothing to do with it."
            )
            raise ValidationError(text, code="password_guessable", params={"word": word})
        if password.lower().strip() in self._common:
            raise ValidationError(
                gettext("Many people use this password. Use four or more random words instead."),
                code="password_too_common",
            )

    def get_help_text(self) -> str:
        return gettext(
            "Four or more random words are easy to remember and hard to guess. Words such as your name, your company, "
            "a month or “password” are not enough, nor with a year and a sign."
        )

    def _common_word(self, password: str) -> str:
        """Return the password without digits and signs around it, if it is common without them."""
        word = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password).lower()
        return word if word in self._common else ""


def _words_here() -> str:
    return " ".join(settings.PASSWORD_WORDS) or guessable_words.names_of_hosts(settings.ALLOWED_HOSTS)


def _words_of(user: Any) -> str:
    names = ("email", "username", "first_name", "last_name")
    return " ".join(str(getattr(user, name, None) or "") for name in names)
