"""Tables are sorted by their heads, heads and names stay in view, columns are chosen; refreshes keep all of it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from calls.ingest import silent_calls
from reports import periods
from reports.counting import rollups
from tests.factories import PASSWORD, make_number, make_staff, make_user, take
from tests.reports.helpers import ALL_ON, OTHER, call

pytestmark = pytest.mark.django_db(transaction=True)

FULL = ("CALL_START", "BLOCK_END", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")
LOST = ("CALL_START", "BLOCK_END", "INITIATE_FORWARD", "CALL_END")
BOXES_OFF = {"initiate_forward": "off", "forward_answer": "off"}
STEPS = "/reports/trend/"
REFRESH = (
    "() => htmx.ajax('GET', location.search, {target: '#live', select: '#live', swap: 'outerHTML', source: '#live'})"
)
TOP = "element => Math.round(element.getBoundingClientRect().top)"
DRAWN = "() => Chart.getChart(document.querySelector('canvas')).data.labels.join()"
LEFT = "element => Math.round(element.getBoundingClientRect().left)"


def two_days():
    """Return the filter of yesterday and today, for calls of the last minutes at any time of day."""
    return f"from={periods.today() - periods.DAY}&to={periods.today()}"


def take_calls(number, answered, lost, wait_s=10):
    """Receive calls of some minutes ago, each of which is answered after `wait_s` or lost."""
    at = timezone.now() - timedelta(minutes=10)
    for n, kinds in enumerate([FULL] * answered + [LOST] * lost):
        for kind in kinds:
            moment = at + timedelta(seconds=wait_s if kind in {"FORWARD_ANSWER", "CALL_END"} else 0)
            uuid = f"{number.pk}-{n}"
            take(number, kind, moment, call_uuid=uuid, correlation_id=uuid)


@pytest.fixture
def numbers():
    make_staff("admin")
    numbers = {
        "Anton": make_number(label="Anton"),
        "Berta": make_number("+4922155400301", label="Berta"),
        "Caesar": make_number("+4922155400302", label="Caesar"),
        "Dora": make_number("+4922155400303", label="Dora", **BOXES_OFF),
    }
    take_calls(numbers["Anton"], answered=2, lost=10, wait_s=9)
    take_calls(numbers["Berta"], answered=11, lost=1, wait_s=100)
    take_calls(numbers["Caesar"], answered=1, lost=2, wait_s=99)
    take_calls(numbers["Dora"], answered=0, lost=1)
    rollups.recount_changed(wait=True)
    return numbers


@pytest.fixture
def overview(live_server, sign_in, numbers):
    page = sign_in("admin", PASSWORD)
    page.goto(f"{live_server.url}/reports/?{two_days()}")
    return page


def head(page, name):
    return page.locator("#t-numbers").get_by_role("columnheader", name=name, exact=True)


def click(page, name):
    head(page, name).locator("button").click()


def names(page):
    return [name.partition("\n")[0] for name in page.locator("#t-numbers tbody th").all_inner_texts()]


def refresh(page):
    """Replace #live as it does itself every ten seconds."""
    with page.expect_response("**/reports/**"):
        page.evaluate(REFRESH)
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")


def test_rows_are_sorted_by_a_head_and_what_has_no_value_is_last(overview):
    page = overview
    assert names(page) == ["Anton", "Caesar", "Berta", "Dora"]  # most lost first
    expect(head(page, "Lost")).to_have_attribute("aria-sort", "descending")

    click(page, "Answered")
    assert names(page) == ["Berta", "Anton", "Caesar", "Dora"]  # 11, 2, 1 as numbers
    click(page, "Answered")
    assert names(page) == ["Caesar", "Anton", "Berta", "Dora"]
    expect(head(page, "Answered")).to_have_attribute("aria-sort", "ascending")
    assert page.locator("#t-numbers [aria-sort]").count() == 1
    click(page, "Waiting time")
    assert names(page) == ["Berta", "Caesar", "Anton", "Dora"]  # 1:40 min is more than 99 s
    click(page, "Number")
    assert names(page) == ["Anton", "Berta", "Caesar", "Dora"]
    assert page.locator("#t-numbers tfoot th").inner_text() == "All 4 numbers"
    assert head(page, "28 days").locator("button").count() == 0


