"""Protection against guessing passwords: names and addresses with too many failures are locked for a while."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.conf import settings as django_settings
from django.core.management import call_command
from django.utils import timezone

from accounts.addresses import read_network
from tests.factories import PASSWORD, make_staff, make_user

pytestmark = pytest.mark.django_db

LIMIT = django_settings.AXES_FAILURE_LIMIT
DOORS = ("/accounts/login/", "/admin/login/")
TOO_MANY = "Too many attempts."


def attempt(client, username="mona", password="wrong", door=DOORS[0], **environ):
    return client.post(door, {"username": username, "password": password}, **environ)


def fail(client, times, **how):
    for _ in range(times):
        answer = attempt(client, **how)
    return answer


@pytest.mark.parametrize("door", DOORS)
def test_a_name_is_locked_from_any_address_and_the_page_says_what_to_do(client, door):
    make_staff("mona")
    for n in range(LIMIT):
        answer = attempt(client, door=door, REMOTE_ADDR=f"198.51.100.{n}")

    assert answer.status_code == 429
    assert answer["Retry-After"] == "900"
    page = answer.content.decode()
    assert TOO_MANY in page
    assert "is blocked for 15 minutes" in page
    assert attempt(client, password=PASSWORD, door=door).status_code == 429


def test_an_address_is_locked_whatever_names_it_tries(client):
    make_user("mona")
    for n in range(LIMIT):
        attempt(client, username=f"somebody-{n}", REMOTE_ADDR="198.51.100.7")

    assert attempt(client, password=PASSWORD, REMOTE_ADDR="198.51.100.7").status_code == 429
    assert attempt(client, password=PASSWORD, REMOTE_ADDR="198.51.100.8").status_code == 302


def test_unknown_names_get_the_same_answer_as_known_ones(client):
    make_user("mona")

    known = [attempt(client, REMOTE_ADDR="198.51.100.7") for _ in range(LIMIT)]
    unknown = [attempt(client, username="nina", REMOTE_ADDR="198.51.100.8") for _ in range(LIMIT)]

    def message(answer):
        page = answer.content.decode().replace("nina", "mona")
        return answer.status_code, page[page.index("</h1>") : page.index('id="id_username"')]

    assert list(map(message, known)) == list(map(message, unknown))


def test_behind_a_proxy_the_client_is_locked_and_not_the_proxy(client, settings):
    settings.TRUSTED_PROXIES = [read_network("127.0.0.1")]
    make_user("mona")
    for n in range(LIMIT):
        attempt(client, username=f"somebody-{n}", headers={"x-forwarded-for": f"1.2.3.{n}, 198.51.100.7"})

    assert AccessAttempt.objects.values_list("ip_address", flat=True).distinct().get() == "198.51.100.7"
    assert attempt(client, password=PASSWORD, headers={"x-forwarded-for": "198.51.100.7"}).status_code == 429
    assert attempt(client, password=PASSWORD, headers={"x-forwarded-for": "198.51.100.8"}).status_code == 302


def test_with_a_proxy_secret_the_named_client_is_locked_whatever_else_is_claimed(client, settings):
    secret = settings.PROXY_SECRET = "the-secret-of-the-proxy-0123456789"
    settings.TRUSTED_PROXIES = [read_network("127.0.0.1")]
    make_user("mona")

    def from_address(address, claim="198.51.100.8"):
        return {"calltallyproxy": f"{secret} {address} https", "x-forwarded-for": claim}

    for n in range(LIMIT):
        attempt(client, username=f"somebody-{n}", headers=from_address("198.51.100.7", f"1.2.3.{n}"))

    assert AccessAttempt.objects.values_list("ip_address", flat=True).distinct().get() == "198.51.100.7"
    assert attempt(client, password=PASSWORD, headers=from_address("198.51.100.7")).status_code == 429
    assert attempt(client, password=PASSWORD, headers=from_address("198.51.100.8")).status_code == 302


def test_the_addresses_of_one_ipv6_network_count_as_one(client):
    make_user("mona")
    for n in range(LIMIT):
        attempt(client, username=f"somebody-{n}", REMOTE_ADDR=f"2001:db8::{n + 1:x}")

    assert attempt(client, password=PASSWORD, REMOTE_ADDR="2001:db8::ffff").status_code == 429


def test_a_successful_sign_in_resets_the_count(client):
    make_user("mona")
    for _ in range(2):
        fail(client, LIMIT - 1)
        assert attempt(client, password=PASSWORD).status_code == 302
        client.logout()


def test_a_lock_ends_by_itself_and_more_tries_do_not_prolong_it(client):
    make_user("mona")
    fail(client, LIMIT + 5)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))

    assert attempt(client, password=PASSWORD).status_code == 302


def test_staff_can_unlock_a_name_at_once(client):
    make_user("mona")
    for n in range(LIMIT):
        attempt(client, REMOTE_ADDR=f"198.51.100.{n}")
    call_command("axes_reset_username", "mona")

    assert attempt(client, password=PASSWORD).status_code == 302


def test_no_password_and_no_token_is_kept_or_logged(client, caplog):
    make_user("mona")
    fail(client, LIMIT, password="nearly-right-password")
    attempt(client, password=PASSWORD)

    kept = str(list(AccessAttempt.objects.values()))
    for secret in ("nearly-right-password", PASSWORD):
        assert secret not in kept + caplog.text
