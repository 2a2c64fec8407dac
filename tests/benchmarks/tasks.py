"""`make bench-tasks`: what a person has to do to get an answer, with the made-up traffic of `make demo`.

Starts `make demo` in a new home. In Chromium it does each task as a person would and prints the clicks, the seconds,
and the height of the highest page on the way. Seconds are those that pages took, and for each thing to find, click and
type those of the keystroke-level model (hand.py)."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Error, Playwright, sync_playwright

from tests.benchmarks.__main__ import say
from tests.benchmarks.hand import Hand
from tests.chromium import ARGUMENTS, find_fast_browser
from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent
ADMIN, MANAGER = "admin", "manager"
PASSWORD = "correct horse battery"
WINDOW, PHONE = (1440, 900), (390, 844)
READY_S = 600
# The four questions of a manager shall each be answered within ten seconds.
MOST_S = 10.0


@dataclass(frozen=True)
class Task:
    """Something that a person wants, who does it, where they begin, and how."""

    name: str
    person: str
    begins_at: str
    do: Callable[[Hand], object]
    is_question: bool = False
    window: tuple[int, int] = WINDOW


def menu(name: str) -> str:
    """Return where an entry of the navigation is."""
    return f"#side a.navigation-link:text-is('{name}')"


def entry(name: str) -> str:
    """Return where an entry of the settings is."""
    return f".settings-groups a:text-is('{name}')"


def how_yesterday_went(hand: Hand) -> None:
    hand.click("#preset-2")
    hand.see("#sentence", "yesterday")
    hand.see(".figure-tile")


def where_we_were_short(hand: Hand) -> None:
    hand.click(menu("Busy hours"))
    hand.see("p.lead", "lost")


def whom_we_lost(hand: Hand) -> None:
    hand.click("#sentence a[data-figure=lost]")
    hand.see("#t-list tbody tr")


def whether_it_can_be_trusted(hand: Hand) -> None:
    hand.see(".status-line", "[Cc]omplete for")


def why_data_are_incomplete(hand: Hand) -> None:
    hand.click(".status-line a:has-text('Data quality')")
    hand.see("table.matrix")


def add_a_number(hand: Hand) -> None:
    hand.click(".settings-add[href='/admin/calls/destinationnumber/add/']")
    hand.type("#id_e164", "0221 4711234")
    hand.type("#id_label", "Hotline Bonn")
    hand.click("[name=_save]")
    hand.click("#content-main [type=submit]")
    hand.see("#access-key-1", r"^\w{32}$")


def give_four_numbers(hand: Hand) -> None:
    hand.click(entry("Users"))
    hand.click("#result_list a:text-is('operator')")
    rows = hand.page.locator("[data-access-row]").filter(has_not=hand.page.locator("th:has-text('All')"))
    for row in range(4):
        hand.click(rows.nth(row).locator("input[type=checkbox]"))
    hand.click("[name=_save]")
    hand.see(".messagelist .success")


def open_on_weekdays(hand: Hand) -> None:
    hand.click(".settings-add[href='/admin/calls/openinghours/add/']")
    hand.type("#id_name", "Office")
    hand.click(".week-presets [data-days='5'][data-hours='08:00–18:00']")
    hand.click("[name=_save]")
    hand.see(".messagelist .success")


def find_a_call(hand: Hand) -> None:
    hand.click(menu("All calls"))
    hand.type("#q", "0171 39")
    hand.press_enter()
    hand.see("#t-list tbody tr", "171 39")


def understand_a_rejected_message(hand: Hand) -> None:
    hand.click(entry("Rejected messages"))
    hand.see(".refused-groups article", "number")


def compare_two_months(hand: Hand) -> None:
    hand.click(menu("Trend"))
    hand.click("#filters a.hide-phone:text-is('Last month')")
    hand.see("#t-changes tbody tr", "Calls")


def export_for_excel(hand: Hand) -> None:
    hand.click("#export > summary")
    assert hand.download("#export a[href*='counts.xlsx']").endswith(".xlsx")


def how_yesterday_went_on_a_phone(hand: Hand) -> None:
    hand.click("#own-period > summary")
    hand.click("#own-period a:text-is('Yesterday')")
    hand.see(".figure-tile")


TASKS = (
    Task("How did yesterday go?", MANAGER, "/reports/?period=7-days", how_yesterday_went, is_question=True),
    Task("Where were we short?", MANAGER, "/reports/?period=7-days", where_we_were_short, is_question=True),
    Task("Whom did we lose?", MANAGER, "/reports/?period=7-days", whom_we_lost, is_question=True),
    Task("Can I trust it?", MANAGER, "/reports/?period=7-days", whether_it_can_be_trusted, is_question=True),
    Task("What is incomplete?", MANAGER, "/reports/?period=7-days", why_data_are_incomplete),
    Task("Add a number with its key", ADMIN, "/admin/", add_a_number),
    Task("Give a person four numbers", ADMIN, "/admin/", give_four_numbers),
    Task("Opening hours, Monday to Friday", ADMIN, "/admin/", open_on_weekdays),
    Task("Find a call by part of a number", ADMIN, "/reports/", find_a_call),
    Task("Understand a rejected message", ADMIN, "/admin/", understand_a_rejected_message),
    Task("Compare two months", MANAGER, "/reports/?period=7-days", compare_two_months),
    Task("Export for Excel", MANAGER, "/reports/?period=7-days", export_for_excel),
    Task(
        "How did yesterday go? (phone)", MANAGER, "/reports/?period=7-days", how_yesterday_went_on_a_phone, window=PHONE
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-tasks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each task that changes nothing (%(default)s)")
    parser.add_argument("--only", metavar="TEXT", default="", help="only tasks whose name contains this")
    parser.add_argument("--folder", default="/var/tmp", help="where the home lies while it runs (%(default)s)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    tasks = [task for task in TASKS if arguments.only.casefold() in task.name.casefold()]
    with demo(arguments.folder) as (address, passwords), sync_playwright() as playwright:
        browser = start_browser(playwright)
        say(f"{'':34}{'clicks':>8}{'seconds':>9}{'height':>8}")
        slow = [task.name for task in tasks if not measured(browser, address, passwords, task, arguments.rounds)]
        browser.close()
    for name in slow:
        say(f"MISSED: {name}")
    return 1 if slow else 0


def measured(browser: Browser, address: str, passwords: dict[str, str], task: Task, rounds: int) -> bool:
    """Do a task, print what it took, and return whether it was done and its target reached."""
    turns = 1 if task.begins_at.startswith("/admin/") else rounds
    try:
        hands = [done(browser, address, passwords[task.person], task) for _turn in range(turns)]
    except (AssertionError, Error) as error:
        say(f"{task.name:34} could not be done: {str(error).splitlines()[0]}")
        return False
    seconds = statistics.median(hand.seconds for hand in hands)
    say(f"{task.name:34}{hands[0].clicks:>8}{seconds:>9.1f}{hands[0].highest:>8}")
    return not task.is_question or seconds <= MOST_S


def done(browser: Browser, address: str, password: str, task: Task) -> Hand:
    """Sign in and do a task once."""
    width, height = task.window
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
    page = context.new_page()
    page.goto(f"{address}/accounts/login/")
    page.fill("#id_username", task.person)
    page.fill("#id_password", password)
    page.press("#id_password", "Enter")
    page.wait_for_url("**/reports/**")
    hand = Hand(page, address)
    hand.open(task.begins_at)
    task.do(hand)
    context.close()
    return hand


def start_browser(playwright: Playwright) -> Browser:
    path = find_fast_browser()
    if path is None:
        raise SystemExit("There is no Chromium on this machine.")
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


@contextlib.contextmanager
def demo(folder: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Run `make demo` in a new home, which is deleted afterwards; yield its address and its people's passwords."""
    home, port = tempfile.mkdtemp(prefix="calltally-tasks-", dir=folder), free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "quickstart", "--demo"],
        cwd=ROOT,
        env=os.environ
        | {"CALLTALLY_HOME": f"{home}/var", "PORT": str(port), "DJANGO_SUPERUSER_USERNAME": ADMIN}
        | {"DJANGO_SUPERUSER_PASSWORD": PASSWORD},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        passwords = wait_until_ready(process)
        address = f"http://127.0.0.1:{port}"
        send_with_an_unknown_key(address)
        yield address, {ADMIN: PASSWORD} | passwords
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def send_with_an_unknown_key(address: str) -> None:
    """Send a message that is rejected, for a number of the demo."""
    variables = {"destination_number": "+492214710300", "call_uuid": "rejected", "caller_id_number": "+4917012345678"}
    body = {"requestType": "CALL_START", "customerNumber": 1, "accessKey": "unknown", "variables": variables}
    request = urllib.request.Request(
        f"{address}/tenios/posts", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request).close()
    except urllib.error.HTTPError as error:
        if error.code != 403:
            raise


def wait_until_ready(process: subprocess.Popen[str]) -> dict[str, str]:
    """Return the passwords of the demo's people when calls come in; what it prints later is thrown away."""
    assert process.stdout
    passwords = {}
    timer = threading.Timer(READY_S, process.terminate)
    timer.start()
    for line in process.stdout:
        if found := re.match(r"demo: sign in as (\S+) / (\S+)", line):
            passwords[found[1]] = found[2]
        if "calls keep coming" in line:
            timer.cancel()
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return passwords
    raise SystemExit("the demo did not start")


if __name__ == "__main__":
    sys.exit(main())
