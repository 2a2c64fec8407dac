"""Reads moments from the command line."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.dateparse import parse_datetime


def local_moment(text: str) -> datetime:
    """Return a moment of the reports' zone: `2026-03-29T14:30`, or a day, which is its midnight.

    Raise ValueError, which argparse says in its own words."""
    found = parse_datetime(text)
    if found is None:
        raise ValueError(text)
    return found if timezone.is_aware(found) else timezone.make_aware(found)
