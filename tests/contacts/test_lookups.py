"""Look-ups: how another system is asked who calls, how its answer is read, and what is said when there is none."""

import json

import pytest
from django.core.exceptions import ValidationError

from contacts import lookups
from contacts.lookup_format import Found, NotReadable, read
from contacts.models import Lookup, LookupAnswer
from tests.web_server import web_server

pytestmark = pytest.mark.django_db

CALLER, NUMBER = "+491711234567", "+4922155400300"
RECORD = {"person": {"full": "Anna Meyer"}, "firm": "Meyer GmbH", "id": 1001, "page": "https://crm.example.com/1001"}
PATHS = {"name": "person.full", "company": "firm", "customer_number": "id", "url": "page", "note": "remarks[0]"}
ANNA = Found("Anna Meyer", "Meyer GmbH", "1001", "https://crm.example.com/1001")


def found_in(answer, list_path="", paths=PATHS):
    return read(json.dumps(answer).encode(), list_path, paths)


@pytest.fixture
def server(settings):
    settings.OUTGOING_LOOPBACK = True
    with web_server() as server:
        server.answers({"items": [RECORD]})
        yield server


def make_lookup(server, **fields):
    values = {"name": "CRM", "url": f"{server.url}/find?tel={{caller}}", "is_on": True, "list_path": "items"}
    paths = {f"{field}_path": path for field, path in PATHS.items()}
    lookup = Lookup(**(values | paths | fields))
    lookup.full_clean(exclude=["header_secret"])
    lookup.save()
    return lookup


# --- How answers are read ------------------------------------------------------------------------


def test_the_first_record_is_read_wherever_the_list_is():
    two = [RECORD, {"firm": "Another"}]
    assert found_in(RECORD) == found_in([RECORD]) == ANNA
    assert found_in({"data": {"items": two}}, "data.items") == Found(**(vars(ANNA) | {"others": 1}))
    assert found_in([RECORD | {"remarks": ["Pays late", "x"]}]).note == "Pays late"


@pytest.mark.parametrize("answer", [None, [], {}, [None], ""])
def test_an_empty_answer_is_nobody(answer):
    assert found_in(answer) is None
    assert found_in({"items": answer}, "items") is None
    assert read(b"", "", PATHS) is None


def test_an_answer_that_cannot_be_read_says_why():
    with pytest.raises(NotReadable, match="not JSON"):
        read(b"<html>", "", PATHS)
    with pytest.raises(NotReadable, match="not JSON"):
        read(b"[" * 60_000, "", PATHS)
    with pytest.raises(NotReadable, match="none of the expressions") as raised:
        found_in({"surname": "Meyer", "firm": None})
    assert raised.value.detail == "The record has: surname, firm."
    with pytest.raises(NotReadable, match="does not fit the answer"):
        found_in({"firm": 5}, paths={"company": "length(firm)"})


def test_only_short_texts_and_allowed_links_are_taken():
    odd = {"person": {"full": ["Anna"]}, "firm": "x" * 999, "id": True, "page": "javascript:alert(1)"}
    assert found_in(odd) == Found(company="x" * 200)
    for page in ("http://crm.example.com/", "https://user@crm.example.com/", "//crm.example.com", "https://a/{caller}"):
        assert found_in(RECORD | {"page": page}).url == ""


# --- How the other system is asked -----------------------------------------------------------------


def test_it_is_asked_for_the_caller_with_the_secret_in_its_header(server):
    lookup = make_lookup(server, url=server.url + "/{number}/{caller_national}?d={caller_digits}&c={caller}")
    lookup.header_name = "X-Api-Key"
    lookup.set_secret("key of the CRM")
    lookup.save()
    asked = lookups.ask(Lookup.objects.get(), CALLER, NUMBER, 5)
    assert (asked.status, asked.error, asked.found) == (200, "", ANNA)
    [(path, headers)] = server.asked
    assert path == "/%2B4922155400300/01711234567?d=491711234567&c=%2B491711234567"
    assert (headers["x-api-key"], headers["accept"]) == ("key of the CRM", "application/json")
    assert "key of" not in str(Lookup.objects.values().get())


@pytest.mark.parametrize(
    ("status", "error"),
    [(302, "redirects"), (401, "refuses access"), (403, "refuses access"), (429, "429"), (500, "500")],
)
def test_a_status_that_is_no_success_is_said_in_words(server, status, error):
    server.answers([RECORD], status)
    server.headers = {"Location": "/elsewhere"} if status == 302 else {}
    asked = lookups.ask(make_lookup(server, list_path=""), CALLER, NUMBER, 5)
    assert (asked.status, asked.found) == (status, None)
    assert error in asked.error
    assert len(server.asked) == 1


