"""The tables of reports: counts, which reports.counting alone writes, and what reports remember beside them.

Counts are complete; what is not measured is hidden when shown."""

from reports.models.blocks import BlockCounts, DayBlockCounts, MonthBlockCounts, QuarterHourBlockCounts
from reports.models.counts import (
    Counts,
    DayCounts,
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
from reports.models.state import FirstPost, RollUp, ToldSilence, Workbook, WorkbookState

__all__ = [
    "BlockCounts",
    "Counts",
    "DayBlockCounts",
    "DayCounts",
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
