"""Formats of dates and times on pages and in the admin: `28 Nov 2026, 14:05`."""

DATE_FORMAT = SHORT_DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "j M Y, H:i"
YEAR_MONTH_FORMAT = "F Y"
MONTH_DAY_FORMAT = "j F"
FIRST_DAY_OF_WEEK = 1

# Forms show the first format, and the admin's calendar and clock write it. Dates with slashes are not accepted, because
# day and month could be confused. Django adds ISO 8601.
DATE_INPUT_FORMATS = ["%d %b %Y", "%d %B %Y", "%d.%m.%Y", "%d.%m.%y", "%Y-%m-%d"]
# With seconds, or saving a form would drop them.
TIME_INPUT_FORMATS = ["%H:%M:%S", "%H:%M:%S.%f", "%H:%M", "%H.%M"]
DATETIME_INPUT_FORMATS = [f"{day} {time}" for day in DATE_INPUT_FORMATS for time in TIME_INPUT_FORMATS]
