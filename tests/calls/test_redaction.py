"""No issued access key is stored with a refused post, under any name and in any kind of body."""

import json
from datetime import timedelta
from urllib.parse import quote_plus

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from calls import keys, redaction, tasks
from calls.ingest import intake, refused_posts
from calls.ingest.spool import open_spool
from calls.ingest.writer import connect
from calls.models import CallEvent, RefusedPost
from calls.posts import MOST_BYTES
from tests.calls.refused import OTHER, STRANGER, TENIOS, made_up, send, settled
from tests.factories import ACCESS_KEY, E164, make_key, make_number, make_staff, post_body

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_intake")]

KEY = "aZ3kP9qL0wXc7VbN2mTy5RsD8fGh1JuE"
BROUGHT = "pa$$ wört & mehr!"  # staff may use keys with spaces, punctuation and umlauts
UNKNOWN = "nobody-knows-this-secret"


def without(**changes):
    """Return a post without the field accessKey; a value of None removes a field."""
    return post_body("CALL_START", E164, None, **changes)


def named(name, value):
    body = without()
    return body | {name: value}


BODIES = {
    "access-key": named("access-key", KEY),
    "access key": named("access key", KEY),
    "apiKey": named("apiKey", KEY),
    "key": named("key", KEY),
    "ACCESS_KEY_2": named("ACCESS_KEY_2", KEY),
    "another name": named("x", KEY),
    "spaces around": named("x", f"  {KEY}\n"),
    "in a sentence": named("x", f"the key is {KEY}."),
    "in an address": named("x", f"https://calls.example.com/?a=1&b={KEY}#c"),
    "in JSON in a text": named("x", json.dumps({"a": KEY})),
    "with other signs": named("x", f"<{KEY}>_({KEY})"),
    "variables.token": without(token=KEY),
    "variables.other": without(other=KEY),
    "a list": without(other=[["a", [KEY, {"b": [KEY]}]]]),
    "a name": without(**{KEY: "x"}),
    "a name of a field": named(KEY, "x"),
    "customerNumber": without(customerNumber=KEY),
    "requestType": without(requestType=KEY),
    "blockType": without(blockType=KEY),
    "call_uuid": without(call_uuid=KEY),
    "caller_id_number": without(caller_id_number=KEY),
    "destination_number": without(destination_number=KEY),
    "no variables": {"requestType": "CALL_START", "x": KEY},
    "no requestType": {"variables": {"call_uuid": KEY, "destination_number": KEY}},
    "a brought key": named("x", BROUGHT),
    "a brought key in a list": without(other=[f" {BROUGHT} "]),
    "beside a wrong key": post_body("CALL_START", E164, UNKNOWN, other=KEY),
    "the key of another number": post_body("CALL_START", OTHER, ACCESS_KEY, other=KEY, **{"x-key": ACCESS_KEY}),
    "bad JSON": f'{{"requestType": "CALL_START", "apiKey": "{KEY}", "x": "{KEY}"',
    "bad JSON, other quotes": f"{{'x': '{KEY}', 'y': '{BROUGHT}'}}",
    "bad JSON, no quotes": f"{{x: {KEY}, y:{KEY}, {KEY}: 1}}",
    "bad JSON, escapes": f'{{"x": "a\\"{KEY}\\n{KEY}\\t", }}',
    "bad JSON, a name twice": f'{{"a": 1, "a": "{KEY}"}}',
    "an array": json.dumps([{"a": KEY}]),
    "a text": f'"{KEY}"',
    "the key alone": KEY,
    "a form": f"requestType=CALL_START&x={KEY}&y={quote_plus(BROUGHT)}&z=+{KEY}+",
    "a form in parts": f'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n{KEY}\r\n--b\r\n\r\n{BROUGHT}\r\n--b--',
    "XML": f"<post a='{KEY}'><x>{KEY}</x><y>{BROUGHT.replace('&', '&amp;')}</y></post>",
    "CSV": f"CALL_START;{KEY};1\nCALL_START,{KEY},1\n{KEY}|{KEY}",
    "YAML": f"requestType: CALL_START\nx: {KEY}\n- {BROUGHT}\n",
}


def raw(body):
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def post(client, body, sender=TENIOS):
    return client.post("/tenios/posts", raw(body), content_type="application/json", REMOTE_ADDR=sender)


@pytest.fixture
def number(number):
    make_key(number, KEY)
    make_key(number, BROUGHT)
    make_number(OTHER)
    return number


