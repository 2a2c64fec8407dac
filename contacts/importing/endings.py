"""The endings that names of uploaded files may have, and what files with them contain."""

from __future__ import annotations

from django.utils.translation import gettext as _

from contacts.importing.importer import ContactFile
from contacts.importing.texts import FileRefused
from contacts.importing.vcards import VcardFile

OF_CSV, OF_VCARDS = ("csv", "tsv", "txt"), ("vcf", "vcard")
# For the dialog of a browser that chooses a file.
ENDINGS = ",".join(f".{ending}" for ending in OF_CSV + OF_VCARDS)


def check_ending(name: str, file: ContactFile) -> None:
    """Raise FileRefused unless the name of a file ends as it should for what the file contains."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if ending not in OF_CSV + OF_VCARDS:
        raise FileRefused(
            _("The name of the file must end in .csv, .tsv or .txt, or if it contains vCards, in .vcf or .vcard.")
        )
    if isinstance(file, VcardFile) and ending in OF_CSV:
        raise FileRefused(
            _("This file contains vCards, but its name ends in .%(ending)s. Rename it to .vcf.") % {"ending": ending}
        )
    if not isinstance(file, VcardFile) and ending in OF_VCARDS:
        raise FileRefused(
            _("The name of this file ends in .%(ending)s, but it contains no vCards. If it is CSV, rename it to .csv.")
            % {"ending": ending}
        )
