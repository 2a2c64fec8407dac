"""The answers to posts: the table of docs/posts.md, row by row. A 2xx means that the post is on disk."""

import json
from io import BytesIO

import pytest
from django.db import connection

from calls.models import Call, CallEvent
from tests.factories import ACCESS_KEY, make_key, make_number, post, post_body

pytestmark = pytest.mark.django_db(transaction=True)

FORBIDDEN = b'{"error":"forbidden"}'


def raw(client, body, content_type="application/json", path="/tenios/posts", **headers):
    return client.generic("POST", path, body, content_type=content_type, headers=headers)


def stored():
    return CallEvent.objects.count()


@pytest.mark.parametrize("path", ["/tenios/posts", "/tenios/posts/"])
def test_a_post_with_its_numbers_key_is_stored_and_answered_with_an_empty_object(client, number, path):
    answer = raw(client, json.dumps(post_body("CALL_START", number)), path=path)

    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"{}", "application/json")
    assert stored() == 1


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"requestType": "CALL_TRANSFER"}, "unknown_request_type"),
        ({"destination_number": None}, "no_destination_number"),
        ({"destination_number": ""}, "no_destination_number"),
        ({"destination_number": ["+49"]}, "odd_destination_number"),
        ({"call_uuid": None}, "no_call_uuid"),
        ({"call_uuid": 17}, "odd_call_uuid"),
        ({"call_uuid": {"a": 1}}, "odd_call_uuid"),
        ({"caller_id_number": False}, "odd_caller_id_number"),
        ({"customerNumber": {"a": 1}}, "odd_customer_number"),
        ({"correlation_id": "x" * 5000}, "odd_correlation_id"),
        ({"call_uuid": "a\0b"}, "odd_call_uuid"),
        ({"call_uuid": "a\ud800b"}, "odd_call_uuid"),
        ({"blockType": 5}, "odd_block_type"),
        ({"requestType": "BLOCK_END", "blockType": None}, "no_block_type"),
        ({"requestType": "FORWARD_ANSWER"}, "no_destination"),
    ],
)
def test_odd_posts_are_stored_and_flagged(client, number, change, flag):
    answer = post(client, post_body("CALL_START", number, **change))

    assert answer.status_code == 200
    event = CallEvent.objects.get()
    assert flag in event.flags
    assert event.call.has_odd_posts


def test_characters_that_postgresql_refuses_are_kept_in_the_payload(client, number):
    post(client, post_body("CALL_START", number, call_uuid="a\0b\ud800c", note="x\0y"))

    event = CallEvent.objects.get()
    assert event.call.call_uuid == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
    assert event.payload.isascii()
    assert json.loads(event.payload)["variables"]["call_uuid"] == "a\0b\ud800c"
    assert json.loads(event.payload)["variables"]["note"] == "x\0y"


def test_ids_longer_than_the_limit_stay_distinct(client, number):
    post(client, post_body("CALL_START", number, call_uuid="x" * 9000 + "1", correlation_id=None))
    post(client, post_body("CALL_START", number, call_uuid="x" * 9000 + "2", correlation_id=None))

    assert Call.objects.count() == 2
    assert max(map(len, Call.objects.values_list("call_uuid", flat=True))) <= 200


def test_a_post_without_number_is_refused_if_its_key_admits_two_numbers(client, number):
    make_key(make_number("+4930123456"), ACCESS_KEY)

    answer = post(client, post_body("CALL_START", number, destination_number=None))

    assert (answer.status_code, answer.content, stored()) == (403, FORBIDDEN, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"accessKey": None},
        {"accessKey": ""},
        {"accessKey": 12345678},
        {"accessKey": [ACCESS_KEY]},
        {"accessKey": "wrong-key-wrong-key"},
        {"accessKey": "a\ud800"},
        {"destination_number": "+4930999999"},
        {"destination_number": "nonsense"},
        {"destination_number": "x" * 60_000},
    ],
)
def test_every_wrong_key_or_number_gets_the_same_answer(client, number, change):
    make_key(make_number("+4930123456"))

    answer = post(client, post_body("CALL_START", number, **change))

    assert (answer.status_code, answer.content, stored()) == (403, FORBIDDEN, 0)


def test_a_key_of_another_number_is_refused(client, number):
    other = make_key(make_number("+4930123456"))

    answer = post(client, post_body("CALL_START", number, other))

    assert (answer.status_code, answer.content, stored()) == (403, FORBIDDEN, 0)


@pytest.mark.parametrize(
    "spelling", ["+4922155400300", "004922155400300", "022155400300", "0221 554 00 300", " +49 221 55400300"]
)
def test_all_spellings_of_a_number_are_one_number(client, number, spelling):
    assert post(client, post_body("CALL_START", number, destination_number=spelling)).status_code == 200

    event = CallEvent.objects.get()
    assert event.call.destination_number == number
    assert event.destination_number == spelling.strip()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"17",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"requestType": "CALL_START", "requestType": "CALL_END"}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"1" * 65 + b"}",
        b'{"a": 0.' + b"1" * 65 + b"}",
        b'{"a": ' + b"[" * 16 + b"]" * 16 + b"}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"{'a': 1}",
        b'{"a": 1} trailing',
        b'{"a": "\x01"}',
    ],
    ids=lambda body: body[:24].decode("ascii", "replace"),
)
def test_a_body_that_is_not_a_valid_json_object_is_bad_json(client, number, body):
    answer = raw(client, body)

    assert (answer.status_code, answer.content, stored()) == (400, b'{"error":"bad_json"}', 0)


