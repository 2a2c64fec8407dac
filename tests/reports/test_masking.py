"""Callers and destinations on pages and in files, for people who may not see all of them."""

import io
import re
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from calls import phones
from calls.models import Call, Right
from reports.queries import forwards
from tests.conftest import and_in_full
from tests.factories import give, make_number, make_user, take
from tests.reports.helpers import NUMBER_TABS, listed, roll_up

pytestmark = pytest.mark.django_db(transaction=True)

TEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
DAY = "from=2026-03-03&to=2026-03-03"
CALLERS = {"hotline": "+4917012345678", "shop": "+4915199988877"}
MASKED = {"hotline": "+4917012345•••", "shop": "+4915199988•••"}
# The hotline has as many destinations as single ones need to be shown; the shop has fewer.
DESTINATIONS = {
    "hotline": ["anna.qx", "bert.qx", "carl.qx", "dora.qx", "+492216665544"],
    "shop": ["otto.qx", "paul.qx"],
}
KINDS = ("counts", "blocks", "forwards", "peaks", "times", "week", "coverage", "calls")
SOME = [(Right.CALLS,), (Right.CALLS, Right.EXPORT)]
CALLS_WITHOUT_CALLERS = and_in_full([(), (Right.CALLS, Right.PEOPLE, Right.EXPORT)], *SOME)
CALLS_WITHOUT_PEOPLE = and_in_full([(), (Right.CALLS, Right.CALLERS, Right.EXPORT)], *SOME)