def test_not_found_is_nobody_and_no_failure(server):
    lookup = make_lookup(server)
    for status in (404, 204):
        server.status, server.body = status, b""
        asked = lookups.ask(lookup, CALLER, NUMBER, 5)
        assert (asked.status, asked.found, asked.error) == (status, None, "")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"url": "https://crm.example.com/"}, "needs the caller"),
        ({"url": "https://crm.example.com/{caler}"}, "{caler} is not known"),
        ({"url": "https://crm.example.com/{caller"}, "close each brace"),
        ({"url": "https://{caller}.example.com/"}, "The host is fixed"),
        ({"url": "https://user@crm.example.com/{caller}"}, "The host is fixed"),
        ({"url": "ftp://crm.example.com/{caller}"}, "must begin with https://"),
        ({"url": "http://crm.example.com/{caller}"}, "must begin with https://"),
        ({"name_path": "person..full"}, "not a JMESPath expression"),
        ({"header_name": "Host"}, "name of a header"),
        ({"header_name": "X Key"}, "name of a header"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_entered(server, settings, fields, why):
    settings.OUTGOING_LOOPBACK = False
    with pytest.raises(ValidationError) as raised:
        make_lookup(server, **({"url": "https://crm.example.com/{caller}"} | fields))
    assert why in str(raised.value)


# --- Answers that are kept ---------------------------------------------------------------------


def ask_and_keep(lookup, caller=CALLER, number=NUMBER):
    answer = lookups.claim(lookup, caller, number)
    if answer is not None:
        lookups.keep(lookup, answer, lookups.ask(lookup, caller, number, 5))
    return answer is not None


def expire():
    for answer in LookupAnswer.objects.all():
        LookupAnswer.objects.filter(pk=answer.pk).update(expires_at=answer.asked_at)


def test_an_answer_is_kept_so_that_nobody_asks_again_until_it_expires(server):
    lookup, other = make_lookup(server), "+4930123456"
    assert ask_and_keep(lookup)
    assert not ask_and_keep(lookup)
    assert not ask_and_keep(lookup, number="+4989123456")  # the address does not name the number
    server.answers([], 200)
    server.body = b'{"items": []}'
    assert ask_and_keep(lookup, other)
    assert not ask_and_keep(lookup, other)
    assert len(server.asked) == 2
    kept = lookups.answers_for([(CALLER, NUMBER), (other, NUMBER), ("", NUMBER)])
    assert {key: [(one.lookup, one.found) for one in several] for key, several in kept.items()} == {
        (CALLER, NUMBER): [("CRM", ANNA)]
    }
    minutes = {row.caller: (row.expires_at - row.asked_at).total_seconds() / 60 for row in LookupAnswer.objects.all()}
    assert minutes == {CALLER: pytest.approx(10, abs=0.2), other: pytest.approx(1, abs=0.2)}

    expire()
    assert lookups.answers_for([(CALLER, NUMBER)]) == {}
    assert lookups.clear() == 2


def test_after_five_failures_in_a_row_it_rests_for_a_minute(server):
    lookup = make_lookup(server)
    server.status = 500
    for failures in range(1, 6):
        assert lookups.asked_now() == [lookup]
        assert ask_and_keep(lookup)  # nothing is kept of a failure
        assert Lookup.objects.get().failures == failures
    assert lookups.asked_now() == []
    assert "500" in Lookup.objects.get().last_failure
    server.answers({"items": [{CALLER: "Anna Meyer"}]})
    assert ask_and_keep(lookup)
    assert CALLER not in Lookup.objects.get().last_failure  # it is shown on a page
    assert LookupAnswer.objects.count() == 0

    Lookup.objects.update(rests_until="2026-01-01T00:00Z")
    assert lookups.asked_now() == [lookup]
    server.answers({"items": [RECORD]})
    assert ask_and_keep(lookup)
    lookup.refresh_from_db()
    assert (lookup.failures, lookup.rests_until, lookup.last_failure) == (0, None, "")


def test_what_was_asked_before_a_look_up_was_changed_is_neither_kept_nor_counted(server):
    lookup = make_lookup(server)
    for asked in (lookups.Asked(0.1, error="It failed."), lookups.Asked(0.1, 200, ANNA)):
        answer = lookups.claim(lookup, CALLER, NUMBER)
        LookupAnswer.objects.all().delete()  # as saving it in the admin does
        lookups.keep(lookup, answer, asked)
    assert Lookup.objects.get().failures == 0
    assert lookups.answers_for([(CALLER, NUMBER)]) == {}
