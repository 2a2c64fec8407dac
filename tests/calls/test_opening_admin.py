"""Opening hours in the admin, through its pages."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from calls.admin.week_fields import day_in_words
from calls.models import ChangedQuarterHour, OpeningHours
from tests.factories import make_number, make_staff, take

HOURS = "/admin/calls/openinghours/"
NUMBERS = "/admin/calls/destinationnumber/"
WEEK = dict.fromkeys(range(1, 6), "08:00–18:00")


@pytest.fixture
def staff(client, db):
    client.force_login(make_staff())
    return client


@pytest.fixture
def hours(db):
    hours = OpeningHours.objects.create(name="Office hours", state="NW")
    hours.weekly.create(weekday=1, opens_at=time(8), closes_at=time(12))
    hours.days.create(day=date(2026, 12, 24))
    return hours


@pytest.fixture
def called(hours):
    """A number with these hours and a call that is counted already."""
    number = make_number(opening_hours=hours)
    take(number, "CALL_START", datetime(2026, 9, 22, 10, tzinfo=UTC))
    ChangedQuarterHour.objects.all().delete()
    return number


def filled(hours=None, *, name="Office hours", state="NW", week=None, days=None, deleted=()):
    """Return the fields of the form of opening hours: a text for each weekday, and lines of single days.

    Lines of existing hours come first, in the order of their ids; the names in `deleted` are ticked."""
    here = list(hours.days.order_by("pk")) if hours else []
    if week is None:
        week = {weekday: day_in_words(spans) for weekday, spans in hours.schedule().weekly.items()}
    if days is None:
        days = [
            (line.day, *(f"{time:%H:%M}" if time else "" for time in (line.opens_at, line.closes_at))) for line in here
        ]
    form = {"name": name, "state": state, "days-TOTAL_FORMS": len(days), "days-INITIAL_FORMS": len(here)}
    shown = hours.schedule().weekly if hours else {}
    for weekday in range(1, 8):
        form[f"weekday_{weekday}"] = week.get(weekday, "")
        form[f"initial-weekday_{weekday}"] = day_in_words(shown.get(weekday, ()))
    for at, line in enumerate(days):
        form |= {f"days-{at}-{field}": text for field, text in zip(("day", "opens_at", "closes_at"), line, strict=True)}
    for at, line in enumerate(here):
        form |= {f"days-{at}-id": line.pk, f"days-{at}-opening_hours": hours.pk}
    return form | {f"{line}-DELETE": "on" for line in deleted} | {"_save": "Save"}


def change(staff, hours, **answers):
    answer = staff.post(f"{HOURS}{hours.pk}/change/", filled(hours, **answers))
    assert answer.status_code == 302, unescape(answer.content.decode())


def test_hours_are_added_with_their_week_and_single_days(staff):
    days = [("2026-12-24", "", ""), ("2026-12-31", "08:00", "12:00"), ("2026-12-31", "13:00", "00:00")]
    answer = staff.post(HOURS + "add/", filled(week=WEEK, days=days))

    assert answer.status_code == 302
    hours = OpeningHours.objects.get()
    assert (hours.name, hours.state) == ("Office hours", "NW")
    assert hours.schedule().weekly == dict.fromkeys(range(1, 6), ((480, 1080),))
    assert hours.schedule().days == {date(2026, 12, 24): (), date(2026, 12, 31): ((480, 720), (780, 1440))}


def test_the_form_has_a_field_for_each_weekday_with_its_hours(staff, hours):
    hours.weekly.create(weekday=1, opens_at=time(13), closes_at=time(0))
    page = staff.get(f"{HOURS}{hours.pk}/change/").content.decode()

    fields = dict(re.findall(r'<input type="text" name="weekday_(\d)"([^>]*)>', page))
    assert sorted(fields) == list("1234567")
    assert 'value="08:00–12:00, 13:00–24:00"' in fields["1"]
    assert not [weekday for weekday, field in fields.items() if "value=" in field and weekday != "1"]


@pytest.mark.parametrize(
    ("weekly", "words"),
    [
        ({}, "closed all week"),
        (WEEK | {6: "09:00–13:00"}, "Mon–Fri 08:00–18:00, Sat 09:00–13:00"),
        ({2: "13:00–24:00, 08:00–12:00", 4: "8-18"}, "Tue 08:00–12:00 + 13:00–24:00, Thu 08:00–18:00"),
        (dict.fromkeys(range(1, 8), "00:00–24:00"), "Mon–Sun 00:00–24:00"),
    ],
)
def test_the_list_shows_hours_as_text(staff, weekly, words):
    staff.post(HOURS + "add/", filled(week=weekly))
    assert words in staff.get(HOURS).content.decode()


def test_the_list_names_state_and_the_first_numbers_of_each_hours(staff, hours, django_assert_max_num_queries):
    for at in range(5):
        make_number(f"+492215540030{at}", label=f"Hotline {at}", opening_hours=hours)
    for at in range(5):
        OpeningHours.objects.create(name=f"Other {at}")

    staff.get(HOURS)  # what the menu shows is read once a minute

    with django_assert_max_num_queries(16):
        page = staff.get(HOURS).content.decode()
    assert "Nordrhein-Westfalen" in page
    assert "Hotline 0, Hotline 1, Hotline 2 and 2 more" in page


def test_the_next_public_holidays_are_those_of_the_state(staff, hours):
    address = f"{HOURS}{hours.pk}/change/"
    assert "Fronleichnam" in staff.get(address).content.decode()

    change(staff, hours, state="BE")
    page = staff.get(address).content.decode()
    assert "Frauentag" in page
    assert "Fronleichnam" not in page

    change(staff, hours, state="")
    assert "Neujahr" not in staff.get(address).content.decode()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"week": {1: "08:00–12:00, 11:00–14:00"}}, "11:00 to 12:00 is entered twice."),
        ({"week": {7: "20:00–24:00, 23:00–23:30"}}, "23:00 to 23:30 is entered twice."),
        (
            {"week": {1: "18:00–08:00"}},
            "08:00 is not later than 18:00. Hours past midnight go on in the field of the next day.",
        ),
        ({"week": {1: "08:10–12:00"}}, "Enter a time on the quarter-hour, such as 08:15."),
        ({"week": {1: "08:00"}}, "“08:00” is not a time from and to. Write for example 08:00–12:00, 13:00–18:00."),
        ({"week": {3: "8 to 25:00"}}, "“25:00” is not a time. Write for example 08:00."),
        ({"week": {3: "8-9," * 60}}, "Enter at most 200 characters."),
        ({"week": {3: "morning–noon"}}, "“morning” is not a time. Write for example 08:00."),
        ({"days": [("2026-12-24", "08:00", "")]}, "Enter both times, or leave both blank if closed all day."),
        ({"days": [("2026-12-24", "", ""), ("2026-12-24", "", "")]}, "24 Dec 2026 is entered twice as closed"),
        (
            {"days": [("2026-12-24", "", ""), ("2026-12-24", "08:00", "09:00")]},
            "24 Dec 2026 is both closed all day and open",
        ),
        (
            {"days": [("2026-12-24", "08:00", "12:00"), ("2026-12-24", "08:00", "12:00")]},
            "24 Dec 2026 is entered twice from 08:00 to 12:00",
        ),
    ],
)
def test_invalid_hours_are_refused_with_a_message(staff, lines, said):
    page = staff.post(HOURS + "add/", filled(**{"week": {}, "days": []} | lines))

    assert page.status_code == 200
    assert said in unescape(page.content.decode())
    assert not OpeningHours.objects.exists()


def test_a_name_is_unique(staff, hours):
    page = staff.post(HOURS + "add/", filled(week={}, days=[]))
    assert "Opening hours with this name already exist." in page.content.decode()


@pytest.mark.parametrize(
    ("written", "spans"),
    [
        ("8-12, 13-18", ((480, 720), (780, 1080))),
        ("13.00 – 18.00; 08.00 – 12.00", ((480, 720), (780, 1080))),
        ("8 bis 12 und 13 bis 18 Uhr", ((480, 720), (780, 1080))),
        ("0830 to 1745", ((510, 1065),)),
        ("8h-9h30", ((480, 570),)),
        ("08:00–12:00, 12:00–18:00", ((480, 720), (720, 1080))),
        ("22:00–0:00", ((1320, 1440),)),
        ("0–24", ((0, 1440),)),
        ("8-12,", ((480, 720),)),
        ("closed", ()),
        ("Geschlossen", ()),
        (" – ", ()),
    ],
)
def test_hours_are_read_as_people_write_them(staff, hours, written, spans):
    change(staff, hours, week={1: written})
    assert hours.schedule().weekly == ({1: spans} if spans else {})


def test_what_another_person_saved_meanwhile_for_other_days_stays(staff, hours):
    mine, theirs = filled(hours, week={1: "08:00–12:00", 2: "9–10"}), filled(hours, week={1: "10–11"})
    for form in (theirs, mine):
        assert staff.post(f"{HOURS}{hours.pk}/change/", form).status_code == 302
    assert hours.schedule().weekly == {1: ((600, 660),), 2: ((540, 600),)}


def test_a_form_that_lacks_days_leaves_them(staff, hours):
    form = {name: text for name, text in filled(hours, name="Other").items() if "weekday_" not in name}
    assert staff.post(f"{HOURS}{hours.pk}/change/", form).status_code == 302
    assert hours.schedule().weekly == {1: ((480, 720),)}


@pytest.mark.django_db(transaction=True)
def test_saving_twice_at_once_stores_hours_once(hours):
    make_staff("admin")

    def save(written):
        client = Client()
        client.force_login(User.objects.get(username="admin"))
        change(client, hours, week={1: written, 2: "08:00–18:00"})
        connection.close()

    for turn in range(4):
        hours.weekly.all().delete()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(save, ["08:00–18:00", "08:00–18:00" if turn % 2 else "09:00–17:00"]))
        assert hours.weekly.count() == 2
        assert hours.schedule().weekly[2] == ((480, 1080),)


def test_single_days_are_written_as_the_week_is(staff, hours):
    change(staff, hours, days=[("2026-12-24", "8", "12:30"), ("2026-12-31", "08:00", "24:00")])
    assert hours.schedule().days == {date(2026, 12, 24): ((480, 750),), date(2026, 12, 31): ((480, 1440),)}


def test_refused_hours_stay_in_the_form_as_they_were_written(staff, hours):
    form = filled(hours, week={1: "8-12", 2: "9 – 25 Uhr"})
    page = unescape(staff.post(f"{HOURS}{hours.pk}/change/", form).content.decode())
    assert 'value="8-12"' in page
    assert 'value="9 – 25 Uhr"' in page
    assert hours.schedule().weekly == {1: ((480, 720),)}


# --- Recounts --------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "answers",
    [
        {"state": "BE"},
        {"week": {1: "08:00–13:00"}},
        {"week": {1: "08:00–12:00", 2: "08:00–12:00"}},
        {"week": {}},
        {"days": [("2026-12-24", "08:00", "12:00")]},
        {"days": [("2026-12-24", "", ""), ("2026-12-31", "", "")]},
        {"deleted": ["days-0"]},
        {"state": "", "week": {3: "08:00–12:00"}, "deleted": ["days-0"]},
    ],
)
def test_a_change_of_hours_counts_their_numbers_again_once(staff, hours, called, answers):
    make_number("+4922155400399")
    change(staff, hours, **answers)

    assert [logged.destination_number_id for logged in ChangedQuarterHour.objects.all()] == [called.pk]


@pytest.mark.django_db(transaction=True)
def test_a_change_of_shared_hours_logs_all_histories_in_one_statement(staff, hours, called):
    at = datetime(2026, 9, 22, 10, tzinfo=UTC)
    numbers = [called, *(make_number(f"+492215540031{n}", opening_hours=hours) for n in range(4))]
    for number in numbers:
        for minute in (0, 5, 15, 60):  # three quarter-hours
            take(number, "CALL_START", at + timedelta(minutes=minute), call_uuid=f"call-{minute}")
    ChangedQuarterHour.objects.all().delete()

    with CaptureQueriesContext(connection) as captured:
        change(staff, hours, state="BE")

    statements = [query["sql"] for query in captured]
    assert sum("INSERT INTO calls_changedquarterhour" in sql for sql in statements) == 1
    # The calls are only counted, to say how long it takes.
    assert not [sql for sql in statements if sql.startswith("SELECT") and '"calls_call"' in sql and "COUNT(" not in sql]
    logged = ChangedQuarterHour.objects.values_list("destination_number", "quarter_hour")
    assert sorted(logged) == [
        (number.pk, at + timedelta(minutes=minute)) for number in numbers for minute in (0, 15, 60)
    ]


@pytest.mark.django_db(transaction=True)
def test_a_change_of_name_or_note_causes_no_recount(staff, hours, called):
    hours.weekly.create(weekday=1, opens_at=time(13), closes_at=time(18))
    lines = set(hours.weekly.values_list("pk", flat=True))
    form = filled(hours, name="Office", week={1: "13–18, 8–12"}) | {"days-0-note": "Christmas Eve"}
    assert staff.post(f"{HOURS}{hours.pk}/change/", form).status_code == 302

    hours.refresh_from_db()
    assert (hours.name, hours.days.get().note) == ("Office", "Christmas Eve")
    assert set(hours.weekly.values_list("pk", flat=True)) == lines
    assert not ChangedQuarterHour.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_hours_and_target_of_a_number_are_set_on_its_page(staff, hours, called):
    other = OpeningHours.objects.create(name="Always closed")
    address = f"{NUMBERS}{called.pk}/change/"
    form = dict(staff.get(address).context["adminform"].form.initial) | {"managers": [], "customer_number": ""}
    form |= {"access_keys-TOTAL_FORMS": 0, "access_keys-INITIAL_FORMS": 0, "_save": "Save"}

    assert staff.post(address, form | {"service_level_aim": 90}).status_code == 302
    called.refresh_from_db()
    assert called.service_level_aim == 90
    assert not ChangedQuarterHour.objects.exists()

    assert staff.post(address, form | {"service_level_aim": "", "opening_hours": other.pk}).status_code == 302
    called.refresh_from_db()
    assert (called.service_level_aim, called.opening_hours) == (None, other)
    assert ChangedQuarterHour.objects.count() == 1


def test_hours_of_a_number_cannot_be_deleted(staff, hours):
    make_number(opening_hours=hours)
    page = staff.post(f"{HOURS}{hours.pk}/delete/", {"post": "yes"})

    assert page.status_code == 200
    assert "would require deleting the following protected related objects" in page.content.decode()
    assert OpeningHours.objects.exists()


def test_permissions_for_hours_apply_to_their_lines(client, hours):
    client.force_login(make_staff("keeper", permissions=["calls.change_openinghours"]))
    change(client, hours, week={1: "08:00–13:00"})
    assert hours.schedule().weekly == {1: ((480, 780),)}

    client.force_login(make_staff("reader", permissions=["calls.view_openinghours"]))
    page = client.get(reverse("admin:calls_openinghours_change", args=[hours.pk])).content.decode()
    assert "24 Dec 2026" in page
    assert "Mon 08:00–13:00" in page
    assert 'name="weekday_1"' not in page
    assert client.post(f"{HOURS}{hours.pk}/change/", filled(hours, name="Mine")).status_code == 403
