"""Which posts arrive, which are missing, and which numbers are silent, with what to do."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from calls.models import RequestType
from reports import periods
from reports.counting import rollups
from reports.figures.definitions import FIGURES
from reports.models import QuarterHourCounts
from reports.queries import post_arrivals
from reports.queries.post_arrivals import State
from tests.factories import make_number, make_staff, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)

ALL = ("CALL_START", "BLOCK_END", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")


def call(number, *kinds, at=None, uuid="a"):
    at = at or timezone.now() - timedelta(hours=1)
    for n, kind in enumerate(kinds):
        take(number, kind, at + timedelta(seconds=10 * n), call_uuid=uuid)
    rollups.recount_changed(wait=True)


def troubled(numbers):
    """Return how many numbers lack a message or are silent."""
    found = [*post_arrivals.needing_somebody(numbers), *post_arrivals.silent(numbers, timezone.now())]
    return len({one.number for one in found})


def states(number):
    return {arrival.post.value: arrival.state for arrival in post_arrivals.of_numbers([number])[number]}


@pytest.mark.parametrize(
    ("kinds", "missing"),
    [
        (ALL, set()),
        ((), set()),
        (("CALL_START", "CALL_END"), {"BLOCK_END"}),
        (("BLOCK_END", "CALL_END"), {"CALL_START"}),
        (("CALL_START", "BLOCK_END"), {"CALL_END"}),
        (("CALL_START", "BLOCK_END", "CALL_END"), set()),
        (("CALL_START", "BLOCK_END BRIDGE", "CALL_END"), {"INITIATE_FORWARD"}),
        (("CALL_START", "BLOCK_END", "FORWARD_ANSWER", "CALL_END"), {"INITIATE_FORWARD"}),
        (("CALL_START", "BLOCK_END", "INITIATE_FORWARD", "CALL_END"), set()),  # perhaps no call was answered
    ],
)
def test_a_post_is_missing_only_if_other_posts_imply_it(kinds, missing):
    number = make_number()
    call(number, *kinds)

    by_post = states(number)

    assert {post for post, state in by_post.items() if state is State.MISSING} == missing
    assert troubled([number]) == bool(missing)
    came = {kind.split()[0] for kind in kinds}
    assert {post for post, state in by_post.items() if state is State.ARRIVES} == came


def test_a_box_set_to_off_needs_no_fix():
    number = make_number(block_end="off")
    call(number, "CALL_START", "CALL_END")

    assert states(number)["BLOCK_END"] is State.OFF
    assert troubled([number]) == 0


def test_a_post_that_no_longer_arrives_while_others_do_has_stopped():
    number = make_number()
    call(number, *ALL, at=timezone.now() - timedelta(days=5), uuid="old")
    call(number, "CALL_START", "BLOCK_END", uuid="new")

    (one,) = [one for one in post_arrivals.of_numbers([number])[number] if one.needs_somebody]

    assert (one.post, one.state) == (RequestType.CALL_END, State.STOPPED)
    assert "from TENIOS since" in one.says
    assert troubled([number]) == 1
    assert one.advice == "Tick the box “at the end of the plan” in the routing plan of +49 221 55400300 in TENIOS."


def usual_week(number, calls_an_hour, weeks=4):
    """Write counts of a number that gets calls all the time, up to a week ago."""
    quarter_hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for week in range(1, weeks + 1):
        for hour in range(24):
            at = quarter_hour - timedelta(days=7 * week, hours=hour)
            QuarterHourCounts.objects.create(destination_number=number, quarter_hour=at, offered=calls_an_hour)


def test_a_number_is_silent_if_its_own_weeks_predict_calls():
    busy, quiet = make_number(label="Busy"), make_number("+4930123456", label="Quiet")
    for number in (busy, quiet):
        call(number, "CALL_START", at=timezone.now() - timedelta(hours=5))
    usual_week(busy, 4)
    usual_week(quiet, 1)

    (silence,) = post_arrivals.silent([busy, quiet], timezone.now())

    assert silence.number == busy
    assert 12 <= silence.usual <= 20
    assert "Busy: no calls received since" in silence.says
    # Each lacks a box, too; a number is counted once, and only those that are asked for.
    assert troubled([busy, quiet]) == 2
    for number in (busy, quiet):
        number.block_end = number.call_end = "off"
        number.save()
    assert troubled([busy, quiet]) == 1
    assert troubled([quiet]) == 0
    call(busy, "CALL_START", at=timezone.now(), uuid="again")
    assert not post_arrivals.silent([busy, quiet], timezone.now())


def test_the_page_says_what_to_tick_and_what_is_not_measured(client):
    number = make_number(label="Hotline")
    call(number, "CALL_START", "BLOCK_END BRIDGE", "CALL_END")
    client.force_login(make_user(numbers=[number]))

    page = client.get("/reports/data-quality/").content.decode()

    assert "1 number sends incomplete data." in page
    assert "Tick the box “when a forward starts” in the routing plan of +49 221 55400300 in TENIOS." in page
    assert "<i>not measured</i>: Answered" in page
    overview = client.get("/reports/").content.decode()
    assert f"Hotline: the message “{RequestType.INITIATE_FORWARD.label}” from TENIOS never arrives." in overview
    assert f'#n-{number.pk}"' in overview


def test_managers_see_only_the_data_quality_of_their_numbers(client):
    own, other = make_number(label="Mine"), make_number("+4930123456", label="Other")
    call(other, "CALL_START", "CALL_END")
    client.force_login(make_user(numbers=[own]))

    for page in ("/reports/data-quality/", "/reports/"):
        assert "Other" not in client.get(page).content.decode()


def cells_of(page, label):
    """Return the cells of a number's row in the matrix, as a screen reader reads them."""
    [row] = [row for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if f">{label}<" in row]
    return [" ".join(re.sub(r"<[^>]+>", "", cell).split()) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]


