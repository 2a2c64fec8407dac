"""vCards of version 3 and 4, as phones and mail programs write them."""

import pytest
from django.core.management import call_command

from contacts import importing
from contacts.models import Contact

CARDS = """BEGIN:VCARD\r
VERSION:3.0\r
PRODID:-//Apple Inc.//iOS 17//EN\r
N:Meyer;Anna;;Dr.;\r
FN:Dr. Anna Meyer\r
ORG:Meyer\\, Sohn & Co. GmbH;Einkauf\r
item1.TEL;type=CELL;type=VOICE;type=pref:0171 2345678\r
TEL;TYPE="work,voice":+49 221 4710300\r
TEL;TYPE=WORK,FAX:+49 221 4710399\r
NOTE:Ruft nur vormi\r
 ttags an.\\nBitte duzen.\r
UID:1b4e28ba\r
END:VCARD\r
BEGIN:VCARD\r
VERSION:4.0\r
FN:Bau AG\r
ORG:Bau AG\r
UID:urn:uuid:2\r
TEL;VALUE=uri;TYPE="voice,home":tel:+49-221-47103-0\r
SOURCE:https://crm.example.com/2\r
END:VCARD\r
"""

pytestmark = pytest.mark.django_db


@pytest.fixture
def imported(tmp_path):
    def imported(text):
        path = tmp_path / "contacts.vcf"
        path.write_text(text, encoding="utf-8", newline="")
        call_command("import_contacts", str(path), "--source", "phone")
        return Contact.objects.order_by("name", "pk")

    return imported


def numbers(contact):
    return [(number.e164, number.has_extensions, number.label) for number in contact.numbers.all()]


def test_cards_of_both_versions_are_read(imported):
    company, anna = imported(CARDS)
    assert (anna.name, anna.company) == ("Dr. Anna Meyer", "Meyer, Sohn & Co. GmbH")
    assert (anna.external_id, anna.note) == ("1b4e28ba", "Ruft nur vormittags an.\nBitte duzen.")
    assert numbers(anna) == [("+491712345678", False, "cell"), ("+492214710300", False, "work")]
    # The card of a company names it twice.
    assert (company.name, company.company, company.url) == ("", "Bau AG", "https://crm.example.com/2")
    assert numbers(company) == [("+4922147103", True, "home")]


def test_a_card_without_fn_has_the_name_of_n(imported):
    (anna,) = imported("BEGIN:VCARD\nVERSION:3.0\nN:Meyer;Anna\nTEL:0221 4710300\nEND:VCARD\n")
    assert anna.name == "Anna Meyer"


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("BEGIN:VCARD\nVERSION:2.1\nFN:Anna\nTEL:0221 4710300\nEND:VCARD\n", "version 2.1"),
        ("BEGIN:VCARD\nVERSION:3.0\nFN:Anna\nTEL:0221 4710300\n", "ends within this card"),
        ("BEGIN:VCARD\nVERSION:4.0\nTEL:0221 4710300\nEND:VCARD\n", "neither a name nor a company"),
    ],
)
def test_a_card_that_cannot_be_taken_is_refused_with_its_line(card, reason):
    file = importing.open_file(("\n" + card).encode())
    (refusal,) = importing.preview(file).refused
    assert refusal.line == 2
    assert reason in refusal.reason


def test_broken_lines_of_other_properties_are_ignored(imported):
    (anna,) = imported("BEGIN:VCARD\nVERSION:3.0\nPHOTO without a colon\nX;=:;\nFN:Anna\nTEL:0221 4710300\nEND:VCARD\n")
    assert anna.name == "Anna"