def test_values_exactly_at_the_limits_are_accepted(client, number):
    deep = json.loads("[" * 14 + "]" * 14)  # 16 levels with the post and `variables`
    answer = post(client, post_body("CALL_START", number, deep=deep, long=10**63, exact=0.1))

    assert answer.status_code == 200


def test_numbers_keep_every_digit(client, number):
    body = json.dumps(post_body("CALL_START", number)).replace(
        '"call-1"', '"call-1", "amount": 1.2345678901234567890123'
    )
    assert raw(client, body).status_code == 200

    assert "1.2345678901234567890123" in CallEvent.objects.get().payload


def test_a_byte_order_mark_is_accepted(client, number):
    assert raw(client, b"\xef\xbb\xbf" + json.dumps(post_body("CALL_START", number)).encode()).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"requestType": None},
        {"requestType": ""},
        {"requestType": "  "},
        {"requestType": 7},
        {"requestType": ["CALL_START"]},
    ],
)
def test_an_invalid_request_type_is_bad_post_with_a_live_key_and_forbidden_without(client, number, change):
    answer = post(client, post_body("CALL_START", number, **change))
    assert (answer.status_code, answer.content) == (400, b'{"error":"bad_post"}')

    answer = post(client, post_body("CALL_START", number, "some-other-key-1234", **change))
    assert (answer.status_code, answer.content) == (403, FORBIDDEN)
    assert stored() == 0


@pytest.mark.parametrize("variables", [None, [], "text", 7])
def test_invalid_variables_are_bad_post(client, number, variables):
    body = post_body("CALL_START", number) | {"variables": variables}

    assert post(client, body).content == b'{"error":"bad_post"}'


def test_64_kib_are_accepted_and_one_byte_more_is_too_large(client, number):
    body = json.dumps(post_body("CALL_START", number, note="")).encode()
    filled = body.replace(b'"note": ""', b'"note": "' + b"x" * (65536 - len(body)) + b'"')
    assert len(filled) == 65536

    assert raw(client, filled).status_code == 200
    answer = raw(client, filled + b" ")
    assert (answer.status_code, answer.content) == (413, b'{"error":"too_large"}')
    assert raw(client, b"x" * 1_500_000).status_code == 413
    assert stored() == 1


@pytest.mark.parametrize("framing", [{"HTTP_TRANSFER_ENCODING": "chunked"}, {"SERVER_PROTOCOL": "HTTP/2"}])
def test_a_body_without_a_declared_length_is_read(client, number, framing):
    def send_unmeasured(body):
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/tenios/posts", "wsgi.input": BytesIO(body)}
        return client.request(**environ, **framing)

    assert send_unmeasured(json.dumps(post_body("CALL_START", number)).encode()).status_code == 200
    assert send_unmeasured(b" " * 65537).status_code == 413
    assert send_unmeasured(b"").status_code == 400
    assert stored() == 1


@pytest.mark.parametrize(
    ("content_type", "encoding", "status"),
    [
        ("application/json", "", 200),
        ("application/json; charset=utf-8", "identity", 200),
        ("application/problem+json", "", 200),
        ("text/json", "", 200),
        ("", "", 200),
        ("text/plain", "", 415),
        ("application/x-www-form-urlencoded", "", 415),
        ("multipart/form-data; boundary=x", "", 415),
        ("application/json", "gzip", 415),
        ("application/json", "br, identity", 415),
    ],
)
def test_media_types_and_encodings(client, number, content_type, encoding, status):
    headers = {"content-encoding": encoding} if encoding else {}
    answer = raw(client, json.dumps(post_body("CALL_START", number)), content_type, **headers)

    assert answer.status_code == status
    assert stored() == (status == 200)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/tenios/posts", "/tenios/posts/"])
def test_another_method_is_405_with_allow(client, method, path):
    answer = client.generic(method, path)

    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_any_host_and_any_accept_header_are_accepted(client, number):
    body = json.dumps(post_body("CALL_START", number))

    assert raw(client, body, host="calls.example.org", accept="text/html").content == b"{}"


def test_no_stored_value_contains_the_key(client, number):
    hiding = {"accessKey": ACCESS_KEY}
    body = post_body("CALL_START", number, note=f"key: {ACCESS_KEY}!", access_key=ACCESS_KEY, blockType=ACCESS_KEY)
    body["variables"] |= {"inner": [hiding, {ACCESS_KEY: 1}], "AccessKey": "x"}
    assert post(client, body).status_code == 200

    everything = json.dumps([*CallEvent.objects.values(), *Call.objects.values()], default=str)
    assert ACCESS_KEY not in everything
    assert "key: [access key]!" in everything


def test_health_is_200_while_posts_can_be_stored(client, db):
    assert client.get("/healthz", headers={"host": "10.0.0.1"}).status_code == 200


def test_a_terminated_connection_is_reopened_and_no_post_is_refused(client, number):
    for _ in range(3):
        assert post(client, post_body("CALL_START", number)).status_code == 200
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'calltally writer' AND datname = current_database()"
            )

    assert post(client, post_body("CALL_START", number)).status_code == 200
    assert stored() == 4


def test_api_views_are_closed_by_default(rf, db):
    from django.contrib.auth.models import AnonymousUser
    from rest_framework.response import Response
    from rest_framework.views import APIView

    from tests.factories import make_staff, make_user

    class Another(APIView):
        def get(self, request):
            return Response({})

    def ask(user):
        request = rf.get("/another")
        request.user = user
        return Another.as_view()(request).status_code

    assert [ask(user) for user in (AnonymousUser(), make_user(), make_staff())] == [403, 403, 200]
