"""The Chromium that tests and benchmarks drive."""

import shutil

# Without a window it opens pages in two thirds of the time.
WITHOUT_WINDOW = "chromium-headless-shell"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # As with a window. Else letters are moved to whole pixels, and spaces between words on paper are too narrow.
    "--font-render-hinting=none",
]

# What a page requests by itself is there, and its charts are drawn.
COMPLETE = """() => !document.querySelector("[hx-trigger=load], .htmx-request") &&
    (!document.querySelector("canvas") || document.documentElement.matches("[data-ready]"))"""


def find_browser() -> str | None:
    """Return the path of a Chromium on this machine."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def find_fast_browser() -> str | None:
    """Return the path of a Chromium without a window; if there is none on this machine, of any."""
    return shutil.which(WITHOUT_WINDOW) or find_browser()
