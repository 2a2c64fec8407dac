"""Counts of routing-plan blocks by number and block type."""

from __future__ import annotations

from django.db import models
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from reports.models.base import (
    Measured,
    OfDay,
    OfMonth,
    OfNumber,
    OfQuarterHour,
    count_field,
    in_words,
)


class BlockCounts(OfNumber, Measured):
    """The figures of one block type of one number in one quarter-hour, day or month."""

    block_type = models.TextField("blockType")
    blocks = count_field(_("blocks"), _("BLOCK_END posts of this type"))
    calls = count_field(_("calls"), _("Calls with at least one of them"))
    last_in_call = count_field(_("last block"), _("Ended calls without an answer whose last block had this type"))
    lost = count_field(_("lost here"), _("Of these, not answered or hung up before ringing"))

    class Meta:
        abstract = True


class QuarterHourBlockCounts(BlockCounts, OfQuarterHour):
    class Meta:
        verbose_name = _("block counts of a quarter-hour")
        verbose_name_plural = _("block counts by quarter-hour")
        constraints = [
            models.UniqueConstraint(
                name="block_counts_once_per_quarter_hour",
                fields=["destination_number", "quarter_hour", "block_type"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number}, {in_words(self.quarter_hour)}, {self.block_type}"


class DayBlockCounts(BlockCounts, OfDay):
    class Meta:
        verbose_name = _("block counts of a day")
        verbose_name_plural = _("block counts by day")
        constraints = [
            models.UniqueConstraint(
                name="block_counts_once_per_day",
                fields=["destination_number", "day", "is_open", "measured", "block_type"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number}, {date_format(self.day)}, {self.block_type}"


class MonthBlockCounts(BlockCounts, OfMonth):
    class Meta:
        verbose_name = _("block counts of a month")
        verbose_name_plural = _("block counts by month")
        constraints = [
            models.UniqueConstraint(
                name="block_counts_once_per_month",
                fields=["destination_number", "month", "is_open", "measured", "block_type"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.month:%Y-%m} {self.block_type}"
