"""A browser that listens to calls that ring for a person, comes back when its stream breaks, and notes all rings."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections import Counter
from typing import Any

from tests.faults.system import System

USER, DESK = "anna", "1001"
MAKE_LISTENER = f"""
from django.contrib.auth.models import User
from django.test import Client
from django.conf import settings
from contacts.models import AgentDestination
user, _ = User.objects.get_or_create(username={USER!r})
AgentDestination.objects.get_or_create(user=user, destination={DESK!r}, destination_type="SIP_USER")
client = Client()
client.force_login(user)
print("cookie", settings.SESSION_COOKIE_NAME + "=" + client.cookies[settings.SESSION_COOKIE_NAME].value)
"""
SILENT_AFTER_S = 20.0


def make_listener(system: System) -> str:
    """Map a person to a destination; return the cookie of their session."""
    is_made, printed = system.run(MAKE_LISTENER)
    assert is_made, printed
    (line,) = [line for line in printed.splitlines() if line.startswith("cookie ")]
    return line.removeprefix("cookie ")


class Listener:
    """Reads the stream in its own thread until it is stopped."""

    def __init__(self, port: int, cookie: str) -> None:
        self.shown: Counter[int] = Counter()  # for each call, how often a ring of it was new to the browser
        self.states = 0  # streams begin with one
        self._known: set[int] = set()
        self._port, self._cookie = port, cookie
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(SILENT_AFTER_S + 5)

    def _run(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._read()
            self._stopped.wait(0.2)

    def _read(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SILENT_AFTER_S)
        try:
            connection.request("GET", "/live/events", headers={"Cookie": self._cookie})
            answer = connection.getresponse()
            if answer.status != 200:
                return
            name = ""
            while not self._stopped.is_set() and (line := answer.readline()):
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    name = text.removeprefix("event: ")
                elif text.startswith("data: "):
                    self._take(name, json.loads(text.removeprefix("data: ")))
        finally:
            connection.close()

    def _take(self, name: str, data: dict[str, Any]) -> None:
        rings = data["rings"] if name == "state" else [data] if name == "ring" else []
        for ring in rings:
            if ring["ring"] not in self._known:
                self._known.add(ring["ring"])
                self.shown[ring["call"]] += 1
        self.states += name == "state"


class Forwards:
    """Sends calls that ring at the person's destination, and do not end, at a steady rate."""

    def __init__(self, system: System, e164: str, access_key: str, *, rate: float, name: str) -> None:
        self.answered: list[str] = []
        self._system, self._e164, self._key, self._rate, self._name = system, e164, access_key, rate, name
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forwards", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(30)

    def _run(self) -> None:
        began = time.monotonic()
        index = 0
        while not self._stopped.wait(max(0.0, began + index / self._rate - time.monotonic())):
            index += 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                call = f"{self._name}-{index}"
                if forward(self._system, self._e164, self._key, call):
                    self.answered.append(call)


def forward(system: System, e164: str, access_key: str, call: str, *, within_s: float = 5.0) -> bool:
    """Send that a call is forwarded to the person; return whether that was answered 200."""
    named = {"destination_number": e164, "call_uuid": call, "caller_id_number": "+4917012345678"}
    post = {
        "requestType": "INITIATE_FORWARD",
        "customerNumber": 200000,
        "accessKey": access_key,
        "destination": DESK,
        "destinationType": "SIP_USER",
        "variables": named | {"correlation_id": call},
    }
    connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=within_s)
    try:
        connection.request("POST", "/tenios/posts", json.dumps(post), {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    finally:
        connection.close()
