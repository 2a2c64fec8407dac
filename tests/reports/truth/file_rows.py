"""The rows that downloads of the scripted month must have, as CSV, in German Excel and in workbooks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import product
from typing import Any

from tests.reports import expected, scenario
from tests.reports.assertions import TIMES
from tests.reports.expected import LOST, OUTCOMES, figure, most_at_once
from tests.reports.expected_comparisons import Period
from tests.reports.scenario import ANSWER, BERLIN, END, FORWARD, TYPES, Line, Scripted
from tests.reports.truth.durations import CLASSES, seconds_of
from tests.reports.truth.periods import hours_asked_for

GRAINS = ("quarter-hour", "half-hour", "hour", "day", "week", "month")


def iso(moment: datetime) -> str:
    return moment.astimezone(BERLIN).isoformat(timespec="seconds")


def counts_rows(lines: Sequence[Line], period: Period, grain: str) -> list[dict[str, str]]:
    """Return the expected rows of counts.csv."""
    rows = []
    for piece in expected.cut(*period, grain):
        for line in sorted(lines, key=lambda line: line.e164):
            if expected.offered([line], piece):
                cells = {
                    key: figure([line], piece, key)
                    for key in (
                        "offered",
                        *OUTCOMES,
                        "service_level",
                        "time_to_answer",
                        "ring",
                        "talk",
                        "lost",
                        "reached",
                    )
                }
                rows.append(
                    {"start": iso(piece.start), "end": iso(piece.end)}
                    | {"destination_number": line.e164, "label": line.label}
                    | {f"{key}_s" if key in expected.TIMES else key: cell.csv for key, cell in cells.items()}
                    | {"unclassified": str(expected.unclassified([line], piece))}
                )
    return rows


def blocks_rows(lines: Sequence[Line], period: Period, grain: str) -> list[dict[str, str]]:
    rows = []
    for piece in expected.cut(*period, grain):
        for line in sorted(lines, key=lambda line: line.e164):
            blocks = {block for call in expected.offered([line], piece) for block in call.blocks}
            for block in sorted(blocks, key=safe):
                counts = [figure([line], piece, key, block).csv for key in ("blocks", "block_calls", "last_in_call")]
                rows.append(
                    {"start": iso(piece.start), "end": iso(piece.end)}
                    | {"destination_number": line.e164, "label": line.label, "block_type": safe(block)}
                    | dict(zip(("blocks", "calls", "last_in_call"), counts, strict=True))
                )
    return rows


def week_rows(lines: Sequence[Line], period: Period) -> list[dict[str, str]]:
    """Return the expected rows of week.csv."""
    whole = expected.days(*period)
    calls = expected.offered(lines, whole)
    times = Counter((at.isoweekday(), at.hour) for at in hours_asked_for(lines, period))
    rows = []
    for weekday, hour in product(range(1, 8), range(min(c.hour for c in calls), max(c.hour for c in calls) + 1)):
        here = [call for call in calls if (call.day.isoweekday(), call.hour) == (weekday, hour)]

        def count(key: str, *outcomes: str, here: list[Scripted] = here) -> int | None:
            known = [call for call in here if expected.is_measured(call, key)]
            return None if figure(lines, whole, key).why else sum(call.outcome in outcomes for call in known)

        answered, wanted = count("reached", "answered"), count("reached", "answered", *LOST)
        occurred = times[weekday, hour]
        cells = {
            "weekday": weekday,
            "hour": hour,
            "times": occurred,
            "offered": len(here),
            "answered": answered,
            "missed": count("missed", "missed"),
            "lost": count("lost", *LOST),
            "reached": expected.rounded(Fraction(answered or 0, wanted), "0.0001") if wanted else None,
            "offered_mean": expected.rounded(Fraction(len(here), occurred), "0.01") if occurred else None,
        }
        rows.append({name: "" if cell is None else str(cell) for name, cell in cells.items()})
    return rows


TALK_ENDS = (60, 120, 180, 300, 600, 1200, 1800)


def times_rows(lines: Sequence[Line], period: Period) -> list[dict[str, str]]:
    """Return the expected rows of times.csv."""
    rows = []
    for line, key in product(sorted(lines, key=lambda line: line.e164), TIMES):
        each = seconds_of(line, expected.days(*period), key)
        ends = TALK_ENDS if key == "talk" else [to for _label, _above, to in CLASSES[:-1]]
        for above, to in zip([None, *ends], [*ends, None], strict=True) if each else ():
            rows.append(
                {
                    "destination_number": line.e164,
                    "label": line.label,
                    "figure": key,
                    "over_s": "" if above is None else str(above),
                    "to_s": "" if to is None else str(to),
                    "calls": str(sum((above or -1) < second <= (to or 10**9) for second in each)),
                    "median_s": str(each[math.ceil(0.5 * len(each)) - 1]),
                    "ninetieth_s": str(each[math.ceil(0.9 * len(each)) - 1]),
                }
            )
    return rows


def peaks_rows(lines: Sequence[Line], period: Period, grain: str) -> list[dict[str, str]]:
    """Return the expected rows of peaks.csv."""
    rows = []
    quarter_hours = expected.cut(*period, "quarter-hour")
    for piece, line in product(expected.cut(*period, grain), sorted(lines, key=lambda line: line.e164)):
        if most := most_at_once(line, piece):
            first = next(part for part in quarter_hours if part.start in piece and most_at_once(line, part) == most)
            rows.append(
                {"start": iso(piece.start), "end": iso(piece.end)}
                | {"destination_number": line.e164, "label": line.label}
                | {"peak": str(most), "peak_at": iso(first.start)}
            )
    return rows


def safe(text: str) -> str:
    return f"'{text}" if text.startswith("=") else text


def calls_rows(calls: Sequence[Scripted], *, names_people: bool) -> list[dict[str, str]]:
    """Return the expected rows of calls.csv."""

    def exact(moment: datetime | None) -> str:
        return moment.astimezone(BERLIN).isoformat(timespec="milliseconds") if moment else ""

    def span(call: Scripted, key: str, value: object) -> str:
        is_told = value is not None and not call.is_callback and expected.is_measured(call, key)
        return expected.rounded(value, "0.001") if is_told else ""  # type: ignore[arg-type]

    rows = []
    for call in calls:
        answer = next((step.detail for step in call.posted if step.kind == ANSWER), "")
        counts_blocks = expected.is_measured(call, "blocks")
        counts_forwards = call.began >= expected.arrives_from(call.line, FORWARD)
        rows.append(
            {
                "call_uuid": call.uuid,
                "correlation_id": f"c-{call.uuid}",
                "customer_number": "200000",
                "destination_number": call.line.e164,
                "label": call.line.label,
                "caller_id_number": "" if call.caller in scenario.WITHHELD else masked(str(call.caller)),
                "started_at": exact(call.began),
                "forwarded_at": exact(call.moment_of(FORWARD)),
                "answered_at": exact(call.moment_of(ANSWER)),
                "ended_at": exact(call.moment_of(END, last=True)),
                "outcome": expected.shown_outcome(call),
                "time_to_answer_s": span(call, "time_to_answer", call.wait_s),
                "ring_s": span(call, "ring", call.ring_s),
                "talk_s": span(call, "talk", call.talk_s),
                "blocks": str(len(call.blocks)) if counts_blocks else "",
                "last_block_type": safe(call.last_block) if counts_blocks else "",
                "forwards": str(sum(step.kind == FORWARD for step in call.posted)) if counts_forwards else "",
                "answered_destination": answer if names_people else "",
                "answered_destination_type": TYPES.get(answer, ""),
                "waited_s": "" if (waited := expected.waited_s(call)) is None else expected.rounded(waited, "0.001"),
            }
        )
    return rows


def masked(caller: str) -> str:
    """Return a caller without its last three digits; one of fewer than seven digits is hidden."""
    return f"{caller[:-3]}•••" if len(caller.removeprefix("+")) >= 7 else "•••"


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort rows, because the order of calls with the same start is not defined."""
    return sorted(rows, key=lambda row: row["call_uuid"]) if "call_uuid" in rows[0] else rows


