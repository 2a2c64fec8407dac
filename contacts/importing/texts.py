"""Bytes of a file as text, and texts as they are stored."""

from __future__ import annotations

import codecs

from django.utils.translation import gettext as _

# A hundred thousand contacts take about 20 MB.
MOST_BYTES = 64 * 1024 * 1024

_MARKED = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",  # what Excel calls Unicode text
    codecs.BOM_UTF16_BE: "utf-16",
}


class FileRefused(ValueError):  # noqa: N818 (named for what happens to the file)
    """The file cannot be imported at all. The message says why."""


def decoded(content: bytes) -> tuple[str, str]:
    """Return the text of a file and its encoding. Bytes that are not UTF-8 are read as Windows-1252, as older Excel
    writes them. Raise FileRefused."""
    if len(content) > MOST_BYTES:
        most_mb = MOST_BYTES // (1024 * 1024)
        raise FileRefused(_("The file is larger than %(most)d MB. Split it into several files.") % {"most": most_mb})
    encoding = next((encoding for mark, encoding in _MARKED.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        encoding = "cp1252"
        text = content.decode(encoding, "replace")
    # Text has no NUL: this is a workbook, a picture, or another file that is not text.
    if "\0" in text[:4096] or text.startswith("PK\x03\x04"):
        raise FileRefused(_("This is not a text file. Save it as CSV (separated by commas) or vCard first."))
    return text, encoding


def cleaned(text: str) -> str:
    """Return a text without NUL, lone surrogates and space around it, so that the database takes it."""
    if not text.isprintable():
        text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.strip()
