"""manage.py import_contacts: adds and updates the contacts of a source from a CSV or vCard file."""

from __future__ import annotations

import argparse
import contextlib
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.audit.commands import note_command
from contacts import importing
from contacts.importing import Result

REPORT_EVERY_S = 2.0


class Command(BaseCommand):
    help = (
        "Adds the contacts of a CSV or vCard file, and updates those that the source has already. With --replace, "
        "contacts that are missing in the file are counted, and with --yes also removed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="CSV (separated by ; , or tab) or vCard 3 or 4")
        parser.add_argument("--source", required=True, help="the system that the file comes from, for example crm")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            type=_column,
            metavar="HEADER=FIELD",
            help="what a column has, if its name does not say it; may be repeated. Without a field the column is not "
            f"read. Fields: {', '.join(importing.FIELDS)}",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done, and change nothing")
        parser.add_argument("--refused", type=Path, help="write the rows that are refused into this CSV file")
        parser.add_argument("--replace", action="store_true", help="count contacts of the source missing in the file")
        parser.add_argument("--yes", action="store_true", help="with --replace: remove them")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["yes"] and not options["replace"]:
            raise CommandError("--yes removes contacts that are missing in the file. It needs --replace.")
        began = self.reported = time.monotonic()
        try:
            file = importing.open_file(options["file"].read_bytes(), dict(options["column"]))
            importing.check_columns(file)
            # Opened first: an import is not repeated because its refused rows cannot be written.
            with contextlib.ExitStack() as stack:
                path = options["refused"]
                refused = stack.enter_context(path.open("w", encoding="utf-8", newline="")) if path else None
                result = importing.run(
                    file,
                    options["source"],
                    dry_run=options["dry_run"],
                    remove_missing=options["yes"],
                    progress=self.report_progress,
                )
                if refused:
                    refused.writelines(importing.refused_csv(result))
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from None
        except importing.FileRefused as error:
            raise CommandError(str(error)) from None
        if not options["dry_run"]:
            totals = {"added": result.counts.added, "changed": result.counts.changed, "removed": result.removed}
            note_command("import_contacts", source=options["source"], **totals)
        self.report(result, options, time.monotonic() - began)

    def report_progress(self, done: int, total: int) -> None:
        """Print how far the import is, every few seconds."""
        now = time.monotonic()
        if now >= self.reported + REPORT_EVERY_S:
            self.reported = now
            self.stdout.write(f"{done:,} of {total:,} rows read" + (". Storing them …" if done == total else " …"))

    def report(self, result: Result, options: dict[str, Any], took_s: float) -> None:
        counts = result.counts
        would = "Dry run, nothing is changed. It would be: " if options["dry_run"] else ""
        self.stdout.write(
            f"{would}{counts.added:,} contacts added, {counts.changed:,} changed, {counts.unchanged:,} unchanged; "
            f"{result.refused_rows:,} of {result.rows:,} rows refused ({took_s:.1f} s)."
        )
        if left_out := len(result.refused) - result.refused_rows:
            self.stdout.write(f"{left_out:,} phone numbers cannot be read; their contacts were taken without them.")
        if result.refused and not options["refused"]:
            self.stdout.write("Write what was refused, and why, into a file with --refused refused.csv.")
        if options["replace"]:
            self.report_missing(result, options)

    def report_missing(self, result: Result, options: dict[str, Any]) -> None:
        missing, source = result.counts.missing, options["source"]
        if not missing:
            self.stdout.write(f"No contact of {source} is missing in the file.")
        elif options["dry_run"] or not options["yes"]:
            self.stdout.write(
                f"{missing:,} contacts of {source} are missing in the file. --replace --yes removes them."
            )
        else:
            self.stdout.write(f"{result.removed:,} contacts of {source} that are missing in the file were removed.")


def _column(text: str) -> tuple[str, str]:
    header, equals, field = text.rpartition("=")
    if not equals or not header.strip():
        raise argparse.ArgumentTypeError("write it as HEADER=FIELD, for example Firma2=company")
    return header.strip(), field.strip()
