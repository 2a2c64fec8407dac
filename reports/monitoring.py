"""State of the installation: metrics for Prometheus at /metrics, and findings for the page System status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotFound
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext, ngettext
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from calls.ingest import intake
from calls.ingest.group_commit import GroupCommit
from calls.ingest.spool import SpoolContents, SpoolError
from calls.ingest.writer import Writer
from calls.monitoring_access import for_machines, may_watch
from reports import intake_process

# Counting may lag this long because of a large batch or a restart of the worker.
BEHIND_S = 120.0
# How long the files worker may take to start, and a workbook may wait for others.
UNMADE_S, LATE_S = 60.0, 1800.0
# What is counted, what waits to be counted, the newest post, refused posts, workbooks.
STATE = """
SELECT
  (SELECT counted_at FROM reports_rollup) AS counted_at,
  (SELECT count(*) FROM calls_changedquarterhour) AS changed,
  (SELECT min(logged_at) FROM calls_changedquarterhour) AS changed_since,
  (SELECT received_at FROM calls_callevent ORDER BY ingest_id DESC LIMIT 1) AS newest_post_at,
  (SELECT coalesce(sum(count), 0) FROM calls_refusedpost WHERE replayed_at IS NULL) AS refused,
  (SELECT count(*) FROM reports_workbook WHERE state = 'waiting') AS workbooks,
  (SELECT min(created_at) FROM reports_workbook WHERE state = 'waiting') AS workbooks_since,
  (SELECT count(*) FROM reports_workbook WHERE state = 'working' AND heartbeat_at > now() - interval '30 s')
    AS made_now,
  now() AS asked_at
