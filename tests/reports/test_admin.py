"""Calls and counts in the admin: read and export."""

import csv
import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from calls.models import Call
from reports.models import DayBlockCounts, DayCounts, QuarterHourCounts
from tests.factories import make_number, make_staff, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)

CALLS = "/admin/calls/call/"
AT = datetime(2026, 9, 9, 10, 7, tzinfo=UTC)
OTHER = "+4922155400301"


@pytest.fixture
def staff(client):
    client.force_login(make_staff())
    return client


def make_call(number, at=AT, call_uuid="call-1", **more):
    """Receive the posts of an answered call."""
    kinds = {"CALL_START": 0, "BLOCK_END": 9, "INITIATE_FORWARD": 10, "FORWARD_ANSWER": 22, "CALL_END": 280}
    for kind, seconds in kinds.items():
        take(number, kind, at + timedelta(seconds=seconds), call_uuid=call_uuid, **more)


def rows_of(page):
    table = re.search(r'<table id="result_list">.*</table>', page.content.decode(), re.DOTALL)
    return table[0] if table else ""


def search(client, text):
    return client.post(CALLS, {"search": text}, follow=True)


def csv_of(answer):
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))


def export(client, address, chosen, **more):
    return csv_of(
        client.post(address, {"action": "export_csv", "_selected_action": [row.pk for row in chosen], **more})
    )


def test_a_call_shows_its_outcome_its_posts_in_order_and_the_time_between_them(staff):
    make_call(make_number(), collected_pin="4711")
    call = Call.objects.get()

    assert "Answered" in rows_of(staff.get(CALLS))
    page = staff.get(f"{CALLS}{call.pk}/change/").content.decode()
    order = ["CALL_START", "9.000 s", "BLOCK_END", "1.000 s", "INITIATE_FORWARD", "12.000 s", "FORWARD_ANSWER"]
    places = [page.index(f">{text}<") for text in [*order, "258.000 s", "CALL_END"]]
    assert places == sorted(places)
    assert "collected_pin: 4711" in page
    assert "accessKey" not in page
    assert 'name="_save"' not in page


def test_hostile_text_is_shown_as_text(staff):
    evil = "<script>alert(1)</script>"
    take(make_number(label=evil), "CALL_START", AT, call_uuid=evil, caller_id_number=evil, further="\ud800\0\u202e")

    for address in [CALLS, f"{CALLS}{Call.objects.get().pk}/change/"]:
        page = staff.get(address)
        assert page.status_code == 200
        assert evil not in page.content.decode()
        assert escape(evil) in page.content.decode()


@pytest.mark.parametrize("term", ["0170 12345678", "+4917012345678", "aaaa-", "corr-a"])
def test_a_call_is_found_by_caller_in_any_spelling_and_by_the_beginning_of_its_ids(staff, term):
    number = make_number()
    take(number, "CALL_START", AT, call_uuid="aaaa-1", correlation_id="corr-a", caller_id_number="+4917012345678")
    take(number, "CALL_START", AT, call_uuid="bbbb-1", correlation_id="corr-b", caller_id_number="+4917099999999")

    rows = rows_of(search(staff, term))
    assert "aaaa-1" in rows
    assert "bbbb-1" not in rows


@pytest.mark.parametrize("mark", ["contradicting", "weak", "odd", "callback", "withheld"])
def test_calls_are_filtered_by_marks(staff, mark):
    number = make_number()
    odd = {
        "contradicting": {"call_uuid": "odd", "customerNumber": 20000},
        "weak": {"call_uuid": None, "correlation_id": "odd"},
        "odd": {"call_uuid": "odd", "destination": 5},
        "callback": {"call_uuid": "odd", "callback_id": "callback-1"},
        "withheld": {"call_uuid": "odd", "caller_id_number": "anonymous"},
    }[mark]
    take(number, "CALL_START", AT, call_uuid="plain", correlation_id="plain")
    take(number, "CALL_START", AT, **({"call_uuid": "odd"} if mark == "contradicting" else odd))
    take(number, "INITIATE_FORWARD", AT, **odd)

    rows = rows_of(staff.get(CALLS, {"marked": mark}))
    assert ">odd<" in rows
    assert ">plain<" not in rows


def test_calls_and_counts_are_never_changed_by_hand(staff):
    make_call(make_number())
    call_command("roll_up")
    for address, row in [(CALLS, Call.objects.get()), ("/admin/reports/daycounts/", DayCounts.objects.get())]:
        assert staff.get(f"{address}add/").status_code == 403
        assert staff.post(f"{address}{row.pk}/change/", {"offered": 99}).status_code == 403
        assert staff.post(f"{address}{row.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    "address",
    [
        CALLS,
        *(
            f"/admin/reports/{model}/"
            for model in [
                "quarterhourcounts",
                "daycounts",
                "quarterhourblockcounts",
                "dayblockcounts",
                "firstpost",
            ]
        ),
    ],
)
def test_lists_need_the_same_queries_for_any_number_of_rows_and_are_for_staff(staff, client, address):
    def questions():
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(address).status_code == 200
        return len(captured)

    make_call(make_number())
    call_command("roll_up")
    staff.get(address)
    few = questions()
    for n in range(1, 6):
        make_call(make_number(f"+492215540031{n}"), AT + timedelta(days=n), call_uuid=f"call-{n}")
    call_command("roll_up")
    assert questions() == few

    client.force_login(make_user())
    assert client.get(address)["Location"].startswith("/admin/login/")


