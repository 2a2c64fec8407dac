"""What an address answers, so that answers can be compared: paths and tokens are replaced in it."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import quote

HEADERS = (
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Permissions-Policy",
)


@dataclass(frozen=True)
class Answer:
    status: str
    location: str
    body: bytes

    def __str__(self):
        return f"{self.status} {self.location}".strip()


def ask(client, path, method="get"):
    """Request a path. The path and tokens of forms are replaced in the answer, so that answers can be compared."""
    response = getattr(client, method)(path)
    if not path.startswith(("/tenios", "/healthz")):
        lacking = [name for name in HEADERS if name not in response.headers]
        assert not lacking, f"{path}: no {lacking}"
        assert "no-store" in response["Cache-Control"], path
    body = b"".join(response.streaming_content) if response.streaming else response.content
    location = response.get("Location", "")
    status = str(response.status_code)
    if status == "302":
        status = "login" if "/login/" in location else "->"
    for text in (path, path.partition("?")[0]):
        for spelled in (text, quote(text), quote(text, safe=""), html.escape(text)):
            location = location.replace(spelled, "PATH")
            body = body.replace(spelled.encode(), b"PATH")
    body = re.sub(rb'data-left-s="\d+"', b"", body)  # until the session ends
    return Answer(status, location, re.sub(rb"\b[0-9A-Za-z]{64}\b", b"TOKEN", body))
