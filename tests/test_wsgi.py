"""Requests that Django cannot even create a request object for."""

import pytest
from django.test import RequestFactory

from config.wsgi import application


# A request starts with a check of the connection, which an earlier test may have left with an error.
@pytest.mark.django_db
def test_an_unreadable_header_is_answered_with_400():
    environ = RequestFactory().post("/tenios/posts").environ | {"CONTENT_TYPE": "application/json; charset*=bogus''%41"}
    answered = []

    body = b"".join(application(environ, lambda status, headers: answered.append((status, dict(headers)))))

    ((status, headers),) = answered
    assert (status, body) == ("400 Bad Request", b'{"error":"bad_header"}')
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