def test_a_call_with_many_posts_needs_no_more_queries(staff):
    number = make_number()
    make_call(number)
    address = f"{CALLS}{Call.objects.get().pk}/change/"

    def questions():
        with CaptureQueriesContext(connection) as captured:
            staff.get(address)
        return len(captured)

    staff.get(address)
    few = questions()
    for n in range(10):
        take(number, "BLOCK_END", AT + timedelta(seconds=n), call_uuid="call-1")
    assert questions() == few


def test_chosen_calls_are_exported(staff):
    number = make_number(label="=Hotline")
    for n in range(3):
        make_call(number, AT + timedelta(minutes=n), call_uuid=f"call-{n}")
    call_command("roll_up")  # to know which posts arrive

    rows = export(staff, CALLS, Call.objects.filter(call_uuid__in=["call-0", "call-2"]))

    assert [row["call_uuid"] for row in rows] == ["call-0", "call-2"]
    assert {(row["label"], row["outcome"]) for row in rows} == {("'=Hotline", "answered")}


def test_all_calls_of_a_filter_are_exported(staff):
    number, other = make_number(), make_number(OTHER)
    make_call(number)
    make_call(other, call_uuid="call-2")

    address = f"{CALLS}?destination_number__id__exact={other.pk}"
    rows = export(staff, address, [Call.objects.first()], select_across="1")

    assert [row["call_uuid"] for row in rows] == ["call-2"]


@pytest.mark.parametrize(("model", "name"), [(QuarterHourCounts, "quarterhourcounts"), (DayCounts, "daycounts")])
def test_chosen_counts_are_exported_in_the_columns_of_the_reports(staff, model, name):
    number, other = make_number(), make_number(OTHER)
    for day in range(3):
        for each in (number, other):
            make_call(each, AT + timedelta(days=day), call_uuid=f"call-{day}")
    call_command("roll_up")
    time_field = "day" if model is DayCounts else "quarter_hour"
    first, *_between, last = model.objects.order_by(time_field, "destination_number__e164")

    address = f"/admin/reports/{name}/"
    rows = export(staff, address, [first, last])
    assert [(row["start"][:10], row["destination_number"], row["offered"]) for row in rows] == [
        ("2026-09-09", number.e164, "1"),
        ("2026-09-11", other.e164, "1"),
    ]
    assert list(rows[0])[:5] == ["start", "end", "destination_number", "label", "offered"]
    assert len(export(staff, address, [first], select_across="1")) == 6


def test_chosen_block_counts_are_exported(staff):
    make_call(make_number())
    take(Call.objects.get().destination_number, "BLOCK_END =QUEUE", AT, call_uuid="call-1")
    call_command("roll_up")

    rows = export(staff, "/admin/reports/dayblockcounts/", DayBlockCounts.objects.filter(block_type="=QUEUE"))

    assert [(row["block_type"], row["blocks"]) for row in rows] == [("'=QUEUE", "1")]


def test_exporting_counts_that_no_longer_exist_shows_a_warning(staff):
    make_call(make_number())
    call_command("roll_up")
    gone = DayCounts.objects.get()
    call_command("rebuild_counts", stdout=StringIO())  # the same counts in new rows
    assert DayCounts.objects.get().pk != gone.pk

    answer = staff.post(
        "/admin/reports/daycounts/", {"action": "export_csv", "_selected_action": [gone.pk]}, follow=True
    )

    assert answer.status_code == 200
    assert "Select them again" in answer.content.decode()


def test_a_call_without_stored_posts_opens(staff):
    make_call(make_number())
    call = Call.objects.get()
    call.events.all().delete()

    page = staff.get(f"{CALLS}{call.pk}/change/")

    assert page.status_code == 200
    assert "No messages of this call are stored." in page.content.decode()


@pytest.mark.parametrize("which", ["0", "abc", "99999999999999999999999"])
def test_a_missing_call_redirects(staff, which):
    assert staff.get(f"{CALLS}{which}/change/").status_code == 302


def test_users_without_permission_cannot_open_a_call(client):
    make_call(make_number())
    client.force_login(make_staff(permissions=["calls.view_destinationnumber"]))

    assert client.get(f"{CALLS}{Call.objects.get().pk}/change/").status_code == 403


def test_the_beginning_of_an_id_is_found_though_it_reads_like_a_phone_number(staff):
    make_call(make_number(), call_uuid="22147103-0000-11f1-8000-000000000000")
    make_call(make_number(OTHER), call_uuid="another", correlation_id="something-else")

    rows = rows_of(search(staff, "22147103"))
    assert "22147103-0000-11f1" in rows
    assert "another" not in rows


@pytest.mark.parametrize(("model", "figures"), [(DayCounts, ["3", "1", "0"]), (DayBlockCounts, ["3", "3", "0"])])
def test_a_day_on_which_a_post_begins_to_arrive_is_one_row(staff, model, figures):
    number = make_number()
    for hour in (0, 1):
        take(number, "CALL_START", AT + timedelta(hours=hour), call_uuid=f"early {hour}")
        take(number, "BLOCK_END", AT + timedelta(hours=hour, seconds=1), call_uuid=f"early {hour}")
    make_call(number, AT + timedelta(hours=2), "late")
    call_command("roll_up")
    assert model.objects.count() == 2
    address = f"/admin/reports/{model._meta.model_name}/"

    rows = rows_of(staff.get(address))
    assert rows.count('class="action-select"') == 1
    columns = re.findall(r'<td class="field-(\w+)">(\d+)</td>', rows)
    assert [value for _name, value in columns[:3]] == figures
    listed = model.objects.order_by("-measured")[:1]
    [exported] = export(staff, address, listed)
    assert figures[0] in exported.values()
    assert export(staff, address, listed, select_across="1") == [exported]
    assert rows_of(staff.get(f"{address}?is_open__exact=0")) == ""
