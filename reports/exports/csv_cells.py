"""Cells of CSV files, as SQL: guarded against formulas; times and durations as text; the same for Excel."""

from __future__ import annotations

from accounts.spreadsheets import FORMULA
from calls.masking import HIDDEN

_FORMULA = FORMULA.replace("'", "''")  # in a literal of SQL


def safe(column: str) -> str:
    """Return the SQL of a text cell that no spreadsheet runs as a formula. A blank text becomes null.

    Plain E.164 numbers are not guarded."""
    # Texts that begin with a letter or digit first: matching every cell of a million calls would take seconds.
    return (
        f"CASE WHEN ascii({column}) BETWEEN 65 AND 122 OR ascii({column}) BETWEEN 48 AND 57 THEN {column} "
        f"WHEN {column} = '' THEN NULL "
        f"WHEN ({is_e164(column)}) OR {column} !~ '{_FORMULA}' THEN {column} "
        f"ELSE '''' || {column} END"
    )


def is_e164(column: str) -> str:
    """Return the SQL of whether a text is a plain E.164 number; a regular expression takes three times as long."""
    return (
        f"starts_with({column}, '+') AND length({column}) BETWEEN 3 AND 16 "
        f"AND translate({column}, '0123456789', '') = '+' AND substr({column}, 2, 1) <> '0'"
    )


def moment(column: str) -> str:
    """Return the SQL of a time: ISO 8601 with offset, in the time zone of the transaction, to the second."""
    return f"to_char({column}, 'YYYY-MM-DD\"T\"HH24:MI:SSTZH:TZM')"


def exact_moment(column: str) -> str:
    """Return the SQL of a time as `moment` does, to the millisecond."""
    return f"to_char({column}, 'YYYY-MM-DD\"T\"HH24:MI:SS.MSTZH:TZM')"


def seconds(interval: str) -> str:
    """Return the SQL of a duration in seconds, to the millisecond."""
    return f"round(extract(epoch FROM {interval}), 3)"


# For German Excel, which opens files by double click: fractions have a comma, times have neither T nor offset, and
# E.164 numbers have a space, or they would become 4.92E+12; masked ones have it too, or they would be read as formulas.
# Other texts that look like a number or a date get a quote.
FRACTIONS = frozenset({700, 701, 1700})  # float4, float8, numeric: PostgreSQL's own type numbers
TEXTS = frozenset({25, 1042, 1043})  # text, char, varchar
MOMENTS = frozenset({"start", "end", "started_at", "forwarded_at", "answered_at", "ended_at", "peak_at"}) | {
    *("first_at", "last_at", "silent_since")
}
_MONTH = (
    "(jan|januar|j[äÄ]n|j[äÄ]nner|january|feb|februar|february|m[äÄ]r|m[äÄ]rz|mrz|mar|march|apr|april|mai|may|jun|juni|june|jul|juli|july|"
    "aug|august|sep|sept|september|okt|oktober|oct|october|nov|november|dez|dezember|dec|december)"
)
# 0221, 1-2, 3.10, 12E5, 10:30, 5 pm, 7 %, 3 €; and 1. Mai, Mrz 26, SEPT2.
LIKE_A_VALUE = (
    r"^\s*[(€$£]?\s*[.,]?[0-9][0-9\s.,:/€$£%()-]*(e[+-]?[0-9]+)?(\s+[ap]m?)?\s*$"
    rf"|^\s*(?=.*[0-9])([0-9]{{1,4}}[\s./-]*)?{_MONTH}\.?([\s./-]*[0-9]{{1,4}}){{0,2}}\s*$"
)
LONGEST_VALUE = 64


def for_excel(name: str, type_number: int) -> str:
    """Return the SQL of a column as Excel reads it."""
    column = f'"{name}"'
    if type_number in FRACTIONS:
        return f"replace({column}::text, '.', ',') AS {column}"
    if name in MOMENTS:
        return f"replace(left({column}, 19), 'T', ' ') AS {column}"
    if type_number in TEXTS:
        spaced = f"left({column}, 3) || ' ' || substr({column}, 4)"
        is_value = f"length({column}) <= {LONGEST_VALUE} AND {column} ~* '{LIKE_A_VALUE}'"
        # Of cells that begin with a plus, `safe` leaves only numbers without a quote.
        is_masked = f"starts_with({column}, '+') AND right({column}, {len(HIDDEN)}) = '{HIDDEN}'"
        is_number = f"({is_e164(column)}) OR ({is_masked})"
        guarded = f"CASE WHEN {is_number} THEN {spaced} WHEN {is_value} THEN '''' || {column} ELSE {column} END"
        return f"{guarded} AS {column}"
    return column
