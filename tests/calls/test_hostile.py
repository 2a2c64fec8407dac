"""Hostile bodies get documented answers, reveal nothing, are stored completely or not at all, and block no post."""

import copy
import csv
import io
import json
import logging
import os
import random
import re
from itertools import count

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from calls.ingest import intake
from calls.models import Call, CallEvent, RefusedPost
from tests.calls.corpus import CASES, TEXTS, case, start
from tests.factories import ACCESS_KEY, E164, make_key, make_number, make_staff, post_body

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# The number of random bodies. Larger numbers than CI's use new bodies in every run.
IN_CI = 8_000
BODIES = int(os.environ.get("CALLTALLY_FUZZ_BODIES") or 2_000)
A_BATCH = 25

ANSWERS = {
    200: {None},
    400: {"bad_json", "bad_post"},
    403: {"forbidden"},
    413: {"too_large"},
}
_sender = count()


@pytest.fixture(autouse=True)
def _no_logging():
    """Log nothing: a line for each of thousands of refused posts is of no use here."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def send(client, body):
    """Post a body, each from a new address, so that the rate limit does not apply."""
    n = next(_sender)
    stranger = f"45.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
    return client.generic("POST", "/tenios/posts", body, content_type="application/json", REMOTE_ADDR=stranger)


def code_of(answer):
    """Return the error code of an answer, which must have one of the documented forms and contain nothing else."""
    content = json.loads(answer.content)
    assert content == {} or set(content) == {"error"}
    assert ACCESS_KEY not in str(answer.headers) + answer.content.decode()
    return content.get("error")


def judge(client, bodies):
    """Send bodies; check that each is answered as documented, and that exactly the posts answered 200 are stored."""
    before, taken = CallEvent.objects.count(), 0
    for body in bodies:
        answer = send(client, body)
        assert code_of(answer) in ANSWERS.get(answer.status_code, ()), (answer.status_code, body[:200])
        taken += answer.status_code == 200
    assert send(client, json.dumps(start()).encode()).status_code == 200
    assert CallEvent.objects.count() == before + taken + 1


def check_stored_payloads():
    """Check that every payload is ASCII JSON, and that no stored value contains the key."""
    intake.get_intake().close()
    for payload in CallEvent.objects.values_list("payload", flat=True).iterator():
        assert payload.isascii()
        json.loads(payload)
        assert ACCESS_KEY not in json.dumps(json.loads(payload), ensure_ascii=False)
    with connection.cursor() as cursor:
        for table in ("calls_call", "calls_callevent", "calls_refusedpost"):
            cursor.execute(f"SELECT count(*) FROM {table} AS kept WHERE kept::text LIKE %s", [f"%{ACCESS_KEY}%"])
            assert cursor.fetchone() == (0,), table


# --- Bodies by name --------------------------------------------------------------------------


def test_every_body_of_the_corpus_is_answered_as_documented_and_the_next_good_post_is_accepted(client, number):
    assert len({expected.name for expected in CASES}) == len(CASES) > 500
    wrong, taken = [], 0
    for expected in CASES:
        answer = send(client, expected.body)
        if (answer.status_code, code_of(answer)) != (expected.status, expected.code):
            wrong.append(f"{expected.name}: {answer.status_code} {answer.content.decode()}, not {expected.status}")
        taken += answer.status_code == 200
        assert send(client, json.dumps(start()).encode()).status_code == 200, f"after {expected.name}"
    assert not wrong, "\n".join(wrong)
    assert CallEvent.objects.count() == taken + len(CASES)
    check_stored_payloads()


def test_stored_posts_are_harmless_on_every_page(client, number):
    for n, text in enumerate(TEXTS.values()):
        shown = dict.fromkeys(("correlation_id", "caller_id_number", "callback_id", "digits"), text)
        body = start(call_uuid=f"{n} {text}", blockType=text, destination=text, destinationType=text, **shown)
        body |= {"requestType": text if n % 2 else "FORWARD_ANSWER", "customerNumber": text}
        assert send(client, json.dumps(body).encode()).status_code == 200
    client.force_login(make_staff())
    pages = ["/reports/", "/reports/calls/", "/admin/calls/call/", "/admin/calls/callevent/", "/reports/trend/"]
    pages += [call.get_absolute_url() for call in Call.objects.all()]
    pages += [f"/admin/calls/callevent/{event.pk}/change/" for event in CallEvent.objects.all()]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        html = answer.content.decode()
        assert not re.search(r"<script>|<svg onload|\bonmouseover=\"alert", html), page
        assert "49{% debug" not in html

    answer = client.get("/reports/calls.csv")
    file = b"".join(answer.streaming_content).decode()
    for row in csv.reader(io.StringIO(file)):
        for cell in row:
            assert re.fullmatch(r"\+[1-9]\d{1,14}", cell) or not re.match(r"[\t\r\n]|[\s\"]*[=+@＝＋－＠-]", cell), cell


def test_refused_bodies_are_harmless_on_the_pages_of_staff(client, number):
    client.force_login(make_staff())
    for text in TEXTS.values():
        body = post_body("CALL_START", text, "some-other-key-0123", call_uuid=text, requestType=text)
        client.generic("POST", "/tenios/posts", json.dumps(body), content_type="application/json")
    for raw in (b"<script>alert(1)</script>", b"\xff\x1b[31m=1+1", "{'a': '\u202e'}".encode()):
        client.generic("POST", "/tenios/posts", raw, content_type="application/json")

    assert RefusedPost.objects.count() > len(TEXTS)
    pages = ["/reports/", "/admin/", "/admin/calls/refusedpost/", "/reports/system/"]
    for page in pages + [f"/admin/calls/refusedpost/{row.pk}/change/" for row in RefusedPost.objects.all()]:
        html = client.get(page).content.decode()
        assert not re.search(r"<script>|<svg onload|\bonmouseover=\"alert", html), page


def test_all_forbidden_posts_get_the_same_bytes_on_the_same_code_path(client, number):
    other = make_number("+4930123456")
    make_key(other, "the-key-of-another-0123")
    bodies = {
        "wrong": post_body("CALL_START", E164, "a-wrong-key-0123456789"),
        "none": post_body("CALL_START", E164, None),
        "another's": post_body("CALL_START", E164, "the-key-of-another-0123"),
        "unknown number": post_body("CALL_START", "+4930999999", ACCESS_KEY),
        "nonsense": post_body("CALL_START", "nonsense", ACCESS_KEY),
        "wrong and unusable": post_body("CALL_START", E164, "a-wrong-key-0123456789", requestType=None),
    }
    answers = {name: send(client, json.dumps(body).encode()) for name, body in bodies.items()}

    seen = {(answer.status_code, answer.content, str(sorted(answer.headers.items()))) for answer in answers.values()}
    assert len(seen) == 1
    assert next(iter(seen))[:2] == (403, b'{"error":"forbidden"}')


# --- Random bodies ---------------------------------------------------------------------------

TEXT = st.one_of(st.text(max_size=40), st.sampled_from([*TEXTS.values()][:-1]), st.sampled_from([ACCESS_KEY, E164, ""]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.integers(-(10**70), 10**70), st.floats(), TEXT)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)
PLACES = [
    ("requestType",), ("customerNumber",), ("accessKey",), ("blockType",), ("destination",), ("variables",),
    *(("variables", name) for name in ("destination_number", "call_uuid", "correlation_id", "caller_id_number", "x")),
]  # fmt: skip


@st.composite
def near_posts(draw):
    """A good post with one to three changes: a value, a name, a removed member, a byte."""
    post = copy.deepcopy(draw(st.sampled_from([start(), post_body("BLOCK_END QUEUE"), post_body("FORWARD_ANSWER")])))
    for _ in range(draw(st.integers(1, 3))):
        *parents, name = draw(st.sampled_from(PLACES))
        place = post
        for parent in parents:
            place = place.get(parent)
        if not isinstance(place, dict):
            continue
        change = draw(st.sampled_from(["value", "gone", "renamed", "wrapped"]))
        if change == "value":
            place[name] = draw(ANYTHING)
        elif change == "gone":
            place.pop(name, None)
        elif change == "renamed":
            place[draw(TEXT)] = place.pop(name, 1)
        else:
            place[name] = [place.get(name)]
    body = bytearray(json.dumps(post, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at = draw(st.integers(0, len(body) - 1))
        body[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(body)


KINDS = {
    "bytes": st.binary(max_size=300),
    "json": ANYTHING.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    "near": near_posts(),
}
SHARES = {"bytes": 0.1, "json": 0.2, "near": 0.7}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("half", [0, 1])
def test_random_bodies_are_answered_as_documented(client, number, kind, half):
    batches = max(1, int(BODIES * SHARES[kind]) // A_BATCH // 2)

    @seed(half if BODIES <= IN_CI else random.randrange(2**32))
    @settings(
        max_examples=batches, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(KINDS[kind], min_size=A_BATCH, max_size=A_BATCH))
    def send_batch(bodies):
        judge(client, bodies)

    send_batch()
    check_stored_payloads()


def test_every_case_of_the_corpus_is_well_formed():
    """Each case has a body in bytes and one of the documented answers."""
    assert case("x", {}, (403, "forbidden")).body == b"{}"
    assert {(expected.status, expected.code) for expected in CASES} == {
        (200, None),
        (400, "bad_json"),
        (400, "bad_post"),
        (403, "forbidden"),
        (413, "too_large"),
    }
