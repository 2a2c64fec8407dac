"""What people do with stored deliveries: send again, drop, switch an endpoint on and off. And when they are deleted."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from live.models import CallerShown, Delivery, DispatchCursor, Endpoint, Format, State

# Failed ones are kept longer, because they can still be sent.
KEPT_FOR, FAILED_KEPT_FOR = timedelta(days=7), timedelta(days=30)
DELETED_AT_ONCE = 10_000
_AS_MUCH = [CallerShown.NONE, CallerShown.MASKED, CallerShown.WHOLE]


def waiting(endpoint: Endpoint) -> QuerySet[Delivery]:
    return Delivery.objects.filter(endpoint=endpoint, state=State.WAITING)


def resendable(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Keep the deliveries that may be sent again: those of signed webhooks, because a call in a CTI format would show
    up as one that rings now, and none that may hold more than its endpoint gets today."""
    is_as_much = Q(endpoint__resend_from=None) | Q(created_at__gte=F("endpoint__resend_from"))
    return deliveries.filter(is_as_much, endpoint__format=Format.WEBHOOK).exclude(state=State.WAITING)


def may_hold_caller(delivery: Delivery) -> bool:
    """Return whether what was sent and answered may contain a whole caller: the endpoint gets it, or did then."""
    endpoint = delivery.endpoint
    got_more = endpoint.resend_from is not None and delivery.created_at < endpoint.resend_from
    return endpoint.caller == CallerShown.WHOLE or got_more


def failed_since(endpoint: Endpoint, moment: datetime) -> QuerySet[Delivery]:
    """Return the deliveries since a moment that failed and may be sent again."""
    states = [State.FAILED, State.EXPIRED]
    failed = Delivery.objects.filter(endpoint=endpoint, created_at__gte=moment, state__in=states)
    return resendable(failed)


def resend(deliveries: QuerySet[Delivery]) -> int:
    """Have deliveries sent again, as far as they may be, under the same ids; return how many."""
    pks = resendable(deliveries).order_by().values("pk")
    return Delivery.objects.filter(pk__in=pks).update(
        state=State.WAITING, tries=0, next_at=timezone.now(), expires_at=None, error=""
    )


def send_waiting(endpoint: Endpoint) -> int:
    """Have what waits be sent now; return how much it is."""
    return waiting(endpoint).update(next_at=timezone.now(), tries=0)


def drop_waiting(endpoint: Endpoint) -> int:
    """Have what waits not be sent; return how much it was."""
    return waiting(endpoint).update(state=State.SKIPPED)


@transaction.atomic
def switch_on(endpoint: Endpoint, *, sends_waiting: bool) -> int:
    """Switch an endpoint on. What waits is sent now, or dropped; return how much it was."""
    count = send_waiting(endpoint) if sends_waiting else drop_waiting(endpoint)
    endpoint.is_on, endpoint.on_since = True, timezone.now()
    endpoint.off_at, endpoint.why_off = None, ""
    forget_failures(endpoint)
    endpoint.save(update_fields=["is_on", "on_since", "off_at", "why_off", "failing_since", "last_failure"])
    endpoint.off_told.clear()
    return count


def switch_off(endpoint: Endpoint) -> None:
    """Switch an endpoint off. What waits stays until the endpoint is switched on."""
    endpoint.is_on, endpoint.off_at, endpoint.why_off = False, timezone.now(), ""
    endpoint.save(update_fields=["is_on", "off_at", "why_off"])


def forget_failures(endpoint: Endpoint) -> None:
    """Forget earlier failures, unsaved: they say nothing about the endpoint as it is now."""
    endpoint.failing_since, endpoint.last_failure = None, ""


def gets_less(before: str, after: str) -> bool:
    """Return whether an endpoint gets less of the caller than before, by two values of CallerShown."""
    return _AS_MUCH.index(CallerShown(after)) < _AS_MUCH.index(CallerShown(before))


def hold_additions() -> None:
    """Have no deliveries added until the transaction ends; wait for those that are being added."""
    list(DispatchCursor.objects.select_for_update())


@transaction.atomic
def narrow(endpoint: Endpoint) -> None:
    """Have nothing sent any more that was written when the endpoint got more of calls than now."""
    hold_additions()
    drop_waiting(endpoint)
    endpoint.resend_from = timezone.now()
    endpoint.save(update_fields=["resend_from"])


def delete_old(now: datetime) -> int:
    """Delete old deliveries with their bodies, some at a time; return how many."""
    is_kept = Q(state__in=[State.FAILED, State.WAITING]) | Q(state=State.EXPIRED, endpoint__format=Format.WEBHOOK)
    is_old = Q(created_at__lt=now - KEPT_FOR) & ~is_kept
    old = Delivery.objects.filter(is_old | Q(created_at__lt=now - FAILED_KEPT_FOR)).order_by("created_at")
    total = 0
    while pks := list(old.values_list("pk", flat=True)[:DELETED_AT_ONCE]):
        total += Delivery.objects.filter(pk__in=pks).delete()[0]
    return total
