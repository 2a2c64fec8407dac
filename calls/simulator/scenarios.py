"""The course of a made-up call: the posts TENIOS would send, each with its offset in seconds from the first.

A plan is a function that runs as a routing plan does. The caller's patience is drawn beforehand; when it ends, HangUp
leaves the plan at any point, so that no BLOCK_END follows, as with real callers."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from calls.models import RequestType

CUSTOMER_NUMBER = 200000
ALL_BOXES = frozenset(RequestType.values)
LONGEST_TALK_S = 2 * 3600.0
# Customer numbers of contacts in `make demo`; callers also type a few that nobody has.
CUSTOMERS = range(1001, 1051)

Post = dict[str, Any]
Plan = Callable[["Scene"], None]


class Step(NamedTuple):
    """A post of a call; `post` is what TENIOS sends, without the access key."""

    offset_s: float
    post: Post


class Destination(NamedTuple):
    destination: str
    destination_type: str


class HangUp(Exception):  # noqa: N818 (what callers do)
    """The caller has hung up."""


# Spellings of a withheld number. None: the variable is missing.
WITHHELD_SPELLINGS = (
    None,
    "",
    "anonymous",
    "Anonymous",
    "0000000000",
    "unknown",
    "restricted",
    "unavailable",
    "private",
)


def draw_caller(rng: Random) -> str | None:
    """Return a caller in a spelling of TENIOS, from a range reserved for fiction; some callers call often."""
    if rng.random() < 0.06:
        return rng.choice(WITHHELD_SPELLINGS)
    # Squared: a few call often, many once.
    who = int(rng.random() ** 2 * 6200)
    if who < 100:
        return f"+49171392{who:04d}"
    if who < 200:
        return f"+49176040690{who - 100:02d}"
    if who < 5200:
        area = ("+493023125", "+496990009", "+494066969", "+492214710", "+498999998")[who % 5]
        national = area + f"{who // 5 % 1000:03d}"
    else:
        return f"+44207946{who - 5200:04d}"
    spelling = rng.random()
    if spelling < 0.01:
        return "0" + national[3:]
    return "00" + national[1:] if spelling < 0.02 else national


def draw_uuid(rng: Random) -> str:
    """Return a UUID of version 1, as TENIOS creates them; its time is made up too."""
    bits = rng.getrandbits(112)
    return (
        f"{bits >> 80:08x}-{bits >> 64 & 0xFFFF:04x}-11f{1 + (bits & 1):x}-"
        f"{0x8000 | bits >> 48 & 0x3FFF:04x}-{bits & 0xFFFFFFFFFFFE | 1 << 40:012x}"
    )


class Scene:
    """A call in progress. `load` is 1 in a usual hour and more when too few people work."""

    def __init__(self, rng: Random, destination_number: str, load: float, call_uuid: str) -> None:
        self.rng = rng
        self.load = load
        self.at_s = 0.0
        self.steps: list[Step] = []
        self.depth = 0
        self.answered = False
        self.patience_s = self.draw_patience()
        self.variables: dict[str, str] = {
            "destination_number": destination_number,
            # TENIOS does not document whether the two ids are equal; here they are in one call of five.
            "correlation_id": call_uuid if self.happens(0.2) else draw_uuid(rng),
            "call_uuid": call_uuid,
        }
        caller = draw_caller(rng)
        if self.happens(0.004):
            caller, self.variables["callback_id"] = destination_number, str(rng.randrange(10**6, 10**7))
        if caller is not None:
            self.variables["caller_id_number"] = caller

    def happens(self, share: float) -> bool:
        return self.rng.random() < share

    def draw(self, median_s: float, spread: float = 0.4) -> float:
        """Return a log-normal number of seconds: waiting and talk times have a long tail."""
        return median_s * math.exp(self.rng.gauss(0, spread))

    def draw_patience(self) -> float:
        """Return how long the caller waits: some hang up at once, some during the first words, most after minutes."""
        fate = self.rng.random()
        if fate < 0.035:
            return self.rng.uniform(0.8, 4.5)
        return self.rng.uniform(5, 20) if fate < 0.1 else max(6.0, self.draw(120, 0.8))

    def passes(self, median_s: float, spread: float = 0.4) -> None:
        """Let time pass. Raise HangUp if the caller's patience ends first."""
        self.at_s += self.draw(median_s, spread)
        if not self.answered and self.at_s > self.patience_s:
            last = self.steps[-1].offset_s
            self.at_s = max(self.patience_s, last + 0.2)
            raise HangUp

    def send(self, request_type: str, **extra: str) -> None:
        """Send a post, shortly after the previous one."""
        if self.steps:
            self.at_s = max(self.at_s, self.steps[-1].offset_s + self.rng.uniform(0.01, 0.06))
        post = {"requestType": request_type, "customerNumber": CUSTOMER_NUMBER, "variables": dict(self.variables)}
        self.steps.append(Step(self.at_s, post | extra))

    def start(self) -> None:
        self.depth += 1
        self.send("CALL_START")

    def end(self) -> None:
        self.depth -= 1
        self.send("CALL_END")

    def block(self, block_type: str) -> None:
        self.send("BLOCK_END", blockType=block_type)

    def collect(self, name: str, digits: str) -> None:
        """Collect digits that the caller types; every later post contains them."""
        self.variables[f"collected_{name}"] = digits
        self.block("COLLECT_DIGITS")

    def forward(self, to: Destination) -> None:
        self.send("INITIATE_FORWARD", destination=to.destination, destinationType=to.destination_type)

    def answer(self, to: Destination) -> None:
        self.send("FORWARD_ANSWER", destination=to.destination, destinationType=to.destination_type)
        self.answered = True

    @contextmanager
    def inner_plan(self) -> Iterator[None]:
        """Run an inner plan: it has its own CALL_START and CALL_END, then the ROUTINGPLAN block ends."""
        self.start()
        yield
        self.end()
        self.block("ROUTINGPLAN")

    def talk(self) -> None:
        """Talk. In half of the calls the other side hangs up first, and the plan continues to its end."""
        self.at_s += min(self.draw(150, 0.9), LONGEST_TALK_S)
        if self.happens(0.5):
            self.block("BRIDGE")

    def ring_in_turn(self, destinations: Sequence[Destination], picked_up: float) -> None:
        """Forward to destinations in sequence until one answers."""
        for destination in destinations:
            self.forward(destination)
            if self.happens(picked_up**self.load):
                self.passes(7 + 2 * self.load, 0.5)
                self.answer(destination)
                self.talk()
                return
            self.passes(16, 0.15)
            self.block("BRIDGE")
        self.give_up()

    def ring_all(self, destinations: Sequence[Destination], picked_up: float) -> None:
        """Forward to destinations in parallel; one answers, or none."""
        for destination in destinations:
            self.forward(destination)
        if self.happens(picked_up**self.load):
            self.passes(9 + 3 * self.load, 0.6)
            self.answer(self.rng.choice(destinations))
            self.talk()
            return
        self.passes(32, 0.1)
        self.block("BRIDGE")
        self.give_up()

    def give_up(self) -> None:
        """End without an answer: the caller leaves a message, or the plan hangs up.

        VOICEMAIL is not documented; the list of block types is open."""
        self.passes(4)
        if self.happens(0.3):
            self.passes(25, 0.6)
            self.block("VOICEMAIL")
        else:
            self.block("HANGUP")


