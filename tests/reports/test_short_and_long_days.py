"""On days when the clock changes, the quarter-hours on pages and in downloads add up to the day."""

import csv
import io
import re
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import User

from reports.counting import rollups
from reports.periods import day_start
from tests.factories import make_number, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)

DAYS = [(date(2026, 3, 29), 92), (date(2026, 10, 25), 100)]


@pytest.fixture
def number():
    return make_number(label="Hotline", managers=[make_user("manager")])


@pytest.mark.parametrize(("day", "quarter_hours"), DAYS)
def test_page_and_csv_show_every_quarter_hour_and_add_up_to_the_day(client, number, day, quarter_hours):
    for index in range(quarter_hours):
        at = day_start(day) + timedelta(minutes=15 * index, seconds=3)
        take(number, "CALL_START", at, call_uuid=f"{index}", correlation_id=f"{index}")
        take(number, "CALL_END", at + timedelta(seconds=60), call_uuid=f"{index}", correlation_id=f"{index}")
        if index % 4 == 0:
            take(number, "FORWARD_ANSWER", at, call_uuid=f"{index}", correlation_id=f"{index}")
    rollups.recount_changed(wait=True)
    client.force_login(User.objects.get(username="manager"))

    for grain, rows in (("quarter-hour", quarter_hours), ("hour", quarter_hours // 4), ("day", 1)):
        query = f"from={day}&to={day}&by={grain}"
        page = client.get(f"/reports/numbers/{number.pk}/?{query}").content.decode()
        body = page[page.index('id="t-calls"') :].split("</tbody>")[0]
        labels = re.findall(r'<th scope="row" data-label="[^"]*">([^<]*)</th>', body)
        assert len(labels) == len(set(labels)) == rows
        values = [int(value) for value in re.findall(r'data-v="(\d+)"', body)]
        assert sum(values) == quarter_hours

        answer = client.get(f"/reports/counts.csv?{query}&number={number.e164.replace('+', '%2B')}")
        counts = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
        assert len(counts) == len({row["start"] for row in counts}) == rows
        assert sum(int(row["offered"]) for row in counts) == quarter_hours
        assert sum(int(row["answered"]) for row in counts) == quarter_hours // 4
