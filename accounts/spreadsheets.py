"""Texts that a spreadsheet would run as a formula when it opens a file with them."""

from __future__ import annotations

# Characters that are invisible before the first visible one of a cell: format characters, spaces and line ends of any
# kind, fillers, variation selectors (Unicode Cf, Zs, Zl, Zp, Cc and Default_Ignorable_Code_Point).
IGNORABLE = (
    r"\s\u0001-\u0020\u007F-\u00A0\u00AD\u034F\u0600-\u0605\u061C\u06DD\u070F\u0890\u0891\u08E2\u115F\u1160\u1680\u17B4\u17B5"
    r"\u180B-\u180F\u2000-\u200F\u2028-\u202F\u205F-\u206F\u2800\u3000\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB"
    r"\U000110BD\U000110CD\U00013430-\U0001343F\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E0FFF"
)
# The regular expression of a text that a spreadsheet could read as a formula: it begins with = + - @ (or their
# full-width and small forms), also after invisible characters or quotes, or with a tab or a line break. It means the
# same to Python and PostgreSQL.
FORMULA = rf"""^[{IGNORABLE}]*[\t\r\n]|^[{IGNORABLE}"']*[=+@＝＋－＠﹢﹣﹦﹫-]"""
