"""Argument types of commands."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.dateparse import parse_datetime


def local_moment(text: str) -> datetime:
    """Return a moment in the reports' time zone, written `2026-03-29T14:30`, or as a day, which means its midnight.

    Raise ValueError if invalid, which argparse turns into its own message."""
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(text)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
