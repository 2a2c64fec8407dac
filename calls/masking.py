"""Masks callers and destinations for people who may not see them: the one rule for pages, files, SQL and payloads.

A masked number lacks its last three digits, as in German itemised bills. A number of fewer than seven digits, and any
text that is not a number, is masked whole. A blank caller is withheld and stays blank, so that it can be told apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any
from urllib.parse import unquote

from calls import phone_patterns, phones, posts

HIDDEN = "•••"
DIGITS_HIDDEN = 3
# Shown for a withheld caller whose text is not one of the usual words, because it may contain a name.
WITHHELD = "anonymous"

_NUMBER = re.compile(phone_patterns.NUMBER)
_USER = re.compile(r"""([^@<>:;"'\s]+)@""")  # of a SIP address


# Each returns the names of variables of a number, by its id, that say who calls. Apps above add theirs.
further_variables: list[Callable[[int], Collection[str]]] = []


def variables_of_callers(number_id: int) -> frozenset[str]:
    """Return the names of the variables of a number whose values are masked as callers are."""
    return frozenset(name for names_of in further_variables for name in names_of(number_id))


def masked(number: str) -> str:
    """Return a stored number for pages: `+49 170 12345•••`."""
    if not _is_long(number):
        return masked_in_files(number)
    digits = number.removeprefix("+")
    written = phones.readable(number)
    if re.sub(r"\D", "", written) != digits:
        written = number
    places = [place for place, sign in enumerate(written) if sign.isdigit()]
    return written[: places[len(digits) - DIGITS_HIDDEN - 1] + 1] + HIDDEN


def masked_in_files(number: str) -> str:
    """Return a stored number for files, without spaces: `+4917012345•••`."""
    if not number:
        return ""
    return number[:-DIGITS_HIDDEN] + HIDDEN if _is_long(number) else HIDDEN


def masked_text(text: str) -> str:
    """Return a text that a person wrote, with every phone number in it hidden, and what may be one: at least seven
    digits with at most three other signs between two of them. Dates, times and amounts are not hidden."""
    return _NUMBER.sub(HIDDEN, text)


def names_caller(text: str, caller: str) -> bool:
    """Return whether a text has the last digits of a caller, in any spelling."""
    last = re.sub(r"\D", "", caller)[-phones.FEWEST_DIGITS :]
    digits = "".join(str(int(digit)) for digit in re.findall(r"\d", unquote(text)))
    return len(last) == phones.FEWEST_DIGITS and last in digits


def names_caller_sql(text: str, caller: str) -> str:
    """Return the SQL of `names_caller`, for texts that are not part of an address."""
    last = f"right(translate({caller}, '+', ''), {phones.FEWEST_DIGITS})"
    in_ascii = f"translate({text}, '{phone_patterns.FOREIGN_DIGITS}', '{phone_patterns.IN_ASCII}')"
    digits = f"regexp_replace({in_ascii}, '[^0-9]', '', 'g')"
    return f"(length({caller}) >= {phones.FEWEST_DIGITS} AND position({last} IN {digits}) > 0)"


def masked_text_sql(column: str) -> str:
    """Return the SQL of `masked_text` for a text column."""
    return f"regexp_replace({column}, '{phone_patterns.NUMBER}', '{HIDDEN}', 'g')"


def masked_sql(column: str) -> str:
    """Return the SQL of `masked_in_files` for a text column without nulls."""
    others = f"translate({column}, '0123456789', '')"
    return (
        f"CASE WHEN {column} = '' THEN '' "
        f"WHEN {others} = '' AND length({column}) >= {phones.FEWEST_DIGITS} "
        f"OR {others} = '+' AND starts_with({column}, '+') AND length({column}) > {phones.FEWEST_DIGITS} "
        f"THEN left({column}, -{DIGITS_HIDDEN}) || '{HIDDEN}' "
        f"ELSE '{HIDDEN}' END"
    )


def masked_as_received(caller: str) -> str:
    """Return a caller in the spelling of a post, masked as in files. Withheld callers stay recognisable as such."""
    if phones.is_withheld(caller):
        return caller if caller.strip().casefold() in phones.WITHHELD else WITHHELD
    return masked_in_files(phones.comparable_number(caller))


def masked_payload(
    payload: str,
    *,
    callers: bool,
    people: bool,
    known_callers: Iterable[str] = (),
    known_destinations: Iterable[str] = (),
    variables: Collection[str] = (),
) -> str:
    """Return a stored payload as JSON for a person who may see whole callers, destinations, both or neither.

    Without `callers`, the caller is masked wherever it occurs, and so is every other number of seven or more digits
    outside the fields that TENIOS documents; the values of `variables`, which say who calls, are hidden. Without
    `people`, the destination becomes its type and is hidden wherever else it occurs. `known_callers` and
    `known_destinations` are those of other posts of the same call.
    A payload that is not JSON is hidden completely, unless the person may see both."""
    if callers and people:
        return payload
    try:
        posted = json.loads(payload)
    except (ValueError, RecursionError):
        return json.dumps(HIDDEN)
    hidden_callers = [] if callers else [*known_callers, *_texts(posted, "variables", "caller_id_number")]
    hidden_destinations = [] if people else [*known_destinations, *_texts(posted, "destination")]
    mask = _Mask(callers, people, hidden_callers, hidden_destinations, () if callers else variables)
    return json.dumps(mask.post(posted), separators=(",", ":"))


def _is_long(number: str) -> bool:
    """Return whether a text consists of seven or more digits, with or without a plus."""
    digits = number.removeprefix("+")
    return digits.isascii() and digits.isdigit() and len(digits) >= phones.FEWEST_DIGITS


def _texts(posted: Any, *names: str) -> list[str]:
    """Return the value at a path of names as a list of one text; empty if it is missing or has parts."""
    for name in names:
        posted = posted.get(name) if isinstance(posted, dict) else None
    return [] if posted is None or isinstance(posted, bool | dict | list) else [str(posted)]


class _Mask:
    """Masks one payload. Only fields that TENIOS documents are shown as they are."""

    def __init__(
        self,
        callers: bool,
        people: bool,
        callers_hidden: list[str],
        destinations_hidden: list[str],
        variables_hidden: Collection[str],
    ) -> None:
        self._callers, self._people, self._variables = callers, people, frozenset(variables_hidden)
        self._digits: set[str] = set()  # the last digits of hidden numbers, which every spelling of them has
        self._words: set[str] = set()  # hidden short codes, extensions and names
        for caller in callers_hidden:
            if not phones.is_withheld(caller):
                self._hide(caller)
        for destination in destinations_hidden:
            self._hide(destination)
        words = "|".join(re.escape(word) for word in sorted(self._words))
        self._word = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) if words else None

    def _hide(self, text: str) -> None:
        for part in {text.strip(), *_USER.findall(text)} - {""}:
            number = phones.comparable_number(part)
            if _is_long(number):
                self._digits.add(number[-phones.FEWEST_DIGITS :])
            else:
                self._words |= {part, number}

    def post(self, posted: Any) -> Any:
        """Return the post with everything hidden that the person may not see."""
        if not isinstance(posted, dict):
            return self._unknown(posted)
        return {self._name(name): self._field(name, value, posted) for name, value in posted.items()}

    def _field(self, name: str, value: Any, posted: dict[str, Any]) -> Any:
        if name == "variables" and isinstance(value, dict):
            return {self._name(variable): self._variable(variable, told) for variable, told in value.items()}
        if name == "destination" and not self._people:
            return self._type_of(posted) if value not in (None, "") else value
        if name == "destination" and not isinstance(value, dict | list):
            return value
        return self._documented(value) if name in posts.NAMED_FIELDS else self._unknown(value)

    def _variable(self, name: str, value: Any) -> Any:
        if name == "caller_id_number" and not isinstance(value, dict | list):
            is_shown = self._callers or value is None or isinstance(value, bool)
            return value if is_shown else masked_as_received(str(value))
        if name in self._variables:
            return value if _is_empty(value) else HIDDEN
        return self._documented(value) if name in posts.NAMED_VARIABLES else self._unknown(value)

    def _type_of(self, posted: dict[str, Any]) -> str:
        named = posted.get("destinationType")
        return self._documented(named) if isinstance(named, str) and named.strip() else HIDDEN

    def _name(self, name: str) -> str:
        """Return the name of a field or variable, hidden if a person's number is used as a name."""
        is_documented = name in posts.NAMED_FIELDS or name in posts.NAMED_VARIABLES or name == "variables"
        return name if is_documented else self._text(name)

    def _documented(self, value: Any) -> Any:
        """Return the value of a documented field, hidden if it contains what must not be shown."""
        if isinstance(value, dict | list):
            return self._unknown(value)
        return HIDDEN if not _is_empty(value) and self._reveals(str(value)) else value

    def _unknown(self, value: Any) -> Any:
        """Return a value that TENIOS does not document, with its parts."""
        if isinstance(value, dict):
            return {self._text(name): self._unknown(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._unknown(member) for member in value]
        if _is_empty(value):
            return value
        text = str(value)
        shown = self._text(text)
        return value if shown == text else shown

    def _text(self, text: str) -> str:
        if self._reveals(text):
            return HIDDEN
        return text if self._callers else masked_text(text)

    def _reveals(self, text: str) -> bool:
        """Return whether a text contains a hidden caller or destination in any spelling."""
        digits = "".join(str(int(digit)) for digit in re.findall(r"\d", text)) if self._digits else ""
        return any(last in digits for last in self._digits) or bool(self._word and self._word.search(text))


def _is_empty(value: Any) -> bool:
    return value is None or isinstance(value, bool) or value == ""
