"""Downloads with whole callers: for whom, for a reason, and what the audit and the workbook say about it."""

import csv
import io
import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from accounts.audit.actions import Action
from accounts.models import AuditEntry
from calls.models import Call, Right
from contacts.models import CallNote, Contact, ContactNumber
from reports.counting import rollups
from reports.exports import workbook_jobs
from reports.models import Workbook
from reports.views import downloads as views
from tests.factories import give, make_number, make_staff, make_user, take
from tests.owner import as_owner
from tests.reports.helpers import confirm
from tests.reports.workbooks import sheets

pytestmark = pytest.mark.django_db(transaction=True)

DAY = "from=2026-09-14&to=2026-09-14"
NOON = datetime(2026, 9, 14, 10, 0, tzinfo=UTC)
CALLERS = {"hotline": "+4917012345678", "shop": "+4915199988877"}
MASKED = {"hotline": "+4917012345•••", "shop": "+4915199988•••"}
AGAIN, PAGE = "/accounts/reauthenticate/", "/reports/calls/whole/"
FILES = ("calls.csv", "calls.csv&format=excel", "calls.xlsx")
BOTH = (Right.CALLS, Right.CALLERS, Right.EXPORT)


@pytest.fixture(autouse=True)
def folder(tmp_path, settings):
    settings.FILES_FOLDER = tmp_path / "files"


@pytest.fixture
def numbers():
    """The hotline and the shop, each with one call."""
    numbers = {"hotline": make_number(label="Hotline"), "shop": make_number("+4922155400301", label="Shop")}
    for name, number in numbers.items():
        take(number, "CALL_START", NOON, call_uuid=name, caller_id_number=CALLERS[name])
    rollups.recount_changed()
    return numbers


@pytest.fixture
def anna(client, numbers):
    """A person with both rights for the hotline, and for the shop without *callers*. She has just signed in."""
    user = make_user("anna", first_name="Anna", last_name="Meyer")
    give(user, numbers["hotline"], *BOTH)
    give(user, numbers["shop"], Right.CALLS, Right.EXPORT)
    client.force_login(user)
    confirm(client)
    return user


def address(file, query=DAY):
    name, _and, more = file.partition("&")
    return f"/reports/{name}?{query}{_and}{more}"


def whole(client, file="calls.csv", query=DAY, reason="call back", **more):
    return client.post(address(file, query), {"reason": reason, **more})