def held(text):
    """Return the keys that a text contains, in any spelling."""
    spellings = {
        secret: {secret, json.dumps(secret)[1:-1], secret.encode().decode("latin-1").encode("unicode_escape").decode()}
        for secret in (KEY, BROUGHT, ACCESS_KEY)
    }
    return [secret for secret, spelled in spellings.items() if any(spelling in text for spelling in spelled)]


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("state", ["live", "over", "revoked"])
def test_a_key_in_the_wrong_field_is_not_stored(client, number, caplog, kind, state):
    ended = timezone.now() - timedelta(days=1)
    number.access_keys.update(**{"over": {"expires_at": ended}, "revoked": {"revoked_at": ended}}.get(state, {}))

    assert post(client, BODIES[kind]).status_code in {400, 403}

    row = settled().get()
    fields = {name: str(value) for name, value in vars(row).items() if not name.startswith("_")}
    assert {name: held(value) for name, value in fields.items() if held(value)} == {}
    assert row.body
    assert not held(caplog.text)
    client.force_login(make_staff())
    for page in ("/admin/calls/refusedpost/", f"/admin/calls/refusedpost/{row.pk}/change/", "/admin/", "/reports/"):
        assert not held(client.get(page).content.decode()), page


@pytest.mark.parametrize("body", [BODIES["variables.other"], BODIES["bad JSON"], BODIES["requestType"]])
def test_no_file_of_the_spool_contains_a_key_while_the_database_is_down(client, number, monkeypatch, settings, body):
    assert send(client, post_body("CALL_START", E164, ACCESS_KEY)).status_code == 200  # keys are known from here on
    there = connection.settings_dict["PORT"]
    intake.get_intake().close()
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    try:
        post(client, body)
        assert intake.held_in_spool().refused == 1
        files = {path.name: path.read_bytes() for path in settings.SPOOL_FOLDER.iterdir()}
        assert [name for name, content in files.items() if KEY.encode() in content] == []
    finally:
        intake.get_intake().close()
        monkeypatch.setitem(connection.settings_dict, "PORT", there)
        connection.close()
    call_command("drain_spool", "--once")

    assert not held(RefusedPost.objects.get().body)


def test_keys_unknown_to_a_process_are_removed_when_the_spool_is_drained(client, number):
    """A process that starts while the database is down knows no key, and older versions did not search for them."""
    spool = open_spool()
    spool.add_refused([made_up(1, body=json.dumps(BODIES["variables.other"]))])
    spool.close()
    call_command("drain_spool", "--once")

    assert not held(RefusedPost.objects.get().body)


# --- Values under names of secrets -----------------------------------------------------------

SECRET_NAMES = """accessKey access-key access_key|access key|apiKey|APIKEY|aPiKeY|key|keys|Token|x.token|clientSecret|
client_secret|SECRETS|password|PASSWORD|passwd|Passwort|pass word|passphrase|pwd|Kennwort|Zugangsschlüssel|
zugangsschluessel|Geheimnis|pin|PIN|Pin|customerPin|customerPIN|pin_code|PINCode|userpin2|p-i-n|ｐｉｎ"""
OTHER_NAMES = """requestType customerNumber variables blockType destination destinationType destination_number call_uuid
correlation_id caller_id_number callback_id shipping opinion mapping help_info digits post_id ip_internal"""


@pytest.mark.parametrize("name", [name.strip() for name in SECRET_NAMES.replace(" ", "|", 2).split("|")])
def test_values_under_names_of_secrets_are_not_stored(client, number, name):
    variables = without()["variables"] | {name: UNKNOWN}
    for place in (named("variables", variables), named(name, [{"a": UNKNOWN}]), without(other=[{name: 48151623}])):
        post(client, place)

    bodies = "".join(row.body for row in settled())
    # A field with the name of the key itself is removed completely.
    assert bodies.count(redaction.SECRET) == (0 if name in {"accessKey", "access_key"} else 3)
    assert UNKNOWN not in bodies
    assert "48151623" not in bodies


def test_values_under_other_names_are_stored():
    assert [name for name in OTHER_NAMES.split() if redaction.names_secret(name)] == []


