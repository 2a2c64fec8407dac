"""What is changed, searched, downloaded and done in the admin is noted with what was before, and without callers."""

import csv
import io

import pytest
from django.core.management import call_command

from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write
from accounts.models import AuditEntry
from calls.models import DestinationNumber, NumberAccess, Right, SenderPolicy
from tests.access.people import make_person
from tests.factories import give, make_contact, make_number, make_superuser, make_user, take_back

pytestmark = pytest.mark.django_db

CALLER = "+491701234567"


@pytest.fixture(autouse=True)
def editor(client):
    person = make_superuser("editor")
    client.force_login(person)
    return person


def entries(*actions):
    return AuditEntry.objects.filter(action__in=actions).order_by("position")


def sent_again(client, address, **changes):
    """Send the form of a page as it is shown, with some values changed."""
    form = client.get(address).context["adminform"].form
    shown = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    data = {name: value for name, value in shown.items() if value not in (None, False, "")} | changes
    answer = client.post(address, data)
    assert answer.status_code == 302, answer.context["errors"]


def test_a_changed_setting_is_noted_before_and_after(client):
    policy = SenderPolicy.objects.get_or_create(pk=1)[0]
    sent_again(client, "/admin/calls/senderpolicy/1/change/", networks="192.0.2.1")
    entry = entries("object_changed").get()
    assert (entry.actor, entry.object_type, entry.object_id) == ("editor", "calls.senderpolicy", "1")
    assert (entry.before, entry.after["networks"]) == ({"networks": policy.networks}, "192.0.2.1")


def test_pages_of_entries_name_kinds_and_fields_as_forms_do(client):
    anna = make_user("anna")
    moment = {"date_joined_0": "2026-01-01", "date_joined_1": "10:00"}
    sent_again(client, f"/admin/auth/user/{anna.pk}/change/", is_active="", **moment)
    entry = entries("user_changed").get()
    assert "user anna" in client.get("/admin/accounts/auditentry/?action=user_changed").content.decode()
    page = client.get(f"/admin/accounts/auditentry/{entry.pk}/change/").content.decode()
    assert "active: yes" in page
    assert "active: no" in page
    write(Action.OBJECT_DELETED, Subject("calls.destinationnumber", "7", "Hotline"), before={"gone": None})
    assert "number Hotline" in client.get("/admin/accounts/auditentry/").content.decode()


def test_what_is_deleted_stays_named(client):
    number = make_number(label="Hotline")
    client.post(f"/admin/calls/destinationnumber/{number.pk}/delete/", {"post": "yes"})
    assert not DestinationNumber.objects.exists()
    entry = entries("object_deleted").get()
    assert (entry.object, entry.before["label"]) == (str(number), "Hotline")


def test_of_a_contact_only_its_id_is_noted(client):
    contact = make_contact("Anna Meyer", CALLER)
    client.post(f"/admin/contacts/contact/{contact.pk}/delete/", {"post": "yes"})
    entry = entries("object_deleted").get()
    assert (entry.object_id, entry.object) == (str(contact.pk), "")
    assert "Meyer" not in str([*AuditEntry.objects.values()])
    assert CALLER not in str([*AuditEntry.objects.values()])


def test_a_new_key_is_noted_by_its_end(client):
    number = make_number()
    page = f"/admin/calls/destinationnumber/keys/issue/?number={number.pk}"
    answer = client.post(page, {"newest": 0, "access_key": ""})
    (_number, key) = answer.context["issued"][0]
    entry = entries("object_changed").get()
    assert entry.after == {"done": [f"Created the access key ending in {key[-4:]}."]}
    assert key not in str([*AuditEntry.objects.values()])


def test_access_is_noted_with_the_rights_before_and_after():
    person, number = make_user("mona"), make_number(label="Hotline")
    access = give(person, number, Right.CALLS)
    access.callers = True
    access.save()
    take_back(person, number)
    first, second, third = entries("access_changed")
    had = {"number": str(number), "rights": ["figures", "calls"], "until": None}
    has = had | {"rights": ["figures", "calls", "callers"]}
    assert (first.object, first.before, first.after) == ("mona", None, had)
    assert (second.before, second.after) == (had, has)
    assert (third.before, third.after) == (has, None)


def test_a_deleted_number_takes_the_access_with_an_entry():
    number = make_number()
    give(make_user("mona"), number)
    number.delete()
    assert not NumberAccess.objects.exists()
    assert entries("access_changed").last().after is None


def test_a_search_is_noted_as_a_checksum_which_is_the_same_in_each_spelling(client):
    make_number()
    for text in (CALLER, "0170 1234567", CALLER):
        client.post("/reports/calls/", {"q": text})
    # The third search is in the session already.
    first, second = entries("searched")
    assert first.after == second.after
    assert "1234567" not in str([*AuditEntry.objects.values()])


def test_pages_of_figures_write_nothing(client, editor):
    number = make_number()
    before = AuditEntry.objects.count()
    for address in (
        "/reports/",
        f"/reports/numbers/{number.pk}/",
        "/reports/busy-hours/",
        "/reports/calls/",
        "/admin/",
    ):
        assert client.get(address).status_code == 200
    assert AuditEntry.objects.count() == before


def test_a_command_is_noted_with_its_result():
    call_command("add_number", "+4922147103000", label="New")
    entry = entries("command_run").get()
    assert (entry.actor, entry.object, entry.after["label"]) == ("manage.py add_number", "add_number", "New")


def test_data_protection_reads_the_audit_and_downloads_it_and_changes_nothing(client):
    person = make_person("data protection", make_number())
    client.force_login(person)
    page = client.get("/admin/accounts/auditentry/")
    assert "signed in" in page.content.decode()
    first = AuditEntry.objects.last()
    assert client.get(f"/admin/accounts/auditentry/{first.pk}/change/").status_code == 200
    assert client.get("/admin/accounts/auditentry/add/").status_code == 403
    assert client.post(f"/admin/accounts/auditentry/{first.pk}/delete/", {"post": "yes"}).status_code == 403
    answer = client.get("/admin/accounts/auditentry/audit.csv", {"action": "signed_in"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert {row["action"] for row in rows} == {"signed_in"}
    begun, ended = entries("export_begun", "export_ended")
    assert (begun.actor, begun.object, begun.after) == (person.username, "audit", {"filters": "action=signed_in"})
    assert ended.rows == len(rows)


def test_the_list_is_filtered_by_person_and_says_when_it_is_empty(client, editor):
    page = client.get("/admin/accounts/auditentry/", {"person": editor.pk, "action": "signed_in"})
    assert [entry.actor for entry in page.context["cl"].result_list] == ["editor"]
    page = client.get("/admin/accounts/auditentry/", {"person": "command"})
    assert "There are no entries for these filters." in page.content.decode()


def test_people_without_the_permission_do_not_see_the_audit(client):
    client.force_login(make_person("operator", make_number()))
    for page in ("", "audit.csv"):
        assert client.get(f"/admin/accounts/auditentry/{page}").status_code == 403
