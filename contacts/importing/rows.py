"""Rows of files, whatever their format, and the contacts that are made of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext as _

from calls import phones
from contacts.importing.texts import cleaned
from contacts.models.contacts import LONGEST, LONGEST_LABEL, search_key_of

# Fields that columns may be mapped to. A phone column may occur several times.
EXTERNAL_ID, NAME, FIRST_NAME, LAST_NAME, COMPANY, URL, NOTE, CUSTOMER_NUMBER, IMPORTANT, PHONE, COMPANY_PHONE = (
    "external_id",
    "name",
    "first_name",
    "last_name",
    "company",
    "url",
    "note",
    "customer_number",
    "important",
    "phone",
    "company_phone",
)
PHONES = (PHONE, COMPANY_PHONE)
FIELDS = (EXTERNAL_ID, NAME, FIRST_NAME, LAST_NAME, COMPANY, URL, NOTE, CUSTOMER_NUMBER, IMPORTANT, *PHONES)
MOST_NUMBERS = 50
# Begins an id that we made for a row without one.
MADE_UP = "~"

_YES = frozenset({"1", "true", "yes", "y", "x", "ja", "j", "wahr", "vip", "wichtig", "important"})
_NO = frozenset({"", "0", "false", "no", "n", "nein", "falsch", "-"})
_is_address = URLValidator(schemes=["https", "http"])


class Row(NamedTuple):
    """A row of a file: its first line, its texts by field, its phone numbers, and its cells as they were."""

    line: int
    values: dict[str, str]
    numbers: list[tuple[str, str, str]]  # field, label, text
    cells: Sequence[str]
    problem: str = ""  # why it cannot be read


class Number(NamedTuple):
    """A number of a contact."""

    e164: str
    has_extensions: bool
    label: str


class Draft(NamedTuple):
    """A contact as it will be stored."""

    external_id: str
    name: str
    company: str
    url: str
    note: str
    customer_number: str
    important: bool
    search_key: str
    numbers: tuple[Number, ...]


@dataclass(frozen=True)
class Refusal:
    """Why a row, or a part of it, is not imported. `is_whole` is false if the contact is imported without that part."""

    line: int
    reason: str
    cells: Sequence[str]
    external_id: str = ""
    is_whole: bool = True


class RowRefused(ValueError):  # noqa: N818 (named for what happens to the row)
    """A row cannot be imported. The message says why."""


def read_number(text: str, *, has_extensions: bool = False) -> tuple[str, bool]:
    """Return a number in E.164, and whether it is the beginning of all numbers of a company.

    `0221 47103-0`, the spelling of a switchboard, always is. Raise NotANumber."""
    if beginning := phones.without_switchboard(text):
        return beginning, True
    number = phones.parse(text)
    if has_extensions and len(number) <= phones.FEWEST_DIGITS:
        raise phones.NotANumber(_("A number with extensions needs at least 7 digits."))
    return number, has_extensions


def draft(row: Row) -> tuple[Draft, list[str]]:
    """Return the contact of a row, and why some of its numbers were left out. Raise RowRefused."""
    if row.problem:
        raise RowRefused(row.problem)
    values = {field: cleaned(text) for field, text in row.values.items()}
    name, company = _names(values)
    customer_number = values.get(CUSTOMER_NUMBER, "")
    if not name and not company:
        raise RowRefused(_("There is neither a name nor a company."))
    try:
        url = web_address(values[URL]) if values.get(URL) else ""
    except ValidationError:
        raise RowRefused(_("The link is not an address that begins with https://.")) from None
    numbers, left_out = _numbers(row.numbers)
    if not numbers and left_out:
        raise RowRefused(" ".join(left_out))
    made = Draft(
        external_id=external_id_of(row),
        name=name,
        company=company,
        url=url,
        note=values.get(NOTE, ""),
        customer_number=customer_number,
        important=_important(values.get(IMPORTANT, "")),
        search_key=search_key_of(name, company),
        numbers=numbers,
    )
    for field, longest in LONGEST.items():
        if len(getattr(made, field)) > longest:
            raise RowRefused(
                _("The column %(field)s has more than %(longest)d characters.") % {"field": field, "longest": longest}
            )
    return made, left_out


def external_id_of(row: Row) -> str:
    """Return the id of a row, also of a refused one; made of name, company and customer number if the file has none."""
    values = {field: cleaned(text) for field, text in row.values.items()}
    if given := values.get(EXTERNAL_ID):
        return given
    name, company = _names(values)
    text = json.dumps([name.casefold(), company.casefold(), values.get(CUSTOMER_NUMBER, "")])
    return MADE_UP + hashlib.sha256(text.encode()).hexdigest()[:24]


def web_address(text: str) -> str:
    """Return an address with its scheme in lower case. Raise ValidationError unless it is one of the web."""
    _is_address(text)
    scheme = urlsplit(text).scheme
    return scheme + text[len(scheme) :]


def merged(first: Draft, other: Draft, line: int) -> Draft:
    """Return a contact with the numbers of both. Raise RowRefused if they differ in more; `line` is that of the
    first."""
    if first._replace(numbers=()) == other._replace(numbers=()):
        known = {number.e164 for number in first.numbers}
        return first._replace(numbers=first.numbers + tuple(one for one in other.numbers if one.e164 not in known))
    if first.external_id.startswith(MADE_UP):
        message = _("Line %(line)d has the same name and company. Add a column with an id that tells them apart.")
    else:
        message = _("Line %(line)d has the same id, but not the same texts.")
    raise RowRefused(message % {"line": line})


def _names(values: dict[str, str]) -> tuple[str, str]:
    """Return name and company."""
    parts = (values.get(FIRST_NAME, ""), values.get(LAST_NAME, ""))
    return values.get(NAME) or " ".join(filter(None, parts)), values.get(COMPANY, "")


def _numbers(written: Iterable[tuple[str, str, str]]) -> tuple[tuple[Number, ...], list[str]]:
    numbers: dict[str, Number] = {}
    left_out = []
    for field, label, written_text in written:
        text = cleaned(written_text)
        if not text:
            continue
        try:
            e164, has_extensions = read_number(text, has_extensions=field == COMPANY_PHONE)
        except phones.NotANumber as error:
            left_out.append(str(error))
            continue
        numbers.setdefault(e164, Number(e164, has_extensions, cleaned(label)[:LONGEST_LABEL]))
    if len(numbers) > MOST_NUMBERS:
        raise RowRefused(_("There are more than %(most)d phone numbers.") % {"most": MOST_NUMBERS})
    return tuple(numbers.values()), left_out


def _important(text: str) -> bool:
    folded = text.casefold()
    if folded in _YES:
        return True
    if folded in _NO:
        return False
    raise RowRefused(_("Write yes or no in the column for important contacts."))
