"""Nothing that changes or gives away data is left out of the audit by mistake: each place has an action or a reason."""

from pathlib import Path
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import get_commands
from django.urls import reverse

from accounts.audit.actions import ACTIONS, Action
from accounts.audit.model_admin import AuditedAdmin
from accounts.models import AuditEntry
from reports import urls
from reports.exports import workbook_jobs
from reports.models import Workbook
from tests.factories import make_number, make_superuser

ROOT = Path(__file__).parent.parent.parent
OURS = {"accounts", "calls", "config", "contacts", "live", "reports"}

# The commands that write an entry, and how their code says so.
NOTED = {
    "add_number": "note_command(",
    "replay_refused": "note_command(",
    "drain_spool": "note_command(",
    "read_numbers_again": "note_command(",
    "rebuild_counts": "note_command(",
    "verify_rollups": "note_command(",
    "import_contacts": "note_command(",
    "create_contact_key": "note_command(",
    "revoke_contact_key": "note_command(",
    "reset_mfa": "second_factor.forget(",
    "backup": "note_in_audit(",
    "restore": "note_in_audit(",
    "merge_audit": "merging.merge",
}
# Those that write none.
NOT_NOTED = {
    "verify_audit": "only reads",
    "migrate": "changes tables alone; django_migrations says when which change was made",
    "database_roles": "writes a file",
    "roll_up": "counts what has changed, as the worker does every ten seconds",
    "simulate": "sends made-up calls",
    "backfill": "writes made-up calls",
    "demo": "writes made-up calls",
    "quickstart": "starts the processes",
    "prepare_start": "the user and the access that it makes are noted by their signals",
    "dispatch_events": "sends to endpoints, whose changes are noted",
}


# The code that makes files, and those among them that leave no entry.
FREE = {"contacts/admin/import_pages.py": "refused rows of a file, for the person who uploaded it"}


def test_every_answer_that_is_a_file_rests_on_a_noted_download():
    files = {
        str(path.relative_to(ROOT)): path.read_text()
        for app in OURS
        for path in (ROOT / app).rglob("*.py")
        if "Content-Disposition" in path.read_text() or "workbooks.response(" in path.read_text()
    }
    assert len(files) > 3
    forgotten = {name for name, code in files.items() if "Download(" not in code and "noted.streamed(" not in code}
    assert forgotten == set(FREE)


def test_every_action_is_described():
    assert set(ACTIONS) == set(Action)


def test_the_table_of_actions_in_the_docs_is_that_of_the_code():
    page = (ROOT / "docs/security.md").read_text().partition("## The audit")[2].partition("\n## ")[0]
    rows = [tuple(line.strip("| ").split(" | ")) for line in page.splitlines() if line.startswith("| ")]
    assert rows[2:] == [(str(action.label), str(action.holds)) for action in ACTIONS.values()]


def test_every_page_of_the_admin_is_audited():
    forgotten = [model for model, page in admin.site._registry.items() if not isinstance(page, AuditedAdmin)]
    assert forgotten == []


def test_every_command_is_listed_and_those_that_are_noted_say_so_in_their_code():
    commands = {name: app for name, app in get_commands().items() if app in OURS}
    assert set(commands) == {*NOTED, *NOT_NOTED}
    for name, words in NOTED.items():
        assert words in (ROOT / commands[name] / "management" / "commands" / f"{name}.py").read_text(), name


def test_no_field_with_values_in_entries_is_a_caller_or_a_secret():
    words, names = ("secret", "fingerprint", "password", "caller_", "payload", "body"), ("url", "e164", "phone")
    named = {
        (model._meta.label_lower, name)
        for model, page in admin.site._registry.items()
        for name in page.audited_fields
        if name in names or any(word in name for word in words)
    }
    # The number that is called.
    assert named == {("calls.destinationnumber", "e164")}


@pytest.mark.django_db(transaction=True)
def test_every_download_of_reports_leaves_two_entries(client, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 0
    make_number()
    client.force_login(make_superuser("editor"), "django.contrib.auth.backends.ModelBackend")
    names = [pattern.name for pattern in urls.urlpatterns if (pattern.name or "").endswith(("_csv", "_xlsx"))]
    assert len(names) > 15
    for name in names:
        before = AuditEntry.objects.count()
        answer = client.get(reverse(name))
        assert answer.status_code == 200, name
        sent = b"".join(answer.streaming_content)
        answer.close()
        ended, begun = AuditEntry.objects.all()[:2]
        kind = name.replace("_", ".")
        assert AuditEntry.objects.count() == before + 2, name
        assert (begun.action, begun.object, begun.actor) == ("export_begun", kind, "editor")
        assert (ended.action, ended.object, ended.bytes) == ("export_ended", kind, len(sent)), name
        assert ended.after == {"is_complete": True}
        assert ended.actor_id == User.objects.get().pk


@pytest.mark.django_db(transaction=True)
def test_a_workbook_that_was_made_in_the_background_is_noted_when_it_is_requested_and_downloaded(
    client, settings, tmp_path
):
    settings.FILES_FOLDER = tmp_path
    editor, number = make_superuser("editor"), make_number()
    client.force_login(editor, "django.contrib.auth.backends.ModelBackend")
    client.post("/reports/files/", {"kind": "counts", "query": f"number={quote(number.e164)}"})
    workbook_jobs.make_waiting()
    workbook = Workbook.objects.get()
    answer = client.get(f"/reports/files/{workbook.pk}.xlsx")
    sent = b"".join(answer.streaming_content)
    answer.close()
    ended, begun, asked = AuditEntry.objects.all()[:3]
    assert [asked.action, begun.action, ended.action] == ["export_asked", "export_begun", "export_ended"]
    assert asked.after == begun.after
    assert quote(number.e164) in asked.after["filters"]
    assert (ended.rows, ended.bytes, ended.after) == (workbook.rows, len(sent), {"is_complete": True})
