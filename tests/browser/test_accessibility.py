"""axe-core finds nothing serious or critical on any page, light and dark, on desktop and phone."""

import hashlib
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from calls.models import Call, OpeningHours
from reports.counting import rollups
from reports.periods import today
from tests.browser.axe import VENDOR, findings
from tests.conftest import and_in_full
from tests.factories import PASSWORD, make_number, make_staff, make_user, post, post_body, take
from tests.reports.helpers import tabs_of

pytestmark = pytest.mark.django_db(transaction=True)

FULL = ("CALL_START", "BLOCK_END QUEUE", "INITIATE_FORWARD +492212345678", "FORWARD_ANSWER +492212345678", "CALL_END")


@pytest.fixture
def addresses():
    """The addresses of a page of each kind, with answered, lost and odd calls, and a number with missing posts."""
    make_staff("admin")
    hotline = make_number(label="Hotline")
    quiet = make_number("+4922155400301", label="Without forwards", initiate_forward="off")
    at = timezone.now() - timedelta(hours=2)
    for n, kinds in enumerate((FULL, FULL[:3] + FULL[4:], (FULL[0], FULL[4]), ("SOMETHING_NEW",), FULL[:1])):
        for i, kind in enumerate(kinds):
            moment = at + timedelta(minutes=n, seconds=10 * i)
            take(hotline, kind, moment, call_uuid=f"a{n}", correlation_id=f"a{n}", customerNumber=i, menu="1")
            take(quiet, kind, moment, call_uuid=f"b{n}", correlation_id=f"b{n}")
    rollups.recount_changed(wait=True)
    call, odd = (Call.objects.get(destination_number=hotline, call_uuid=uuid) for uuid in ("a0", "a3"))
    assert post(Client(), post_body("CALL_START", "+4940555555", "not-a-key-of-it")).status_code == 403
    hours = OpeningHours.objects.create(name="Office hours")
    settings = [
        "",
        "calls/destinationnumber/",
        "calls/destinationnumber/add/",
        f"calls/destinationnumber/{hotline.pk}/change/",
        f"calls/destinationnumber/{hotline.pk}/history/",
        f"calls/destinationnumber/keys/issue/?number={hotline.pk}",
        "calls/openinghours/add/",
        f"calls/openinghours/{hours.pk}/change/",
        f"calls/openinghours/{hours.pk}/delete/",
        "calls/call/",
        f"calls/call/{call.pk}/change/",
        "calls/refusedpost/",
        "accounts/auditentry/",
        "auth/user/add/",
    ]
    return [
        *(f"/admin/{address}" for address in settings),
        "/reports/",
        "/reports/?from=2001-01-01&to=2001-01-02",
        "/reports/?from=never",
        *(f"{tab}?from={today()}&to={today()}&by=hour" for tab in tabs_of(hotline)),
        f"/reports/numbers/{quiet.pk}/",
        "/reports/calls/",
        "/reports/calls/?from=never",
        "/reports/calls/?outcome=missed&from=2001-01-01",
        f"/reports/calls/{call.pk}/",
        f"/reports/calls/{odd.pk}/",
        "/reports/calls/999999999/",
        f"/reports/busy-hours/?from={today()}&to={today()}",
        "/reports/busy-hours/?show=reached",
        "/reports/trend/",
        "/reports/numbers/",
        f"/reports/trend/?from={today()}&to={today()}&by=quarter-hour",
        "/reports/forwards/",
        "/reports/forwards/?from=2001-01-01&to=2001-01-02",
        "/reports/?opening=inside",
        "/reports/data-quality/",
        "/reports/glossary/",
        "/reports/system/",
        "/accounts/password_change/",
        "/accounts/sessions/",
        "/accounts/second-factor/",
        "/accounts/invitation/",
    ]


@pytest.mark.parametrize(
    "window", and_in_full([(1440, "light"), (390, "dark")], (1440, "dark"), (390, "light"), (768, "light"))
)
def test_pages_have_no_serious_accessibility_violation(live_server, sign_in, addresses, window):
    width, scheme = window
    page = sign_in("admin", PASSWORD, width=width, scheme=scheme)
    violations = []
    for address in addresses:
        page.goto(f"{live_server.url}{address}")
        violations += findings(page)
    assert not violations, "\n".join(violations)


def test_sign_in_and_first_run_have_no_serious_accessibility_violation(live_server, open_window, sign_in):
    make_staff("admin")
    make_user("manager")
    door = open_window()
    door.goto(f"{live_server.url}/accounts/login/")
    violations = findings(door)
    violations += [line for name in ("admin", "manager") for line in findings(sign_in(name, PASSWORD))]
    make_number()
    violations += findings(sign_in("admin", PASSWORD))
    assert not violations, "\n".join(violations)


def test_axe_is_the_vendored_version():
    text = (VENDOR / "README.md").read_text(encoding="utf-8")
    sums = dict(reversed(line.split("  ")) for line in text.splitlines() if len(line.split("  ")[0]) == 64)
    kept = {str(path.relative_to(VENDOR)): path for path in VENDOR.glob("*/*")}
    assert set(sums) == set(kept)
    for name, path in kept.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sums[name]
