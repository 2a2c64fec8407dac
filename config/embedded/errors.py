"""Errors of the embedded PostgreSQL."""

from __future__ import annotations


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be used. The message is for the person who started Calltally."""
