"""The page of a call: the sentence that tells it, the times that apply, its place in the list, what it keeps."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from calls.models import Call, DestinationNumber, Right
from contacts.models import CallNote
from reports.filters.call_paging import CALLS_ON_A_PAGE, MOST_COUNTED
from reports.templatetags.formats import day
from tests.factories import OF_MANAGERS, give, make_number, make_user, take
from tests.reports import html_reader
from tests.reports.helpers import ALL_ON, confirm, show_caller

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 9, 14, 10, 0, tzinfo=UTC)
THREE_TRIED = (
    *((0, "CALL_START"), (3, "INITIATE_FORWARD 2001"), (7, "INITIATE_FORWARD 2002"), (9, "INITIATE_FORWARD 2001")),
    *((11, "INITIATE_FORWARD 2003"), (17, "CALL_END")),
)


@pytest.fixture
def number():
    return make_number(label="Hotline", **ALL_ON)


def receive(number, posts, at=NOON, **more):
    for second, kind in posts:
        take(number, kind, at + timedelta(seconds=second), call_uuid=f"{at}", **more)
    return Call.objects.get(call_uuid=f"{at}")


def sign_in(client, number, *more):
    client.force_login(make_user(numbers=[number], rights=[*OF_MANAGERS, *more]))
    return client


def page_of(client, call, query=""):
    return html_reader.page(client, f"{call.get_absolute_url()}{query}")


@pytest.mark.parametrize(
    ("posts", "sentence", "times"),
    [
        (
            [(0, "CALL_START"), (2, "INITIATE_FORWARD 2001"), (12, "FORWARD_ANSWER 2001"), (270, "CALL_END")],
            "Answered by 2001 after 12 s; talked 4 min 18 s.",
            ["Started", "Waiting time", "Ringing time", "Talk time"],
        ),
        (
            [(2, "INITIATE_FORWARD 2001"), (12, "FORWARD_ANSWER 2001"), (112, "CALL_END")],
            "Answered by 2001; talked 1 min 40 s.",
            ["Started", "Waiting time", "Ringing time", "Talk time"],
        ),
        (
            [(0, "CALL_START"), (12, "FORWARD_ANSWER 2001")],
            "Answered by 2001 after 12 s. The end has not been reported yet.",
            ["Started", "Waiting time"],
        ),
        (
            THREE_TRIED,
            "Not answered. The caller waited 17 s; 2001, 2002 and 2003 rang for 14 s.",
            ["Started", "Waited", "Ringing time"],
        ),
        (
            [(0, "CALL_START"), *((n, f"INITIATE_FORWARD 200{n}") for n in range(1, 6)), (17, "CALL_END")],
            "Not answered. The caller waited 17 s; 2001, 2002, 2003 and 2 more rang for 16 s.",
            ["Started", "Waited", "Ringing time"],
        ),
        (
            [(0, "INITIATE_FORWARD 2001"), (30, "CALL_END")],
            "Not answered. 2001 rang for 30 s.",
            ["Started", "Waited", "Ringing time"],
        ),
        (
            [(0, "CALL_START"), (9, "CALL_END")],
            "Hung up after 9 s, before any destination rang.",
            ["Started", "Waited"],
        ),
        (
            [(0, "CALL_START"), (3, "CALL_END")],
            "Short call. The caller hung up after 3 s.",
            ["Started", "Waited"],
        ),
        (
            [(0, "CALL_START"), (5, "BLOCK_END SAY")],
            "Ongoing since 12:00:00.",
            ["Started", "Duration"],
        ),
        (
            [(0, "CALL_START"), (5, "INITIATE_FORWARD 2001")],
            "Ongoing since 12:00:00. 2001 rang.",
            ["Started", "Duration"],
        ),
    ],
)
def test_a_sentence_tells_the_call_and_only_times_that_apply_are_shown(client, number, posts, sentence, times):
    sign_in(client, number, "people")

    page = page_of(client, receive(number, posts))

    assert page.lead == sentence
    assert list(page.figures) == times
    assert "–" not in {figure[0] for figure in page.figures.values()}


def test_a_wait_whose_start_was_not_reported_is_not_measured(client, number):
    page = page_of(sign_in(client, number), receive(number, [(0, "INITIATE_FORWARD 2001"), (30, "CALL_END")]))
    assert page.figures["Waited"][0] == "not measured"


def test_a_call_that_was_closed_without_an_end_says_so(client, number):
    call = receive(number, [(0, "CALL_START"), (3, "INITIATE_FORWARD 2001")])
    Call.objects.update(silent_at=NOON + timedelta(hours=4))

    page = page_of(sign_in(client, number, "people"), call)
    assert page.lead == ("Not answered. 2001 rang. The end was not reported, so the call was closed without an end.")

    Call.objects.update(forwarded_at=None)
    assert page_of(client, call).lead.startswith("Outcome unknown. The end was not reported")


def test_a_call_that_the_plan_handled_says_how_long_that_took(client):
    number = make_number(expects_forward=False, **ALL_ON)
    page = page_of(sign_in(client, number), receive(number, [(0, "CALL_START"), (40, "CALL_END")]))
    assert page.lead == "Handled automatically by the routing plan; it took 40 s."
    assert list(page.figures) == ["Started", "Duration"]


def test_a_callback_says_that_it_is_not_counted(client, number):
    posts = [(0, "CALL_START"), (9, "FORWARD_ANSWER 2001"), (30, "CALL_END")]
    page = page_of(sign_in(client, number, "people"), receive(number, posts, callback_id="c-1"))
    assert page.lead == "Callback, answered by 2001; talked 21 s. It is listed but not counted."
    assert "Waiting time" not in page.figures


def test_an_outcome_that_is_not_measured_names_the_box_to_tick(client, number):
    call = receive(number, [(0, "CALL_START"), (3, "INITIATE_FORWARD 2001"), (17, "CALL_END")])
    DestinationNumber.objects.update(forward_answer="off")

    page = page_of(sign_in(client, number), call)

    assert page.lead.startswith("The outcome is not measured")
    assert "The box “when a forward is answered” is set to off" in page.lead


def test_the_day_of_a_call_is_named_once_on_the_way_to_it(client, number):
    call = receive(number, [(0, "CALL_START"), (9, "CALL_END")])
    of_call = day(call.first_post_at)
    sign_in(client, number)
    for query in ("", f"?from={NOON.date()}&to={NOON.date()}", "?period=all"):
        html = client.get(call.get_absolute_url() + query).content.decode()
        way = re.sub(r"<[^>]+>", " ", html.partition('id="to-list"')[2].partition("<h1")[0])
        assert way.count(of_call) == 1, query


def test_destinations_are_neither_named_nor_counted_where_they_are_hidden(client, number):
    answer = sign_in(client, number).get(receive(number, THREE_TRIED).get_absolute_url())
    html = answer.content.decode()
    assert "Not answered. The caller waited 17 s; it rang for 14 s." in html
    assert "destinations rang" not in html
    assert not re.search("200[123]", html)


def test_a_gap_is_shown_only_if_it_is_over_a_second(client, number):
    call = receive(number, [(0, "CALL_START"), (1, "BLOCK_END SAY"), (3.5, "CALL_END")])
    happened = page_of(sign_in(client, number), call).happened
    html = client.get(call.get_absolute_url()).content.decode()
    assert html.count("after the previous message") == 1, happened
    assert "2.5 s after the previous message" in html


def bare_calls(number, calls):
    Call.objects.bulk_create(
        Call(
            destination_number=number,
            call_uuid=f"call {n}",
            first_post_at=NOON + timedelta(minutes=n),
            last_post_at=NOON + timedelta(minutes=n, seconds=30),
            decided_by=["1", "", "", "", ""],
        )
        for n in range(calls)
    )
    return list(Call.objects.order_by("-first_post_at"))


def test_a_call_says_its_place_in_the_list_and_leads_back_to_the_page_with_it(client, number):
    other = make_number("+4922155400301", **ALL_ON)
    calls = bare_calls(number, 2 * CALLS_ON_A_PAGE + 20)
    receive(other, [(0, "CALL_START")])
    sign_in(client, number)
    for place in (1, CALLS_ON_A_PAGE, CALLS_ON_A_PAGE + 1, CALLS_ON_A_PAGE + 12, len(calls)):
        call = calls[place - 1]
        answer = client.get(f"{call.get_absolute_url()}?outcome=in_progress")
        page = answer.context["page"]
        assert page.place_in_words == f"{place} of {len(calls)}"
        assert page.previous == (calls[place - 2].pk if place > 1 else None)
        assert page.following == (calls[place].pk if place < len(calls) else None)
        [back] = re.findall(rf'href="(/reports/calls/[^"]*)#call-{call.pk}"', answer.content.decode())
        listed = client.get(unescape(back))
        first = (place - 1) // CALLS_ON_A_PAGE * CALLS_ON_A_PAGE
        assert [row.call for row in listed.context["page"].rows] == calls[first : first + CALLS_ON_A_PAGE]
        assert f'id="call-{call.pk}"' in listed.content.decode()


def test_places_are_counted_up_to_a_thousand(client, number):
    calls = bare_calls(number, MOST_COUNTED + 2)
    sign_in(client, number)
    words = {
        place: client.get(f"{calls[place - 1].get_absolute_url()}?period=all").context["page"].place_in_words
        for place in (1, MOST_COUNTED, MOST_COUNTED + 1)
    }
    assert list(words.values()) == ["1 of more than 1,000", "1,000 of more than 1,000", "beyond the first 1,000"]
    Call.objects.filter(pk__in=[call.pk for call in calls[-2:]]).delete()
    assert client.get(f"{calls[0].get_absolute_url()}?period=all").context["page"].place_in_words == "1 of 1,000"


def test_a_call_that_its_list_does_not_have_says_no_place_and_keeps_the_calls_beside_it(client, number):
    later, call, earlier = bare_calls(number, 3)
    Call.objects.filter(pk=call.pk).update(ended_at=call.last_post_at)
    sign_in(client, number)
    page = client.get(f"{call.get_absolute_url()}?outcome=in_progress").context["page"]
    assert (page.previous, page.following, page.place_in_words) == (later.pk, earlier.pk, "")
    answer = client.get(f"{call.get_absolute_url()}?outcome=answered&from=2026-09-15&to=2026-09-15")
    assert answer.context["page"].place_in_words == ""
    assert f'href="/reports/calls/?from=2026-09-15&amp;to=2026-09-15&amp;outcome=answered#call-{call.pk}"' in (
        answer.content.decode()
    )


def test_without_a_list_the_previous_call_is_the_one_before_it_of_its_number(client, number):
    later, call, earlier = bare_calls(number, 3)
    page = sign_in(client, number).get(call.get_absolute_url()).context["page"]
    assert (page.previous, page.following, page.place_in_words) == (earlier.pk, later.pk, "")


def test_a_note_that_was_begun_is_there_after_the_caller_was_shown_and_is_not_stored(client, number):
    call = receive(number, [(0, "CALL_START")])
    user = make_user("person")
    give(user, number, Right.CALLS, Right.CALLERS)
    client.force_login(user)
    confirm(client)
    begun = {"result": "call_back", "text": "Wants an offer <b>"}

    for reason in ("", "call back"):  # also if it is not shown
        answer = client.post(call.get_absolute_url(), {"show_caller": "1", "reason": reason} | begun)
        html = answer.content.decode()
        assert "Wants an offer &lt;b&gt;</textarea>" in html
        assert '<option value="call_back" selected>' in html
    assert not CallNote.objects.exists()


def test_a_caller_is_dialled_and_copied_only_where_it_is_shown_whole(client, number):
    call = receive(number, [(0, "CALL_START")])
    user = make_user("person")
    give(user, number, Right.CALLS, Right.CALLERS)
    client.force_login(user)
    confirm(client)
    masked = client.get(call.get_absolute_url()).content.decode()
    assert "tel:" not in masked
    assert "data-copy" not in masked

    shown = show_caller(client, call).content.decode()
    assert f'href="tel:{call.caller_id_number}"' in shown
    assert 'data-copy="whole-caller"' in shown


def test_phone_numbers_that_a_call_was_forwarded_to_are_written_as_elsewhere(client, number):
    answered = [(2, "INITIATE_FORWARD +491713920011"), (12, "FORWARD_ANSWER +491713920011")]
    call = receive(number, [(0, "CALL_START"), *answered, (30, "CALL_END")])

    response = sign_in(client, number, Right.PEOPLE).get(call.get_absolute_url()).content.decode()
    happened = response.partition("What happened")[2].partition("Technical details")[0]

    assert "Forwarding 1 to +49 171 3920011" in happened
    assert "+49 171 3920011 answered" in happened
    assert "+491713920011" not in happened