def test_the_matrix_has_a_row_for_each_number_and_problems_come_first(client):
    fine, lacking = make_number(label="Fine"), make_number("+4930123456", label="Lacking", call_end="off")
    call(fine, "CALL_START", "BLOCK_END", "CALL_END")
    call(lacking, "CALL_START", "INITIATE_FORWARD", uuid="b")
    client.force_login(make_user(numbers=[fine, lacking]))

    page = client.get("/reports/data-quality/").content.decode()

    assert cells_of(page, "Lacking")[:5] == ["arrives", "missing", "arrives", "– none so far", "off"]
    assert cells_of(page, "Fine")[:5] == ["arrives", "arrives", "– none so far", "– none so far", "arrives"]
    for number in (fine, lacking):
        assert f'href="#n-{number.pk}"' in page
        assert f'<section class="panel behind" id="n-{number.pk}"' in page
    assert page.index(f'"#n-{lacking.pk}"') < page.index(f'"#n-{fine.pk}"')


def test_the_strip_says_on_which_of_the_last_days_data_were_incomplete(client):
    number = make_number(label="Hotline")
    yesterday = timezone.now() - timedelta(days=1)
    call(number, *ALL, at=yesterday - timedelta(days=1), uuid="before")
    call(number, *ALL[1:], at=yesterday, uuid="without a start")
    client.force_login(make_user(numbers=[number]))
    day = periods.day_label(periods.day_of(yesterday))

    page = client.get("/reports/data-quality/").content.decode()

    assert re.findall(r'day-strip.*?aria-label="([^"]*)"', page) == [f"incomplete on {day}"]
    assert f"Missing on {day}: Call started." in page
    assert "Incomplete for yesterday: 0 of 1 number is complete" in page


def test_the_old_address_leads_on_with_its_query(client):
    answer = client.get("/reports/coverage/?from=2026-11-01&to=2026-11-02")

    assert (answer.status_code, answer.url) == (302, "/reports/data-quality/?from=2026-11-01&to=2026-11-02")


def test_every_figure_is_defined_on_one_page(client):
    client.force_login(make_staff())

    page = client.get("/reports/glossary/").content.decode()

    for key, figure in FIGURES.items():
        assert f'id="{key}"' in page
        assert str(figure.definition)[:40].replace("'", "&#x27;") in page


def test_data_quality_needs_no_query_per_number(client, django_assert_max_num_queries):
    for n in range(12):
        call(make_number(f"+4922155400{n:03}"), "CALL_START", "CALL_END", uuid=f"u{n}")
    client.force_login(make_staff())

    with django_assert_max_num_queries(12):
        client.get("/reports/data-quality/")
