"""The numbers of made-up traffic, and when they are called. Numbers are from ranges reserved for fiction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from calls.models import DestinationNumber, RequestType
from calls.simulator import scenarios

# Relative weights of calls by local hour, 0 to 23, and by weekday from Monday.
OFFICE_HOURS = (0, 0, 0, 0, 0, 0.1, 0.4, 2, 6, 10, 12, 10, 7, 8, 10, 8.5, 6.5, 4, 1.5, 0.5, 0.3, 0.1, 0, 0)
SHOP_HOURS = (0, 0, 0, 0, 0, 0, 0.1, 0.6, 3, 8, 11, 10, 8, 9, 10, 9, 8.5, 8, 6, 1.5, 0.4, 0.2, 0, 0)
ALL_HOURS = (2, 1.6, 1.4, 1.3, 1.5, 2.2, 3.5, 4.5, 5, 5.5, 6, 5.2, 5, 5.2, 5.6, 5, 5, 5.5, 6, 6.2, 5.5, 4.5, 3.5, 2.6)
OFFICE_DAYS = (1.15, 1.05, 1.0, 0.95, 0.85, 0.08, 0.03)
SHOP_DAYS = (1.0, 0.95, 1.0, 1.0, 1.1, 0.75, 0.06)
ALL_DAYS = (1.0, 0.95, 0.95, 1.0, 1.1, 1.15, 1.05)


@dataclass(frozen=True)
class NumberProfile:
    """A number of made-up traffic: its routing plan, which posts it sends, how often and when it is called."""

    e164: str
    label: str
    plan: scenarios.Plan
    calls_a_week: float
    by_hour: Sequence[float] = OFFICE_HOURS
    by_weekday: Sequence[float] = OFFICE_DAYS
    expects_forward: bool = True
    service_level_s: int = 20
    sends: frozenset[str] = scenarios.ALL_BOXES
    # For how long the number has sent nothing up to now; 0 if it sends.
    silent_for: timedelta = timedelta(0)

    def calls_an_hour(self, local: datetime) -> float:
        """Return the calls expected in the hour of a local time, in a usual week."""
        share = self.by_hour[local.hour] / sum(self.by_hour) * self.by_weekday[local.weekday()] / sum(self.by_weekday)
        return self.calls_a_week * share

    def play(self, rng: Random, call_uuid: str, load: float = 1.0) -> list[scenarios.Step]:
        """Return the posts of one call of this number."""
        return scenarios.play(rng, self.plan, self.e164, call_uuid=call_uuid, sends=self.sends, load=load)


PROFILES = (
    NumberProfile("+492214710300", "Hotline Köln", scenarios.hotline, 730, service_level_s=40),
    NumberProfile(
        "+498999998770",
        "Shop München",
        scenarios.shop,
        430,
        by_hour=SHOP_HOURS,
        by_weekday=SHOP_DAYS,
        service_level_s=40,
    ),
    NumberProfile("+492214710399", "Ansage Öffnungszeiten", scenarios.announcement, 230, SHOP_HOURS, SHOP_DAYS, False),
    NumberProfile(
        "+493023125187", "Service Berlin", scenarios.service, 285, sends=scenarios.ALL_BOXES - {RequestType.BLOCK_END}
    ),
    NumberProfile(
        "+492214710310",
        "Ersatzteile",
        scenarios.parts,
        250,
        sends=scenarios.ALL_BOXES - {RequestType.INITIATE_FORWARD, RequestType.FORWARD_ANSWER},
    ),
    NumberProfile("+496990009550", "Notdienst 24 h", scenarios.on_call, 110, ALL_HOURS, ALL_DAYS),
    NumberProfile("+494066969220", "Filiale Hamburg", scenarios.branch, 120, silent_for=timedelta(days=7)),
)
SHORT_OF_PEOPLE = 2.6
MOST_NUMBERS = len(PROFILES) + 1000


def make_profiles(numbers: int) -> list[NumberProfile]:
    """Return this many profiles: first PROFILES, then numbered copies of them."""
    numbered = [
        replace(
            PROFILES[index % len(PROFILES)],
            e164=f"+493023125{index:03d}",
            label=f"Filiale {index + 1}",
            silent_for=timedelta(0),
        )
        # 187 is taken by Service Berlin.
        for index in (index for index in range(1000) if index != 187)
    ]
    return [*PROFILES, *numbered][:numbers]


def profile_of(e164: str) -> NumberProfile | None:
    """Return the profile that has this number."""
    return next((profile for profile in PROFILES if profile.e164 == e164), None)


def load_at(local: datetime) -> float:
    """Return the load at a local time: 1 usually, more at peak hours; the higher, the fewer calls are answered.

    On every fourth Monday morning, too few people work and the load is much higher."""
    if local.weekday() == 0 and 8 <= local.hour < 12 and local.isocalendar().week % 4 == 2:
        return SHORT_OF_PEOPLE
    return 1.3 if local.hour in {10, 14} else 1.0


def ensure_numbers(number_profiles: Sequence[NumberProfile]) -> dict[str, DestinationNumber]:
    """Create the numbers of these profiles that do not exist. Return all by E.164; existing ones are not changed."""
    known = DestinationNumber.objects.in_bulk([profile.e164 for profile in number_profiles], field_name="e164")
    for profile in number_profiles:
        if profile.e164 not in known:
            known[profile.e164] = DestinationNumber.objects.create(
                e164=profile.e164,
                label=profile.label,
                customer_number=str(scenarios.CUSTOMER_NUMBER),
                expects_forward=profile.expects_forward,
                service_level_s=profile.service_level_s,
            )
    return known
