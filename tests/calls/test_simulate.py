"""`manage.py simulate` over HTTP against a real server."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from calls.models import Call, CallEvent
from calls.simulator import client
from tests.factories import make_key, make_number

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def number():
    return make_number("+492214710300")


def simulate(live_server, number, key, **options):
    out = StringIO()
    given = {"url": live_server.url, "number": number.e164, "key": key, "calls": 12, "rate": 0.0, "threads": 4}
    call_command("simulate", stdout=out, **(given | options))
    return out.getvalue()


def test_every_post_is_answered_200_and_stored(live_server, number):
    said = simulate(live_server, number, make_key(number))

    made = list(client.make_calls(number.e164, 12, "1/"))
    posts = sum(len(steps) for steps in made)
    assert f"200: {posts}" in said
    assert CallEvent.objects.count() == posts
    assert set(Call.objects.values_list("call_uuid", flat=True)) == {
        steps[0].post["variables"]["call_uuid"] for steps in made
    }


def test_the_posts_of_a_call_keep_their_order(live_server, number):
    simulate(live_server, number, make_key(number))

    for steps in client.make_calls(number.e164, 12, "1/"):
        call = Call.objects.get(call_uuid=steps[0].post["variables"]["call_uuid"])
        received = call.events.in_order().values_list("request_type", flat=True)
        assert list(received) == [step.post["requestType"] for step in steps]


def test_another_run_of_the_same_seed_makes_new_calls(live_server, number):
    key = make_key(number)
    simulate(live_server, number, key, calls=5)
    simulate(live_server, number, key, calls=5)
    assert Call.objects.count() == 5

    simulate(live_server, number, key, calls=5, run="again")
    assert Call.objects.count() == 10


def test_posts_are_sent_at_the_given_rate(live_server, number):
    made = [[client.scenarios.Step(second, {"requestType": "CALL_START"}) for second in range(5)] for _ in range(4)]
    due = sorted(due.at_s for call in client.compress(made, rate=10) for due in call)
    assert due == [place / 10 for place in range(20)]


def test_a_wrong_key_ends_with_an_error_and_a_hint(live_server, number):
    make_key(number)
    out = StringIO()
    with pytest.raises(CommandError, match="were not answered with 2xx") as error:
        call_command(
            "simulate", url=live_server.url, number=number.e164, key="wrong-key", calls=2, rate=0.0, stdout=out
        )
    assert error.value.returncode == 1
    assert "add_number +492214710300" in out.getvalue()
    assert not CallEvent.objects.exists()


def test_an_address_without_a_server_is_reported(number):
    with pytest.raises(CommandError, match="not answered"):
        call_command("simulate", url="http://127.0.0.1:9", number=number.e164, key="k", calls=1, stdout=StringIO())


@pytest.mark.parametrize(
    "options", [{"url": "ftp://example.com"}, {"url": "example.com"}, {"calls": 0}, {"rate": -1.0}]
)
def test_invalid_options_are_refused(options):
    given = {"url": "http://127.0.0.1:9", "number": "+492214710300", "key": "k"}
    with pytest.raises(CommandError, match=r"at least|not an http"):
        call_command("simulate", stdout=StringIO(), **(given | options))


def test_it_gives_up_after_a_few_posts_without_an_answer(number):
    out = StringIO()
    with pytest.raises(CommandError, match="were not answered with 2xx"):
        call_command(
            "simulate",
            url="http://127.0.0.1:9",
            number=number.e164,
            key="k",
            calls=200,
            rate=0.0,
            threads=1,
            stdout=out,
        )
    assert f"{client.NO_ANSWER}: 10\n" in out.getvalue()
    assert "Given up" in out.getvalue()


def test_it_continues_after_an_answer_in_between():
    tally = client.Tally()
    for code in [*[client.NO_ANSWER] * 9, "403", *[client.NO_ANSWER] * 9]:
        tally.count(code)
    assert not tally.is_hopeless
    tally.count(client.NO_ANSWER)
    assert tally.is_hopeless