def test_ongoing_and_unknown_calls_are_sorted_by_their_sum_without_links_too(live_server, sign_in):
    numbers = [make_number(label="Anton", **ALL_ON), make_number(OTHER, label="Berta", **ALL_ON)]
    for n in range(2):
        call(numbers[1], f"unknown {n}", timezone.now() - timedelta(days=1), S=0)
    silent_calls.close_silent_calls()
    for number, ongoing in zip(numbers, (2, 1), strict=True):
        for n in range(ongoing):
            call(number, f"ongoing {number.pk} {n}", timezone.now() - timedelta(minutes=5), S=0)
    rollups.recount_changed(wait=True)
    make_user("mona", numbers=numbers, rights=["figures"])
    page = sign_in("mona", PASSWORD)
    page.goto(f"{live_server.url}/reports/?{two_days()}")
    page.locator("#columns summary").click()
    page.get_by_label("Ongoing or unknown").check()
    page.keyboard.press("Escape")

    click(page, "Ongoing or unknown")

    assert page.locator("#t-numbers tbody [data-calls]").count() == 0
    cells = page.locator("#t-numbers tbody .col-in_progress").all_inner_texts()
    assert [text.split() for text in cells] == [["1", "ongoing", "2", "unknown"], ["2", "ongoing"]]
    assert names(page) == ["Berta", "Anton"]


def test_the_keyboard_sorts_and_a_refresh_keeps_order_and_focus(overview):
    page = overview
    button = head(page, "Answered").locator("button")
    button.focus()
    page.keyboard.press("Enter")
    assert names(page)[0] == "Berta"
    page.keyboard.press("Space")
    assert names(page)[0] == "Caesar"
    expect(button).to_be_focused()

    page.locator("#t-numbers").evaluate("table => { table.dataset.before = ''; }")
    refresh(page)

    assert page.locator("#t-numbers[data-before]").count() == 0
    assert names(page)[0] == "Caesar"
    expect(head(page, "Answered")).to_have_attribute("aria-sort", "ascending")
    expect(head(page, "Answered").locator("button")).to_be_focused()
    page.reload()
    assert names(page)[0] == "Caesar"
    assert "calltally-sort" in page.evaluate("() => JSON.stringify(sessionStorage)")


def test_order_and_columns_hold_on_a_page_whose_storage_is_forbidden(overview):
    page = overview
    page.add_init_script(
        """for (const storage of ["localStorage", "sessionStorage"]) {
            Object.defineProperty(window, storage, { get() { throw new DOMException("no", "SecurityError"); } });
        }"""
    )
    page.reload()
    click(page, "Number")
    page.locator("#columns summary").click()
    page.get_by_label("28 days").uncheck()
    page.keyboard.press("Escape")
    refresh(page)
    assert names(page) == ["Anton", "Berta", "Caesar", "Dora"]
    expect(head(page, "28 days")).not_to_be_visible()


def test_all_numbers_are_sorted_and_a_missed_target_is_named(live_server, sign_in, numbers):
    page = sign_in("admin", PASSWORD)
    page.goto(f"{live_server.url}/reports/numbers/?{two_days()}")
    table = page.locator("#t-all-numbers")
    row_heads = table.locator("tbody th a")
    table.get_by_role("columnheader", name="Calls", exact=True).locator("button").click()
    assert row_heads.all_inner_texts()[-1] == "Dora"
    table.get_by_role("columnheader", name="Number", exact=True).locator("button").click()
    assert row_heads.all_inner_texts() == ["Anton", "Berta", "Caesar", "Dora"]
    expect(table.get_by_role("row", name="Berta")).to_contain_text("in 20 s, target 80 %")
    expect(page.locator("#gaps-all-numbers")).to_contain_text("Lost and Service level cover 3 of 4 numbers in full.")

    table.get_by_role("row", name="Caesar").get_by_role("button", name="Pin").click()
    expect(table.get_by_role("row", name="Caesar").get_by_role("button", name="Unpin")).to_be_focused()
    assert row_heads.all_inner_texts() == ["Anton", "Berta", "Caesar", "Dora"]


def test_a_head_without_a_definition_keeps_the_focus_too(overview):
    page = overview
    head(page, "Number").locator("button").focus()
    page.keyboard.press("Enter")
    refresh(page)
    expect(head(page, "Number").locator("button")).to_be_focused()


def test_columns_are_chosen_and_kept(overview):
    page = overview
    shown = "heads => heads.filter((head) => head.checkVisibility()).map((head) => head.innerText.trim())"
    heads = page.locator("#t-numbers thead th")
    at_first = ["Number", "28 days", "Calls", "Answered", "Lost", "Service level", "Waiting time"]
    assert [name.rstrip("↓\u00a0") for name in heads.evaluate_all(shown)] == at_first
    assert page.locator("#t-numbers tbody td[data-from]").get_attribute("colspan") == "4"

    page.locator("#columns summary").click()
    page.get_by_label("Short call").check()
    page.get_by_label("28 days").uncheck()
    page.get_by_label("Answered", exact=True).uncheck()
    page.keyboard.press("Escape")
    chosen = ["Number", "Calls", "Lost", "Service level", "Waiting time", "Short call"]
    for again in (lambda: None, lambda: refresh(page), page.reload):
        again()
        assert [name.rstrip("↓\u00a0") for name in heads.evaluate_all(shown)] == chosen
        # The cell of a number that is not measured ends where the figures of forwards end.
        edge = "cell => Math.round(cell.getBoundingClientRect().right)"
        spanning = page.locator("#t-numbers tbody td[data-from]")
        assert spanning.evaluate(edge) == head(page, "Waiting time").evaluate(edge)

    page.emulate_media(media="print")
    assert [name.rstrip("↓\u00a0") for name in heads.evaluate_all(shown)] == chosen
    expect(page.locator("#columns")).not_to_be_visible()
    assert (
        page.locator("#t-numbers [aria-sort] button").evaluate("b => getComputedStyle(b, '::after').content") == "none"
    )


