"""manage.py demo: the process that `make demo` runs beside the servers."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as clock
from itertools import product
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.crypto import salted_hmac

from calls.models import Call, DestinationNumber, NumberAccess, OpeningHours, Right
from calls.simulator import history, live, profiles, scenarios
from calls.simulator.profiles import PROFILES
from contacts import agents
from contacts.models import AgentDestination, Contact, ContactNumber, TypedKind, TypedNumber
from live import feed
from live.models import NumberRings, Pop
from live.rings import ANSWERED

HISTORY = timedelta(days=60)
CALLS_A_WEEK = round(sum(profile.calls_a_week for profile in PROFILES))
FEW_CALLS = 1000  # with fewer calls, history is written first
SHORTEST_GAP = timedelta(minutes=15)
MANAGER = "manager"
MANAGES = 4  # profiles whose numbers the manager and the viewer of the demo see


@dataclass(frozen=True)
class Person:
    """A user of the demo, one for each group that the migrations create."""

    name: str
    full_name: str
    group: str
    access: str  # to which numbers: "some", "all", or none if blank
    rights: tuple[Right, ...] = ()
    opens_admin: bool = False


PEOPLE = (
    Person("viewer", "Vera Lindner", "viewer", "some"),
    Person(MANAGER, "Mara Keller", "team lead", "some", (Right.CALLS, Right.CALLERS, Right.PEOPLE, Right.EXPORT)),
    Person("operator", "Oskar Brandt", "operator", "all", opens_admin=True),
    # People grant only what they have.
    Person(
        "useradmin",
        "Uta Winter",
        "user admin",
        "all",
        (Right.CALLS, Right.CALLERS, Right.PEOPLE, Right.EXPORT),
        opens_admin=True,
    ),
    Person("dataprotection", "David Sommer", "data protection", "", opens_admin=True),
)
# Who answers at which destination, and since when (None: from the beginning). One person has two, two share one, one
# was taken over some days ago; the others have no person.
AGENTS = (
    (scenarios.HOTLINE_DESKS[0], ("manager",), None),
    (scenarios.HOTLINE_DESKS[1], ("operator",), None),
    (scenarios.HOTLINE_DESKS[1], ("viewer",), timedelta(days=10)),
    (scenarios.HOTLINE_DESKS[3], ("manager",), None),
    (scenarios.SHOP_DESKS[0], ("useradmin", "viewer"), None),
)
# The teams of numbers: a few people each, as in a company; the other numbers have none. Users that the demo did not
# create, such as the administrator, join the team of the busiest number, where calls ring most often.
TEAMS = (
    (PROFILES[0], ("manager", "viewer", "operator")),
    (PROFILES[1], ("useradmin", "viewer")),
    (PROFILES[3], ("manager", "useradmin")),
    (PROFILES[4], ("operator",)),
)
# What callers of a number type into its menu. Without links, which would lead nowhere.
TYPED = (
    (PROFILES[0], TypedKind.TICKET, "Ticket"),
    (PROFILES[0], TypedKind.CUSTOMER, "Customer"),
    (PROFILES[1], TypedKind.ORDER, "Order"),
)
# Contacts for half of the callers of the simulator that call often, and for one of its companies.
OFTEN_CALLS, COMPANY = "+49171392", "+49221471070"
FIRST_NAMES = ("Anna", "Ben", "Clara", "David", "Elif", "Felix", "Greta", "Hamza", "Ida", "Jonas")
LAST_NAMES = ("Albrecht", "Becker", "Cramer", "Demir", "Engel")


class Command(BaseCommand):
    help = (
        "Fills an installation with made-up numbers and two months of calls, creates a user for each group, and sends "
        "posts to the endpoint until stopped. Do not run it on an installation with real calls."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url", default="http://127.0.0.1:8000", help="the site or its endpoint; default: %(default)s"
        )
        parser.add_argument(
            "--once", action="store_true", help="exit after the data is prepared, without sending posts"
        )
        parser.add_argument(
            "--calls-a-week",
            type=int,
            default=CALLS_A_WEEK,
            help="calls per week in the history; default: %(default)s",
        )

    def handle(self, *, url: str, once: bool, calls_a_week: int, **_: Any) -> None:
        with stopped_by_signals() as stopped:
            numbers = profiles.ensure_numbers(PROFILES)
            self._ensure_hours([numbers[profile.e164] for profile in PROFILES[:-1]])
            for person in PEOPLE:
                self._ensure_person(person, [numbers[profile.e164] for profile in PROFILES[:MANAGES]])
            self.stdout.write("demo: calls ring for all of them: open My calls, and keep it open")
            self._ensure_agents()
            self._ensure_teams(numbers)
            self._close_rings(numbers.values())
            self._ensure_contacts()
            self._ensure_typed_numbers(numbers)
            self._ensure_history(numbers.values(), calls_a_week, stopped)
            if once or stopped.is_set():
                return
            # The same keys in every run: a number may have only three live ones.
            access_keys = {
                e164: salted_hmac("calls.simulator.demo", e164, algorithm="sha256").hexdigest() for e164 in numbers
            }
            for e164, access_key in access_keys.items():
                history.ensure_key([numbers[e164]], access_key, timezone.now())
            try:
                traffic = live.LiveTraffic(url, PROFILES, access_keys, seed=secrets.token_hex(8))
            except ValueError as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"demo: calls keep coming in at {url}")
            connection.close()  # not needed any more
            traffic.run(stopped, self.stdout.write)

    def _ensure_hours(self, numbers: list[DestinationNumber]) -> None:
        """Create office hours and set them for numbers without any. The demo's last number stays always open."""
        hours, is_new = OpeningHours.objects.get_or_create(name="Office hours", defaults={"state": "NW"})
        if is_new:
            for weekday in range(1, 6):
                hours.weekly.create(weekday=weekday, opens_at=clock(8), closes_at=clock(18))
            hours.weekly.create(weekday=6, opens_at=clock(9), closes_at=clock(13))
            for number in numbers:
                if number.opening_hours is None:
                    number.opening_hours = hours
                    number.save()

    def _ensure_person(self, person: Person, some_numbers: list[DestinationNumber]) -> None:
        """Create a user with their group and access, and print how to sign in.

        What was changed since an earlier run, such as the password, stays as it is."""
        first_name, _space, last_name = person.full_name.partition(" ")
        user, is_new = User.objects.get_or_create(
            username=person.name,
            defaults={
                "email": f"{person.name}@example.com",
                "is_staff": person.opens_admin,
                "first_name": first_name,
                "last_name": last_name,
            },
        )
        # The same in every run, so that every run can print it.
        password = salted_hmac("calls.simulator.demo.password", person.name, algorithm="sha256").hexdigest()[:16]
        chosen = os.environ.get("DEMO_MANAGER_PASSWORD", "") if person.name == MANAGER else ""
        if is_new or chosen:
            user.set_password(chosen or password)
            user.save()
        if is_new:
            user.groups.set(Group.objects.filter(name=person.group))
            accessible: dict[str, list[DestinationNumber | None]] = {"some": [*some_numbers], "all": [None], "": []}
            granted: dict[str, Any] = {right.value: True for right in person.rights}
            for number in accessible[person.access]:
                NumberAccess.objects.create(user=user, destination_number=number, **granted)
        if chosen:
            shown = "the password in DEMO_MANAGER_PASSWORD"
        else:
            shown = password if user.check_password(password) else "the password that was set"
        self.stdout.write(f"demo: sign in as {person.name} / {shown}  ({person.group})")

    def _ensure_agents(self) -> None:
        """Let people of the demo answer at some destinations. Agents that exist already stay as they are."""
        if AgentDestination.objects.exists():
            return
        users = {user.username: user for user in User.objects.filter(username__in=[person.name for person in PEOPLE])}
        today = timezone.localdate()
        for to, names, since in AGENTS:
            people = [users[name] for name in names]
            agents.take_over(to.destination, to.destination_type, people, today - since if since else None)

    def _ensure_teams(self, numbers: dict[str, DestinationNumber]) -> None:
        """Give numbers their teams. If there are teams already, all stay as they are."""
        if NumberRings.objects.exists():
            return
        of_demo = {person.name for person in PEOPLE}
        for profile, names in TEAMS:
            rings = NumberRings.objects.create(destination_number=numbers[profile.e164])
            rings.team.set(User.objects.filter(username__in=names))
            if profile is PROFILES[0]:
                rings.team.add(*User.objects.filter(is_active=True).exclude(username__in=of_demo))

    def _close_rings(self, numbers: Iterable[DestinationNumber]) -> None:
        """Close the rings of calls that went on when an earlier run was stopped: their end never arrives."""
        left = Pop.objects.filter(closed_at=None, event__call__destination_number__in=numbers)
        with transaction.atomic():
            revision = feed.next_revision()
            left.exclude(answered_at=None).update(closed_at=timezone.now(), why_closed=ANSWERED, revision=revision)

    def _ensure_contacts(self) -> None:
        """Name the callers that call often, and a company by the beginning of its numbers. Contacts that exist already
        stay as they are."""
        if Contact.objects.exists():
            return
        contacts: list[Contact] = []
        numbers: list[ContactNumber] = []
        for n, (first, last) in enumerate(product(FIRST_NAMES, LAST_NAMES)):
            company = f"{last} GmbH" if n % 3 == 0 else ""
            contacts.append(
                Contact(
                    source="demo",
                    external_id=str(n + 1),
                    name=f"{first} {last}",
                    company=company,
                    customer_number=str(scenarios.CUSTOMERS[n]),
                    important=n % 20 == 0,
                )
            )
            numbers.append(ContactNumber(contact=contacts[-1], e164=f"{OFTEN_CALLS}{n:04d}"))
        contacts.append(Contact(source="demo", external_id="company", company="Beispiel AG", customer_number="2000"))
        numbers.append(ContactNumber(contact=contacts[-1], e164=COMPANY, has_extensions=True))
        for contact in contacts:
            contact.save()
        for number in numbers:
            number.save()

    def _ensure_typed_numbers(self, numbers: Mapping[str, DestinationNumber]) -> None:
        """Say what callers type into the menus of the simulator. Typed numbers that exist already stay as they are."""
        if TypedNumber.objects.exists():
            return
        for profile, kind, label in TYPED:
            TypedNumber.objects.create(
                destination_number=numbers[profile.e164],
                variable=f"collected_{kind}",
                kind=kind,
                label=label,
                pattern=r"\d{4,6}",
            )

    def _ensure_history(
        self, numbers: Iterable[DestinationNumber], calls_a_week: int, stopped: threading.Event
    ) -> None:
        """Write two months of calls, or those since the demo last ran; then count them."""
        until = timezone.now()
        start = self._history_ends(numbers) or until - HISTORY
        calls = round(calls_a_week * ((until - start) / timedelta(weeks=1)))
        if until - start < SHORTEST_GAP or not calls:
            return
        self.stdout.write(f"demo: writing {calls:,} made-up calls since {timezone.localtime(start):%d %b %Y, %H:%M}")
        began = time.monotonic()
        for _ in history.write(PROFILES, calls=calls, start=start, until=until, seed=f"demo {start.isoformat()}"):
            if stopped.is_set():
                return
        call_command("roll_up", stdout=self.stdout)
        self.stdout.write(f"demo: written and counted in {time.monotonic() - began:.0f} s")

    def _history_ends(self, numbers: Iterable[DestinationNumber]) -> datetime | None:
        """Return when the last call of an earlier run started; None if there are fewer than FEW_CALLS."""
        calls = Call.objects.filter(destination_number__in=numbers)
        if calls[:FEW_CALLS].count() < FEW_CALLS:
            return None
        last: datetime | None = calls.aggregate(last=Max("first_post_at"))["last"]
        return last


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set; they do not end the process."""
    stopped = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
