"""Imports contacts from CSV and vCard files. Import its parts from this package, not from its modules."""

from contacts.importing.csv_files import Column, CsvFile, field_of
from contacts.importing.endings import ENDINGS, check_ending
from contacts.importing.importer import (
    ContactFile,
    Preview,
    Progress,
    Result,
    check_columns,
    check_source,
    open_file,
    preview,
    refused_csv,
    run,
)
from contacts.importing.rows import FIELDS, Draft, Number, Refusal, read_number
from contacts.importing.store import Counts
from contacts.importing.texts import MOST_BYTES, FileRefused
from contacts.importing.vcards import VcardFile

__all__ = [
    "ENDINGS",
    "FIELDS",
    "MOST_BYTES",
    "Column",
    "ContactFile",
    "Counts",
    "CsvFile",
    "Draft",
    "FileRefused",
    "Number",
    "Preview",
    "Progress",
    "Refusal",
    "Result",
    "VcardFile",
    "check_columns",
    "check_ending",
    "check_source",
    "field_of",
    "open_file",
    "preview",
    "read_number",
    "refused_csv",
    "run",
]
