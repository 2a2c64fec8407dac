"""The tables of reports: counts, which only reports.counting writes, and the state that reports keep beside them.

Counts are complete; pages hide what is not measured."""

from reports.models.blocks import BlockCounts, DayBlockCounts, MonthBlockCounts, QuarterHourBlockCounts
from reports.models.counts import (
    Counts,
    DayCounts,
    DayDurations,
    HourOfWeekCounts,
    MonthCounts,
    MonthDurations,
    QuarterHourCounts,
    QuarterHourPeaks,
)
from reports.models.forwards import (
    DayForwardCounts,
    DayHandovers,
    ForwardCounts,
    Handovers,
    MonthForwardCounts,
    MonthHandovers,
    QuarterHourForwardCounts,
    QuarterHourHandovers,
)
from reports.models.pins import PinnedNumber
from reports.models.state import FirstPost, RollUp, ToldSilence, Workbook, WorkbookState

__all__ = [
    "BlockCounts",
    "Counts",
    "DayBlockCounts",
    "DayCounts",
    "DayDurations",
    "DayForwardCounts",
    "DayHandovers",
    "FirstPost",
    "ForwardCounts",
    "Handovers",
    "HourOfWeekCounts",
    "MonthBlockCounts",
    "MonthCounts",
    "MonthDurations",
    "MonthForwardCounts",
    "MonthHandovers",
    "PinnedNumber",
    "QuarterHourBlockCounts",
    "QuarterHourCounts",
    "QuarterHourForwardCounts",
    "QuarterHourHandovers",
    "QuarterHourPeaks",
    "RollUp",
    "ToldSilence",
    "Workbook",
    "WorkbookState",
]
