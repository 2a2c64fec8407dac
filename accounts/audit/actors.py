"""Who does something: a person by a request, an operator by a command, or Calltally itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from accounts.addresses import client_of_request

ITSELF = "Calltally"


@dataclass(frozen=True)
class Actor:
    """Who an entry names: the id (None for commands and Calltally itself), the name, and the network address."""

    id: int | None = None
    name: str = ITSELF
    address: str = ""

    @classmethod
    def of_request(cls, request: HttpRequest, user: Any = None) -> Actor:
        """Return the person of a request; `user` if they are not signed in (yet, or any more)."""
        person: Any = user if user is not None else getattr(request, "user", None)
        client = client_of_request(request.META)
        address = str(client) if client else ""
        if person is None or person.pk is None:
            return cls(None, "", address)
        return cls(person.pk, person.get_username(), address)


_actor: ContextVar[Callable[[], Actor] | None] = ContextVar("actor", default=None)


def current() -> Actor:
    """Return who does what is done now."""
    actor = _actor.get()
    return actor() if actor else _of_process()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Let an actor be the current one."""
    token = _actor.set(lambda: actor)
    try:
        yield
    finally:
        _actor.reset(token)


def noted_actors(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that lets the person of a request be the current actor. It reads no session by itself."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        token = _actor.set(lambda: Actor.of_request(request))
        try:
            return get_response(request)
        finally:
            _actor.reset(token)

    return middleware


def _of_process() -> Actor:
    """Return the operator who runs a command of manage.py, or Calltally itself in other processes."""
    is_command = Path(sys.argv[0]).name == "manage.py" and len(sys.argv) > 1
    return Actor(name=f"manage.py {sys.argv[1]}") if is_command else Actor()
