"""What a browser calls itself, in plain words. Only for people to recognise their own: browsers may say anything."""

from __future__ import annotations

from django.utils.translation import gettext

# What names it in the header `User-Agent`. The first that occurs counts: many also name those below.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def in_words(user_agent: str) -> str:
    """Return browser and system: *Firefox on Windows*."""
    browser = next((name for part, name in BROWSERS.items() if part in user_agent), gettext("Unknown browser"))
    system = next((name for part, name in SYSTEMS.items() if part in user_agent), "")
    return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system} if system else browser