"""


@dataclass(frozen=True)
class Counted:
    """The part of the state that the database knows."""

    counted_at: datetime | None
    changed: int  # log rows waiting to be counted
    changed_since: datetime | None
    newest_post_at: datetime | None
    refused: int
    workbooks: int  # waiting to be made
    workbooks_since: datetime | None
    made_now: int  # workbooks that a worker is making
    asked_at: datetime

    @property
    def heartbeat_age_s(self) -> float | None:
        """Seconds since the worker last counted, which it does every few seconds; None if it never did."""
        return None if self.counted_at is None else self._age_s(self.counted_at)

    @property
    def lag_s(self) -> float:
        """Seconds that the oldest change has waited to be counted."""
        return 0.0 if self.changed_since is None else self._age_s(self.changed_since)

    @property
    def workbook_wait_s(self) -> float:
        """Seconds that the oldest workbook has waited to be started."""
        return 0.0 if self.workbooks_since is None else self._age_s(self.workbooks_since)

    def _age_s(self, moment: datetime) -> float:
        return max(0.0, (self.asked_at - moment).total_seconds())


@dataclass(frozen=True)
class State:
    """The state of database and spool; None for what cannot be read now."""

    counted: Counted | None
    held: SpoolContents | None

    @classmethod
    def now(cls) -> State:
        """Read the state of database and spool. A database that does not answer within a second counts as down."""
        try:
            counted = _database.ask(None, intake.WAIT_FOR_DATABASE_S)
        except Exception:  # noqa: BLE001 (after any error the state is not known)
            counted = None
        try:
            return cls(counted, intake.held_in_spool())
        except SpoolError:
            return cls(counted, None)

    @property
    def is_up_to_date(self) -> bool:
        """Whether all posts but those of the last minutes are counted. If not, a number may only seem silent."""
        if self.counted is None or self.counted.heartbeat_age_s is None or (self.held and self.held.waiting):
            return False
        return self.counted.heartbeat_age_s <= BEHIND_S and self.counted.lag_s <= BEHIND_S


@dataclass(frozen=True)
class Finding:
    """One line of the page System status."""

    name: str
    is_well: bool
    says: str
    advice: str = ""  # what to do if it is not well
    address: str = ""  # the page where to do it
    is_set_up: bool = True  # False for a part that is not needed and not used


# Lines of the page System status and metrics of apps that build on this one; they append theirs when they are ready.
# Asked only while the database answers.
further_findings: list[Callable[[], list[Finding]]] = []
further_gauges: list[Callable[[], Iterator[GaugeMetricFamily]]] = []


def findings(state: State) -> list[Finding]:
    """Return the state of each part, and what to do about problems."""
    return [
        _intake_line(),
        _database_line(state),
        *_spool_lines(state),
        *_counting_lines(state),
        *_refused_lines(state),
        *_workbook_lines(state),
        *[line for more in further_findings if state.counted for line in more()],
        _mail_line(),
    ]


def sentences(*texts: str) -> str:
    """Return whole sentences one after the other."""
    return " ".join(texts)


def _intake_line() -> Finding:
    name, counted = gettext("Intake"), intake_process.posts_counted()
    of_web = ngettext(
        "The web processes have answered %(posts)d message since they were started.",
        "The web processes have answered %(posts)d messages since they were started.",
        counted.get(intake_process.WEB, 0),
    ) % {"posts": counted.get(intake_process.WEB, 0)}
    is_up = intake_process.is_up()
    if is_up is None:
        return Finding(name, True, sentences(gettext("Messages and pages share the web processes."), of_web))
    if not is_up:
        says = gettext("The intake process does not answer. nginx sends messages to the web processes instead.")
        advice = gettext("`systemctl status calltally-intake` shows the reason.")
        return Finding(name, False, sentences(says, of_web), advice)
    of_intake = ngettext(
        "It has answered %(posts)d message since it was started.",
        "It has answered %(posts)d messages since it was started.",
        counted.get(intake_process.INTAKE, 0),
    ) % {"posts": counted.get(intake_process.INTAKE, 0)}
    return Finding(name, True, sentences(gettext("The intake runs as a separate process."), of_intake, of_web))


def _database_line(state: State) -> Finding:
    if state.counted is None:
        return Finding(
            gettext("Database"),
            False,
            gettext("The database does not answer. Messages are kept on disk until it does, and none is lost."),
            gettext("Check that PostgreSQL is running. Its log shows the reason."),
        )
    newest = state.counted.newest_post_at
    if newest is None:
        return Finding(gettext("Database"), True, gettext("The database answers. No message has been stored yet."))
    says = gettext("The database answers. Last message received: %(when)s.") % {"when": moment(newest)}
    return Finding(gettext("Database"), True, says)


def _spool_lines(state: State) -> list[Finding]:
    name, held = gettext("Waiting to be stored"), state.held
    if held is None:
        advice = gettext("Check the folder set in SPOOL_FOLDER and the free space on its disk.")
        return [
            Finding(
                name,
                False,
                gettext("The spool cannot be used. If the database fails, messages will be rejected."),
                advice,
            )
        ]
    lines = []
    if not held.waiting:
        lines.append(Finding(name, True, gettext("No messages are waiting. All were stored in the database directly.")))
    else:
        says = ngettext(
            "%(posts)d message has been waiting for the database for %(seconds)d s.",
            "%(posts)d messages are waiting for the database, the oldest for %(seconds)d s.",
            held.waiting,
        ) % {"posts": held.waiting, "seconds": held.oldest_s}
        advice = gettext("The drainer stores them when the database answers. Check that `drain_spool` is running.")
        lines.append(Finding(name, held.oldest_s <= intake.OLD_S, says, advice))
    if held.set_aside:
        says = ngettext(
            "%(posts)d message was accepted but rejected by the database later. It is kept for 30 days.",
            "%(posts)d messages were accepted but rejected by the database later. They are kept for 30 days.",
            held.set_aside,
        ) % {"posts": held.set_aside}
        advice = gettext("`manage.py drain_spool --show` shows the reason. `--try-again` retries them.")
        lines.append(Finding(gettext("Quarantined messages"), False, says, advice))
    return lines


def _counting_lines(state: State) -> list[Finding]:
    name, counted = gettext("Counting"), state.counted
    if counted is None:
        return []
    if counted.heartbeat_age_s is None:
        says, advice = gettext("Nothing has been counted yet."), gettext("Check that worker and beat are running.")
        return [Finding(name, False, says, advice)]
    ages = {"seconds": counted.heartbeat_age_s, "when": moment(counted.counted_at)}
    if counted.heartbeat_age_s > BEHIND_S:
        says = gettext("Counting has stopped. Last counted: %(when)s (%(seconds)d s ago).") % ages
        return [
            Finding(
                name,
                False,
                says,
                gettext("Check that worker, beat and broker are running. Their logs show the reason."),
            )
        ]
    if counted.lag_s > BEHIND_S:
        says = gettext("Counting is running, but the oldest change has been waiting for %(seconds)d s.") % {
            "seconds": counted.lag_s
        }
        advice = gettext(
            "This takes a while after a long history was added. Otherwise the worker's log shows the reason."
        )
        return [Finding(name, False, says, advice)]
    return [Finding(name, True, gettext("Up to date. Last counted %(seconds)d s ago.") % ages)]


def _refused_lines(state: State) -> list[Finding]:
    name, counted = gettext("Rejected messages"), state.counted
    if counted is None:
        return []
    if not counted.refused:
        return [Finding(name, True, gettext("No rejected messages that could be from TENIOS."))]
    says = ngettext(
        "%(posts)d message that could be from TENIOS was rejected. It is kept and can still be counted.",
        "%(posts)d messages that could be from TENIOS were rejected. They are kept and can still be counted.",
        counted.refused,
    ) % {"posts": counted.refused}
    return [Finding(name, False, says, address=reverse("admin:calls_refusedpost_changelist") + "?state=waiting")]


def _workbook_lines(state: State) -> list[Finding]:
    name, counted = gettext("Workbooks"), state.counted
    if counted is None:
        return []
    if not counted.workbooks:
        says = gettext("One workbook is being created.") if counted.made_now else gettext("No workbooks are waiting.")
        return [Finding(name, True, says)]
    says = ngettext(
        "%(n)d workbook has been waiting for %(seconds)d s.",
        "%(n)d workbooks are waiting, the oldest for %(seconds)d s.",
        counted.workbooks,
    ) % {"n": counted.workbooks, "seconds": counted.workbook_wait_s}
    if counted.workbook_wait_s > UNMADE_S and not counted.made_now:
        advice = gettext(
            "No worker is creating them. Check that files worker and beat are running. Their logs show the reason."
        )
        return [Finding(name, False, says, advice)]
    advice = gettext(
        "Workbooks are created one after the other. If this persists, choose shorter periods or use the CSV."
    )
    return [Finding(name, counted.workbook_wait_s <= LATE_S, says, advice)]


def _mail_line() -> Finding:
    name = gettext("Mail")
    if settings.WRONG_FOR_MAIL:
        says = gettext("No mail is sent because the value of %(name)s is not valid.") % {
            "name": settings.WRONG_FOR_MAIL
        }
        return Finding(name, False, says, gettext("`manage.py check` shows how to correct it."))
    if settings.SENDS_MAIL:
        return Finding(
            name, True, gettext("Mail is set up. Those who may see a number get one mail when it receives no calls.")
        )
    says = gettext(
        "Mail is not set up. Only the pages show that a number receives no calls. Set EMAIL_URL to send mail."
    )
    return Finding(name, True, says, is_set_up=False)


def moment(of: datetime | None) -> str:
    """Return a time in the reports' time zone, with its day if that is not today."""
    if of is None:
        return "–"
    local = timezone.localtime(of)
    is_today = local.date() == timezone.localdate()
    return formats.date_format(local, "H:i:s" if is_today else "j M Y, H:i:s")


