"""The table of access on the page of a user: numbers and rights with checkboxes.

The editor gives only what they have, and for no longer. A row that grants more is shown read-only and stays as is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import get_text_list
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import history
from calls.models import DestinationNumber, NumberAccess, Right

# Rights in the middle of a sentence.
WORDS = {
    Right.FIGURES: _("figures"),
    Right.CALLS: _("calls"),
    Right.CALLERS: _("callers"),
    Right.PEOPLE: _("people"),
    Right.EXPORT: _("export"),
}
NEED_CALLS = frozenset({Right.CALLERS, Right.EXPORT})
# The keys of the rows that could be changed when the page was opened; only these are read.
ROWS = "access-rows"
# The box that confirms access which was not given in the admin.
CONFIRM = "access-confirm"
ALL = "all"
NAME = re.compile(rf"access-({ALL}|[0-9]{{1,18}})-([a-z]+)")
# With more numbers than this, the table has a search.
MANY_NUMBERS = 30


def in_words(rights: Iterable[Right]) -> str:
    """Return rights as a list in words, in the order of the columns."""
    granted = set(rights)
    return get_text_list([str(WORDS[right]) for right in Right if right in granted], gettext("and"))


@dataclass(frozen=True)
class Granted:
    """What a row grants: rights, and the last day (None: without end). Without rights there is no row."""

    rights: frozenset[Right] = frozenset()
    until: date | None = None

    @classmethod
    def by(cls, row: NumberAccess | None) -> Granted:
        return cls(row.rights, row.until) if row else cls()

    @property
    def last_day(self) -> date:
        return self.until or date.max

    def changed_to(self, after: Granted, name: str) -> str:
        """Return in words what changes; `name` is that of the number, or of the user in the history of a number."""
        texts = []
        if added := after.rights - self.rights:
            texts.append(gettext("%(name)s: %(rights)s added") % {"name": name, "rights": in_words(added)})
        if removed := self.rights - after.rights:
            texts.append(gettext("%(name)s: %(rights)s removed") % {"name": name, "rights": in_words(removed)})
        if after.rights and after.until != self.until:
            if after.until:
                day = date_format(after.until)
                texts.append(gettext("%(name)s: until %(day)s") % {"name": name, "day": day})
            else:
                texts.append(gettext("%(name)s: without end") % {"name": name})
        return "; ".join(texts)


@dataclass(frozen=True)
class Editor:
    """What a person may give to others: what they have themselves, and for no longer."""

    user: Any
    rows: tuple[NumberAccess, ...]

    @classmethod
    def of(cls, user: Any) -> Editor:
        return cls(user, () if user.is_superuser else tuple(NumberAccess.objects.of(user)))

    def may_give(self, number_id: int | None) -> dict[Right, date]:
        """Return the rights that the person may give for a number (None: for all numbers), each with the last day."""
        if self.user.is_active and self.user.is_superuser:
            return dict.fromkeys(Right, date.max)
        last_days: dict[Right, date] = {}
        for row in self.rows:
            if row.destination_number_id in {None, number_id}:
                for right in row.rights:
                    last_days[right] = max(last_days.get(right, date.min), row.until or date.max)
        return last_days

    def covers(self, granted: Granted, number_id: int | None) -> bool:
        """Return whether the person may give all of this for a number."""
        last_days = self.may_give(number_id)
        return all(right in last_days and granted.last_day <= last_days[right] for right in granted.rights)

    def has_less_than(self, person: Any) -> bool:
        """Return whether another person has access to a number that this one may not give."""
        rows = NumberAccess.objects.in_force().filter(user=person)
        return not all(self.covers(Granted.by(row), row.destination_number_id) for row in rows)


@dataclass(frozen=True)
class Cell:
    """A checkbox."""

    name: str
    label: str
    is_ticked: bool
    is_open: bool


@dataclass
class Row:
    """One number, or all numbers: what the user has, and what the form gives."""

    number: DestinationNumber | None
    before: Granted
    last_days: Mapping[Right, date]
    is_open: bool
    # It was not given in the admin, but made by an update or a command.
    is_unconfirmed: bool
    after: Granted = field(init=False)
    until_text: str = field(init=False)

    def __post_init__(self) -> None:
        self.after = self.before
        self.until_text = self.before.until.isoformat() if self.before.until else ""

    @property
    def key(self) -> str:
        return str(self.number.pk) if self.number else ALL

    @property
    def name(self) -> str:
        return self.number.name if self.number else gettext("All numbers")

    @property
    def until_name(self) -> str:
        return f"access-{self.key}-until"

    @property
    def cells(self) -> list[Cell]:
        return [
            Cell(
                f"access-{self.key}-{right.value}",
                gettext("%(number)s: %(right)s") % {"number": self.name, "right": WORDS[right]},
                right in self.after.rights,
                self.is_open and right in self.last_days,
            )
            for right in Right
        ]

    @property
    def is_changed(self) -> bool:
        return self.after != self.before

    def read(self, data: Mapping[str, Any]) -> str:
        """Read what was sent; return what is wrong with it, or a blank text."""
        rights = frozenset(right for right in Right if data.get(f"access-{self.key}-{right.value}"))
        self.until_text = str(data.get(self.until_name, "")).strip()
        self.after = Granted(rights, self.before.until if rights else None)
        try:
            until = forms.DateField(required=False).clean(self.until_text)
        except ValidationError as error:
            return gettext("%(number)s: %(error)s") % {"number": self.name, "error": " ".join(error.messages)}
        self.after = Granted(rights, until if rights else None)
        return self._error() if self.is_changed and rights else ""

    def _error(self) -> str:
        named: dict[str, Any] = {"number": self.name}
        if Right.FIGURES not in self.after.rights:
            return gettext("%(number)s: tick figures as well, or clear all boxes of the row.") % named
        if self.after.rights & NEED_CALLS and Right.CALLS not in self.after.rights:
            return gettext("%(number)s: callers and export need calls.") % named
        if self.after.until != self.before.until and self.after.last_day < timezone.localdate():
            return gettext("%(number)s: the last day is in the past.") % named
        last_day = min(self.last_days[right] for right in self.after.rights)
        if self.after.last_day > last_day:
            named["day"] = date_format(last_day)
            return gettext("%(number)s: your own access ends on %(day)s. Enter this day or an earlier one.") % named
        return ""


@dataclass(frozen=True)
class Change:
    """What was saved of one row, in words for the history of the user and for that of the number."""

    number: DestinationNumber | None
    of_number: str
    of_user: str


class AccessTable:
    """The access of a user as one person, the editor, sees and changes it."""

    def __init__(self, editor: Any, user: Any, data: Mapping[str, Any] | None = None, *, is_open: bool = True) -> None:
        self.user, self.editor = user, Editor.of(editor)
        stored = {row.destination_number_id: row for row in NumberAccess.objects.filter(user=user)}
        numbers = [None, *DestinationNumber.objects.visible_to(editor)]
        self.rows = [self._row(number, stored.get(number and number.pk), is_open) for number in numbers]
        self.has_search = len(numbers) > MANY_NUMBERS + 1
        self.errors: list[str] = []
        self.changes: list[Change] = []
        self.confirms = False
        if data is not None:
            self._read(data)

    def _row(self, number: DestinationNumber | None, row: NumberAccess | None, is_open: bool) -> Row:
        number_id, before = None if number is None else number.pk, Granted.by(row)
        last_days = self.editor.may_give(number_id)
        may = is_open and Right.FIGURES in last_days and self.editor.covers(before, number_id)
        return Row(number, before, last_days, may, row is not None and row.granted_by_id is None)

    @property
    def is_of_superuser(self) -> bool:
        """Whether the user sees everything, whatever the rows say."""
        return bool(self.user.is_superuser)

    @property
    def is_partial(self) -> bool:
        """Whether the user may have access to numbers that the table lacks, because the editor does not see them."""
        return Right.FIGURES not in self.editor.may_give(None)

    @property
    def headings(self) -> list[str]:
        return [str(right.label) for right in Right]

    @property
    def open_keys(self) -> str:
        return ",".join(row.key for row in self.rows if row.is_open)

    @property
    def has_unconfirmed(self) -> bool:
        return any(row.is_unconfirmed and row.is_open for row in self.rows)

    def _read(self, data: Mapping[str, Any]) -> None:
        rows = {row.key: row for row in self.rows}
        if any(self._gives_too_much(name, rows) for name in data if name not in {ROWS, CONFIRM}):
            self.errors.append(
                gettext("Nothing was saved: you may give only access that you have yourself. Open the page again.")
            )
            return
        opened = set(str(data.get(ROWS, "")).split(","))
        self.errors += [error for row in self.rows if row.is_open and row.key in opened and (error := row.read(data))]
        self.confirms = bool(data.get(CONFIRM))

    @staticmethod
    def _gives_too_much(name: str, rows: Mapping[str, Row]) -> bool:
        """Return whether the name of a box or field that was sent belongs to none that could be changed."""
        if not name.startswith("access-"):
            return False
        match = NAME.fullmatch(name)
        row = rows.get(match[1]) if match else None
        if match is None or row is None or not row.is_open:
            return True
        return match[2] != "until" and match[2] not in row.last_days

    def save(self) -> None:
        """Store the rows that changed, and note each change for the history."""
        given = {"granted_by": self.editor.user, "granted_at": timezone.now()}
        for row in self.rows:
            if row.is_changed:
                self._store(row, given)
                self._note(row)
            elif self.confirms and row.is_open and row.is_unconfirmed:
                self._of(row).update(**given)
                confirmed = [gettext("%(name)s: confirmed") % {"name": name} for name in (row.name, self._user_name)]
                self.changes.append(Change(row.number, *confirmed))

    def said(self) -> list[dict[str, Any]]:
        """Return what was saved, for the history of the user."""
        return [
            history.change(change.of_number, type(change.number), change.number.pk)
            if change.number
            else history.change(change.of_number)
            for change in self.changes
        ]

    def _of(self, row: Row) -> Any:
        return NumberAccess.objects.filter(user=self.user, destination_number=row.number)

    def _store(self, row: Row, given: dict[str, Any]) -> None:
        if not row.after.rights:
            self._of(row).delete()
            return
        granted = {right.value: right in row.after.rights for right in Right if right != Right.FIGURES}
        NumberAccess.objects.update_or_create(
            user=self.user, destination_number=row.number, defaults={**granted, "until": row.after.until, **given}
        )

    def _note(self, row: Row) -> None:
        of_number, of_user = (row.before.changed_to(row.after, name) for name in (row.name, self._user_name))
        self.changes.append(Change(row.number, of_number, of_user))

    @property
    def _user_name(self) -> str:
        return str(self.user.get_full_name() or self.user.get_username())
