"""Every page of ours on A4: each word on the screen is printed whole, except what is left out on purpose."""

import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from tests.browser.everypage import STAFF, furnish
from tests.chromium import COMPLETE
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

# Not needed on paper: navigation, controls, what opens on a click, text for screen readers.
LEFT_OUT = (
    ".sidebar, .top-bar, .bottom-bar, .skip-link, .filters, .segments, .menu, .button, .chips, .pager, .tip,"
    " .no-print, .visually-hidden,"
    " .payload, .reveal, details.table-fold > summary, script, style, select, textarea,"
    # Parts of Django's admin.
    " #header, #nav-sidebar, .toggle-nav-sidebar, .breadcrumbs, .object-tools, .submit-row, .skip-to-content-link,"
    " .datetimeshortcuts, .add-row, .inline-deletelink, .empty-form, .selector button,"
    " .settings-menu, .settings-add, .sortoptions, #changelist-filter-extra-actions"
)
WORDS_ON_SCREEN = """leftOut => {
    const texts = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const around = walker.currentNode.parentElement;
        if (around.checkVisibility({contentVisibilityAuto: true}) && !around.closest(leftOut)) {
            texts.push(walker.currentNode.textContent);
        }
    }
    return texts;
}"""
# Longer words may be broken at the end of a line.
UNBROKEN = 10


@pytest.fixture(scope="module", autouse=True)
def pdftotext():
    if shutil.which("pdftotext") is None:
        if os.environ.get("CALLTALLY_REQUIRE_BROWSER") == "1":
            pytest.fail("no pdftotext on this machine, and CALLTALLY_REQUIRE_BROWSER=1 demands one", pytrace=False)
        pytest.skip("no pdftotext on this machine (Debian: apt-get install poppler-utils)")


def words(texts):
    """Count the words regardless of case, because style sheets capitalise some."""
    return Counter(word for text in texts for word in re.findall(r"\w+", text.casefold()))


def printed(page, folder):
    """Print the page on A4; return its text in drawing order."""
    path = folder / "page.pdf"
    page.pdf(path=path, prefer_css_page_size=True)
    command = ["pdftotext", "-raw", "-enc", "UTF-8", path, "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def lacking(page, folder):
    """Return the words that are on the screen and not on the paper, with their counts."""
    seen = page.evaluate(WORDS_ON_SCREEN, LEFT_OUT)
    paper = printed(page, folder)
    on_screen, on_paper = words(seen), words([paper])
    unbroken = re.sub(r"\s", "", paper).casefold()
    return {
        word: f"{on_paper[word]} of {n}"
        for word, n in on_screen.items()
        if on_paper[word] < n and (len(word) < UNBROKEN or unbroken.count(word) < n)
    }


def test_every_word_of_a_page_is_printed(live_server, sign_in, tmp_path):
    installation = furnish()
    page = sign_in(STAFF, PASSWORD, width=1440)
    missing_by_address = {}
    for address in installation.pages():
        page.goto(f"{live_server.url}{address}")
        page.wait_for_function(COMPLETE)
        if missing := lacking(page, tmp_path):
            missing_by_address[address] = missing
    assert not missing_by_address, "\n".join(f"{address}: {missing}" for address, missing in missing_by_address.items())
