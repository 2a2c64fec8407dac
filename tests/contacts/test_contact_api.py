"""The API of contacts: a system with a key keeps the contacts of its source fresh, and nothing else."""

import io
import json
import logging
import threading
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from calls import keys
from calls.ingest import rate_limit
from contacts import views
from contacts.matching import who_calls
from contacts.models import Contact, ContactKey
from tests.factories import make_contact, make_contact_key, make_staff

ANNA = {
    "name": "Anna Meyer",
    "company": "Meyer GmbH",
    "url": "https://erp.example.com/17",
    "note": "pays on time",
    "customer_number": "K-1",
    "important": True,
    "numbers": ["0171 2345678", {"number": "+49 221 47103-0", "label": "office"}],
}
CALLER = "+491712345678"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_wrong_keys(monkeypatch):
    monkeypatch.setattr(views, "wrong_keys", rate_limit.RateLimit())


@pytest.fixture
def key():
    return make_contact_key("erp")


def ask(method, key, body=None, *, source="erp", external_id="17", **headers):
    data = {} if body is None else {"data": body if isinstance(body, str | bytes) else json.dumps(body)}
    path = f"/api/contacts/{source}/{quote(external_id, safe='')}"
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    return getattr(Client(), method)(path, content_type="application/json", headers=headers, **data)


def fields_refused(answer):
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid"
    return answer.json()["fields"]


def test_a_contact_is_added_then_replaced_and_then_removed(key):
    added = ask("put", key, ANNA)
    assert added.status_code == 201
    assert added.json() == ANNA | {
        "source": "erp",
        "id": "17",
        "numbers": [
            {"number": CALLER, "has_extensions": False, "label": ""},
            {"number": "+4922147103", "has_extensions": True, "label": "office"},
        ],
    }
    assert [contact.name for contact in who_calls([CALLER])[CALLER].contacts] == ["Anna Meyer"]

    replaced = ask("put", key, {"name": "Anna Schmidt", "numbers": ["+49 171 2345679"]})
    assert replaced.status_code == 200
    contact = Contact.objects.get()
    assert (contact.name, contact.company, contact.important) == ("Anna Schmidt", "", False)
    assert [number.e164 for number in contact.numbers.all()] == ["+491712345679"]

    assert ask("delete", key).status_code == 204
    assert ask("delete", key).status_code == 404
    assert not Contact.objects.exists()


def test_the_same_contact_again_writes_nothing(key):
    before = ask("put", key, ANNA).json(), Contact.objects.get().updated_at
    again = ask("put", key, ANNA)
    assert again.status_code == 200
    assert (again.json(), Contact.objects.get().updated_at) == before


@pytest.mark.parametrize("external_id", ["a/b", "ü 17", "../18", "17/", "a?b#c"])
def test_any_id_of_another_system_can_be_written(key, external_id):
    assert ask("put", key, ANNA, external_id=external_id).status_code == 201
    assert Contact.objects.get().external_id == external_id


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "Anna", "phones": [CALLER]}, "phones"),
        ({"name": "Anna", "numbers": CALLER}, "numbers"),
        ({"name": "Anna", "numbers": [CALLER, "4710300"]}, "numbers"),
        ({"name": "Anna", "numbers": [{"number": CALLER, "has_extensions": "perhaps"}]}, "numbers"),
        ({"name": "Anna", "numbers": [CALLER] * 51}, "numbers"),
        ({"name": "Anna", "url": "javascript:alert(1)"}, "url"),
        ({"name": "Anna", "note": "x" * 2001}, "note"),
        ({"name": ["Anna"]}, "name"),
        ([], "non_field_errors"),
    ],
)
def test_wrong_fields_are_named_and_nothing_is_stored(key, body, field):
    assert list(fields_refused(ask("put", key, body))) == [field]
    assert not Contact.objects.exists()


@pytest.mark.parametrize("external_id", [" 17", "x" * 201, "a\0b"])
def test_an_id_that_cannot_be_stored_is_refused(key, external_id):
    assert list(fields_refused(ask("put", key, ANNA, external_id=external_id))) == ["id"]


def test_a_link_in_capitals_is_stored_as_browsers_write_it(key):
    assert ask("put", key, ANNA | {"url": "HTTPS://erp.example.com/17"}).json()["url"] == ANNA["url"]


