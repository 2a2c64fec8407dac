"""Spellings of numbers, and the number that each is parsed as in the region DE."""

from __future__ import annotations

# A typed or posted text, and its number; None is refused in forms and kept as received in posts.
SPELLINGS: list[tuple[str, str | None]] = [
    ("+49 221 4710300", "+492214710300"),
    ("0049 221 4710300", "+492214710300"),
    ("0221 4710300", "+492214710300"),
    ("(0221) 471-03 00", "+492214710300"),
    ("0221/4710300", "+492214710300"),
    ("492214710300", "+492214710300"),  # own country code without plus
    ("49 221 4710300", "+492214710300"),
    ("491622897306", "+491622897306"),  # was read as +49 491 622897306
    ("49 (0)221 4710300", "+492214710300"),
    ("+49 (0)221 4710300", "+492214710300"),
    ("+49 0221 4710300", "+492214710300"),
    ("+49 (0)0221 4710300", "+492214710300"),
    ("tel:+492212345678", "+492212345678"),
    ("tel:+49-221-2345678", "+492212345678"),
    ("+4917012345678;ext=12", "+4917012345678"),
    ("442079460123", None),  # a foreign number without plus
    ("221 4710300", None),  # a national number without its 0
    ("4710312", None),  # no area code; was read as +49 471 0312
    ("+442079460123", "+442079460123"),
    ("116117", None),
    ("116 117", None),
    ("+49110", None),  # a short code behind a country code
    ("1001", None),
]
READ = [(text, number) for text, number in SPELLINGS if number]
UNREAD = [text for text, number in SPELLINGS if not number]
