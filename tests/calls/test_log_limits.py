"""What is logged again and again during an outage."""

from calls import log_limits
from calls.log_limits import SAY_AGAIN_AFTER_S, OnceAMinute


def test_a_line_about_each_subject_is_due_once_a_minute(monkeypatch):
    now = [5.0]  # of a machine that was just started
    monkeypatch.setattr(log_limits.time, "monotonic", lambda: now[0])
    limit = OnceAMinute()

    assert [limit.is_due("spool"), limit.is_due("spool"), limit.is_due("database")] == [True, False, True]
    now[0] += SAY_AGAIN_AFTER_S - 1
    assert not limit.is_due("spool")
    now[0] += 1
    assert [limit.is_due("spool"), limit.is_due("spool")] == [True, False]
