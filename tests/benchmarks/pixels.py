"""How soon a call that rings is painted on the screen of a Chromium, as a part of `make bench-live`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from playwright.async_api import async_playwright

from tests.chromium import ARGUMENTS, find_browser

APART_S = 0.25
# Longer than a card stays after its call has ended, so that the page is as full as with an ordinary person.
PAINTED_WITHIN_S = 5.0
# Notes when the card of each caller was painted. A frame that was asked for after the card came into the page contains
# it; the message after that frame's callbacks arrives when it was handed over to the screen.
NOTE_PAINTS = """
window.painted = {};
new MutationObserver(() => {
  const callers = [...document.querySelectorAll('.ring-card[data-state="ringing"] [data-slot="caller"]')]
    .map((slot) => slot.textContent.replace(/\\s/g, ""))
    .filter((caller) => !(caller in painted));
  if (!callers.length) return;
  for (const caller of callers) painted[caller] = 0;
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      for (const caller of callers) painted[caller] = performance.timeOrigin + performance.now();
    };
    channel.port2.postMessage("");
  });
}).observe(document, { childList: true, subtree: true });
"""

# Sends the posts of a call with this number and returns its caller and the time of its ring in seconds since 1970.
Ring = Callable[[int], Awaitable[tuple[str, float]]]


async def measure_pixels(port: int, cookie: str, ring: Ring, times: int) -> tuple[list[float], int]:
    """Let calls ring for a person with a page open; return the milliseconds from each post to the painted card, and how
    many were not painted."""
    name, _, value = cookie.partition("=")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
        await context.add_cookies([{"name": name, "value": value, "domain": "127.0.0.1", "path": "/"}])
        page = await context.new_page()
        await page.add_init_script(NOTE_PAINTS)
        await page.goto(f"http://127.0.0.1:{port}/reports/glossary/")
        await ring(0)  # the first may come before the stream is open; it is not counted
        await page.locator('.ring-card[data-state="ringing"]').first.wait_for()
        sent_at = {}
        for index in range(1, times + 1):
            caller, at = await ring(index)
            sent_at[caller] = at
            await asyncio.sleep(APART_S)
        await asyncio.sleep(PAINTED_WITHIN_S)
        painted = await page.evaluate("painted")
        await browser.close()
    took = [painted[caller] - at * 1000 for caller, at in sent_at.items() if painted.get(caller)]
    return took, len(sent_at) - len(took)
