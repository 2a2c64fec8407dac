"""Protection against guessing passwords: a name is locked where it failed too often, and nowhere else."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.utils import timezone

from accounts.addresses import read_network
from config.tasks import clear_sessions
from tests.factories import PASSWORD, make_staff, make_user
from tests.signing_in import CAFE, HOME, OFFICE, SIGN_IN, TOO_MANY, attempt, fail

pytestmark = pytest.mark.django_db

# As documented in docs/security.md.
LIMIT, NETWORK_LIMIT = 10, 100
CHANGE = "/accounts/password_change/"


def test_a_name_is_locked_in_the_network_where_it_failed_and_the_page_says_what_to_do(client):
    make_staff("mona")
    assert fail(client, LIMIT - 1).status_code == 200
    answer = attempt(client)

    assert answer.status_code == 429
    assert answer["Retry-After"] == "900"
    page = answer.content.decode()
    assert TOO_MANY in page
    assert "with this name from here is blocked for 15 minutes" in page
    assert attempt(client, password=PASSWORD).status_code == 429
    assert attempt(client, password=PASSWORD, address=HOME).status_code == 302


def test_a_stranger_in_many_networks_cannot_lock_the_owner_out(client, settings):
    settings.AXES_FAILURE_LIMIT = 2
    make_staff("mona")
    stranger = [fail(client, 2, address=f"203.0.113.{n}").status_code for n in range(12)]

    assert stranger == [429] * 12
    assert attempt(client, password=PASSWORD, address=OFFICE).status_code == 302


def test_a_network_is_locked_after_many_failures_whatever_names_it_tries(client):
    make_user("mona")
    answers = [attempt(client, username=f"somebody-{n}").status_code for n in range(NETWORK_LIMIT)]

    assert answers == [200] * (NETWORK_LIMIT - 1) + [429]
    assert attempt(client, password=PASSWORD).status_code == 429
    assert attempt(client, password=PASSWORD, address=HOME).status_code == 302


def test_a_success_does_not_reset_what_other_names_failed_in_the_network(client, settings):
    settings.NETWORK_FAILURE_LIMIT = 6
    make_user("mona")
    make_user("eve")
    for n in range(5):
        assert attempt(client, username=f"somebody-{n}").status_code == 200
        assert attempt(client, username="eve", password=PASSWORD).status_code == 302
        client.logout()
        client.cookies.clear()

    assert attempt(client, username="somebody-6").status_code == 429
    assert attempt(client, password=PASSWORD).status_code == 429


def test_unknown_names_get_the_same_answer_as_known_ones(client):
    make_user("mona")

    known = [attempt(client) for _ in range(LIMIT)]
    unknown = [attempt(client, username="nina") for _ in range(LIMIT)]

    def message(answer):
        page = answer.content.decode().replace("nina", "mona")
        return answer.status_code, page[page.index("</h1>") : page.index('id="id_username"')]

    assert list(map(message, known)) == list(map(message, unknown))
    assert known[-1].status_code == 429


@pytest.mark.parametrize("spelling", ["MONA", " mona ", "Mona", "ｍｏｎａ"])
def test_another_spelling_of_a_name_is_no_way_around_the_lock(client, spelling):
    make_user("mona")
    fail(client, LIMIT - 1)

    assert attempt(client, username=spelling).status_code == 429
    assert attempt(client, password=PASSWORD).status_code == 429


def test_an_account_with_the_same_name_in_another_case_does_not_reset_the_count(client):
    make_user("mona")
    make_user("Mona")
    fail(client, LIMIT - 1)
    assert attempt(client, username="Mona", password=PASSWORD).status_code == 302
    client.logout()

    assert attempt(client).status_code == 429


def test_a_name_that_is_too_long_is_counted_too(client):
    assert fail(client, LIMIT, username="m" * 300).status_code == 429


def test_behind_a_proxy_the_client_is_locked_and_not_the_proxy(client, settings):
    settings.TRUSTED_PROXIES = [read_network("127.0.0.1")]
    make_user("mona")

    def from_address(address, claim="1.2.3.4"):
        return {"address": "127.0.0.1", "headers": {"x-forwarded-for": f"{claim}, {address}"}}

    for n in range(LIMIT):
        attempt(client, **from_address(OFFICE, claim=f"1.2.3.{n}"))

    assert AccessAttempt.objects.values_list("ip_address", flat=True).distinct().get() == OFFICE
    assert attempt(client, password=PASSWORD, **from_address(OFFICE)).status_code == 429
    assert attempt(client, password=PASSWORD, **from_address(HOME)).status_code == 302


def test_with_a_proxy_secret_the_named_client_is_locked_whatever_else_is_claimed(client, settings):
    secret = settings.PROXY_SECRET = "the-secret-of-the-proxy-0123456789"
    settings.TRUSTED_PROXIES = [read_network("127.0.0.1")]
    make_user("mona")

    def from_address(address, claim=HOME):
        headers = {"calltallyproxy": f"{secret} {address} https", "x-forwarded-for": claim}
        return {"address": "127.0.0.1", "headers": headers}

    for n in range(LIMIT):
        attempt(client, **from_address(OFFICE, f"1.2.3.{n}"))

    assert AccessAttempt.objects.values_list("ip_address", flat=True).distinct().get() == OFFICE
    assert attempt(client, password=PASSWORD, **from_address(OFFICE)).status_code == 429
    assert attempt(client, password=PASSWORD, **from_address(HOME)).status_code == 302


def test_the_addresses_of_one_ipv6_network_count_as_one(client):
    make_user("mona")
    for n in range(LIMIT):
        attempt(client, address=f"2001:db8::{n + 1:x}")

    assert attempt(client, password=PASSWORD, address="2001:db8::ffff").status_code == 429
    assert attempt(client, password=PASSWORD, address="2001:db8:0:1::1").status_code == 302


def test_a_successful_sign_in_resets_the_count(client):
    make_user("mona")
    for _ in range(2):
        assert fail(client, LIMIT - 1).status_code == 200
        assert attempt(client, password=PASSWORD).status_code == 302
        client.logout()
        client.cookies.clear()


def test_wrong_passwords_on_the_page_that_changes_it_lock_too(client):
    mona = make_user("mona")
    attempt(client, password=PASSWORD)
    passwords = {"new_password1": "river-button-oak-77-moss", "new_password2": "river-button-oak-77-moss"}

    def change(old):
        return client.post(CHANGE, {"old_password": old, **passwords}, REMOTE_ADDR=OFFICE)

    assert [change(f"wrong {n}").status_code for n in range(LIMIT)] == [200] * (LIMIT - 1) + [429]
    assert change(PASSWORD).status_code == 429
    mona.refresh_from_db()
    assert mona.check_password(PASSWORD)
    assert attempt(client, password=PASSWORD, address=HOME).status_code == 302


def test_a_lock_ends_by_itself_and_more_tries_do_not_prolong_it(client):
    make_user("mona")
    fail(client, LIMIT)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert fail(client, 5).status_code == 429
    AccessAttempt.objects.update(attempt_time=AccessAttempt.objects.get().attempt_time - timedelta(minutes=2))

    assert attempt(client, password=PASSWORD).status_code == 302


def test_a_name_is_unlocked_at_once_in_all_networks_and_any_case(client):
    make_user("mona")
    for address in (OFFICE, HOME):
        assert fail(client, LIMIT, address=address).status_code == 429
    fail(client, LIMIT, username="Nina")
    call_command("axes_reset_username", "MONA")

    assert attempt(client, password=PASSWORD).status_code == 302
    assert AccessAttempt.objects.values_list("username", flat=True).distinct().get() == "Nina"


@pytest.mark.parametrize(("failing", "unlocked"), [(OFFICE, OFFICE), ("2001:db8::1", "2001:db8::2")])
def test_a_network_is_unlocked_by_any_of_its_addresses(client, failing, unlocked):
    make_user("mona")
    fail(client, LIMIT, address=CAFE)
    fail(client, LIMIT, address=failing)
    call_command("axes_reset_ip", unlocked)

    assert attempt(client, password=PASSWORD, address=failing).status_code == 302
    assert AccessAttempt.objects.values_list("ip_address", flat=True).distinct().get() == CAFE


def test_no_password_and_no_token_is_kept_or_logged(client, caplog):
    make_user("mona")
    fail(client, LIMIT, password="nearly-right-password")
    attempt(client, password=PASSWORD)

    kept = str(list(AccessAttempt.objects.values()))
    for secret in ("nearly-right-password", PASSWORD):
        assert secret not in kept + caplog.text


def test_what_a_client_sends_besides_makes_no_further_rows_and_is_not_kept(client):
    for n in range(LIMIT):
        sent = {"username": "mona", "password": "wrong", "more": f"made-up-{n}" * 1000}
        client.post(f"{SIGN_IN}?more=made-up", sent, headers={"user-agent": f"made-up-{n}", "accept": "made-up"})

    row = AccessAttempt.objects.get()
    assert row.failures_since_start == LIMIT
    assert "made-up" not in str(vars(row))


def test_a_locked_network_stores_no_more_rows(client, settings):
    settings.NETWORK_FAILURE_LIMIT = 5
    for n in range(20):
        attempt(client, username=f"somebody-{n}")

    assert AccessAttempt.objects.count() == 5


def test_failures_that_lock_nothing_any_more_are_deleted_each_hour(client, settings):
    assert settings.CELERY_BEAT_SCHEDULE["clear-sessions"]["schedule"] == 3600
    attempt(client, username="somebody")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    attempt(client, username="mona")
    AccessAttempt.objects.filter(username="mona").update(attempt_time=timezone.now() - timedelta(minutes=14))
    clear_sessions()

    assert AccessAttempt.objects.values_list("username", flat=True).get() == "mona"
