r"""How phone numbers are found in texts that people wrote: one regular expression, for Python and PostgreSQL alike.

It names its characters itself, because `\d`, `\w` and `\s` differ between the two. What may be a phone number is taken
for one: a row of digits is something else only if all of it is dates, times or amounts in their usual spelling, such as
`14.09.2026 08:00`, `2026-09-14`, `08:00-17:30` or `12.345,67 €`."""

import sys
import unicodedata

from calls import phones

# Decimal digits of all scripts, each ten in a row, and the letters of European languages that end a number.
_ZEROS = [sign for sign in map(chr, range(sys.maxunicode + 1)) if unicodedata.decimal(sign, None) == 0]
_DIGITS = "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in _ZEROS)
FOREIGN_DIGITS = "".join(chr(ord(zero) + n) for zero in _ZEROS if zero != "0" for n in range(10))
IN_ASCII = "0123456789" * (len(FOREIGN_DIGITS) // 10)  # the same ones, for PostgreSQL's `translate`
_DIGIT = f"[{_DIGITS}]"
_OTHER = f"[^{_DIGITS}A-Za-zÀ-ÖØ-öø-ɏ]"
_STARTS = f"(?<!{_DIGIT})(?<!{_DIGIT}{_OTHER})(?<!{_DIGIT}{_OTHER}{_OTHER})(?<!{_DIGIT}{_OTHER}{_OTHER}{_OTHER})"
_ENDS = f"(?!{_OTHER}{{0,3}}{_DIGIT})"

_SPACE = "[ \u00a0\u2009\u202f]"
_YEAR = "(?:19|20)[0-9][0-9]"


def _date(by: str) -> str:
    """Return the pattern of a day and a month that has this day."""
    short = f"(?:0?[1-9]|[12][0-9]){by}0?2"
    long = f"31{by}(?:0?[13578]|1[02])"
    return f"(?:(?:0?[1-9]|[12][0-9]|30){by}(?:0?[13-9]|1[0-2])|{short}|{long})"


_ISO = f"{_YEAR}-(?:(?:0[13-9]|1[0-2])-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9])|(?:0[13578]|1[02])-31)"
_DATE = rf"(?:{_date('[.]')}[.](?:{_YEAR}|[0-9][0-9])?|{_date('/')}/{_YEAR}|{_date('-')}-{_YEAR}|{_ISO})"
_TIME = "(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,6})?)?"
_SUM = "(?:[1-9][0-9]{0,2}(?:[.][0-9]{3})+(?:,[0-9]{2})?|[1-9][0-9]{0,8},[0-9]{2})"
_AFTER_CURRENCY = f"(?:(?<=€)|(?<=€{_SPACE})|(?<=EUR)|(?<=EUR{_SPACE}))"
_AMOUNT = f"(?:{_AFTER_CURRENCY}{_SUM}|{_SUM}(?={_SPACE}?(?:€|EUR)))"
_HARMLESS = f"(?:{_DATE}(?:,?{_SPACE}{_TIME})?|{_TIME}|{_AMOUNT})"
_BETWEEN = f"(?:{_SPACE}?[-–—+]{_SPACE}?|,{_SPACE})"

NUMBER = (
    f"(?!{_HARMLESS}(?:{_BETWEEN}{_HARMLESS})*{_ENDS})"
    rf"[+]?{_STARTS}{_DIGIT}(?:{_OTHER}{{0,3}}{_DIGIT}){{{phones.FEWEST_DIGITS - 1},}}"
)
