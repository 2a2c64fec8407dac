"""The sender policy: which addresses may post, what happens to other posts, and the rate limit."""

from types import SimpleNamespace

import pytest

from accounts.addresses import read_network
from calls.ingest import rate_limit
from calls.models import Call, CallEvent, RefusedPost, SenderPolicy
from tests.calls.refused import STRANGER, TENIOS, send, set_policy, settled, start
from tests.factories import make_staff, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_intake")]


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A fixed clock for the rate limit, independent of the machine's speed; a test may advance it."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


FORBIDDEN = b'{"error":"forbidden"}'


def test_by_default_posts_from_foreign_addresses_are_accepted_and_flagged(client, number):
    assert send(client, start(), STRANGER).status_code == 200
    assert send(client, start(), TENIOS).status_code == 200

    assert [event.flags for event in CallEvent.objects.order_by("ingest_id")] == [[f"foreign_address {STRANGER}"], []]
    client.force_login(make_staff())
    assert (
        f"came from {STRANGER}, which is not in the list of sender addresses"
        in client.get("/reports/").content.decode()
    )
    assert f"The message came from {STRANGER}" in client.get(Call.objects.get().get_absolute_url()).content.decode()


def test_mode_off_does_not_flag_addresses(client, number):
    set_policy("off")

    assert send(client, start(), STRANGER).status_code == 200
    assert CallEvent.objects.get().flags == []


@pytest.mark.parametrize("raw", [None, b"{", b"", b"x" * 70_000])
def test_mode_enforce_gives_all_posts_from_foreign_addresses_the_same_answer(client, number, raw):
    set_policy("enforce")
    if raw is None:
        answer = send(client, start(), STRANGER)
    else:
        answer = client.post("/tenios/posts", raw, content_type="application/json", REMOTE_ADDR=STRANGER)

    assert (answer.status_code, answer.content) == (403, FORBIDDEN)
    assert not CallEvent.objects.exists()
    assert send(client, start(), TENIOS).status_code == 200


SECRET = "the-secret-of-the-proxy-0123456789"


@pytest.mark.parametrize(
    ("meta", "address"),
    [
        ({"HTTP_CALLTALLYPROXY": f"{SECRET} {TENIOS} https"}, TENIOS),
        ({"HTTP_CALLTALLYPROXY": f"{SECRET} {STRANGER} https", "HTTP_X_FORWARDED_FOR": TENIOS}, STRANGER),
        ({"HTTP_CALLTALLYPROXY": f"a-guess {TENIOS} https", "HTTP_X_FORWARDED_FOR": TENIOS}, None),
        ({"HTTP_X_FORWARDED_FOR": TENIOS}, None),
        ({}, None),
    ],
)
@pytest.mark.usefixtures("number")
def test_with_a_proxy_secret_mode_enforce_uses_the_address_that_the_proxy_names(client, settings, meta, address):
    set_policy("enforce")
    settings.PROXY_SECRET, settings.TRUSTED_PROXIES = SECRET, [read_network("127.0.0.1")]

    for peer in ("127.0.0.1", TENIOS):
        assert post(client, start(), REMOTE_ADDR=peer, **meta).status_code == (200 if address == TENIOS else 403)

    assert [event.flags for event in CallEvent.objects.all()] == ([[], []] if address == TENIOS else [])
    assert [row.address for row in settled()] == ([] if address == TENIOS else [address])


def test_mode_enforce_accepts_listed_networks_in_every_spelling(client, number):
    set_policy("enforce", "# ours\n192.0.2.0/24\n\n2001:db8::/32 # and theirs\n")

    for sender, status in [("192.0.2.77", 200), ("::ffff:192.0.2.1", 200), ("2001:db8::5", 200), (TENIOS, 403)]:
        assert send(client, start(), sender).status_code == status, sender


def test_a_post_from_this_machine_is_not_flagged_unless_it_came_through_a_proxy(client, number, settings):
    send(client, start(), "127.0.0.1")
    client.post("/tenios/posts", start(), content_type="application/json", headers={"x-forwarded-for": TENIOS})
    settings.TRUSTED_PROXIES = [read_network("127.0.0.1")]
    client.post("/tenios/posts", start(), content_type="application/json", headers={"x-forwarded-for": TENIOS})

    flags = [event.flags for event in CallEvent.objects.order_by("ingest_id")]
    assert flags == [[], ["foreign_address 127.0.0.1"], []]


def test_a_sender_of_refused_posts_is_slowed_down_and_others_are_not(client, number):
    for _ in range(rate_limit.REFUSED_AT_ONCE):
        assert send(client, start(key="wrong-key-wrong"), STRANGER).status_code == 403
    answer = send(client, start(key="wrong-key-wrong"), STRANGER)

    assert (answer.status_code, answer.content) == (429, b'{"error":"too_many"}')
    assert int(answer["Retry-After"]) >= 1
    assert send(client, start(), STRANGER).status_code == 429
    assert send(client, start(), "203.0.113.10").status_code == 200


@pytest.mark.parametrize("sender", [TENIOS, "127.0.0.1", "10.1.2.3"])
def test_listed_and_private_addresses_are_never_slowed_down(client, number, sender):
    for _ in range(rate_limit.REFUSED_AT_ONCE + 5):
        assert send(client, start(key="wrong-key-wrong"), sender).status_code == 403


def test_an_accepted_post_resets_the_rate_limit(client, number):
    for _ in range(3):
        for _ in range(rate_limit.REFUSED_AT_ONCE - 1):
            assert send(client, start(key="wrong-key-wrong"), STRANGER).status_code == 403
        assert send(client, start(), STRANGER).status_code == 200


def test_all_addresses_of_an_ipv6_network_are_one_sender(client, number):
    for place in range(rate_limit.REFUSED_AT_ONCE):
        send(client, start(key="wrong-key-wrong"), f"2001:db8:5::{place:x}")

    assert send(client, start(), "2001:db8:5::ffff").status_code == 429
    assert send(client, start(), "2001:db8:5:1::1").status_code == 200


def test_a_rate_limit_recovers_with_time_and_remembers_a_limited_number_of_senders(monkeypatch, clock):
    monkeypatch.setattr(rate_limit, "MOST_SENDERS", 3)
    slow = rate_limit.RateLimit()
    for _ in range(rate_limit.REFUSED_AT_ONCE + 30):
        slow.refused("one")
    assert slow.wait_s("one") == 31
    clock.now += 30
    assert slow.wait_s("one") == 1
    clock.now += 1
    assert slow.wait_s("one") == 0
    for other in "abcd":
        slow.refused(other)
    assert len(slow._spent) == 3


def test_staff_edit_addresses_and_mode_and_errors_are_shown(client, number):
    client.force_login(make_staff())
    page = client.get("/admin/calls/senderpolicy/", follow=True)
    assert TENIOS in page.content.decode()
    address = page.redirect_chain[-1][0]

    for wrong, message in [
        ("192.0.2.7/24", "Enter 192.0.2.0/24 or only the host&#x27;s address"),
        ("tenios", "&#x27;tenios&#x27; is not an address"),
        ("# nobody", "Enter at least one address."),
    ]:
        assert message in client.post(address, {"networks": wrong, "mode": "enforce"}).content.decode()
    client.post(address, {"networks": f"{TENIOS}\n{STRANGER}", "mode": "enforce"})

    assert SenderPolicy.objects.get().mode == "enforce"
    assert send(client, start(), STRANGER).status_code == 200
    assert send(client, start(), "203.0.113.10").status_code == 403
    assert not RefusedPost.objects.filter(address="203.0.113.10").exclude(reason="foreign_address").exists()