def test_heads_stay_below_the_filters_while_the_page_scrolls(live_server, sign_in, numbers):
    page = sign_in("admin", PASSWORD, width=1440, height=500)
    page.goto(f"{live_server.url}/reports/?{two_days()}")
    page.locator("#t-numbers tfoot").evaluate("foot => foot.scrollIntoView({block: 'start', behavior: 'instant'})")

    page.evaluate("() => scrollBy({top: -80, behavior: 'instant'})")

    # Below the filters, which stay at the top as well.
    bar = page.locator("#filters").evaluate("bar => bar.getBoundingClientRect().bottom")
    assert bar > 0
    assert head(page, "Lost").evaluate(TOP) == bar
    box = page.locator(".table-responsive:has(#t-numbers)")
    assert box.get_attribute("tabindex") is None  # nothing to scroll, so it is not a stop of the keyboard


def test_the_head_of_a_wide_table_stays_above_its_first_row(live_server, sign_in, numbers):
    page = sign_in("admin", PASSWORD, width=390, height=500)
    page.goto(f"{live_server.url}{STEPS}?{two_days()}&by=day")
    rows = page.locator("#t-steps tr")

    page.evaluate("() => scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")

    below = rows.nth(0).locator("th").first.evaluate("head => head.getBoundingClientRect().bottom")
    assert rows.nth(1).evaluate(TOP) >= below - 1


def test_names_stay_while_a_wide_table_scrolls_sideways(live_server, sign_in, numbers):
    page = sign_in("admin", PASSWORD, width=390, height=844)
    page.goto(f"{live_server.url}{STEPS}?{two_days()}&by=day")
    box = page.locator(".table-responsive:has(#t-steps)")
    assert box.get_attribute("tabindex") == "0"
    name, cell = page.locator("#t-steps tbody th").first, page.locator("#t-steps tbody td").first
    before = name.evaluate(LEFT), cell.evaluate(LEFT)

    box.evaluate("box => { box.scrollLeft = 100; }")

    assert (name.evaluate(LEFT), cell.evaluate(LEFT)) == (before[0], before[1] - 100)


@pytest.mark.parametrize("where", [(STEPS, "t-steps", "From"), ("/reports/", "t-calls", "Day")])
def test_time_steps_are_sorted_and_put_back_in_order(live_server, sign_in, numbers, where):
    address, table, steps = where
    page = sign_in("admin", PASSWORD)
    page.goto(f"{live_server.url}{address}?{two_days()}&by=day")
    page.wait_for_selector("html[data-ready]")
    page.locator(f"#{table}").evaluate(
        "table => { const fold = table.closest('details'); if (fold) fold.open = true; }"
    )
    rows = page.locator(f"#{table} tbody th")
    in_order = rows.all_inner_texts()
    calls, start = (page.locator(f"#{table} thead th button").filter(has_text=name) for name in ("Calls", steps))
    drawn = page.evaluate(DRAWN)

    orders = []
    for _turn in ("descending", "ascending"):
        calls.click()
        orders.append(rows.all_inner_texts())
        page.evaluate("() => document.dispatchEvent(new Event('calltally:theme'))")  # draws the chart again
        assert page.evaluate(DRAWN) == drawn  # in the order of time
    assert in_order[::-1] in orders
    start.click()

    assert rows.all_inner_texts() == in_order
    start.click()
    assert rows.all_inner_texts() == in_order[::-1]


def test_paper_shows_the_columns_that_a_phone_hides(live_server, sign_in, numbers):
    page = sign_in("admin", PASSWORD, width=390, height=844)
    page.goto(f"{live_server.url}/reports/?{two_days()}")
    spanning = page.locator("#t-numbers tbody td[data-from]")
    expect(spanning).to_have_attribute("colspan", "1")

    page.emulate_media(media="print")

    expect(spanning).to_have_attribute("colspan", "4")
    expect(page.locator("#t-numbers thead .col-answered")).to_be_visible()
