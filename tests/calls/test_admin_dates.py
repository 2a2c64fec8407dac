"""The admin shows dates in the format of the pages, `28 Nov 2026, 14:05`, and forms accept this format."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import timezone

from calls.ingest import intake
from calls.models import AccessKey, Call, CallEvent, DestinationNumber, OpeningHours, RefusedPost, SingleDay
from reports.counting import rollups
from reports.models import DayBlockCounts, DayCounts, FirstPost, QuarterHourBlockCounts, QuarterHourCounts
from tests.factories import ACCESS_KEY, make_number, make_staff, make_user, post, post_body, take

AT = datetime(2026, 11, 28, 13, 5, 7, tzinfo=UTC)  # 14:05 in the reports' time zone
# Other formats of dates: ISO 8601, with dots or slashes, month first, abbreviated month with a full stop, a.m. and p.m.
OTHERWISE = re.compile(
    r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b|\b\d{1,2}\.\d{1,2}\.\d{4}\b"
    r"|\b[A-Z][a-z]+\.? \d{1,2}, \d{4}|\b(?:a|p)\.m\.|\bnoon\b|\bmidnight,"
)
OURS = re.compile(r"\b\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}\b")


def words_of(page):
    """Return the text of a page without payloads, with the values of its fields."""
    text = re.sub(r"<(pre|script|style)\b.*?</\1>", " ", page.content.decode(), flags=re.DOTALL)
    text = re.sub(r'<input[^>]*\bvalue="([^"]*)"[^>]*>', r" \1 ", text)
    return unescape(re.sub(r"<[^>]+>", " ", text))


@pytest.fixture
def staff(client):
    client.force_login(make_staff())
    return client


@pytest.fixture
def rows(staff):
    """A row of every model that has a date, by model."""
    hours = OpeningHours.objects.create(name="Office hours", state="NW")
    hours.days.create(day=date(2026, 12, 24))
    number = make_number(label="Hotline", opening_hours=hours)
    for second, kind in enumerate(("CALL_START", "BLOCK_END", "CALL_END")):
        take(number, kind, AT + timedelta(seconds=second))
    rollups.recount_changed(wait=True)
    AccessKey.objects.update(expires_at=AT + timedelta(days=900), last_used_at=AT)
    user = make_user(last_login=AT, date_joined=AT)
    post(staff, post_body("CALL_START", "+4940555555", ACCESS_KEY))
    intake.get_intake().close()
    models = (AccessKey, Call, CallEvent, OpeningHours, RefusedPost, QuarterHourCounts, DayCounts)
    models += (QuarterHourBlockCounts, DayBlockCounts, FirstPost, DestinationNumber)
    rows = {model: model.objects.first() for model in models} | {User: user}
    assert all(rows.values()), rows
    return rows


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_intake")
def test_the_admin_shows_dates_in_the_format_of_the_pages(staff, rows):
    wrong, without = {}, []
    for model, row in rows.items():
        name = f"admin:{model._meta.label_lower.replace('.', '_')}"
        for address in (reverse(f"{name}_changelist"), reverse(f"{name}_change", args=[row.pk])):
            page = staff.get(address)
            assert page.status_code == 200, address
            words = words_of(page)
            if dates := OTHERWISE.findall(words):
                wrong[address] = dates
            if not OURS.search(words):
                without.append(address)
    assert not wrong
    number = rows[DestinationNumber].pk
    assert set(without) <= {
        "/admin/auth/user/",
        "/admin/calls/openinghours/",
        f"/admin/calls/destinationnumber/{number}/change/",
    }


@pytest.mark.django_db
def test_histories_show_dates_in_the_format_of_the_pages(staff):
    staff.post("/admin/auth/group/add/", {"name": "Managers"})
    words = words_of(staff.get(reverse("admin:auth_group_history", args=[Group.objects.get(name="Managers").pk])))
    assert f"{timezone.localtime(LogEntry.objects.get().action_time):%-d %b %Y, %H:%M}" in words
    assert not OTHERWISE.findall(words)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "typed", ["24 Dec 2026", "24 December 2026", "24.12.2026", "24.12.26", "2026-12-24", "4 Jan 2027", "04 Jan 2027"]
)
def test_a_date_is_accepted_as_shown_and_in_common_spellings(staff, typed):
    form = {"name": "Office hours", "state": ""}
    form |= {"days-TOTAL_FORMS": 1, "days-INITIAL_FORMS": 0, "days-0-day": typed}
    assert staff.post("/admin/calls/openinghours/add/", form).status_code == 302

    day = SingleDay.objects.get()
    assert day.day == (date(2027, 1, 4) if "Jan" in typed else date(2026, 12, 24))
    page = staff.get(f"/admin/calls/openinghours/{day.opening_hours_id}/change/").content.decode()
    assert f'value="{day.day:%d %b %Y}"' in page


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["12/24/2026", "24/12/2026", "04/03/2026"])
def test_a_date_with_ambiguous_day_and_month_is_refused(staff, typed):
    form = {"name": "Office hours", "state": ""}
    form |= {"days-TOTAL_FORMS": 1, "days-INITIAL_FORMS": 0, "days-0-day": typed}
    assert "Enter a valid date." in staff.post("/admin/calls/openinghours/add/", form).content.decode()


@pytest.mark.django_db
def test_saving_an_unchanged_form_changes_no_time(staff):
    user = make_user(last_login=AT, date_joined=AT)
    address = f"/admin/auth/user/{user.pk}/change/"
    page = staff.get(address).content.decode()
    shown = dict(re.findall(r'name="((?:last_login|date_joined)_[01])" value="([^"]*)"', page))
    shown |= dict(re.findall(r'value="([^"]*)"[^>]*name="((?:last_login|date_joined)_[01])"', page))
    assert shown["date_joined_0"] == "28 Nov 2026"
    assert staff.post(address, shown | {"username": user.username, "is_active": "on"}).status_code == 302

    user.refresh_from_db()
    assert (user.last_login, user.date_joined) == (AT, AT)


@pytest.mark.django_db(transaction=True)
def test_lists_write_moments_to_the_minute_and_what_is_missing_as_a_dash(staff):
    number = make_number(label="Hotline")
    list_of_numbers = reverse("admin:calls_destinationnumber_changelist")
    assert '<td class="field-last_call_at">–</td>' in staff.get(list_of_numbers).content.decode()

    take(number, "CALL_START", AT)

    assert '<td class="field-last_call_at">28 Nov 2026, 14:05</td>' in staff.get(list_of_numbers).content.decode()
