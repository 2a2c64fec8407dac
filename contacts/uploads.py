"""Files of contacts that are uploaded in the admin: kept for their preview and import, then removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import importing
from contacts.importing import ContactFile, FileRefused, Result
from contacts.models import ContactUpload

# What a page imports while a person waits. Larger files are for the command.
MOST_BYTES = 20 * 1024 * 1024
MOST_ROWS = 10_000


class TooLarge(FileRefused):
    """The file is one for the command."""


def keep(content: bytes, name: str, source: str, user: Any) -> ContactUpload:
    """Keep a file until it is imported. Raise FileRefused if it cannot be read, is misnamed, or too large."""
    clear()
    if len(content) > MOST_BYTES:
        raise TooLarge(_says_too_large(name, source))
    importing.check_source(source)
    file = importing.open_file(content)
    importing.check_ending(name, file)
    if file.count() > MOST_ROWS:
        raise TooLarge(_says_too_large(name, source))
    return ContactUpload.objects.create(user=user, name=name[:255], source=source, content=content)


def opened(upload: ContactUpload) -> ContactFile:
    """Return the file of an upload that is not imported yet."""
    return importing.open_file(bytes(upload.content or b""), upload.columns)


def check_rows(file: ContactFile) -> None:
    """Raise FileRefused if a file has no contacts, for example only headers."""
    if not file.count():
        raise FileRefused(_("This file has no contacts."))


@transaction.atomic
def run(upload: ContactUpload, *, remove_missing: bool = False) -> bool:
    """Import an upload and keep the result in place of the file; return False if it was imported already.

    Raise FileRefused."""
    # Locked, so that two clicks import it once.
    locked = ContactUpload.objects.select_for_update().get(pk=upload.pk)
    if locked.imported_at:
        return False
    file = opened(locked)
    check_rows(file)
    result = importing.run(file, locked.source, remove_missing=remove_missing)
    locked.counts = counts_of(result)
    locked.refused = "".join(importing.refused_csv(result)) if result.refused else ""
    locked.content, locked.imported_at = None, timezone.now()
    locked.save()
    return True


def map_columns(upload: ContactUpload, columns: Mapping[str, str]) -> None:
    """Read the columns of an upload as these fields from now on. Raise FileRefused if there is no such field."""
    upload.columns = dict(columns)
    opened(upload)
    upload.save(update_fields=["columns"])


def counts_of(result: Result) -> dict[str, int]:
    """Return what an import did, or would do."""
    return {
        **result.counts._asdict(),
        "removed": result.removed,
        "rows": result.rows,
        "refused": result.refused_rows,
        "left_out": len(result.refused) - result.refused_rows,
    }


def clear() -> None:
    """Remove files and results that are older than a day."""
    ContactUpload.objects.filter(uploaded_at__lt=timezone.now() - ContactUpload.KEPT).delete()


def _says_too_large(name: str, source: str) -> str:
    message = _(
        "A page imports at most %(rows)d contacts and 20 MB. Your administrator can import larger files on the server: "
        "manage.py import_contacts %(file)s --source %(source)s"
    )
    return message % {"rows": MOST_ROWS, "file": name, "source": source}