def test_texts_that_the_database_refuses_are_cleaned(key):
    assert ask("put", key, '{"name": "An\\u0000na \\ud800", "note": null}').status_code == 201
    assert Contact.objects.get().name.startswith("Anna ")


@pytest.mark.parametrize(
    ("body", "status"),
    [("{", 400), ("[" * 20_000, 400), ("", 400), (b"\xff", 400), ('{"note": "' + "x" * 70_000 + '"}', 413)],
)
def test_a_body_that_is_not_json_or_too_large_is_refused(key, body, status):
    assert ask("put", key, body).status_code == status


def test_a_body_of_another_type_is_refused(key):
    answer = Client().put(
        "/api/contacts/erp/17", "name=Anna", content_type="text/plain", headers={"authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 415


def test_other_methods_are_refused(key):
    for method in ("get", "post", "patch", "head", "options"):
        answer = ask(method, key)
        assert (answer.status_code, answer["Allow"]) == (405, "PUT, DELETE")


def test_without_a_live_key_nothing_is_answered(client, key):
    revoked = make_contact_key("erp", "old")
    call_command("revoke_contact_key", "old", stdout=io.StringIO())
    client.force_login(make_staff())
    answers = [ask("put", wrong, ANNA) for wrong in (None, "", "wrong", revoked, key[:-1], "\udcff")]
    answers.append(client.put("/api/contacts/erp/17", ANNA, content_type="application/json"))
    for answer in answers:
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.json() == {"error": "unauthorized"}
    assert not Contact.objects.exists()


def test_contacts_of_another_source_are_as_if_missing(key):
    make_contact("Anna", CALLER, source="crm", external_id="17")
    make_contact("Berta", CALLER)
    answers = [ask(method, key, ANNA, source=source) for source in ("crm", "nobody") for method in ("put", "delete")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, b'{"error":"not_found"}')}
    assert sorted(Contact.objects.values_list("name", flat=True)) == ["Anna", "Berta"]


def test_an_address_with_many_wrong_keys_has_to_wait_and_others_do_not(key, monkeypatch):
    monkeypatch.setattr(rate_limit, "REFUSED_AT_ONCE", 3)
    monkeypatch.setattr(rate_limit, "REFUSED_PER_S", 0.001)
    answers = [ask("put", "wrong", ANNA) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    other = Client(REMOTE_ADDR="192.0.2.7").put(
        "/api/contacts/erp/17", ANNA, content_type="application/json", headers={"authorization": f"Bearer {key}"}
    )
    assert other.status_code == 201


def test_logs_have_no_caller_and_no_key(key, caplog):
    with caplog.at_level(logging.DEBUG, logger="django.request"):
        ask("put", key, {"name": "Anna", "numbers": [CALLER], "phones": CALLER})
        ask("put", "wrong-" + key, ANNA)
    assert len(caplog.records) == 2
    assert CALLER[3:] not in caplog.text
    assert key not in caplog.text


def test_keys_are_printed_once_and_stored_as_fingerprints():
    out = io.StringIO()
    call_command("create_contact_key", "Odoo", "--source", "erp", stdout=out)
    printed = out.getvalue().split()[2]
    row = ContactKey.objects.get()
    assert (row.fingerprint, row.last4, row.source) == (keys.fingerprint(printed), printed[-4:], "erp")
    assert ask("put", printed, ANNA).status_code == 201
    for name, source, says in (("Odoo", "erp", "already exists"), ("SAP", "My ERP", "lower-case")):
        with pytest.raises(CommandError, match=says):
            call_command("create_contact_key", name, "--source", source)
    with pytest.raises(CommandError, match="Keys in use: Odoo"):
        call_command("revoke_contact_key", "Oddo")


@pytest.mark.django_db(transaction=True)
def test_requests_at_once_for_one_contact_leave_one_contact(key):
    statuses = []

    def put(number):
        statuses.append(ask("put", key, ANNA | {"numbers": [number]}).status_code)
        connection.close()

    threads = [threading.Thread(target=put, args=[f"+4917123456{n:02}"]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 5 + [201]
    assert Contact.objects.get().numbers.count() == 1
