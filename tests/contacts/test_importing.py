"""Files of contacts: an import adds, updates and, if asked to, removes; what it refuses it explains."""

import csv
import io

import pytest
from django.core.management import CommandError, call_command

from contacts.models import Contact
from tests.factories import make_contact

TABLE = """Kunden-Nr.;Vorname;Name;Firma;Telefon geschäftlich;Mobiltelefon;Telefax;Notiz;VIP;ID
K-1;Anna;Meyer;Meyer GmbH;0221 47103-0;0171 2345678;0221 4710399;zahlt pünktlich;ja;1
;Bernd;Öztürk;;0221 / 554 00-300;;;;;2
"""

pytestmark = pytest.mark.django_db


@pytest.fixture
def write(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "contacts.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def run(path, *options, source="crm"):
    out = io.StringIO()
    call_command("import_contacts", str(path), "--source", source, *options, stdout=out)
    return out.getvalue()


def stored(source="crm"):
    """Return the contacts of a source by id: name, company, and the numbers with a star if they have extensions."""
    return {
        contact.external_id: (
            contact.name,
            contact.company,
            [number.e164 + "*" * number.has_extensions for number in contact.numbers.all()],
        )
        for contact in Contact.objects.filter(source=source).prefetch_related("numbers")
    }


def refused(path):
    """Return line, reason and the other cells of each refused row."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [(int(line), reason, cells) for line, reason, *cells in [*csv.reader(file, delimiter=";")][1:]]


MEYER = ("Anna Meyer", "Meyer GmbH", ["+491712345678", "+4922147103*"])
OZTURK = ("Bernd Öztürk", "", ["+4922155400300"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_tables_of_common_programs_are_read(write, separator, encoding):
    run(write(TABLE.replace(";", separator).replace("\n", "\r\n"), encoding))
    assert stored() == {"1": MEYER, "2": OZTURK}
    contact = Contact.objects.get(external_id="1")
    assert (contact.customer_number, contact.note, contact.important) == ("K-1", "zahlt pünktlich", True)
    assert {number.label for number in contact.numbers.all()} == {"Telefon geschäftlich", "Mobiltelefon"}


def test_english_columns_and_lines_within_cells_are_read(write):
    run(
        write(
            'sep=,\nContact ID,Full Name,Company,Business Phone,Notes\n7,Ann Lee,Lee Ltd,+44 20 7946 0123,"a\nb, c"\n'
        )
    )
    assert stored() == {"7": ("Ann Lee", "Lee Ltd", ["+442079460123"])}
    assert Contact.objects.get().note == "a\nb, c"


def test_columns_with_other_names_are_mapped_by_hand(write):
    file = write("Nr;Wer;Erreichbar;Telefon\n5;Anna;0221 4710300;0221 4710301\n")
    with pytest.raises(CommandError, match="no column with names"):
        run(file)
    run(
        file,
        "--column",
        "Nr=external_id",
        "--column",
        "Wer=name",
        "--column",
        "Erreichbar=phone",
        "--column",
        "Telefon=",
    )
    assert stored() == {"5": ("Anna", "", ["+492214710300"])}


def test_the_same_file_again_changes_nothing_and_a_newer_one_updates(write):
    assert "2 contacts added, 0 changed, 0 unchanged" in run(write(TABLE))
    before = {contact.pk: contact.updated_at for contact in Contact.objects.all()}
    assert "0 contacts added, 0 changed, 2 unchanged" in run(write(TABLE))
    assert {contact.pk: contact.updated_at for contact in Contact.objects.all()} == before

    newer = TABLE.replace("0171 2345678", "0171 2345679").replace("zahlt pünktlich", "")
    assert "0 contacts added, 1 changed, 1 unchanged" in run(write(newer))
    assert stored()["1"] == ("Anna Meyer", "Meyer GmbH", ["+491712345679", "+4922147103*"])
    assert Contact.objects.get(external_id="1").note == ""


def test_a_contact_that_has_no_number_any_more_loses_it(write):
    run(write(TABLE))
    run(write(TABLE.replace("0221 / 554 00-300", "")))
    assert stored()["2"] == ("Bernd Öztürk", "", [])


def test_what_a_file_has_no_column_for_is_kept(write):
    contact = make_contact(
        "Anna", "+492214710300", source="crm", external_id="1", note="Calls on Mondays", important=True
    )
    run(write("id;name;customer number\n1;Anna Meyer;K-1\n"))
    contact.refresh_from_db()
    assert (contact.name, contact.customer_number, contact.note, contact.important) == (
        *("Anna Meyer", "K-1", "Calls on Mondays"),
        True,
    )
    assert contact.numbers.count() == 1


def test_contacts_of_other_sources_are_not_touched(write):
    make_contact("Anna", "+492214710300", source="erp", external_id="1")
    make_contact("Berta", "+492214710300")
    run(write(TABLE), "--replace", "--yes")
    assert stored("erp") == {"1": ("Anna", "", ["+492214710300"])}
    assert stored("") == {"": ("Berta", "", ["+492214710300"])}


def test_rows_without_an_id_are_found_again_by_name_company_and_customer_number(write):
    rows = "Name;Firma;Telefon\nAnna Meyer;Meyer GmbH;0221 4710300\nAnna Meyer;Bau AG;0221 4710301\n"
    run(write(rows))
    assert "0 contacts added, 1 changed, 1 unchanged" in run(write(rows.replace("4710301", "4710302")))
    assert sorted(stored().values()) == [
        ("Anna Meyer", "Bau AG", ["+492214710302"]),
        ("Anna Meyer", "Meyer GmbH", ["+492214710300"]),
    ]


def test_a_dry_run_counts_and_changes_nothing(write):
    run(write(TABLE))
    newer = TABLE.replace("Meyer GmbH", "Meyer AG") + ";Cem;Can;;0221 4710307;;;;;3\n"
    assert "It would be: 1 contacts added, 1 changed, 1 unchanged" in run(
        write(newer), "--dry-run", "--replace", "--yes"
    )
    assert stored() == {"1": MEYER, "2": OZTURK}


def test_missing_contacts_are_counted_and_removed_only_with_yes(write):
    run(write(TABLE))
    fewer = "\n".join(TABLE.splitlines()[:2])
    assert "missing" not in run(write(fewer))
    assert "1 contacts of crm are missing in the file. --replace --yes removes them." in run(write(fewer), "--replace")
    assert stored().keys() == {"1", "2"}
    assert "1 contacts of crm that are missing in the file were removed." in run(write(fewer), "--replace", "--yes")
    assert stored() == {"1": MEYER}
    with pytest.raises(CommandError, match="needs --replace"):
        run(write(fewer), "--yes")


def test_a_contact_whose_row_is_refused_is_not_removed(write):
    run(write(TABLE))
    run(write(TABLE.replace("0221 / 554 00-300", "ask Bernd")), "--replace", "--yes")
    assert stored() == {"1": MEYER, "2": OZTURK}
    with pytest.raises(CommandError, match="nothing is removed"):
        run(write(TABLE.splitlines()[0] + "\n"), "--replace", "--yes")


def test_refused_rows_are_written_with_line_and_reason(write, tmp_path):
    rows = (
        "id;name;phone;phone 2;url;vip\n"
        '1;"two\nlines";0221 4710300;;;\n'
        "2;Berta;4710300;;;\n"
        "3;;0221 4710300;;;\n"
        "4;Dora;;;;\n"
        "5;Emil;0221 4710300;;javascript:alert(1);\n"
        "6;=1+1;110;;;\n"
        "7;Gerd;0221 4710300;1001;;\n"
        "1;Anna;0221 4710300;;;\n"
        "8;Ida;0221 4710300;;;maybe\n"
    )
    out = run(write(rows), "--refused", str(tmp_path / "refused.csv"))
    assert "3 contacts added, 0 changed, 0 unchanged; 6 of 9 rows refused" in out
    assert "1 phone numbers cannot be read" in out
    assert stored().keys() == {"1", "4", "7"}
    found = refused(tmp_path / "refused.csv")
    assert [(line, cells[0]) for line, _reason, cells in found] == [
        *((4, "2"), (5, "3"), (7, "5"), (8, "6"), (9, "7"), (10, "1"), (11, "8"))
    ]
    reasons = {cells[0]: reason for _line, reason, cells in found}
    assert "4710300" in reasons["2"]
    assert reasons["1"] == "Line 2 has the same id, but not the same texts."
    # A cell that a spreadsheet would run as a formula is quoted.
    assert next(cells for line, _reason, cells in found if line == 8)[1] == "'=1+1"


def test_corrected_refused_rows_can_be_imported_as_they_are(write, tmp_path):
    path = tmp_path / "refused.csv"
    run(write("id;name;phone\n1;Anna;4710300\n"), "--refused", str(path))
    assert stored() == {}
    path.write_text(path.read_text(encoding="utf-8").replace(";4710300", ";+49 221 4710300"), encoding="utf-8")
    run(path)
    assert stored() == {"1": ("Anna", "", ["+492214710300"])}


def test_rows_of_one_contact_add_their_numbers(write):
    run(write("id;name;phone\n1;Anna;0221 4710300\n1;Anna;0171 2345678\n1;Anna;0171 2345678\n"))
    assert stored() == {"1": ("Anna", "", ["+491712345678", "+492214710300"])}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "names of the columns"),
        (b"PK\x03\x04", "not a text file"),
        (b"id;name\n1;Anna\n", "no column with phone numbers"),
    ],
)
def test_a_file_that_cannot_be_contacts_is_refused(tmp_path, content, reason):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=reason):
        run(path)


def test_a_source_has_a_plain_name(write):
    with pytest.raises(CommandError, match="lower-case"):
        run(write(TABLE), source="My CRM")
