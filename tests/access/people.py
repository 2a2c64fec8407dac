"""The kinds of users whose access is tested: each right alone, each group, staff, a superuser."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group, User

from calls.models import DestinationNumber
from tests.factories import give, make_superuser, make_user

ANONYMOUS, SUPERUSER = "anonymous", "superuser"


@dataclass(frozen=True)
class Person:
    """What a person has: rights on one number besides its figures, a group, the admin."""

    rights: frozenset[str] | None  # None: no access to the number at all
    group: str = ""
    opens_admin: bool = False

    def has(self, right: str) -> bool:
        return self.rights is not None and (right == "figures" or right in self.rights)


def _person(rights: str | None, group: str = "", *, opens_admin: bool = False) -> Person:
    return Person(None if rights is None else frozenset(rights.split()), group, opens_admin)


EVERYTHING = "calls callers people export"
PEOPLE = {
    ANONYMOUS: _person(None),
    "figures": _person(""),
    "calls": _person("calls"),
    "callers": _person("calls callers"),
    "people": _person("people"),
    "export": _person("calls export"),
    "viewer": _person("", "viewer"),
    "team lead": _person(EVERYTHING, "team lead"),
    "operator": _person("", "operator", opens_admin=True),
    "user admin": _person("", "user admin", opens_admin=True),
    "data protection": _person(None, "data protection", opens_admin=True),
    "staff": _person(None, opens_admin=True),
    SUPERUSER: _person(EVERYTHING, opens_admin=True),
}


def make_person(name: str, number: DestinationNumber) -> User | None:
    """Create a person of PEOPLE with their rights on one number; None for the anonymous one."""
    if name == ANONYMOUS:
        return None
    if name == SUPERUSER:
        return make_superuser()
    person = PEOPLE[name]
    user = make_user(name, is_staff=person.opens_admin)
    if person.rights is not None:
        give(user, number, *sorted(person.rights))
    if person.group:
        user.groups.add(Group.objects.get(name=person.group))
    return user
