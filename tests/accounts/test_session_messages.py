"""Messages such as *Saved.* wait in the session: in no cookie, and no session begins for one."""

import pytest
from django.conf import settings
from django.contrib import messages
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.contrib.sessions.models import Session
from django.http import HttpResponse

from tests.factories import make_user

pytestmark = pytest.mark.django_db

SESSIONS = "/accounts/sessions/"


def test_a_message_is_shown_once_and_is_in_no_cookie(client):
    client.force_login(make_user())

    answer = client.post(SESSIONS, {"end": "all"})

    assert answer.status_code == 302
    assert client.cookies.keys() <= {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}
    assert "0 sessions were ended." in client.get(SESSIONS).content.decode()
    assert "sessions were ended." not in client.get(SESSIONS).content.decode()


@pytest.mark.parametrize("path", ["/accounts/login/", "/reports/", "/live/board?kiosk=1", "/nowhere/"])
def test_a_page_for_a_visitor_begins_no_session(client, path):
    client.get(path)

    assert settings.SESSION_COOKIE_NAME not in client.cookies
    assert not Session.objects.exists()


def test_a_message_for_a_visitor_begins_no_session_either(rf):
    def view(request):
        messages.info(request, "Hello")
        return HttpResponse()

    answer = SessionMiddleware(MessageMiddleware(view))(rf.get("/"))

    assert not answer.cookies
    assert not Session.objects.exists()
