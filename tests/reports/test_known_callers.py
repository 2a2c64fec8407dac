"""Contacts of callers on pages and in files: only with the right to callers of that number."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from calls.models import Call
from contacts.models import LinkTemplate
from tests.factories import give, make_contact, make_number, make_user, map_variable, take
from tests.reports.helpers import confirm, show_caller

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 9, 14, 10, 0, tzinfo=UTC)
DAY = "from=2026-09-14&to=2026-09-14"
MOBILE, EXTENSION, STRANGER = "+491711234567", "+492214710355", "+493012345678"


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


@pytest.fixture
def called():
    """Two numbers, each called by a contact, an extension of a company, a stranger, and somebody who withholds."""
    numbers = make_number(label="Hotline"), make_number("+4922155400301", label="Shop")
    for number in numbers:
        for n, caller in enumerate((MOBILE, EXTENSION, STRANGER, "anonymous")):
            at = NOON + timedelta(minutes=n)
            take(number, "CALL_START", at, call_uuid=f"{number.label} {n}", caller_id_number=caller)
    make_contact("Anna Meyer", MOBILE, company="Meyer GmbH", customer_number="K-1001", note="Speaks French")
    make_contact("Switchboard", company="Kölner Bau", with_extensions=["+4922147103"])
    return numbers


@pytest.fixture
def sales(client, called):
    """A person with the right to callers of the hotline alone; signed in."""
    user = make_user("sales")
    give(user, called[0], "calls", "callers", "export")
    give(user, called[1], "calls", "export")
    client.force_login(user)
    return user


def page_of(client, uuid):
    return client.get(f"/reports/calls/{Call.objects.get(call_uuid=uuid).pk}/")


def callers(client):
    """Return the text of the cells of callers in the list, by the name of the number; newest call first."""
    rows = re.findall(r'<tr id="call-[^>]*>(.*?)</tr>', client.get("/reports/calls/").content.decode(), re.DOTALL)
    cells = [re.findall(r'<td class="(?:hide-phone number|caller)">(.*?)</td>', row, re.DOTALL) for row in rows]
    texts = [[" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in row] for row in cells]
    return {name: [caller for number, caller in texts if number == name] for name in ("Hotline", "Shop")}


def test_the_list_names_contacts_only_with_the_right_callers(client, sales):
    assert callers(client) == {
        "Hotline": [
            "number withheld",
            "+49 30 12345•••",
            "Kölner Bau +49 221 4710•••",
            "Anna Meyer · Meyer GmbH +49 171 1234•••",
        ],
        "Shop": ["number withheld", "+49 30 12345•••", "+49 221 4710•••", "+49 171 1234•••"],
    }


def test_several_contacts_of_a_number_are_counted(client, sales):
    make_contact("Ben Kurz", MOBILE)
    make_contact("Carla", MOBILE)
    assert "and 2 more +49 171 1234•••" in callers(client)["Hotline"][-1]
    page = text_of(page_of(client, "Hotline 0"))
    assert all(name in page for name in ("Anna Meyer", "Ben Kurz", "Carla", "Several contacts have this number."))


def test_the_list_reads_contacts_by_one_query(client, sales, django_assert_num_queries, django_assert_max_num_queries):
    client.get("/reports/calls/")  # what the navigation says is read once a minute
    with django_assert_max_num_queries(11) as one:
        client.get("/reports/calls/")
    for n in range(10):
        take(make_number(f"+492215540041{n}"), "CALL_START", NOON, call_uuid=f"x{n}", caller_id_number=f"{MOBILE}{n}")
        make_contact(f"Contact {n}", f"{MOBILE}{n}", MOBILE)
    give(sales, None, "calls", "callers")
    with django_assert_num_queries(len(one)):
        client.get("/reports/calls/")


def test_the_page_of_a_call_shows_the_contact_only_with_the_right_callers(client, sales):
    page = text_of(page_of(client, "Hotline 0"))
    assert all(text in page for text in ("Anna Meyer", "Meyer GmbH", "K-1001", "Speaks French"))
    assert "Who called is not known" in text_of(page_of(client, "Hotline 1"))
    for uuid in ("Shop 0", "Shop 1", "Hotline 2", "Hotline 3"):
        page = text_of(page_of(client, uuid))
        assert not [text for text in ("Anna", "Meyer", "K-1001", "Kölner", "Switchboard") if text in page]


def test_links_carry_the_caller_only_once_it_is_shown(client, sales):
    LinkTemplate.objects.create(name="CRM", url="https://crm.example.com/?tel={caller}&c={customer_number}")
    LinkTemplate.objects.create(name="Add", url="https://crm.example.com/new/{caller_digits}", shown_when="nobody")
    LinkTemplate.objects.create(name="New tab", url="https://crm.example.com/{call_id}", opens_in="new")

    def links(page):
        return re.findall(r'href="(https://crm[^"]*)"[^>]*?target="([^"]*)"', page.content.decode(), re.DOTALL)

    confirm(client)
    known, stranger = (Call.objects.get(call_uuid=uuid) for uuid in ("Hotline 0", "Hotline 2"))
    pk = known.pk
    assert links(page_of(client, "Hotline 0")) == [(f"https://crm.example.com/{pk}", "_blank")]
    assert [(unescape(url), target) for url, target in links(show_caller(client, known))] == [
        ("https://crm.example.com/?tel=%2B491711234567&c=K-1001", "calltally-links"),
        (f"https://crm.example.com/{pk}", "_blank"),
    ]
    added = ("https://crm.example.com/new/493012345678", "calltally-links")
    assert added not in links(page_of(client, "Hotline 2"))
    assert links(show_caller(client, stranger))[0] == added
    assert links(page_of(client, "Shop 0")) == []
    assert page_of(client, "Hotline 0")["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"


def test_files_name_contacts_where_callers_may_be_seen_and_never_as_formulas(client, sales):
    make_contact("=1+1", STRANGER)
    rows = csv.DictReader(io.StringIO(client.get(f"/reports/calls.csv?{DAY}").getvalue().decode()))
    assert {row["call_uuid"]: row["caller_contact"] for row in rows} == {
        "Hotline 0": "Anna Meyer · Meyer GmbH",
        "Hotline 1": "Kölner Bau",
        "Hotline 2": "'=1+1",
        "Hotline 3": "",
        "Shop 0": "",
        "Shop 1": "",
        "Shop 2": "",
        "Shop 3": "",
    }


def test_a_name_with_a_date_that_has_the_digits_of_the_caller_is_hidden_on_pages_and_in_files(client, sales, called):
    birthday, other = "+493014092026", "+493014092027"
    for caller in (birthday, other):
        take(called[0], "CALL_START", NOON + timedelta(hours=1), call_uuid=caller, caller_id_number=caller)
        make_contact("Since 14.09.2026", caller)
    rows = csv.DictReader(io.StringIO(client.get(f"/reports/calls.csv?{DAY}").getvalue().decode()))
    named = {row["call_uuid"]: row["caller_contact"] for row in rows}
    assert (named[birthday], named[other]) == ("•••", "Since 14.09.2026")
    for uuid, is_named in ((birthday, False), (other, True)):
        assert ("Since 14.09.2026" in text_of(page_of(client, uuid))) == is_named


def test_the_files_find_the_same_contacts_as_the_pages(client, sales):
    """The exact number before the company, the longest company before a shorter one."""
    make_contact("Direct", EXTENSION)
    make_contact("", company="Other", with_extensions=["+49301234"])
    make_contact("", company="Nearer", with_extensions=["+493012345"])
    of_file = {
        row["call_uuid"]: row["caller_contact"]
        for row in csv.DictReader(io.StringIO(client.get(f"/reports/calls.csv?{DAY}").getvalue().decode()))
    }
    assert (of_file["Hotline 1"], of_file["Hotline 2"]) == ("Direct", "Nearer")
    assert [text.rpartition(" +49")[0] for text in callers(client)["Hotline"][1:3]] == ["Nearer", "Direct"]


@pytest.fixture
def typed(called):
    """A withheld call to each number, in which a ticket and the customer number of a contact were typed."""
    make_contact("Berta Kurz", customer_number="58213", company="Kurz GmbH")
    for number in called:
        map_variable(number, url="https://helpdesk.example.com/tickets/{value}")
        map_variable(number, "customer")
        name = f"{number.label} typed"
        variables = {"collected_ticket": "47115", "collected_customer": "58213", "collected_menu": "8"}
        take(
            number,
            "BLOCK_END",
            NOON + timedelta(hours=1),
            call_uuid=name,
            correlation_id=name,
            caller_id_number="anonymous",
            **variables,
        )


def test_what_a_caller_typed_is_shown_only_with_the_right_callers(client, sales, typed):
    page = page_of(client, "Hotline typed")
    words = ["Ticket 47115", "Customer 58213", "Berta Kurz", "Found by the customer number that the caller typed."]
    assert [text for text in words if text not in text_of(page)] == []
    assert 'href="https://helpdesk.example.com/tickets/47115"' in page.content.decode()
    assert callers(client)["Hotline"][0] == "Berta Kurz · Kurz GmbH number withheld"

    page = page_of(client, "Shop typed").content.decode()
    assert [text for text in ("47115", "58213", "Kurz", "helpdesk") if text in page] == []
    assert "collected_ticket" in page  # in the messages, with its value masked
    assert ">8<" in page  # what is not mapped is no caller
    assert callers(client)["Shop"][0] == "number withheld"


def test_files_name_the_contact_whose_customer_number_was_typed(client, sales, typed):
    rows = csv.DictReader(io.StringIO(client.get(f"/reports/calls.csv?{DAY}").getvalue().decode()))
    named = {row["call_uuid"]: row["caller_contact"] for row in rows}
    assert (named["Hotline typed"], named["Shop typed"]) == ("Berta Kurz · Kurz GmbH", "")
    assert named["Hotline 0"] == "Anna Meyer · Meyer GmbH"
