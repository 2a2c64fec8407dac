"""The state of the `live` processes: a line of the page System status, metrics, and checks of the installation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from prometheus_client.core import GaugeMetricFamily

from contacts import lookups, typed_numbers
from contacts.models import Lookup
from live import people
from live.models import LiveProcess
from reports.monitoring import Finding, sentences

# A process that has not renewed its row for this long does not run.
RUNS_WITHIN = timedelta(seconds=30)
CLOCK_OFF_S = 2.0
SLOW_MS = 1000.0


@dataclass(frozen=True)
class LiveState:
    """What the running processes have noted of themselves."""

    processes: Sequence[LiveProcess]
    # People who are shown rings: they are named at a destination or in a team.
    people: int

    @classmethod
    def read(cls) -> LiveState:
        running = LiveProcess.objects.filter(seen_at__gt=Now() - RUNS_WITHIN).order_by("name")
        return cls(list(running), people.count())

    @property
    def is_missing(self) -> bool:
        """Whether calls ring for people, but no process shows them."""
        return bool(self.people and not self.processes)

    @property
    def streams(self) -> int:
        return sum(process.streams for process in self.processes)

    @property
    def boards(self) -> int:
        return sum(process.boards for process in self.processes)

    @property
    def delay_p99_ms(self) -> float | None:
        """How long messages were stored before rings were made of them, at 99 %; None if none came."""
        delays = [process.delay_p99_ms for process in self.processes if process.delay_p99_ms is not None]
        return max(delays, default=None)

    @property
    def wrong_clocks(self) -> list[LiveProcess]:
        return [process for process in self.processes if abs(process.clock_offset_s) > CLOCK_OFF_S]


def findings() -> list[Finding]:
    """Return the lines of the page System status."""
    state = LiveState.read()
    return [*_ring_lines(state), *_board_lines(state)]


def _board_lines(state: LiveState) -> list[Finding]:
    """Without a process the line of calls that ring says what to do, where calls are to be shown at all."""
    if not state.processes:
        return []
    says = ngettext("%(n)d live board is open.", "%(n)d live boards are open.", state.boards) % {"n": state.boards}
    return [Finding(gettext("Live board"), True, says)]


def _ring_lines(state: LiveState) -> list[Finding]:
    name = gettext("Calls that ring")
    if not state.people:
        return [Finding(name, True, gettext("No people are named at destinations or in teams, so no calls are shown."))]
    if state.is_missing:
        says = gettext("No live process is running, so calls are not shown while they ring.")
        return [Finding(name, False, says, gettext("`systemctl status calltally-live` shows the reason."))]
    says = ngettext(
        "%(n)d browser is connected.",
        "%(n)d browsers are connected.",
        state.streams,
    ) % {"n": state.streams}
    delay = state.delay_p99_ms
    if delay is not None:
        took = gettext("Of 100 messages, 99 were read within %(time)s of their receipt.") % {"time": _in_words(delay)}
        says = sentences(says, took)
    advice = gettext("The database or the machine is too busy. Stop what else runs there, or use a faster one.")
    lines = [Finding(name, delay is None or delay <= SLOW_MS, says, advice)]
    for process in state.wrong_clocks:
        off = gettext("The clock of %(host)s differs from the database's by %(seconds)d s.")
        said = off % {"host": process.name.split()[0], "seconds": process.clock_offset_s}
        advice = gettext("Messages seem to be late or early there. Synchronise the clocks of all hosts (NTP).")
        lines.append(Finding(gettext("Clock"), False, said, advice))
    return lines


def _in_words(delay_ms: float) -> str:
    if delay_ms < 1000:
        return gettext("%(ms)d ms") % {"ms": delay_ms}
    return gettext("%(seconds).1f s") % {"seconds": delay_ms / 1000}


def lookup_findings() -> list[Finding]:
    """Return a line of the page System status for each look-up that is on."""
    return [_lookup_line(lookup) for lookup in Lookup.objects.filter(is_on=True)]


def _lookup_line(lookup: Lookup) -> Finding:
    name = gettext("Look-up %(name)s") % {"name": lookup}
    if lookup.failures < lookups.MOST_FAILURES:
        return Finding(name, True, gettext("Asked who calls while it rings."))
    failed = gettext("The last %(n)d questions failed. It is asked again once a minute. The last failure:")
    says = sentences(failed % {"n": lookup.failures}, lookup.last_failure)
    advice = gettext("Try it in the admin under Look-ups.")
    return Finding(name, False, says, advice, reverse("admin:contacts_lookup_changelist"))


def typed_number_findings() -> list[Finding]:
    """Return a line of the page System status for each typed number whose pattern is without effect."""
    return [
        Finding(
            gettext("Typed number %(name)s") % {"name": typed},
            False,
            gettext("Its pattern cannot be read, so the number is not shown."),
            gettext("Enter another pattern in the admin under Typed numbers."),
            reverse("admin:contacts_typednumber_changelist"),
        )
        for typed in typed_numbers.without_effect()
    ]


def gauges() -> Iterator[GaugeMetricFamily]:
    """Yield the metrics."""
    state = LiveState.read()
    values: dict[str, tuple[str, float]] = {
        "people": ("People who answer at a destination or are in a team.", state.people),
        "processes": ("Live processes that run.", len(state.processes)),
        "streams": ("Browsers that are connected to them.", state.streams),
        "boards": ("Live boards that are open, of people and of screens.", state.boards),
    }
    if state.processes:
        offsets = [abs(process.clock_offset_s) for process in state.processes]
        values["clock_offset_seconds"] = ("How far a host's clock is off the database's.", max(offsets))
    if state.delay_p99_ms is not None:
        seconds = state.delay_p99_ms / 1000
        values["delay_seconds"] = ("How long messages were stored before they were read, at 99 %.", seconds)
    for name, (text, value) in values.items():
        yield GaugeMetricFamily(f"calltally_live_{name}", text, value=float(value))


def check(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn if no process shows calls that ring, or if the clock of a host is wrong."""
    if not databases:
        return []
    try:
        state = LiveState.read()
    except DatabaseError:  # the database is away, or not migrated: other checks say so
        return []
    finally:
        connection.close()
    if state.is_missing:
        text = "No `live` process is running: calls are not shown while they ring."
        return [Caution(text, hint="Run systemctl start calltally-live", id="calltally.W037")]
    return [
        Caution(
            f"The clock of {process.name.split()[0]} differs from the database's by {process.clock_offset_s:.0f} s.",
            hint="Synchronise the clocks of all hosts, for example with systemd-timesyncd.",
            id="calltally.W038",
        )
        for process in state.wrong_clocks
    ]
