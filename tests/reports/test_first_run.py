"""The page before the first call: one step at a time, commands for each terminal, what is known of the address."""

import json
import re
import shlex

import pytest

from reports.views.first_run import Reach
from tests.factories import make_key, make_number, make_staff, make_user, post, post_body

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {
    "requestType": "CALL_START",
    "customerNumber": 200000,
    "accessKey": "YOUR-KEY",
    "variables": {
        "destination_number": "+4922155400300",
        "call_uuid": "my-first-call",
        "caller_id_number": "+491713920042",
    },
}


def open_steps(html):
    return re.findall(r'<details id="step-(\d)" name="step" open>', html)


def test_only_the_next_step_is_open(client):
    client.force_login(make_staff())

    assert open_steps(client.get("/reports/").content.decode()) == ["1"]
    number = make_number()
    assert open_steps(client.get("/reports/").content.decode()) == ["1"]  # it has no key yet
    make_key(number)
    html = client.get("/reports/").content.decode()
    assert open_steps(html) == ["2"]
    assert '<span class="visually-hidden">done</span>' in html


def test_each_terminal_gets_a_command_that_sends_the_same_message(client):
    make_key(make_number())
    client.force_login(make_staff())

    commands = {command.name: command.text for command in client.get("/reports/").context["page"].commands}

    linux = shlex.split(commands["linux"])
    assert linux[2] == "http://testserver/tenios/posts"
    assert json.loads(linux[-1]) == BODY
    text, _pipe, command = commands["powershell"].partition(" |\n  ")
    assert json.loads(text.strip("'")) == BODY
    assert command.startswith("curl.exe ")
    assert command.endswith("-d '@-'")
    quoted = commands["cmd"].partition('-d "')[2].removesuffix('"')
    assert json.loads(quoted.replace('\\"', '"')) == BODY
    assert "\n" not in commands["cmd"]


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("https://calls.example.com/tenios/posts", Reach.PUBLIC),
        ("http://calls.example.com/tenios/posts", Reach.NOT_HTTPS),
        ("https://8.8.8.8/tenios/posts", Reach.PUBLIC),
        ("https://192.168.1.7/tenios/posts", Reach.PRIVATE),
        ("http://127.0.0.1:8000/tenios/posts", Reach.PRIVATE),
        ("http://[::1]:8000/tenios/posts", Reach.PRIVATE),
        ("https://calltally/tenios/posts", Reach.PRIVATE),
        ("https://calltally.local/tenios/posts", Reach.PRIVATE),
    ],
)
def test_what_can_be_said_of_an_address_is_said_without_a_request(address, reach):
    assert Reach.of(address) is reach


@pytest.mark.parametrize(
    ("public_url", "says"),
    [
        ("", "it is an address of this machine or of your own network"),
        ("https://calls.example.com", "it is not known whether TENIOS reaches it"),
    ],
)
def test_the_page_says_whether_tenios_can_reach_the_address(client, settings, public_url, says):
    settings.PUBLIC_URL = public_url
    client.force_login(make_staff())

    html = client.get("/reports/", HTTP_HOST="localhost").content.decode()

    assert says in " ".join(html.split())


def test_the_last_rejected_message_is_explained_to_those_who_may_see_it(client):
    number = make_number()
    make_key(number)
    answer = post(client, post_body("CALL_START", number, "another-key-of-twenty-letters"))
    assert answer.status_code == 403

    client.force_login(make_staff())
    html = client.get("/reports/").content.decode()
    assert "was rejected: unknown access key." in html
    assert "Waiting for a message." not in html
    client.force_login(make_user(numbers=[number]))
    assert "was rejected" not in client.get("/reports/").content.decode()
