"""Clients that load pages, and clients that request downloads and do not read them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.client import HOST, _read_answer
from tests.faults.system import System

GIVES_UP_AFTER_S = 60.0
# Creates staff users with a session each, and prints the session cookies.
SIGN_IN = """
import json
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
cookies = []
for index in range({people}):
    user, _ = User.objects.get_or_create(username=f"reader-{{index}}", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    cookies.append(f"{{settings.SESSION_COOKIE_NAME}}={{client.session.session_key}}")
print("cookies", json.dumps(cookies))
"""


def sign_in(system: System, people: int) -> list[str]:
    """Create staff users; return the Cookie header of each."""
    is_done, printed = system.run(SIGN_IN.format(people=people))
    assert is_done, printed
    line = next(line for line in printed.splitlines() if line.startswith("cookies "))
    cookies: list[str] = json.loads(line.partition(" ")[2])
    return cookies


@dataclass(frozen=True)
class Page:
    """An answer to a tab. `answer` is the status, or the reason if there is none."""

    path: str
    at: float  # by the monotonic clock
    took_s: float
    answer: str
    retry_after: str


class Tabs:
    """Tabs opened at the same moment; each reloads `every_s` after its answer. They run in their own thread."""

    def __init__(self, port: int, cookies: list[str], paths: list[str], *, tabs: int, every_s: float) -> None:
        self.pages: list[Page] = []
        self._port, self._cookies, self._paths, self._tabs, self._every_s = port, cookies, paths, tabs, every_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="tabs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop loading, and wait until every request is answered or has timed out."""
        self._stopped.set()
        self._thread.join(GIVES_UP_AFTER_S + 5)
        assert not self._thread.is_alive()

    def asked_since(self, moment: float) -> list[Page]:
        return [page for page in list(self.pages) if page.at >= moment]

    def figures(self) -> str:
        answers = Counter(page.answer for page in self.pages)
        counts = ", ".join(f"{count} {answer}" for answer, count in sorted(answers.items()))
        return f"pages: {counts}, longest {max((page.took_s for page in self.pages), default=0):.1f} s"

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as under_way:
            for index in range(self._tabs):
                path = self._paths[index % len(self._paths)]
                under_way.create_task(self._keep_open(path, self._cookies[index % len(self._cookies)]))

    async def _keep_open(self, path: str, cookie: str) -> None:
        while not self._stopped.is_set():
            at = time.monotonic()
            answer, retry_after = await self._ask(path, cookie)
            self.pages.append(Page(path, at, time.monotonic() - at, answer, retry_after))
            again = time.monotonic() + self._every_s
            while time.monotonic() < again and not self._stopped.is_set():
                await asyncio.sleep(0.05)

    async def _ask(self, path: str, cookie: str) -> tuple[str, str]:
        writer = None
        try:
            async with asyncio.timeout(GIVES_UP_AFTER_S):
                reader, writer = await asyncio.open_connection(HOST, self._port)
                head = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode())
                status, headers = await _read_answer(reader)
                return status, headers.get("retry-after", "")
        except TimeoutError:
            return "timed out", ""
        except (OSError, asyncio.IncompleteReadError):
            return "broken off", ""
        finally:
            if writer is not None:
                writer.close()


def ask_for_workbook(port: int, cookie: str, query: str) -> str:
    """Request a workbook of calls as the page's form does; return where the answer redirects to, blank if nowhere."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    token = "t" * 32
    form = {"kind": "calls", "query": query, "csrfmiddlewaretoken": token}
    asked = urllib.request.Request(
        f"http://{HOST}:{port}/reports/files/",
        urllib.parse.urlencode(form).encode(),
        {"Cookie": f"{cookie}; csrftoken={token}"},
    )
    try:
        with urllib.request.build_opener(Stay).open(asked, timeout=GIVES_UP_AFTER_S):
            return ""
    except urllib.error.HTTPError as error:
        return str(error.headers.get("Location", ""))


@dataclass
class Stalled:
    """Downloads that were requested and are not read, each on its own connection."""

    sockets: list[socket.socket] = field(default_factory=list)

    def statuses(self) -> Counter[str]:
        """Return how often each status was answered so far; "" for no answer yet. Reads only the status lines."""
        statuses: Counter[str] = Counter()
        for connection in self.sockets:
            connection.setblocking(False)
            try:
                line = connection.recv(64, socket.MSG_PEEK).split(b"\r\n")[0].decode("latin-1")
            except OSError:
                line = ""
            statuses[line.split(" ")[1] if " " in line else ""] += 1
        return statuses


@contextlib.contextmanager
def stalled_downloads(port: int, cookies: list[str], path: str, downloads: int) -> Iterator[Stalled]:
    """Request this many downloads, distributed over the people, and read nothing of them."""
    stalled = Stalled()
    with contextlib.ExitStack() as opened:
        for index in range(downloads):
            connection = opened.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((HOST, port))
            cookie = cookies[index % len(cookies)]
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n\r\n".encode())
            stalled.sockets.append(connection)
        yield stalled