def hold_rows(rows: list[dict[str, str]], wanted: list[dict[str, str]]) -> None:
    """Check that rows are equal in the columns known here; there may be more columns."""
    assert len(rows) == len(wanted)
    assert wanted
    for row, truth in zip(rows, wanted, strict=True):
        assert {name: row[name] for name in truth} == truth


NUMERIC = {
    *OUTCOMES,
    "offered",
    "service_level",
    "time_to_answer_s",
    "ring_s",
    "talk_s",
    "waited_s",
    "unclassified",
} | {
    *("blocks", "calls", "last_in_call", "forwards", "peak"),
    *("weekday", "hour", "times", "lost", "reached", "offered_mean", "over_s", "to_s", "median_s", "ninetieth_s"),
}


def for_excel(name: str, text: str) -> str:
    """Return a cell as German Excel reads it."""
    if name.endswith("_at") or name in {"start", "end", "silent_since"}:
        return text[:19].replace("T", " ")
    if name in {"destination_number", "caller_id_number", "answered_destination"} and text.startswith("+"):
        return f"{text[:3]} {text[3:]}"
    if name in {"customer_number", "answered_destination"} and text.isdigit():
        return f"'{text}"  # a text that Excel would read as a number
    return text.replace(".", ",") if name in NUMERIC else text


def in_workbook(name: str, text: str) -> str | float:
    """Return a cell as in a workbook: times are days since the end of 1899, in the reports' time zone."""
    if name.endswith("_at") or name in {"start", "end"}:
        there = datetime.fromisoformat(text).replace(tzinfo=None) - datetime(1899, 12, 30)  # noqa: DTZ001 (Excel knows no zones)
        return there / timedelta(days=1)
    return float(text) if name in NUMERIC else text
