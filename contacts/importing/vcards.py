"""vCard files, version 3 (RFC 2426) and 4 (RFC 6350): the few properties that contacts have, read leniently.

Cards of many programs break the standards in properties that are not read here, and must not be refused for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from contacts.importing import rows
from contacts.importing.rows import Row

# Types of numbers that never call, and types that say nothing about a phone.
_NOT_A_PHONE = frozenset({"fax", "pager", "modem", "bbs", "textphone"})
_SAYS_NOTHING = frozenset({"voice", "pref", "text", "msg", "internet"})
_PROPERTY = re.compile(
    r'(?:[\w-]+\.)?(?P<name>[\w-]+)(?P<parameters>(?:;(?:"[^"]*"|[^":])*)?):(?P<value>.*)', re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# The parts of `Meyer;Anna`; a part may contain `\;`.
_PARTS = re.compile(r"(?:^|;)((?:\\.|[^;\\])*)", re.DOTALL)
READ = frozenset({"VERSION", "FN", "N", "ORG", "TEL", "NOTE", "UID", "SOURCE"})


@dataclass(frozen=True)
class VcardFile:
    """A file of vCards."""

    text: str
    encoding: str

    kind = "vcard"
    separator = ""
    headers = ("name", "company", "phone")

    def count(self) -> int:
        """Return the number of cards."""
        return len(re.findall(r"(?im)^BEGIN:VCARD\s*$", self.text))

    def rows(self) -> Iterator[Row]:
        """Yield a row for each card."""
        for line, card in _cards(self.text):
            yield _row(line, card)

    def fields(self) -> frozenset[str]:
        """Return the fields of contacts that the file has; others are not changed by it."""
        return frozenset({rows.EXTERNAL_ID, rows.NAME, rows.COMPANY, rows.URL, rows.NOTE, rows.PHONE})


def looks_like_vcards(text: str) -> bool:
    """Return whether a text begins as a vCard does."""
    return text.lstrip()[:11].upper() == "BEGIN:VCARD"


Property = tuple[str, str, str]  # name, parameters, value


def _cards(text: str) -> Iterator[tuple[int, list[Property]]]:
    """Yield the first line and the properties of each card. What stands between cards is not read."""
    card: list[Property] | None = None
    began = 0
    for line, unfolded in _unfolded(text):
        upper = unfolded[:12].rstrip().upper()
        if upper == "BEGIN:VCARD":
            card, began = [], line
        elif upper == "END:VCARD" and card is not None:
            yield began, card
            card = None
        elif card is not None and (match := _PROPERTY.fullmatch(unfolded)) and match["name"].upper() in READ:
            card.append((match["name"].upper(), match["parameters"][1:], match["value"]))
    if card is not None:
        # The file was cut off within this card.
        yield began, [*card, ("CUT", "", "")]


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number. A line that begins with a space or a tab continues the one before."""
    began = 0
    parts: list[str] = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if line[:1] in {" ", "\t"} and parts:
            parts.append(line[1:])
            continue
        if parts:
            yield began, "".join(parts)
        began, parts = number, [line]
    yield began, "".join(parts)


def _row(line: int, card: Sequence[Property]) -> Row:
    values: dict[str, str] = {}
    numbers = []
    problem = ""
    for name, parameters, value in card:
        if name == "CUT":
            problem = _("The file ends within this card.")
        elif name == "VERSION" and value.strip() not in {"3.0", "4.0"}:
            problem = _("This card has version %(version)s. Export it as vCard 3 or 4.") % {
                "version": value.strip()[:10]
            }
        elif name == "TEL":
            if (label := _label(parameters)) is not None:
                numbers.append((rows.PHONE, label, _plain(value)))
        elif name == "FN":
            values.setdefault(rows.NAME, _plain(value))
        elif name == "N":
            family, given = (*map(_plain, _PARTS.findall(value)), "", "")[:2]
            values |= {rows.FIRST_NAME: given, rows.LAST_NAME: family}
        elif name == "ORG":
            values.setdefault(rows.COMPANY, _plain((*_PARTS.findall(value), "")[0]))
        elif name == "NOTE":
            values.setdefault(rows.NOTE, _plain(value))
        elif name == "UID":
            values.setdefault(rows.EXTERNAL_ID, _plain(value))
        elif name == "SOURCE" and value.lower().startswith(("https://", "http://")):
            values.setdefault(rows.URL, _plain(value))
    cells = [values.get(rows.NAME, ""), values.get(rows.COMPANY, ""), " ".join(text for _f, _label, text in numbers)]
    # The name of a card for a company repeats the company.
    if values.get(rows.NAME) == values.get(rows.COMPANY):
        values[rows.NAME] = ""
    return Row(line, values, numbers, cells, problem)


def _label(parameters: str) -> str | None:
    """Return the types of a phone in words, as `cell, home`; None if it never calls."""
    types = [
        word.lower()
        for part in _split(parameters)
        for key, _equals, value in [part.rpartition("=")]
        if key.upper() in {"", "TYPE"}
        for word in value.strip('"').split(",")
    ]
    if _NOT_A_PHONE & {*types}:
        return None
    return ", ".join(dict.fromkeys(word for word in types if word and word not in _SAYS_NOTHING))


def _split(parameters: str) -> list[str]:
    return re.findall(r'(?:"[^"]*"|[^;"])+', parameters)


def _plain(value: str) -> str:
    """Return a value without escapes."""
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value).strip()