def play(
    rng: Random,
    plan: Plan,
    destination_number: str,
    *,
    call_uuid: str,
    sends: frozenset[str] = ALL_BOXES,
    load: float = 1.0,
) -> list[Step]:
    """Return the posts of a call in the order of sending. `sends` are the ticked boxes."""
    scene = Scene(rng, destination_number, load, call_uuid)
    scene.start()
    try:
        plan(scene)
        scene.at_s += rng.uniform(0.1, 0.8)
    except HangUp:
        pass
    while scene.depth > 0:
        scene.end()
    steps = [step for step in scene.steps if step.post["requestType"] in sends]
    return make_odd(rng, steps)


def make_odd(rng: Random, steps: list[Step]) -> list[Step]:
    """Return the posts of a call; in a few calls with a lost, overtaking, repeated or contradictory post."""
    fate = rng.random()
    if fate < 0.006:
        # The call falls silent: there is no CALL_END.
        return [step for step in steps if step.post["requestType"] != "CALL_END"]
    if fate < 0.02:
        # A post overtakes the one that was sent shortly before.
        for index, (former, later) in enumerate(pairwise(steps)):
            if later.offset_s - former.offset_s < 1.5 and former.post != later.post:
                swapped = [Step(former.offset_s, later.post), Step(later.offset_s, former.post)]
                return [*steps[:index], *swapped, *steps[index + 2 :]]
        return steps
    if fate < 0.032:
        # The same announcement or forward a second time: two posts with identical bytes.
        for index, step in enumerate(steps):
            if step.post["requestType"] in {"BLOCK_END", "INITIATE_FORWARD"}:
                room_s = steps[index + 1].offset_s - step.offset_s if index + 1 < len(steps) else 1.0
                again = Step(step.offset_s + room_s * rng.uniform(0.2, 0.8), copy.deepcopy(step.post))
                return [*steps[: index + 1], again, *steps[index + 1 :]]
        return steps
    if fate < 0.038:
        # As in TENIOS' own samples: a shorter caller after the start, another customer number at the end.
        for step in steps[1:]:
            caller = step.post["variables"].get("caller_id_number", "")
            if len(caller) > 10:
                step.post["variables"]["caller_id_number"] = caller[:-2]
        steps[-1].post["customerNumber"] = CUSTOMER_NUMBER // 10
    return steps


