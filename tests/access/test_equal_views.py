"""What a person sees is, byte for byte, what they would see if only what is theirs were stored.

The same installation is read twice: as it is, and after everything that the person has no right to see was deleted or
disguised: other numbers, single calls of numbers whose figures alone they see, the last digits of masked callers, and
destinations. tests/reports/scenario.py has the calls, tests/access/sights.py what is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from calls import phones
from calls.models import Call, DestinationNumber
from contacts.models import AgentDestination
from reports.queries import forwards
from tests.access.addresses import objects_of, objects_of_all
from tests.access.hidden import disguise_callers, disguise_destinations, forget, forget_calls
from tests.access.sights import MONTH, content, sights_of
from tests.factories import give, make_superuser, make_user, post, post_body
from tests.reports import scenario
from tests.reports.scenario import BERLIN, DESK, HOTLINE, LATECOMER, LINES, MOBILE, SALES, TAPE, Line

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# A Thursday on which no call has come for some days, so that every number with enough calls is silent.
NOW = datetime(2026, 11, 5, 12, tzinfo=BERLIN)
# Who answers at the destinations of the scenario.
AGENTS = ("Greta Ende", "Hanno Anfang")
CALLER = "+4917012345678"  # of nearly every call of the scenario
TABLES = ("destinationnumber", "accesskey", "call", "callevent", "refusedpost", "quarterhourcounts", "daycounts")


@dataclass(frozen=True)
class Person:
    """The rights of a person besides figures, by number; and what they may do in the admin."""

    rights: Mapping[Line, str]
    group: str = ""
    views: tuple[str, ...] = ()  # tables of the admin

    def lacks(self, right: str) -> list[Line]:
        """Return the numbers of which the person sees figures but not this."""
        return [line for line, rights in self.rights.items() if right not in rights.split()]


PEOPLE = {
    "anna": Person({HOTLINE: "calls callers people export", SALES: ""}),
    "boris": Person({SALES: "calls export", TAPE: "", LATECOMER: "calls people"}),
    "olga": Person({HOTLINE: "", TAPE: ""}, group="operator"),
    "nina": Person({HOTLINE: "calls people", SALES: "calls export", TAPE: "people"}, group="operator"),
    "stan": Person({HOTLINE: "calls export", SALES: ""}, views=TABLES),
}


@pytest.fixture
def numbers(client, settings, tmp_path, monkeypatch):
    """The month of the scenario, with a refused post of each number, seen some days later."""
    settings.SENDS_MAIL, settings.DEFAULT_FROM_EMAIL = True, "calltally@example.com"
    settings.SPOOL_FOLDER, settings.FILES_FOLDER = tmp_path / "spool", tmp_path / "files"
    settings.FORWARDS_LEAST_DESTINATIONS = 2
    scenario.play()
    for line in LINES:
        assert post(client, post_body("CALL_START", line.e164, "not-a-key-of-it")).status_code == 403
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    map_agents()
    by_e164 = {number.e164: number for number in DestinationNumber.objects.all()}
    return {line: by_e164[line.e164] for line in LINES}


def map_agents():
    """Let the first agent answer everywhere from the beginning, and the second at the desk in the second half."""
    greta, hanno = (
        make_user(name.split()[0].lower(), first_name=name.split()[0], last_name=name.split()[1]) for name in AGENTS
    )
    for user, destination, day in ((greta, DESK, None), (greta, MOBILE, None), (hanno, DESK, date(2026, 10, 16))):
        AgentDestination.objects.create(
            user=user, destination=destination, destination_type=scenario.TYPES[destination], from_day=day
        )


def make_person(name, numbers):
    person = PEOPLE[name]
    user = make_user(name, email=f"{name}@example.com", is_staff=bool(person.group or person.views))
    for line, rights in person.rights.items():
        give(user, numbers[line], *rights.split())
    if person.group:
        user.groups.add(Group.objects.get(name=person.group))
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"view_{table}" for table in person.views]))
    return user


def hide_from(person, numbers):
    """Delete or disguise what a person has no right to see."""
    for line in LINES:
        if line not in person.rights:
            forget(numbers[line])
    for line in person.lacks("people"):
        disguise_destinations(numbers[line])
    for line in person.lacks("callers"):
        disguise_callers(numbers[line])
    for line in person.lacks("calls"):
        forget_calls(numbers[line])


def some_calls(person, numbers):
    """Return the ids of some calls that a person may see: of each number the first, the last and some between."""
    chosen = []
    for line in person.rights:
        if line not in person.lacks("calls"):
            ids = Call.objects.filter(destination_number=numbers[line]).order_by("first_post_at", "pk")
            ids = list(ids.values_list("pk", flat=True))
            chosen += [*ids[:3], *ids[len(ids) // 2 : len(ids) // 2 + 3], *ids[-3:]]
    return chosen


@pytest.mark.parametrize("name", PEOPLE)
def test_a_person_sees_what_they_would_see_if_only_that_were_stored_and_no_name_of_others(name, numbers):
    person, user = PEOPLE[name], make_person(name, numbers)
    theirs = [numbers[line] for line in person.rights]
    calls, objects = some_calls(person, numbers), objects_of(theirs[0], user) | objects_of_all(theirs[0])
    objects["contacts/agentdestination"] = forwards.token(forwards.named(DESK, scenario.TYPES[DESK]))
    superuser = Client()
    superuser.force_login(make_superuser())
    everything = content(superuser.get("/reports/"))

    before = sights_of(user, theirs, calls, objects, NOW)
    hide_from(person, numbers)
    after = sights_of(user, theirs, calls, objects, NOW)

    assert not named_in(before, person, numbers)
    differing = [f"{address}\n{difference(before[address], seen)}" for address, seen in after.items()]
    differing = [text for text in differing if not text.endswith("\n")]
    assert not differing, "\n".join(differing)
    # Nothing is proved where there is nothing to see, or nothing was hidden.
    assert content(superuser.get("/reports/")) != everything
    assert len(before["mails"]) > 100
    shown = [address for address, seen in before.items() if seen.startswith(b"200")]
    assert len(shown) > 50, sorted(before)


def difference(before, after):
    """Return the first line that differs, as it was and as it is; blank if there is none."""
    if before == after:
        return ""
    for line, other in zip(before.splitlines(), after.splitlines(), strict=False):
        if line != other:
            return f"  before: {line[:300]!r}\n  after:  {other[:300]!r}"
    return f"  {len(before)} bytes before, {len(after)} after"


def named_in(sights, person, numbers):
    """Return the sights that name a number, a caller or a destination which is not theirs, with what they name."""
    others = [numbers[line] for line in LINES if line not in person.rights]
    hidden = [text for number in others for text in (number.e164, number.readable)]
    if len(person.lacks("callers")) == len(person.rights):
        hidden += [CALLER, phones.readable(CALLER)]
    if len(person.lacks("people")) == len(person.rights):
        hidden += [text for number in (DESK, MOBILE) for text in (number, phones.readable(number))]
        hidden += AGENTS
    # A search says what was searched for; whoever sets up a team is offered all active users.
    return [
        (address, text)
        for text in hidden
        for address, seen in sights.items()
        if text.encode() in seen
        and text not in address
        and not address.startswith("search for ")
        and not (text in AGENTS and address.startswith("/admin/live/numberrings/"))
    ]


@pytest.mark.parametrize("name", ["anna", "nina"])
def test_who_may_see_destinations_sees_who_answers_there(name, numbers):
    person, user = PEOPLE[name], make_person(name, numbers)
    sights = sights_of(user, [numbers[HOTLINE]], some_calls(person, numbers), objects_of(numbers[HOTLINE], user), NOW)

    naming = [address for address, seen in sights.items() if AGENTS[0].encode() in seen]
    assert [address for address in naming if address.startswith("/reports/forwards/")]
    assert [address for address in naming if address.startswith("/reports/calls/")]
    assert ("/admin/contacts/agentdestination/" in naming) is (name == "nina")


def test_masked_callers_lack_three_digits_on_pages_and_in_files(numbers):
    user = make_person("boris", numbers)
    client = Client()
    client.force_login(user)

    page = content(client.get(f"/reports/calls/?{MONTH}")).decode()

    assert f"{phones.readable(CALLER)[:-3]}•••" in page
    assert phones.readable(CALLER) not in page
    assert f"{CALLER[:-3]}•••".encode() in content(client.get(f"/reports/calls.csv?{MONTH}&number=%2B{SALES.e164[1:]}"))
