"""Receivers of deliveries: programs in Node with libraries of others, and a double that raises as Zammad does."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

NODE = Path(__file__).parent / "node"
WITHIN_S = 30


def need_node() -> None:
    """Skip the test without Node and the locked libraries, or fail where they are demanded."""
    locked, installed = NODE / "package-lock.json", NODE / "node_modules/.package-lock.json"
    if not shutil.which("node"):
        missing = "no Node on this machine (Debian: apt-get install nodejs npm)"
    elif not installed.exists() or installed.stat().st_mtime < locked.stat().st_mtime:
        missing = "the libraries for Node are not installed: make receivers"
    else:
        return
    if os.environ.get("CALLTALLY_REQUIRE_NODE") == "1":
        pytest.fail(f"{missing}, and CALLTALLY_REQUIRE_NODE=1 demands it", pytrace=False)
    pytest.skip(missing)


class Receiver:
    """A program in Node that listens on a port of this machine and writes lines."""

    def __init__(self, name: str, *arguments: str) -> None:
        command = ["node", str(NODE / name), *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        # Read all the time: a full pipe would stop the program.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = f"http://127.0.0.1:{self.line()}/calls"

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line.rstrip("\n"))

    def line(self) -> str:
        return self._lines.get(timeout=WITHIN_S)

    def say(self, line: str) -> None:
        """Write a line, and wait until the program has repeated it."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        assert self.line() == line

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(WITHIN_S)
        self._reader.join(WITHIN_S)
        self._process.stdout.close()


@contextmanager
def receiver(name: str, *arguments: str) -> Iterator[Receiver]:
    need_node()
    started = Receiver(name, *arguments)
    try:
        yield started
    finally:
        started.close()


class ZammadRaised(Exception):  # noqa: N818 (named for what happened)
    pass


class Zammad:
    """Answers as Zammad's generic CTI does, from its source: Cti::Log.process, and what it makes of an exception."""

    PATH = "/api/v1/cti/token"

    def __init__(self) -> None:
        # The state of each row by its callId; what each was told, in order; what was raised.
        self.rows: dict[str, str] = {}
        self.told: list[dict[str, Any]] = []
        self.raised: list[str] = []
        self.url = ""

    def answer(self, path: str, content_type: str, body: bytes) -> tuple[int, dict[str, str]]:
        if path != self.PATH:
            return 401, {"error": "Invalid token, please contact your admin!"}
        assert content_type == "application/json"
        said = json.loads(body)
        if said["direction"] not in {"in", "out"}:
            return 422, {"error": "Invalid direction!"}
        try:
            self._process(said)
        except ZammadRaised as error:
            self.raised.append(str(error))
            has_it = "already exists" in str(error)
            hidden = "Object already exists!" if has_it else "Error ID a1b2: Please contact your administrator."
            return 500, {"error": hidden}
        self.told.append(said)
        return 200, {}

    def _process(self, said: dict[str, Any]) -> None:
        event, call_id = said["event"], said["callId"]
        if event == "newCall":
            if call_id in self.rows:
                raise ZammadRaised(f"call_id {call_id} already exists!")
            self.rows[call_id] = event
            return
        if event not in {"answer", "hangup"}:
            raise ZammadRaised(f"Unknown event {event}")
        if call_id not in self.rows:
            raise ZammadRaised(f"No such call_id {call_id}")
        if event == "answer" and not isinstance(said.get("user", ""), str):
            raise ZammadRaised("undefined method downcase for an Array")
        if self.rows[call_id] != "hangup":
            self.rows[call_id] = event


@contextmanager
def zammad() -> Iterator[Zammad]:
    double = Zammad()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, said = double.answer(self.path, self.headers["Content-Type"], body)
            sent = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_said: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_port}{Zammad.PATH}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WITHIN_S)
