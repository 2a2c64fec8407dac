"""Entries of commands that an operator runs."""

from __future__ import annotations

from typing import Any

from accounts.audit.actions import Action
from accounts.audit.actors import Actor
from accounts.audit.entries import Subject, write


def note_command(name: str, /, **what: Any) -> None:
    """Note that an operator has run a command: what they asked for, and what it did."""
    write(Action.COMMAND_RUN, Subject("command", "", name), actor=Actor(name=f"manage.py {name}"), after=what)