def callers_in(answer):
    """Return the callers in a file by call, without the blanks of CSV for Excel."""
    assert answer.status_code == 200, answer.content.decode()
    if "spreadsheet" in answer["Content-Type"]:
        (columns, *rows), _about = sheets(answer)
        place = {cell[1]: place for place, cell in columns.items()}
        return {row[place["call_uuid"]][1]: row[place["caller_id_number"]][1] for row in rows}
    text = b"".join(answer).decode("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text.splitlines()[0] else ",")
    return {row["call_uuid"]: row["caller_id_number"].replace(" ", "") for row in rows}


def about(answer):
    """Return what the second sheet of a workbook says."""
    return {row["A"][1]: row["B"][1] for row in sheets(answer)[1] if "A" in row and "B" in row}


def html_of(answer):
    return answer.content.decode().replace("\N{NO-BREAK SPACE}", " ")


def begun():
    return AuditEntry.objects.filter(action=Action.EXPORT_BEGUN)


def holds_no_caller(text):
    return all(caller[-7:] not in str(text) for caller in CALLERS.values())


# --- Masked, whoever asks --------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("more", ["", "&whole=1&reason=call+back&whole_callers=1"])
def test_a_file_that_is_fetched_by_its_address_is_always_masked(client, numbers, file, more):
    client.force_login(make_staff())
    confirm(client)

    assert callers_in(client.get(f"{address(file)}{more}")) == MASKED
    assert "whole_callers" not in str(AuditEntry.objects.values_list())


def test_masked_files_hide_numbers_in_notes_and_keep_names_of_contacts(client, numbers, anna):
    for name, number in CALLERS.items():
        contact = Contact.objects.create(name=f"Customer of the {name}")
        ContactNumber.objects.create(contact=contact, e164=number)
        CallNote.objects.create(call=Call.objects.get(call_uuid=name), user=anna, text=f"asks for {number}")

    masked = list(csv.DictReader(io.StringIO(b"".join(client.get(address("calls.csv"))).decode())))
    shown = list(csv.DictReader(io.StringIO(b"".join(whole(client)).decode())))

    hotline, shop = f"asks for {CALLERS['hotline']}", "asks for •••"
    assert [(row["caller_contact"], row["note"]) for row in masked] == [("Customer of the hotline", shop), ("", shop)]
    assert [(row["caller_contact"], row["note"]) for row in shown] == [("Customer of the hotline", hotline), ("", shop)]


def test_a_workbook_that_is_asked_for_without_a_reason_is_masked(client, anna):
    place = client.post("/reports/files/", {"kind": "calls", "query": DAY, "reason": "x", "whole_callers": "1"})
    workbook_jobs.make_waiting()

    answer = client.get(f"{place['Location'][:-1]}.xlsx")
    assert callers_in(answer) == MASKED
    assert about(client.get(f"{place['Location'][:-1]}.xlsx"))["Callers"] == "Without the last three digits"


# --- Whole, for a reason ---------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
def test_callers_are_whole_for_a_reason_where_the_person_has_both_rights(client, anna, file):
    assert callers_in(whole(client, file)) == {"hotline": CALLERS["hotline"], "shop": MASKED["shop"]}


@pytest.mark.parametrize("rights", [(Right.CALLS, Right.CALLERS), (Right.CALLS, Right.EXPORT), (Right.CALLS,), ()])
@pytest.mark.parametrize("file", FILES)
def test_one_of_the_two_rights_is_not_enough(client, numbers, rights, file):
    user = make_user("person")
    give(user, numbers["hotline"], *rights)
    client.force_login(user)
    confirm(client)

    query = f"{DAY}&number=%2B{numbers['hotline'].e164[1:]}"
    assert whole(client, file, query).status_code == 403
    page = client.get(f"{PAGE}?{query}")
    assert page.status_code == 403
    assert 'name="reason"' not in html_of(page)
    assert not begun().exists()


def test_the_page_says_of_which_numbers_callers_are_whole(client, numbers, anna):
    page = html_of(client.get(f"{PAGE}?{DAY}"))
    assert "whole callers of some numbers only: Hotline." in page
    assert "Mon 14 Sep 2026" in page

    give(anna, numbers["shop"], *BOTH)
    assert "of some numbers only" not in html_of(client.get(f"{PAGE}?{DAY}"))


def test_the_audit_has_the_reason_before_the_first_byte_and_no_caller(client, anna):
    answer = whole(client, reason=f"  call   back {CALLERS['hotline']} ", query=f"{DAY}&outcome=missed")

    entry = begun().get()  # nothing has been read of the file
    assert (entry.actor_id, entry.object, entry.reason) == (anna.pk, "calls.csv", "call back •••")
    assert entry.after["whole_callers"] is True
    assert "outcome=missed" in entry.after["filters"]
    assert b"".join(answer)
    answer.close()
    assert AuditEntry.objects.filter(action=Action.EXPORT_ENDED).count() == 1

    for file in FILES[1:]:
        callers_in(whole(client, file))
    assert [(one.after["whole_callers"], one.reason) for one in begun()[:2]] == [(True, "call back")] * 2
    assert holds_no_caller(list(AuditEntry.objects.values_list()))


def test_without_a_reason_the_page_says_so_and_there_is_no_file(client, anna):
    for file in FILES:
        for reason in ("", " \t "):
            answer = whole(client, file, reason=reason)
            assert answer.status_code == 400
            assert "Enter why you need the whole numbers." in html_of(answer)
    assert not begun().exists()


def test_who_signed_in_long_ago_confirms_who_they_are_first_and_their_reason_is_kept(client, anna, settings):
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    page = html_of(client.get(f"{PAGE}?{DAY}"))
    assert "Confirm who you are to download whole callers" in page
    assert 'name="reason"' not in page
    for file in FILES:
        led_to = whole(client, file, reason="for the police")
        assert led_to.status_code == 302
        assert led_to["Location"].startswith(AGAIN)
    assert not begun().exists()

    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
    back = re.search(r'name="next" value="([^"]+)"', html_of(client.get(led_to["Location"])))[1].replace("&amp;", "&")
    assert back == f"{PAGE}?{DAY}"
    assert 'value="for the police"' in html_of(client.get(back))
    assert 'value="for the police"' not in html_of(client.get(f"{back}&outcome=answered")), "it is for these filters"
    whole(client, FILES[0], reason="for the police")
    assert 'value="for the police"' not in html_of(client.get(back)), "it was used"


def test_a_post_needs_a_csrf_token(anna):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(anna)
    assert whole(strict).status_code == 403
    assert not begun().exists()


def test_a_search_is_carried_on_and_an_expired_one_loses_no_reason(client, anna):
    token = client.post("/reports/calls/", {"q": "0170 12345678"})["Location"].partition("search=")[2]
    page = html_of(client.get(f"{PAGE}?search={token}"))
    assert f"calls.csv?search={token}" in page
    assert "<dt>Search</dt><dd>0170 12345678</dd>" in page
    assert callers_in(whole(client, query=f"search={token}")) == {"hotline": CALLERS["hotline"]}

    gone = whole(client, query="search=unknown", reason="for the police")
    assert gone.status_code == 400
    assert "This search has expired. Search again." in html_of(gone)
    assert 'value="for the police"' in html_of(client.get(f"{PAGE}?search={token}"))


def test_a_database_that_takes_no_entry_sends_no_file(client, anna):
    client.raise_request_exception = False
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry ADD CONSTRAINT full_disk CHECK (action <> 'export_begun')")
    try:
        answers = [whole(client, file) for file in FILES]
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE accounts_auditentry DROP CONSTRAINT full_disk")
    assert [answer.status_code for answer in answers] == [500] * 3


# --- The menu --------------------------------------------------------------------------------------


def test_the_menu_offers_it_only_for_a_number_with_both_rights(client, numbers, anna):
    hotline, shop = (f"{DAY}&number=%2B{number.e164[1:]}" for number in numbers.values())
    pages = ("/reports/calls/", "/reports/")

    for page in pages:
        for query in (DAY, hotline):
            assert f'href="{PAGE}?' in html_of(client.get(f"{page}?{query}")), page
        assert f'href="{PAGE}?' not in html_of(client.get(f"{page}?{shop}")), page
    token = client.post("/reports/calls/", {"q": "0170"})["Location"].partition("search=")[2]
    assert f'href="{PAGE}?search={token}"' in html_of(client.get(f"/reports/calls/?search={token}"))


# --- Workbooks ------------------------------------------------------------------------------------


def test_the_second_sheet_says_who_asked_when_and_why(client, numbers, anna):
    said = about(whole(client, "calls.xlsx", reason=f"call back {CALLERS['hotline']}"))["Callers"]
    assert said.startswith("Whole in calls to Hotline")
    assert ", requested by Anna Meyer on " in said
    assert str(begun().get().at.year) in said
    assert ", reason: call back •••. Without the last three digits in all other calls" in said

    give(anna, numbers["shop"], *BOTH)
    said = about(whole(client, "calls.xlsx"))["Callers"]
    assert re.fullmatch(r"Whole, requested by Anna Meyer on \w+ \d+ \w+ \d{4}, \d\d:\d\d.*, reason: call back", said)
    assert about(client.get(address("calls.xlsx")))["Callers"] == "Without the last three digits"


@pytest.fixture
def large(monkeypatch):
    """Make every workbook in the background."""
    monkeypatch.setattr(views, "ROWS_AT_ONCE", 0)


@pytest.fixture
def place(client, anna, large):
    """The page of a workbook with whole callers, which is made."""
    answer = whole(client, "calls.xlsx")
    workbook_jobs.make_waiting()
    return answer["Location"]


def test_a_large_workbook_is_made_in_the_background_and_has_the_reason(client, place):
    workbook = Workbook.objects.get()
    assert (workbook.whole_callers, workbook.reason) == (True, "call back")
    asked = AuditEntry.objects.get(action=Action.EXPORT_ASKED)
    assert (asked.after["whole_callers"], asked.reason) == (True, "call back")

    assert callers_in(client.get(f"{place[:-1]}.xlsx")) == {"hotline": CALLERS["hotline"], "shop": MASKED["shop"]}
    assert "requested by Anna Meyer on " in about(client.get(f"{place[:-1]}.xlsx"))["Callers"]
    assert {(entry.after["whole_callers"], entry.reason) for entry in begun()} == {(True, "call back")}
    assert "reason: call back" in html_of(client.get(place))
    assert holds_no_caller(list(AuditEntry.objects.values_list()))


def test_it_is_another_workbook_than_the_masked_one_and_than_one_for_another_reason(client, place):
    masked = client.post("/reports/files/", {"kind": "calls", "query": DAY})["Location"]
    other = whole(client, "calls.xlsx", reason="for the police")["Location"]
    assert len({place, masked, other}) == 3
    assert whole(client, "calls.xlsx")["Location"] == place

    workbook_jobs.make_waiting()
    assert callers_in(client.get(f"{masked[:-1]}.xlsx")) == MASKED


@pytest.mark.parametrize("left", [(Right.CALLS, Right.CALLERS), (Right.CALLS, Right.EXPORT), ()])
def test_a_workbook_is_withheld_after_a_right_is_taken_away(client, numbers, anna, place, left):
    give(anna, numbers["hotline"], *left)

    refused = client.get(f"{place[:-1]}.xlsx")
    assert refused.status_code == 403
    assert not begun().exists()


def test_rights_are_asked_again_when_it_is_made(client, numbers, anna, large):
    place = whole(client, "calls.xlsx")["Location"]
    give(anna, numbers["hotline"], Right.CALLS, Right.EXPORT)
    workbook_jobs.make_waiting()

    assert "You may not download whole callers of these numbers." in html_of(client.get(place))
    assert not Workbook.objects.filter(state="ready").exists()


def test_a_right_that_is_taken_away_for_one_number_masks_its_callers(client, numbers, anna, large):
    give(anna, numbers["shop"], *BOTH)
    place = whole(client, "calls.xlsx")["Location"]
    give(anna, numbers["hotline"], Right.CALLS, Right.EXPORT)
    workbook_jobs.make_waiting()

    assert callers_in(client.get(f"{place[:-1]}.xlsx")) == {"hotline": MASKED["hotline"], "shop": CALLERS["shop"]}
    assert about(client.get(f"{place[:-1]}.xlsx"))["Callers"].startswith("Whole in calls to Shop")


def test_who_fetches_it_confirms_who_they_are_first(client, place, settings):
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1

    assert client.get(f"{place[:-1]}.xlsx")["Location"].startswith(AGAIN)
    page = html_of(client.get(place))
    assert "Confirm who you are to download it" in page
    assert f'href="{place[:-1]}.xlsx"' not in page
    assert not begun().exists()


def test_asking_again_asks_for_a_reason_again(client, anna, large):
    token = client.post("/reports/calls/", {"q": "0170 12345678"})["Location"].partition("search=")[2]
    place = whole(client, "calls.xlsx", query=f"{DAY}&search={token}")["Location"]
    workbook_jobs.make_waiting()

    other = Client()  # another session, which does not have the search
    other.force_login(User.objects.get(username="anna"))
    confirm(other)
    led_to = other.post(place)["Location"]

    assert led_to.startswith(f"{PAGE}?")
    page = html_of(other.get(led_to))
    assert 'name="reason"' in page
    assert "<dt>Search</dt><dd>0170 12345678</dd>" in page
    assert Workbook.objects.count() == 1


def test_too_many_workbooks_are_refused_without_losing_the_reason(client, anna, large):
    for n in range(workbook_jobs.MOST_WAITING):
        assert whole(client, "calls.xlsx", reason=f"reason {n}").status_code == 302
    refused = whole(client, "calls.xlsx", reason="one more")

    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert 'value="one more"' in html_of(refused)
    assert callers_in(whole(client))["hotline"] == CALLERS["hotline"], "the CSV needs no worker"
