"""What beat has the workers do, and how often."""

from __future__ import annotations

from typing import Any

HOUR_S, FIVE_MINUTES_S, TEN_MINUTES_S = 3600, 300, 600
START_WORKBOOKS_EVERY_S = 2


def make(*, roll_up_s: int, close_silent_calls_s: int, tell_silences_s: int) -> dict[str, dict[str, Any]]:
    """Return CELERY_BEAT_SCHEDULE. What no worker has begun by the next time is not done twice."""
    every_s = {
        "reports.tasks.roll_up": roll_up_s,
        "reports.tasks.add_up_durations": TEN_MINUTES_S,
        "calls.tasks.reunite_calls": roll_up_s,
        "calls.tasks.close_silent_calls": close_silent_calls_s,
        "reports.tasks.tell_silences": tell_silences_s,
        "reports.tasks.start_workbooks": START_WORKBOOKS_EVERY_S,
        "live.tasks.delete_old_rings": HOUR_S,
        "live.tasks.delete_old_deliveries": HOUR_S,
        "live.tasks.tell_switched_off": FIVE_MINUTES_S,
        "reports.tasks.clear_workbooks": FIVE_MINUTES_S,
        "calls.tasks.redact_refused_posts": HOUR_S,
        "contacts.tasks.clear_uploads": HOUR_S,
        "contacts.tasks.clear_lookup_answers": FIVE_MINUTES_S,
        "accounts.tasks.end_old_sessions": HOUR_S,
        "calls.tasks.end_sessions_of_ended_access": HOUR_S,
        "config.tasks.clear_sessions": HOUR_S,
        "accounts.tasks.keep_audit": HOUR_S,
    }
    return {
        task.rpartition(".")[2].replace("_", "-"): {"task": task, "schedule": seconds, "options": {"expires": seconds}}
        for task, seconds in every_s.items()
    }