@pytest.mark.parametrize(
    "body",
    [
        f'{{"api key": "{UNKNOWN}", ',
        f"{{'password' : '{UNKNOWN}', ",
        f"{{my_token={UNKNOWN}, ",
        f"x=1&pin={UNKNOWN}&y=2",
        f"<post><customerPin>{UNKNOWN}</customerPin></post>",
        f'--b\r\nContent-Disposition: form-data; name="clientSecret"\r\n\r\n{UNKNOWN}\r\n--b--',
        f"Passwort: {UNKNOWN}\n",
        f"{{'Zugangsschlüssel' => '{UNKNOWN}'}}",
    ],
)
def test_values_under_names_of_secrets_are_not_stored_if_the_body_is_not_json(client, number, body):
    assert post(client, body).status_code == 400

    kept = settled().get().body
    assert UNKNOWN not in kept
    assert redaction.SECRET in kept


# --- Everything else is unchanged ------------------------------------------------------------


def test_a_post_without_secrets_is_stored_unchanged(client):
    body = without(price=1.50, digits="4815", text='ein "Wort"', nothing=None, flag=True, expects_key=False, token="")
    post(client, body)

    assert json.loads(settled().get().body) == {name: value for name, value in body.items() if name != "accessKey"}


def test_a_replay_accepts_a_post_by_the_fingerprint_of_its_key(client, number):
    post(client, post_body("CALL_START", "+4940555555", ACCESS_KEY, other=KEY, call_uuid="kept-as-it-was"))
    assert settled().get().fingerprint == keys.fingerprint(ACCESS_KEY)
    make_key(make_number("+4940555555"), ACCESS_KEY)

    call_command("replay_refused")

    event = CallEvent.objects.get()
    assert event.call.call_uuid == "kept-as-it-was"
    assert json.loads(event.payload)["variables"]["other"] == redaction.KEY


def test_a_post_from_a_foreign_address_with_a_live_key_leaves_no_key(client, number):
    assert post(client, post_body("CALL_START", "+4940555555", ACCESS_KEY, other=KEY), STRANGER).status_code == 403

    assert not held(settled().get().body)


def test_an_accepted_post_is_not_searched(client, number, monkeypatch):
    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(redaction, "without_secrets", fail)

    assert post(client, post_body("CALL_START", E164, ACCESS_KEY, password=UNKNOWN)).status_code == 200
    assert json.loads(CallEvent.objects.get().payload)["variables"]["password"] == UNKNOWN


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([f"{n:08d}" for n in range(5000)]),
        json.dumps({"requestType": "X", "variables": {"list": [f"{n:08d}" for n in range(5000)]}}),
        " ".join(f"{n:08x}" for n in range(7000)),
    ],
)
def test_a_body_with_too_many_texts_is_not_stored_and_takes_limited_time(body):
    looked_for = []
    assert len(body) < MOST_BYTES

    assert redaction.without_secrets(body, lambda fingerprint: bool(looked_for.append(fingerprint))) == ""

    assert len(looked_for) == redaction.MOST_FINGERPRINTS


# --- Posts stored before ---------------------------------------------------------------------


def test_posts_that_were_stored_before_are_redacted_every_hour(number):
    old = json.dumps(without(token=KEY, other=BROUGHT))
    bad = f"{{'x': '{KEY}"
    with connect("tests") as writing:
        refused_posts.keep(writing, [made_up(1), made_up(2), made_up(3, "bad_json")])
    first, second, third = RefusedPost.objects.order_by("received_at")
    alike = {"fingerprint": "f" * 64, "address": TENIOS}
    RefusedPost.objects.filter(pk=first.pk).update(body=old, **alike)
    RefusedPost.objects.filter(pk=second.pk).update(body=old.replace(KEY, ACCESS_KEY), **alike)
    RefusedPost.objects.filter(pk=third.pk).update(body=bad, request_type="", **alike)

    tasks.redact_refused_posts()

    broken = RefusedPost.objects.get(reason="bad_json")
    kept = RefusedPost.objects.exclude(pk=broken.pk).get()
    assert not held(kept.body + broken.body)
    assert broken.body == "{'x': '[access key]"
    assert (kept.count, len(kept.ingest_ids)) == (2, 2)  # identical once their keys are removed
    assert (kept.received_at, kept.last_received_at) == (first.received_at, second.last_received_at)
    assert (kept.request_type, kept.destination_number) == ("CALL_START", E164)
    assert refused_posts.redact_kept() == 0
    with connect("tests") as writing:  # as the same post would be stored now
        again = made_up(1, body=old, destination_number=E164, **alike)
        refused_posts.keep(writing, [again])
    assert RefusedPost.objects.count() == 2


def test_a_key_that_is_issued_later_is_removed_too(client):
    post(client, without(other=KEY))
    assert held(settled().get().body)
    make_key(make_number(), KEY)

    assert refused_posts.redact_kept() == 1

    assert not held(RefusedPost.objects.get().body)
