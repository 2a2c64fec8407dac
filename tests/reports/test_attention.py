"""The overview says in three lines what needs attention; more leads to where it is listed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from calls.models import Reason, RefusedPost
from reports import periods
from reports.counting import rollups
from reports.queries.service_level import LEAST_CALLS
from tests.factories import make_number, make_staff, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)


def missing_post(n):
    """Return a number whose routing plan has no message about blocks."""
    number = make_number(f"+492215540040{n}", label=f"Plan {n}")
    for kind in ("CALL_START", "CALL_END"):
        take(number, kind, timezone.now() - timedelta(minutes=20), call_uuid="plan")
    return number


def missed_level():
    """Return a number that answered none of its calls yesterday."""
    number = make_number("+4922155400500", label="Hotline")
    at = periods.day_start(periods.today() - periods.DAY) + timedelta(hours=9)
    for n in range(LEAST_CALLS):
        for second, kind in enumerate(("CALL_START", "BLOCK_END", "INITIATE_FORWARD", "CALL_END")):
            take(number, kind, at + timedelta(minutes=n, seconds=10 * second), call_uuid=f"lost-{n}")
    # Answers arrive, too.
    for second, kind in enumerate(("CALL_START", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")):
        take(number, kind, at - timedelta(hours=1, seconds=-10 * second), call_uuid="answered")
    return number


def refused(e164):
    now = timezone.now()
    RefusedPost.objects.create(
        digest=e164,
        reason=Reason.UNKNOWN_NUMBER,
        status=403,
        received_at=now,
        last_received_at=now,
        count=1,
        destination_number=e164,
        body="{}",
        ingest_ids=[],
        receipts=[now],
    )


def attention_of(client, user):
    rollups.recount_changed(wait=True)
    client.force_login(user)
    answer = client.get("/reports/?period=today")
    return answer.context["page"].attention, answer.content.decode()


def test_three_lines_are_shown_and_more_lead_to_data_quality(client):
    numbers = [missing_post(n) for n in range(5)]

    attention, html = attention_of(client, make_user(numbers=numbers))

    assert [line.text.partition(":")[0] for line in attention.lines] == ["Plan 0", "Plan 1", "Plan 2"]
    assert (attention.things, attention.more) == (5, 2)
    assert "Needs attention (5)" in html
    assert '<a href="/reports/data-quality/?' in html.partition("Plan 2")[2].partition("2 more</a>")[0]


def test_callers_come_before_messages_and_what_is_to_be_set_up_comes_last(client):
    missing = [missing_post(n) for n in range(2)]
    level = missed_level()
    for e164 in ("+4922155400601", "+4922155400602"):
        refused(e164)

    attention, _html = attention_of(client, make_staff())

    assert attention.lines[0].text.startswith("Hotline: service level")
    assert attention.lines[1].text.startswith("Plan 0: the message")
    assert attention.lines[2].text == "2 things to set up."
    assert attention.lines[2].href == "/admin/"
    assert (attention.things, attention.more) == (5, 1)
    # Others cannot do anything about it.
    attention, _html = attention_of(client, make_user("manager", numbers=[*missing, level]))
    assert [line.text.partition(":")[0] for line in attention.lines] == ["Hotline", "Plan 0", "Plan 1"]
    assert attention.more == 0


def test_without_anything_nothing_is_shown(client):
    number = make_number()
    for kind in ("CALL_START", "BLOCK_END", "CALL_END"):
        take(number, kind, timezone.now() - timedelta(minutes=20))

    attention, html = attention_of(client, make_user(numbers=[number]))

    assert attention.things == 0
    assert "Needs attention" not in html