@pytest.fixture
def numbers(settings):
    """The hotline and the shop, each with a call for each of its destinations, all by the same caller."""
    settings.FORWARDS_LEAST_DESTINATIONS = 5
    numbers = {"hotline": make_number(label="Hotline"), "shop": make_number("+4922155400301", label="Shop")}
    for name, number in numbers.items():
        for n, destination in enumerate(DESTINATIONS[name]):
            for second, kind in enumerate(("CALL_START", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")):
                named = {}
                if kind in {"INITIATE_FORWARD", "FORWARD_ANSWER"}:
                    kind_of = "EXTERNALNUMBER" if destination.startswith("+") else "SIP_USER"
                    named = {"destination": destination, "destinationType": kind_of}
                take(
                    number,
                    kind,
                    TEN + timedelta(minutes=n, seconds=9 * second),
                    call_uuid=f"{name}-{n}",
                    correlation_id=f"c-{name}-{n}",
                    caller_id_number=CALLERS[name],
                    ani=CALLERS[name],
                    agent=destination,
                    **named,
                )
    roll_up()
    return numbers


def person(client, given):
    """Sign in as a new person; `given` has the rights for each number."""
    user = make_user("person")
    for number, rights in given.items():
        give(user, number, *rights)
    client.force_login(user)
    return user


def text_of(answer):
    """Return everything that an answer shows, also in the cells of a workbook; blanks and punctuation left out."""
    body = b"".join(answer)
    answer.close()
    if body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(body)) as book:
            body = b" ".join(book.read(name) for name in book.namelist())
    return re.sub(r"[ ()/\u00a0]", "", body.decode())


def everything(client, numbers):
    """Return what a person sees by address: all pages, all calls, all files; also how each was answered."""
    pages = [*("", "busy-hours/", "trend/", "numbers/", "forwards/", "calls/", "data-quality/", "glossary/")]
    pages += [f"numbers/{number.pk}/{tab}" for number in numbers.values() for tab in NUMBER_TABS]
    pages += [f"calls/{pk}/" for pk in Call.objects.values_list("pk", flat=True)]
    pages += [f"{kind}.{ending}" for kind in KINDS for ending in ("csv", "xlsx")] + ["planner.csv"]
    chosen = [f"&number=%2B{number.e164[1:]}" for number in numbers.values()]
    addresses = [f"/reports/{page}?{DAY}{more}" for page in pages for more in ("", *chosen)]
    addresses += [f"/reports/{kind}.csv?{DAY}&format=excel" for kind in KINDS]
    return {address: text_of(client.get(address)) for address in addresses}


def found_in(texts, wanted):
    """Return the addresses whose text has one of these."""
    return [(address, word) for address, text in texts.items() for word in wanted if word in text]


def spellings(number):
    """Return a number with and without its plus, and its last seven digits."""
    return [number, number[1:], number[-7:]]


# --- Nothing without the right ---------------------------------------------------------------------


@pytest.mark.parametrize("rights", CALLS_WITHOUT_PEOPLE)
def test_without_people_no_destination_is_on_any_page_or_in_any_file(client, numbers, rights):
    person(client, dict.fromkeys(numbers.values(), rights))

    texts = everything(client, numbers)

    assert found_in(texts, [".qx", *spellings("+492216665544")]) == []
    assert "SIPuser" in texts[f"/reports/forwards/?{DAY}"]


@pytest.mark.parametrize("rights", CALLS_WITHOUT_CALLERS)
def test_without_callers_no_whole_caller_is_on_any_page_or_in_any_file(client, numbers, rights):
    person(client, dict.fromkeys(numbers.values(), rights))

    texts = everything(client, numbers)

    assert found_in(texts, [text for caller in CALLERS.values() for text in spellings(caller)]) == []
    if Right.CALLS in rights:
        assert MASKED["hotline"] in texts[f"/reports/calls/?{DAY}"]


def test_destinations_are_shown_one_by_one_only_where_enough_were_tried(client, numbers):
    person(client, dict.fromkeys(numbers.values(), tuple(Right)))
    hotline, shop = (f"{DAY}&number=%2B{number.e164[1:]}" for number in numbers.values())

    texts = everything(client, numbers)

    for address in ("forwards/", "forwards.csv", "forwards.xlsx", "calls.csv", "calls.xlsx"):
        assert "anna.qx" in texts[f"/reports/{address}?{hotline}"], address
        assert ".qx" not in texts[f"/reports/{address}?{shop}"], address
    assert "SIP_USER" in texts[f"/reports/calls.csv?{shop}"]


def test_the_destinations_of_one_call_are_shown_to_those_who_may_see_them(client, numbers):
    person(client, dict.fromkeys(numbers.values(), (Right.CALLS, Right.PEOPLE)))
    call = Call.objects.get(call_uuid="shop-0")

    page = text_of(client.get(call.get_absolute_url()))

    assert "Forwarding1tootto.qx" in page
    assert "otto.qxanswered" in page


def test_a_call_says_what_is_hidden_in_it(client, numbers):
    person(client, {numbers["hotline"]: (Right.CALLS,)})
    page = client.get(Call.objects.get(call_uuid="hotline-0").get_absolute_url()).content.decode()

    assert "Hidden digits are shown only with the right to callers." in page
    assert "Callers and destinations are hidden in the messages too." in page
    assert "A destination answered" in page


# --- A right for one number and not for the other -------------------------------------------------


def test_pages_and_files_mask_callers_whatever_the_rights(client, numbers):
    person(client, dict.fromkeys(numbers.values(), tuple(Right)))

    texts = everything(client, numbers)

    assert found_in(texts, [word for name in numbers for word in spellings(CALLERS[name])]) == []
    for address in ("calls/", "calls.csv", "calls.xlsx"):
        assert MASKED["hotline"] in texts[f"/reports/{address}?{DAY}"], address


def test_a_masked_caller_is_written_without_spaces_in_files_and_needs_the_right_to_download(client, numbers):
    user = person(client, {numbers["hotline"]: (Right.CALLS, Right.EXPORT)})
    address = f"/reports/calls.csv?{DAY}"
    assert f",{MASKED['hotline']}," in text_of(client.get(address))
    assert f";+49{MASKED['hotline'][3:]};" in text_of(client.get(f"{address}&format=excel"))
    give(user, numbers["hotline"], Right.CALLS, Right.CALLERS)
    assert client.get(address).status_code == 403


def test_a_file_of_two_numbers_names_destinations_by_the_right_for_each(client, numbers):
    person(client, {numbers["hotline"]: (Right.CALLS, Right.EXPORT), numbers["shop"]: tuple(Right)})

    text = text_of(client.get(f"/reports/calls.csv?{DAY}"))

    # The shop alone has too few, and the destinations of the hotline do not count for it.
    assert ".qx" not in text


def test_a_workbook_says_what_is_hidden_in_it(client, numbers):
    given = {numbers["hotline"]: tuple(Right), numbers["shop"]: (Right.CALLS, Right.EXPORT)}
    person(client, given)

    text = text_of(client.get(f"/reports/calls.xlsx?{DAY}"))

    assert "Withoutthelastthreedigits" in text
    assert "ifatleast5weretriedinthem" in text


def test_a_withheld_caller_is_told_apart_from_a_masked_one(client, numbers):
    take(numbers["shop"], "CALL_START", TEN, call_uuid="withheld", caller_id_number="anonymous")
    take(numbers["shop"], "CALL_START", TEN, call_uuid="short", caller_id_number="1001")
    person(client, {numbers["shop"]: (Right.CALLS, Right.EXPORT)})

    page = client.get(f"/reports/calls/?{DAY}").content.decode()
    rows = text_of(client.get(f"/reports/calls.csv?{DAY}")).splitlines()

    assert page.count("number withheld") == 1
    assert [row.split(",")[5] for row in rows if row.startswith("withheld")] == [""]
    assert [row.split(",")[5] for row in rows if row.startswith("short")] == ["•••"]


# --- Searches --------------------------------------------------------------------------------------


def search(client, text):
    return client.post("/reports/calls/", {"q": text}, follow=True)


def found(page):
    return sorted(row.call.call_uuid for row in page.context["page"].rows)


def same_for(page, text):
    """Return the page without what differs for every search: its text, its token and the tokens of forms."""
    html = page.content.decode()
    for word in (text, phones.readable(text), page.context["page"].search.token):
        html = html.replace(word, "…")
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", html)


@pytest.mark.parametrize(
    ("right", "wrong"), [("+4917012345678", "+4917012345679"), ("5678", "5679"), ("+49170", "+49171"), ("0170", "0171")]
)
def test_a_masked_search_answers_the_same_whether_the_caller_exists(client, numbers, right, wrong):
    person(client, dict.fromkeys(numbers.values(), (Right.CALLS, Right.EXPORT)))

    pages = [search(client, text) for text in (right, wrong)]

    assert [found(page) for page in pages] == [[], []]
    assert "Callers are not searched" in pages[0].content.decode()
    assert same_for(pages[0], right) == same_for(pages[1], wrong)


def test_without_callers_an_id_and_withheld_are_still_found(client, numbers):
    take(numbers["shop"], "CALL_START", TEN, call_uuid="withheld", caller_id_number="anonymous")
    person(client, dict.fromkeys(numbers.values(), (Right.CALLS,)))

    assert found(search(client, "shop-1")) == ["shop-1"]
    assert found(search(client, "c-shop-0")) == ["shop-0"]
    assert found(search(client, "anonymous")) == ["withheld"]
    assert "call_uuid or correlation_id" in search(client, "shop-1").content.decode()


def test_callers_are_searched_only_in_numbers_whose_callers_one_sees(client, numbers):
    person(client, {numbers["hotline"]: (Right.CALLS, Right.CALLERS), numbers["shop"]: (Right.CALLS,)})

    for text in ("+4917012345678", "0170 12345678", "5678", "+49170"):
        assert len(found(search(client, text))) == len(DESTINATIONS["hotline"]), text
    for text in ("+4915199988877", "8877", "+49151"):
        page = search(client, text)
        assert found(page) == [], text
        assert "Callers are searched only in calls to numbers whose callers you may see" in page.content.decode()


def of_same_caller(client, uuid):
    """Ask for all calls of a caller as the page of a call does."""
    return client.post("/reports/calls/", {"caller_of": Call.objects.get(call_uuid=uuid).pk}, follow=True)


def test_all_calls_of_a_masked_caller_are_listed_without_telling_who_it_is(client, numbers):
    take(numbers["hotline"], "CALL_START", TEN, call_uuid="another", caller_id_number="+4917012345999")
    person(client, {numbers["hotline"]: (Right.CALLS,)})

    page = of_same_caller(client, "hotline-0")

    assert found(page) == [f"hotline-{n}" for n in range(5)]
    assert found_in({"": re.sub(r"[ -]", "", page.content.decode())}, spellings(CALLERS["hotline"])) == []
    assert "12345" not in page.redirect_chain[-1][0]


def test_calls_of_a_caller_never_join_whole_and_masked_callers(client, numbers):
    for name, number in numbers.items():
        take(number, "CALL_START", TEN, call_uuid=f"both-{name}", caller_id_number="+4930123456")
    person(client, {numbers["hotline"]: (Right.CALLS, Right.CALLERS), numbers["shop"]: (Right.CALLS,)})

    assert found(of_same_caller(client, "both-hotline")) == ["both-hotline"]
    assert found(of_same_caller(client, "both-shop")) == ["both-shop"]


def test_the_caller_of_a_call_that_one_may_not_see_is_not_searched(client, numbers):
    person(client, {numbers["hotline"]: (Right.CALLS,), numbers["shop"]: ()})

    page = of_same_caller(client, "shop-0")

    assert found(page) == []
    assert "This search has expired" in page.content.decode()


# --- Addresses -------------------------------------------------------------------------------------


def addresses_on(page):
    return re.findall(r'(?:href|hx-get|action)="([^"]*)"', page.content.decode())


def test_no_address_has_a_caller_or_a_destination(client, numbers):
    person(client, dict.fromkeys(numbers.values(), tuple(Right)))
    pages = [client.get(f"/reports/{page}?{DAY}") for page in ("", "forwards/", "calls/", "when/")]
    pages += [search(client, "+4917012345678"), of_same_caller(client, "hotline-0")]
    pages += [client.get(call.get_absolute_url()) for call in Call.objects.all()]
    wanted = [*(word for name in numbers for word in (CALLERS[name][1:], *DESTINATIONS[name])), ".qx", "2216665544"]

    found_there = [(page.request["PATH_INFO"], link) for page in pages for link in addresses_on(page)]

    assert [one for one in found_there if any(word in one[1] for word in wanted)] == []
    assert any("tried=" in link for _page, link in found_there)


def test_a_link_to_the_calls_of_a_destination_can_be_shared_with_whoever_may_see_it(client, numbers):
    address = f"/reports/calls/?{DAY}&tried={forwards.token('SIP_USER:anna.qx')}"
    user = person(client, {numbers["hotline"]: tuple(Right)})
    assert listed(client, address) == ["hotline-0"]
    assert "Tried at anna.qx" in client.get(address).content.decode()

    give(user, numbers["hotline"], Right.CALLS, Right.CALLERS, Right.EXPORT)
    page = client.get(address).content.decode()
    assert "you may not list calls of single destinations" in page
    assert "anna.qx" not in page

    give(user, numbers["hotline"], *Right)
    give(user, numbers["shop"], Right.CALLS, Right.EXPORT)
    assert "you may not list calls of single destinations" in client.get(address).content.decode()
    assert listed(client, f"{address}&number=%2B{numbers['hotline'].e164[1:]}") == ["hotline-0"]


def test_a_destination_of_other_numbers_is_answered_like_one_that_does_not_exist(client, numbers, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    person(client, {numbers["hotline"]: tuple(Right)})
    pages = []
    for name in ("SIP_USER:otto.qx", "SIP_USER:nobody"):
        token = forwards.token(name)
        page = client.get(f"/reports/calls/?{DAY}&tried={token}").content.decode()
        pages.append(re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", page.replace(token, "…")))

    assert pages[0] == pages[1]
    assert "This link names a destination that these numbers do not have." in pages[0]


def test_a_workbook_names_its_destination_only_while_one_may_see_it(client, numbers, settings, tmp_path):
    settings.FILES_FOLDER = tmp_path
    user = person(client, {numbers["hotline"]: tuple(Right)})
    query = f"{DAY}&tried={forwards.token('SIP_USER:anna.qx')}"
    file = client.post("/reports/files/", {"kind": "calls", "query": query})["Location"]
    assert "Tried at anna.qx" in client.get(file).content.decode()

    give(user, numbers["hotline"], Right.CALLS, Right.CALLERS, Right.EXPORT)

    assert "anna.qx" not in client.get(file).content.decode()