# --- Plans -------------------------------------------------------------------------------------

HOTLINE_DESKS = (
    Destination("1001", "SIP_USER"),
    Destination("1002", "SIP_USER"),
    Destination("1003", "SIP_USER"),
    Destination("+492214710388", "EXTERNALNUMBER"),
)
SHOP_DESKS = tuple(Destination(str(desk), "SIP_USER") for desk in range(2001, 2006))
SERVICE_DESKS = (Destination("Service Berlin Trunk", "SIP_TRUNK"), Destination("+493023125190", "EXTERNALNUMBER"))
PARTS_DESKS = (Destination("3001", "SIP_USER"), Destination("3002", "SIP_USER"))
ON_CALL_MOBILES = (Destination("+491713920011", "EXTERNALNUMBER"), Destination("+4917604069042", "EXTERNALNUMBER"))
BRANCH_DESKS = (Destination("+494066969221", "EXTERNALNUMBER"), Destination("Filiale Nord", "SIP_TRUNK"))


def hotline(scene: Scene) -> None:
    """A greeting, a menu, sometimes an inner plan, a queue, then desks in sequence."""
    scene.passes(5, 0.2)
    scene.block("ANNOUNCEMENT")
    if scene.happens(0.1):
        scene.passes(4, 0.2)
        scene.block("ANNOUNCEMENT")
    if scene.happens(0.55):
        scene.passes(4, 0.5)
        choice = scene.rng.choice("1123")
        scene.collect("menu", choice)
        scene.passes(5, 0.5)
        if choice == "2":
            scene.collect("ticket", str(scene.rng.randrange(10_000, 100_000)))
        elif choice == "3":
            scene.collect("customer", str(CUSTOMERS.start + scene.rng.randrange(len(CUSTOMERS) + 10)))
    if scene.happens(0.08):
        with scene.inner_plan():
            scene.passes(3)
            scene.block("SAY")
    if scene.load > 1.2 or scene.happens(0.35):
        scene.passes(6 * scene.load**2, 0.7)
        scene.block("QUEUE")
    first = scene.rng.randrange(3)
    scene.ring_in_turn([*HOTLINE_DESKS[first:3], *HOTLINE_DESKS[:first], HOTLINE_DESKS[3]][:3], 0.72)


def shop(scene: Scene) -> None:
    """A sentence, then all desks in parallel."""
    scene.passes(3, 0.2)
    scene.block("SAY")
    if scene.happens(0.4):
        scene.passes(5, 0.5)
        scene.collect("order", f"{scene.rng.randrange(10**6):06d}")
    scene.ring_all(SHOP_DESKS[: scene.rng.randint(3, 5)], 0.93)


def announcement(scene: Scene) -> None:
    """The opening hours, again if the caller types a digit; then the plan hangs up, or the caller does first."""
    scene.passes(14, 0.1)
    scene.block("ANNOUNCEMENT")
    if scene.happens(0.15):
        scene.passes(3, 0.5)
        scene.collect("again", "1")
        scene.passes(14, 0.1)
        scene.block("ANNOUNCEMENT")
    if scene.happens(0.6):
        scene.passes(2, 0.2)
        scene.block("HANGUP")
    else:
        scene.at_s += scene.draw(2, 0.6)


def service(scene: Scene) -> None:
    """A greeting, then a trunk, then an outside number."""
    scene.block("CALL_SETTINGS")
    scene.passes(4, 0.2)
    scene.block("ANNOUNCEMENT")
    scene.ring_in_turn(SERVICE_DESKS, 0.8)


def parts(scene: Scene) -> None:
    """Speech or digits, then two desks in sequence."""
    scene.passes(4, 0.2)
    scene.block("ANNOUNCEMENT")
    scene.passes(5, 0.5)
    if scene.happens(0.3):
        scene.variables["collected_part"] = scene.rng.choice(("pump", "Dichtung", "Lüfter"))
        scene.block("COLLECT_SPEECH")
    else:
        scene.collect("part", f"{scene.rng.randrange(10**5):05d}")
    scene.ring_in_turn(PARTS_DESKS, 0.82)


def on_call(scene: Scene) -> None:
    """A sentence, then the mobile phones of the people on call."""
    scene.passes(3, 0.2)
    scene.block("SAY")
    scene.ring_in_turn(ON_CALL_MOBILES, 0.88)


def branch(scene: Scene) -> None:
    """Forwards at once; a few calls are passed on by REFER instead."""
    if scene.happens(0.05):
        scene.passes(2)
        scene.block("REFER")
        return
    scene.ring_in_turn(BRANCH_DESKS, 0.8)
