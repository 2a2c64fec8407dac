"""A hand that uses pages in Chromium, and counts what a person would have to do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page

from tests.chromium import COMPLETE

# Seconds of a person's actions. Source: Card, Moran and Newell, The Keystroke-Level Model for User Performance Time
# with Interactive Systems (1980): to press a key, to press and release a mouse button, to point, to think. It has no
# scrolling; to scroll by a screen is taken as pointing, and each screen is thought about.
KEY_S, BUTTON_S, POINT_S, THINK_S = 0.28, 0.2, 1.1, 1.35
# A page may be slow on a busy machine.
LONGEST_S = 20


@dataclass
class Hand:
    """Opens pages, clicks and types, and adds up clicks, seconds, and the height of the highest page on the way."""

    page: Page
    base: str
    clicks: int = 0
    seconds: float = 0.0
    highest: int = 0

    def __post_init__(self) -> None:
        self.page.set_default_timeout(LONGEST_S * 1000)

    def open(self, path: str) -> None:
        """Open the page at which a task begins. That costs only the time to load it."""
        self._timed(lambda: self.page.goto(self.base + path))

    def click(self, target: str | Locator) -> None:
        """Look for an element, click it, and wait for what it does."""
        element = self._reached(target)
        self.clicks += 1
        self.seconds += THINK_S + POINT_S + BUTTON_S
        self._timed(element.click)

    def type(self, target: str | Locator, text: str) -> None:
        """Click a field and type a text into it."""
        element = self._reached(target)
        self.clicks += 1
        self.seconds += THINK_S + POINT_S + BUTTON_S + KEY_S * len(text)
        element.fill(text)

    def choose(self, target: str | Locator, value: str) -> None:
        """Choose an option of a list: two clicks."""
        element = self._reached(target)
        self.clicks += 2
        self.seconds += THINK_S + 2 * (POINT_S + BUTTON_S)
        self._timed(lambda: element.select_option(value))

    def press_enter(self) -> None:
        """Send the form that was typed into, and wait for the next page."""
        self.seconds += KEY_S

        def press() -> None:
            with self.page.expect_navigation():
                self.page.keyboard.press("Enter")

        self._timed(press)

    def download(self, target: str | Locator) -> str:
        """Click a link that downloads a file, and return the file's name."""
        element = self._reached(target)
        self.clicks += 1
        self.seconds += THINK_S + POINT_S + BUTTON_S
        started = time.monotonic()
        with self.page.expect_download() as caught:
            element.click()
        caught.value.path()
        self.seconds += time.monotonic() - started
        return caught.value.suggested_filename

    def see(self, target: str | Locator, says: str = "") -> str:
        """Scroll to an answer, read it and return it. Raise AssertionError unless it says what was asked."""
        element = self._reached(target)
        self.seconds += THINK_S
        found = re.sub(r"\s+", " ", element.inner_text()).strip()
        assert re.search(says, found), f"{found!r} does not say {says!r}"
        return found

    def _reached(self, target: str | Locator) -> Locator:
        """Scroll a screen at a time until an element is in the window."""
        element = (self.page.locator(target) if isinstance(target, str) else target).first
        element.wait_for()
        screen = (self.page.viewport_size or {"height": 900})["height"] * 0.9
        while box := element.bounding_box():
            if box["y"] >= 0 and box["y"] + min(box["height"], screen / 2) <= screen / 0.9:
                break
            self.page.evaluate("by => scrollBy({top: by, behavior: 'instant'})", screen if box["y"] > 0 else -screen)
            self.seconds += POINT_S + THINK_S
            if element.bounding_box() == box:
                break
        return element

    def _timed(self, action: Callable[[], Any]) -> None:
        started = time.monotonic()
        action()
        self.page.wait_for_load_state()
        self.page.wait_for_function(COMPLETE)
        self.seconds += time.monotonic() - started
        self.highest = max(self.highest, self.page.evaluate("document.documentElement.scrollHeight"))