_writer = Writer("calltally monitoring")


def _ask(requests: list[None]) -> list[Counted]:
    (row,) = _writer.execute(STATE, [])
    return [Counted(*row)] * len(requests)


_database: GroupCommit[None, Counted] = GroupCommit("monitoring", _ask, _writer.close)
close = _database.close


class StateCollector(Collector):
    """Gauges that are read at each scrape. A value that is not known is left out."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        state = State.now()
        build = GaugeMetricFamily("calltally_build_info", "The version that runs.", labels=["version"])
        build.add_metric([settings.VERSION], 1)
        yield build
        if (intake_is_up := intake_process.is_up()) is not None:
            yield _gauge("calltally_intake_up", "Whether the intake process can keep posts.", intake_is_up)
        yield _gauge("calltally_database_up", "Whether the database answers.", state.counted is not None)
        yield _gauge("calltally_spool_up", "Whether the spool can be read.", state.held is not None)
        if held := state.held:
            yield _gauge("calltally_spool_posts", "Posts that wait in this host's spool.", held.waiting)
            yield _gauge("calltally_spool_oldest_seconds", "How long the oldest of them has waited.", held.oldest_s)
            yield _gauge("calltally_spool_set_aside_posts", "Posts that the database refused for good.", held.set_aside)
            yield _gauge("calltally_spool_bytes", "What the posts in the spool take.", held.bytes)
        if counted := state.counted:
            yield _gauge("calltally_changed_quarter_hours", "Changes that wait to be counted.", counted.changed)
            yield _gauge("calltally_roll_up_lag_seconds", "How long the oldest of them has waited.", counted.lag_s)
            yield _gauge("calltally_refused_posts", "Refused posts that are kept and not counted.", counted.refused)
            yield _gauge("calltally_workbooks_waiting", "Workbooks that wait to be made.", counted.workbooks)
            yield _gauge(
                "calltally_workbooks_oldest_seconds", "How long the oldest of them has waited.", counted.workbook_wait_s
            )
            yield _gauge("calltally_workbooks_working", "Workbooks that a worker is making.", counted.made_now)
            if counted.heartbeat_age_s is not None:
                yield _gauge(
                    "calltally_worker_heartbeat_age_seconds",
                    "How long ago beat last had a worker count.",
                    counted.heartbeat_age_s,
                )
            for more in further_gauges:
                yield from more()


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


# --- /metrics --------------------------------------------------------------------------------


def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics; 404 for clients that may not read them."""
    if not may_watch(request.META):
        return HttpResponseNotFound()
    registry = CollectorRegistry()
    registry.register(intake_process.PostCounters())
    registry.register(StateCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def metrics_first(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that answers /metrics before hosts, sessions and redirects are handled."""

    def middleware(request: HttpRequest) -> Any:
        return for_machines(metrics(request)) if request.path_info == "/metrics" else get_response(request)

    return middleware
