"""The import of contacts in the admin: upload, preview, import, result, each seen only by who uploaded the file."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from contacts import uploads
from contacts.models import Contact, ContactUpload
from tests.factories import make_contact, make_user

pytestmark = pytest.mark.django_db

IMPORT = "/admin/contacts/contact/import/"
FILE = """ID;Name;Firma;Telefon;Handy
1;Anna Meyer;Meyer GmbH;0221 4710300;
2;;;0221 4710301;
3;Ben Kurz;;0221 4710302;0171 1234567
"""


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


@pytest.fixture
def operator(client):
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client.force_login(user)
    return user


def upload(client, text=FILE, source="crm", name="contacts.csv"):
    file = SimpleUploadedFile(name, text if isinstance(text, bytes) else text.encode())
    return client.post(IMPORT, {"file": file, "source": source})


def counts(page):
    rows = re.findall(r'<th scope="row">([^<]*)</th>\s*<td class="number">(\d+)</td>', page.content.decode())
    return {label: int(count) for label, count in rows}


def test_a_file_is_previewed_then_imported_and_its_refused_rows_are_downloaded(client, operator):
    make_contact("Ben Kurz", "+492214710302", source="crm", external_id="3")
    address = upload(client)["Location"]
    preview = client.get(address)
    assert all(text in text_of(preview) for text in ("Anna Meyer", "0221 4710300", "Nothing is changed yet", "Line 3:"))
    expected = {"Added": 1, "Changed": 1, "Unchanged": 0, "Rows refused": 1}
    assert counts(preview) == expected
    assert Contact.objects.count() == 1

    result = client.post(address, {"import": "Import"}, follow=True)
    assert counts(result) == expected
    stored = Contact.objects.order_by("external_id")
    assert [(str(contact), contact.numbers.count()) for contact in stored] == [
        ("Anna Meyer (Meyer GmbH)", 1),
        ("Ben Kurz", 2),
    ]
    refused = client.get(f"{address}refused/")
    assert refused["Content-Disposition"] == 'attachment; filename="refused.csv"'
    assert refused.content.decode().splitlines()[1].startswith("3;")
    assert LogEntry.objects.get().object_repr == "contacts.csv (crm)"


def test_an_import_runs_once_and_its_file_is_removed(client, operator):
    address = upload(client)["Location"]
    for _click in range(2):
        client.post(address, {"import": "Import"})
    shown = ContactUpload.objects.get()
    assert (shown.content, LogEntry.objects.count()) == (None, 1)


def test_columns_are_read_as_other_fields_if_asked_to(client, operator):
    address = upload(client)["Location"]
    chosen = {f"column-{n}": field for n, field in enumerate(["external_id", "name", "note", "phone", ""])}
    client.post(address, chosen | {"columns": "1"})
    client.post(address, chosen | {"import": "Import"})
    anna = Contact.objects.get(external_id="1")
    assert (anna.company, anna.note) == ("", "Meyer GmbH")

    address = upload(client)["Location"]
    answer = client.post(address, dict.fromkeys(chosen, "") | {"columns": "1"}, follow=True)
    assert "There is no column with names" in text_of(answer)


def test_a_file_with_other_headers_is_imported_once_its_columns_are_named(client, operator):
    address = upload(client, "Wer;Womit\nAnna Meyer;0221 4710300\n")["Location"]
    page = client.get(address)
    assert "There is no column with names or companies among these: Wer, Womit." in text_of(page)
    assert "Choose below what each column contains" in text_of(page)
    assert 'name="import"' not in page.content.decode()
    assert "There is no column with names" in text_of(client.post(address, {"import": "Import"}, follow=True))

    client.post(address, {"column-0": "name", "column-1": "phone", "columns": "1"})
    assert counts(client.get(address))["Added"] == 1
    client.post(address, {"import": "Import"})
    assert Contact.objects.get().numbers.get().e164 == "+492214710300"


def test_a_file_with_only_headers_is_not_offered_for_import(client, operator):
    make_contact("Former", source="crm", external_id="99")
    address = upload(client, "ID;Name;Telefon\n")["Location"]
    page = client.get(address)
    assert "This file has no contacts." in text_of(page)
    assert not {"import", "remove", "columns"} & {*re.findall(r'name="(\w+)"', page.content.decode())}
    answer = client.post(address, {"import": "Import", "remove": "on"}, follow=True)
    assert "This file has no contacts." in text_of(answer)
    assert Contact.objects.get().name == "Former"
    assert not LogEntry.objects.exists()


def test_contacts_that_are_missing_in_the_file_are_removed_only_if_asked_to(client, operator):
    make_contact("Former", source="crm", external_id="99")
    client.post(upload(client)["Location"], {"import": "Import"})
    assert Contact.objects.filter(name="Former").exists()
    address = upload(client)["Location"]
    assert "Remove 1 contact of crm that is not in this file" in text_of(client.get(address))
    client.post(address, {"import": "Import", "remove": "on"})
    assert not Contact.objects.filter(name="Former").exists()


@pytest.mark.parametrize(
    ("text", "source", "message"),
    [
        (FILE, "CRM!", "lower-case letters"),
        (b"PK\x03\x04", "crm", "This is not a text file."),
        ("", "crm", "The submitted file is empty."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_at_once(client, operator, text, source, message):
    assert message in text_of(upload(client, text, source))
    assert not ContactUpload.objects.exists()


VCARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Carla Groß\r\nTEL;TYPE=cell:+49 171 1234567\r\nUID:7\r\nEND:VCARD\r\n"


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (FILE, "contacts.vcf", "The name of this file ends in .vcf, but it contains no vCards."),
        (VCARD, "contacts.CSV", "This file contains vCards, but its name ends in .csv."),
        (FILE, "contacts.html", "The name of the file must end in .csv, .tsv or .txt"),
        (FILE, "contacts.csv.exe", "The name of the file must end in .csv, .tsv or .txt"),
        (VCARD, "contacts", "The name of the file must end in .csv, .tsv or .txt"),
        (b"PK\x03\x04", "contacts.xlsx", "This is not a text file."),
    ],
)
def test_a_file_whose_ending_does_not_fit_its_content_is_refused(client, operator, text, name, message):
    assert message in text_of(upload(client, text, name=name))
    assert not ContactUpload.objects.exists()


@pytest.mark.parametrize(
    ("text", "name"),
    [(FILE, "contacts.CSV"), (FILE, "contacts.txt"), (FILE, "a.b.tsv"), (VCARD, "contacts.vcard")],
)
def test_a_file_whose_ending_fits_its_content_is_previewed(client, operator, text, name):
    assert upload(client, text, name=name).status_code == 302
    assert 'accept=".csv,.tsv,.txt,.vcf,.vcard"' in client.get(IMPORT).content.decode()


def test_a_page_leaves_large_files_to_the_command(client, operator):
    rows = "".join(f"{n};Contact {n};0221 {4_000_000 + n}\n" for n in range(uploads.MOST_ROWS + 1))
    page = upload(client, f"ID;Name;Telefon\n{rows}")
    assert "manage.py import_contacts contacts.csv --source crm" in text_of(page)
    assert not ContactUpload.objects.exists()


def test_a_file_of_another_person_does_not_exist(client, operator):
    address = upload(client)["Location"]
    client.post(address, {"import": "Import"})
    other = make_user("oscar", is_staff=True)
    other.groups.add(Group.objects.get(name="operator"))
    client.force_login(other)
    assert client.get(address).status_code == 404
    assert client.post(address, {"import": "Import"}).status_code == 404
    assert client.get(f"{address}refused/").status_code == 404


def test_files_are_removed_after_a_day(client, operator):
    upload(client)
    ContactUpload.objects.update(uploaded_at=timezone.now() - timedelta(hours=25))
    upload(client, name="new.csv")
    assert [row.name for row in ContactUpload.objects.all()] == ["new.csv"]
    ContactUpload.objects.update(uploaded_at=timezone.now() - timedelta(hours=25))
    uploads.clear()
    assert not ContactUpload.objects.exists()


def test_vcards_are_imported_too(client, operator):
    address = upload(client, VCARD, name="contacts.vcf")["Location"]
    assert "Carla Groß" in text_of(client.get(address))
    client.post(address, {"import": "Import"})
    assert Contact.objects.get().numbers.get().e164 == "+491711234567"
