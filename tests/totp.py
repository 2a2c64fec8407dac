"""The app of a person's phone: computes codes by RFC 6238, without the code of any library that checks them."""

from __future__ import annotations

import base64
import hmac
import re
import struct
import time

from django.contrib.auth.models import User
from django.test import Client

BASE = "/accounts/second-factor/"


def code(secret: str, steps: int = 0) -> str:
    """Return the code of a secret, of now or that many times 30 seconds later."""
    counter = struct.pack(">Q", int(time.time()) // 30 + steps)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def sign_in(client: Client, name: str, password: str, **more: str):
    return client.post("/accounts/login/", {"username": name, "password": password, **more})


def shown(client: Client) -> str:
    """Open the page that sets an app up; return its secret."""
    page = client.get(f"{BASE}app/").content.decode()
    return re.search(r'<code class="secret">([A-Z2-7]+)</code>', page)[1]


def set_up(client: Client) -> str:
    """Set up an app as the page says. Return its secret; the code of 30 seconds later has not been used."""
    secret = shown(client)
    answer = client.post(f"{BASE}app/", {"code": code(secret)})
    assert answer["Location"] == f"{BASE}recovery-codes/"
    return secret


def recovery_codes(client: Client) -> list[str]:
    return re.findall(r"<li><code>(\d+)</code></li>", client.get(f"{BASE}recovery-codes/").content.decode())


def with_factor(user: User, password: str) -> str:
    """Give a person an app. Return its secret."""
    client = Client()
    sign_in(client, user.username, password)
    return set_up(client)
