"""The state of endpoints and of the dispatcher that sends to them: lines of the page System status, and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from prometheus_client.core import GaugeMetricFamily

from live.dispatch import dispatcher_state
from live.models import Endpoint, State, WhyOff
from reports.monitoring import Finding, moment, sentences

# A delivery that waits longer, although the system takes others, is late.
BEHIND = timedelta(minutes=15)
# The dispatcher is behind if what it has to do waits longer.
LATE_S = 60.0
# No more are counted: a system that was away for days has millions.
MOST_COUNTED = 10_000
# How many deliveries wait for each endpoint, those that are due first, and since when the oldest of them.
WAITING = f"""
SELECT endpoint.id, min(waiting.created_at), count(waiting.created_at)
FROM live_endpoint AS endpoint LEFT JOIN LATERAL (
  SELECT delivery.created_at FROM live_delivery AS delivery
  WHERE delivery.endpoint_id = endpoint.id AND delivery.state = 'waiting'
  ORDER BY delivery.next_at LIMIT {MOST_COUNTED}
) AS waiting ON true
GROUP BY endpoint.id
"""
# The deliveries of the last minutes, by delivery_created.
RECENT = """
SELECT endpoint_id, state, count(*) FROM live_delivery
WHERE created_at > now() - interval '5 min' AND state <> 'waiting' GROUP BY endpoint_id, state
"""


@dataclass(frozen=True)
class EndpointState:
    """An endpoint with what waits for it."""

    endpoint: Endpoint
    oldest_at: datetime | None
    waiting: int

    @classmethod
    def read(cls) -> list[EndpointState]:
        endpoints = {endpoint.pk: endpoint for endpoint in Endpoint.objects.all()}
        if not endpoints:
            return []
        with connection.cursor() as cursor:
            cursor.execute(WAITING)
            rows = {pk: (oldest_at, count) for pk, oldest_at, count in cursor.fetchall()}
        return [cls(endpoint, *rows.get(pk, (None, 0))) for pk, endpoint in endpoints.items()]

    @property
    def oldest_s(self) -> float:
        """Seconds that the oldest waiting delivery has waited."""
        return 0.0 if self.oldest_at is None else max(0.0, (timezone.now() - self.oldest_at).total_seconds())

    @property
    def is_behind(self) -> bool:
        return self.oldest_s > BEHIND.total_seconds()


def findings() -> list[Finding]:
    """Return the lines of the page System status: of the dispatcher, of endpoints that are on, and of those that
    Calltally switched off."""
    return [*_dispatcher_lines(), *_endpoint_lines()]


def _dispatcher_lines() -> list[Finding]:
    state, name = dispatcher_state.read(), gettext("Dispatcher")
    if not state.endpoints_on:
        return []
    if state.is_missing:
        says = gettext("No dispatcher is running, so nothing is sent to other systems.")
        return [Finding(name, False, says, gettext("`systemctl status calltally-dispatcher` shows the reason."))]
    if state.behind_s > LATE_S:
        says = gettext("It is behind: the oldest message or delivery has waited for %(seconds)d s.")
        advice = gettext("The load of database and host is high, or many events came at once. It catches up.")
        return [Finding(name, False, says % {"seconds": state.behind_s}, advice)]
    return [Finding(name, True, gettext("It is running, and nothing waits for it."))]


def _endpoint_lines() -> list[Finding]:
    return [_line(state) for state in EndpointState.read() if state.endpoint.is_on or state.endpoint.why_off]


def _line(state: EndpointState) -> Finding:
    endpoint = state.endpoint
    name = gettext("Endpoint %(name)s") % {"name": endpoint}
    address = reverse("admin:live_endpoint_change", args=[endpoint.pk])
    if not endpoint.is_on:
        off = gettext("Switched off by Calltally on %(when)s.") % {"when": moment(endpoint.off_at)}
        why = WhyOff(endpoint.why_off).label
        advice = gettext("Send it a test call in the admin, then switch it on again.")
        return Finding(name, False, sentences(off, str(why), _waiting(state)), advice, address)
    if endpoint.failing_since:
        since = gettext("Failing since %(when)s. The last failure:") % {"when": moment(endpoint.failing_since)}
        advice = gettext("Send it a test call in the admin. What fails is tried again for three days.")
        return Finding(name, False, sentences(since, endpoint.last_failure, _waiting(state)), advice, address)
    if endpoint.delivered_at is None:
        last = gettext("It is on. Nothing has been delivered yet.")
    else:
        last = gettext("Last delivery: %(when)s.") % {"when": moment(endpoint.delivered_at)}
    advice = gettext("Deliveries are late. Check that the dispatcher is running, and how fast the system answers.")
    return Finding(
        name, not state.is_behind, sentences(last, _waiting(state)), advice, address if state.is_behind else ""
    )


def _waiting(state: EndpointState) -> str:
    if not state.waiting:
        return gettext("Nothing waits.")
    if state.waiting >= MOST_COUNTED:
        return gettext("%(n)d deliveries or more wait, the oldest since %(when)s.") % {
            "n": MOST_COUNTED,
            "when": moment(state.oldest_at),
        }
    return ngettext(
        "%(n)d delivery waits, since %(when)s.", "%(n)d deliveries wait, the oldest since %(when)s.", state.waiting
    ) % {"n": state.waiting, "when": moment(state.oldest_at)}


def gauges() -> Iterator[GaugeMetricFamily]:
    """Yield the metrics: of each endpoint by its id, because its name may say who the customer is."""
    states = EndpointState.read()
    on = sum(state.endpoint.is_on for state in states)
    yield GaugeMetricFamily("calltally_endpoints_on", "Endpoints that are on.", value=float(on))
    off = sum(bool(state.endpoint.why_off and not state.endpoint.is_on) for state in states)
    text = "Endpoints that Calltally switched off."
    yield GaugeMetricFamily("calltally_endpoints_switched_off", text, value=float(off))
    failing = sum(state.endpoint.is_on and state.endpoint.failing_since is not None for state in states)
    yield GaugeMetricFamily("calltally_endpoints_failing", "Endpoints that are on and fail.", value=float(failing))
    text = "How long the oldest delivery to an endpoint that is on has waited."
    oldest = max((state.oldest_s for state in states if state.endpoint.is_on), default=0.0)
    yield GaugeMetricFamily("calltally_deliveries_oldest_seconds", text, value=oldest)
    yield from _dispatcher_gauges()
    if states:
        yield _deliveries(states)


def _dispatcher_gauges() -> Iterator[GaugeMetricFamily]:
    state = dispatcher_state.read()
    is_up = state.working is not None
    yield GaugeMetricFamily("calltally_dispatcher_up", "Whether a dispatcher works.", value=float(is_up))
    text = "How long the oldest message or delivery has waited for the dispatcher."
    yield GaugeMetricFamily("calltally_dispatcher_behind_seconds", text, value=state.behind_s)


def _deliveries(states: list[EndpointState]) -> GaugeMetricFamily:
    text = "Deliveries that wait, and those of the last five minutes by their state."
    family = GaugeMetricFamily("calltally_deliveries", text, labels=["endpoint", "state"])
    with connection.cursor() as cursor:
        cursor.execute(RECENT)
        recent = {(endpoint, state): count for endpoint, state, count in cursor.fetchall()}
    for one in states:
        for state in State:
            count = one.waiting if state == State.WAITING else recent.get((one.endpoint.pk, state.value), 0)
            family.add_metric([str(one.endpoint.pk), state.value], float(count))
    return family
