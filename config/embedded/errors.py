"""What goes wrong with the embedded PostgreSQL."""

from __future__ import annotations


class EmbeddedError(Exception):
    """What went wrong, in words for the person who started it."""
