"""Every page of ours in the URL configuration, of an installation with long labels and destinations.

New addresses are found automatically; those that need an argument or are not pages are named here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts.models import AuditEntry, SignedInSession
from calls.models import Call, CallEvent, DestinationNumber, OpeningHours, RefusedPost
from contacts import agents
from contacts.models import CallNote, ContactKey, ContactUpload, LinkTemplate, Lookup
from live.models import BoardKey, CallerShown, WhyOff
from reports import periods
from reports.counting import rollups
from reports.models import Workbook, WorkbookState
from reports.queries import forwards
from tests.factories import make_contact, make_number, make_staff, make_user, map_variable, post, post_body, take
from tests.live.endpoints import make_delivery, make_endpoint
from tests.reports.helpers import NUMBER_TABS

# A typical German label, and the longest possible one, without a place to break it.
LONG = "Störungsannahme/Bereitschaftsdienst"
WITHOUT_A_GAP = (
    "DonaudampfschifffahrtsgesellschaftskapitänsmützenabteilungshotlineundnochdreißigBuchstabenmehrdazu" + "xx"
)
STAFF = "admin"
MANAGER = "M" * 60

ANSWERED = ("CALL_START", "BLOCK_END QUEUE", "INITIATE_FORWARD {0}", "FORWARD_ANSWER {0}", "CALL_END")
LOST = ("CALL_START", f"BLOCK_END {WITHOUT_A_GAP}", "INITIATE_FORWARD {0}", "CALL_END")
DESTINATIONS = ("+492212345678", "+492212345679", LONG, WITHOUT_A_GAP, "sip:reception@example.com", "7001")

# Not pages: they take posts, are read by programs, are files, redirect, or only accept POST.
NO_PAGES = (
    *("^tenios/posts/?$", "healthz", "metrics", "", "accounts/logout/"),
    *("reports/when/", "reports/definitions/", "reports/coverage/"),
    *("live/state", "live/shown", "live/profile", "live/test", "live/note", "live/lead-time/<int:pk>/"),
    *("live/board/state", "live/board/key", "accounts/sessions/left"),
    "api/contacts/<str:source>/<path:external_id>",
    # Steps of signing in, which tests/browser/test_second_factor.py takes.
    "accounts/reauthenticate/",
    *(
        f"accounts/second-factor/{step}/"
        for step in (
            *(
                "authenticate",
                "reauthenticate",
                "app",
                "app/remove",
                "security-keys/add",
                "security-keys/reauthenticate",
            ),
            *(
                "security-keys/<int:pk>/rename",
                "security-keys/<int:pk>/remove",
                "recovery-codes",
                "recovery-codes/new",
                "recovery-codes/file",
            ),
        )
    ),
)
FILES = (".csv", ".xlsx")
# Admin pages with a template or form of ours, and one of each kind of Django's own, which are in our frame.
OURS_IN_ADMIN = {
    "admin/": "admin/",
    "admin/login/": "",  # replaced by the reports' sign-in
    "admin/calls/destinationnumber/": "admin/calls/destinationnumber/",
    "admin/calls/destinationnumber/<path:object_id>/history/": "admin/calls/destinationnumber/{hotline}/history/",
    "admin/calls/openinghours/<path:object_id>/delete/": "admin/calls/openinghours/{hours}/delete/",
    "admin/calls/call/": "admin/calls/call/",
    "admin/calls/refusedpost/": "admin/calls/refusedpost/",
    "admin/contacts/linktemplate/<path:object_id>/delete/": "admin/contacts/linktemplate/{link}/delete/",
    "admin/auth/group/add/": "admin/auth/group/add/",
    "admin/calls/destinationnumber/add/": "admin/calls/destinationnumber/add/",
    "admin/calls/destinationnumber/<path:object_id>/change/": "admin/calls/destinationnumber/{hotline}/change/",
    "admin/calls/destinationnumber/keys/issue/": "admin/calls/destinationnumber/keys/issue/?number={hotline}",
    "admin/calls/destinationnumber/keys/rotate/": "admin/calls/destinationnumber/keys/rotate/?number={hotline}",
    "admin/calls/destinationnumber/keys/test/": "admin/calls/destinationnumber/keys/test/?number={hotline}",
    "admin/calls/accesskey/<path:object_id>/change/": "admin/calls/accesskey/{key}/change/",
    "admin/calls/accesskey/revoke/": "admin/calls/accesskey/revoke/?key={key}",
    "admin/calls/call/<path:object_id>/change/": "admin/calls/call/{call}/change/",
    "admin/calls/refusedpost/<path:object_id>/change/": "admin/calls/refusedpost/{refused}/change/",
    "admin/calls/refusedpost/<int:pk>/mend/": "admin/calls/refusedpost/{refused}/mend/",
    "admin/calls/openinghours/<path:object_id>/change/": "admin/calls/openinghours/{hours}/change/",
    "admin/contacts/agentdestination/": "admin/contacts/agentdestination/",
    "admin/live/boardkey/add/": "admin/live/boardkey/add/",
    "admin/live/boardkey/<path:object_id>/change/": "admin/live/boardkey/{board_key}/change/",
    "admin/live/boardkey/<path:object_id>/revoke/": "admin/live/boardkey/{board_key}/revoke/",
    "admin/live/numberrings/add/": "admin/live/numberrings/add/",
    "admin/contacts/agentdestination/<path:object_id>/change/": "admin/contacts/agentdestination/{token}/change/",
    "admin/contacts/contact/": "admin/contacts/contact/",
    "admin/contacts/contact/<path:object_id>/change/": "admin/contacts/contact/{contact}/change/",
    "admin/contacts/contact/import/": "admin/contacts/contact/import/",
    "admin/contacts/contact/import/<uuid:upload>/": "admin/contacts/contact/import/{upload}/",
    "admin/contacts/contactkey/add/": "admin/contacts/contactkey/add/",
    "admin/contacts/contactkey/<path:object_id>/change/": "admin/contacts/contactkey/{contact_key}/change/",
    "admin/contacts/contactkey/<path:object_id>/revoke/": "admin/contacts/contactkey/{contact_key}/revoke/",
    "admin/contacts/linktemplate/<path:object_id>/change/": "admin/contacts/linktemplate/{link}/change/",
    "admin/contacts/lookup/<path:object_id>/change/": "admin/contacts/lookup/{lookup}/change/",
    "admin/contacts/lookup/<int:lookup>/try/": "admin/contacts/lookup/{lookup}/try/",
    "admin/contacts/typednumber/add/": "admin/contacts/typednumber/add/?number={hotline}",
    "admin/contacts/typednumber/<path:object_id>/change/": "admin/contacts/typednumber/{typed}/change/",
    "admin/live/endpoint/": "admin/live/endpoint/",
    "admin/live/endpoint/add/": "admin/live/endpoint/add/?format=webhook",
    "admin/live/endpoint/<path:object_id>/change/": "admin/live/endpoint/{endpoint}/change/",
    **{
        f"admin/live/endpoint/<int:endpoint>/{page}/": f"admin/live/endpoint/{{endpoint}}/{page}/"
        for page in ("test", "switch", "secret", "resend")
    },
    "admin/live/delivery/": "admin/live/delivery/",
    "admin/live/delivery/<path:object_id>/change/": "admin/live/delivery/{delivery}/change/",
    "admin/live/delivery/<int:delivery>/resend/": "admin/live/delivery/{delivery}/resend/",
    "admin/live/delivery/<int:delivery>/sent/": "admin/live/delivery/{whole_delivery}/sent/",
    "admin/accounts/auditentry/": "admin/accounts/auditentry/",
    "admin/accounts/auditentry/<path:object_id>/change/": "admin/accounts/auditentry/{entry}/change/",
    "admin/auth/user/": "admin/auth/user/",
    "admin/auth/user/add/": "admin/auth/user/add/",
    "admin/auth/user/<path:object_id>/change/": "admin/auth/user/{manager}/change/",
    **{
        f"admin/auth/user/<id>/{page}/": f"admin/auth/user/{{manager}}/{page}/"
        for page in ("sessions", "second-factor", "invite", "password")
    },
}
# Pages that can look different.
FACES = {
    "reports/": ["", "?{week}", "?{week}&{wide}&opening=inside", "?{today}", "?{empty}", "?from=never"],
    "reports/numbers/": ["", "?{week}&find=nothing"],
    "reports/numbers/<int:pk>/": ["?{week}", "?{empty}"],
    **{f"reports/numbers/<int:pk>/{tab}": ["?{week}"] for tab in NUMBER_TABS[1:]},
    "reports/busy-hours/": ["?{week}", "?{week}&{wide}&show=reached"],
    "reports/trend/": ["?{week}", "?{week}&{wide}&by=half-hour"],
    "reports/forwards/": ["?{week}", "?{week}&{wide}", "?{empty}"],
    "reports/calls/": [
        "",
        "?{week}&{wide}&{tried}&outcome=missed",
        "?{week}&last_block={gapless}",
        "?{empty}",
        "?from=never",
    ],
    "reports/calls/whole/": ["", "?{week}&{wide}", "?from=never"],
    "reports/files/new/": ["?kind=calls&{week}&{wide}"],
    "live/board": ["", "?kiosk=1"],
    "live/why/": ["", "?who=all"],
}
FILLED = {
    "reports/numbers/<int:pk>/": ("hotline", "quiet", "new"),
    **{f"reports/numbers/<int:pk>/{tab}": ("hotline", "quiet") for tab in NUMBER_TABS[1:]},
    "reports/calls/<int:pk>/": ("call", "odd"),
    "reports/files/<uuid:pk>/": ("waiting", "working", "failed"),
}


@dataclass
class Installation:
    """The objects of the installation, by the names of URL arguments."""

    names: dict[str, object]

    def pages(self) -> list[str]:
        """Return the addresses of all our pages, with each way they can look."""
        return [f"/{address}" for pattern in patterns() for address in self._addresses(pattern)]

    def _addresses(self, pattern: str) -> Iterator[str]:
        if pattern in NO_PAGES or pattern.endswith(FILES):
            return
        if pattern.startswith("admin/"):
            if address := OURS_IN_ADMIN.get(pattern):
                yield address.format_map(self.names)
            return
        places = FILLED.get(pattern, ("",))
        assert "<" not in pattern or pattern in FILLED, f"{pattern}: say in FILLED what to look at"
        for place in places:
            filled = re.sub("<(int|uuid):pk>", str(self.names.get(place, "")), pattern)
            for face in FACES.get(pattern, [""]):
                yield filled + face.format_map(self.names)


def patterns(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """Yield every address of the URL configuration."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLPattern):
            yield before + str(pattern.pattern)
        else:
            yield from patterns(pattern, before + str(pattern.pattern))


def error_pages() -> list[str]:
    """Return the names of the error templates."""
    folder = Path(settings.BASE_DIR) / "templates"
    return sorted(path.name for path in folder.glob("[45]*.html"))


def furnish() -> Installation:
    """Create an installation with long labels and destinations, and answered, lost and odd calls of the last weeks."""
    staff = make_staff(STAFF)
    manager = make_user(MANAGER)
    hours = OpeningHours.objects.create(name=WITHOUT_A_GAP, state="NW")
    hotline = make_number(label=LONG, managers=[manager], opening_hours=hours)
    wide = make_number("+4922155400302", label=WITHOUT_A_GAP, managers=[manager])
    quiet = make_number("+4922155400301", label="Without forwards", initiate_forward="off", expects_forward=False)
    new = make_number("+4922155400303", label="Nothing has come yet")
    # Of the local day, so that yesterday has calls, also shortly after midnight.
    morning = timezone.localtime().replace(hour=9, minute=0, second=0, microsecond=0)
    for n in range(72):
        # Three calls on each of the last 19 days; in the last week enough that the hotline misses its target.
        at = morning - timedelta(days=1 + n % (19 if n < 57 else 7), minutes=7 * n)
        kinds = LOST if n % 3 and n % 19 < 7 else ANSWERED
        _take(hotline, n, kinds, at, step_s=9 + n % 40)
        if n % 19 < 7:
            _take(wide, n, kinds, at, step_s=700)
            _take(quiet, n, (ANSWERED[0], ANSWERED[1], ANSWERED[4]), at)
    _take(hotline, 101, ANSWERED, timezone.now() - timedelta(minutes=5), menu=WITHOUT_A_GAP)
    _take(hotline, 102, ("SOMETHING_NEW",), timezone.now(), caller_id_number=WITHOUT_A_GAP, customerNumber=1)
    rollups.recount_changed(wait=True)
    assert post(Client(), post_body("CALL_START", "+4940555555", "not-a-key-of-it")).status_code == 403
    asked = {"asker": staff, "kind": "calls", "name": "calls.xlsx", "filters": [["number", WITHOUT_A_GAP]]}
    waiting, working, failed = (
        Workbook.objects.create(**asked, **state)
        for state in (
            {"state": WorkbookState.WAITING},
            {"state": WorkbookState.WORKING, "rows": 250_000, "of_rows": 1_000_000, "heartbeat_at": timezone.now()},
            {"state": WorkbookState.FAILED, "error": LONG, "finished_at": timezone.now()},
        )
    )
    gapless_token = forwards.token(forwards.named(WITHOUT_A_GAP, "EXTERNALNUMBER"))
    for destination in (WITHOUT_A_GAP, DESTINATIONS[0]):
        agents.take_over(destination, "EXTERNALNUMBER", [staff, manager], None)
    # Who called last, with everything that a page shows of a caller.
    contact = make_contact(WITHOUT_A_GAP, "+4917012345678", company=LONG, customer_number="K-1001", note=LONG)
    link = LinkTemplate.objects.create(name=LONG, url="https://crm.example.com/?tel={caller}&c={customer_number}")
    lookup = Lookup.objects.create(name=LONG[:60], url=f"https://crm.example.com/{WITHOUT_A_GAP}?tel={{caller}}")
    call = Call.objects.get(destination_number=hotline, call_uuid="c101")
    for text in (LONG, WITHOUT_A_GAP):
        CallNote.objects.create(call=call, user=staff, result="follow_up", text=text)
    file = f"{LONG};name;phone\n1;{WITHOUT_A_GAP};0221 4710300\n2;;0221\n".encode()
    upload = ContactUpload.objects.create(user=staff, name=f"{WITHOUT_A_GAP}.csv", source="crm", content=file)
    SignedInSession.objects.create(
        user=manager,
        key_hash="a" * 64,
        signed_in_at=timezone.now(),
        last_used_at=timezone.now(),
        ends_when_idle=False,
        address="2001:db8:1234:5678:9abc:def0:1234:5678",
        user_agent="Mozilla/5.0 (X11; Linux x86_64) SamsungBrowser/27",
    )
    today, first = periods.today(), periods.today() - 7 * periods.DAY
    failing = {"why_off": WhyOff.FAILING, "off_at": timezone.now(), "last_failure": WITHOUT_A_GAP}
    endpoint = make_endpoint(LONG, hotline, caller=CallerShown.MASKED, **failing)
    event = CallEvent.objects.filter(call__call_uuid="c101")[0]
    delivery = make_delivery(endpoint, hotline, event=event, answer=WITHOUT_A_GAP, error=LONG)
    whole_delivery = make_delivery(make_endpoint("ERP", hotline), hotline, event=event)
    return Installation(
        {
            "hotline": hotline.pk,
            "quiet": quiet.pk,
            "entry": AuditEntry.objects.filter(action="access_changed")[0].pk,
            "new": new.pk,
            "key": hotline.access_keys.get().pk,
            "call": Call.objects.get(destination_number=hotline, call_uuid="c101").pk,
            "odd": Call.objects.get(destination_number=hotline, call_uuid="c102").pk,
            "refused": RefusedPost.objects.get().pk,
            "hours": hours.pk,
            "manager": manager.pk,
            "contact": contact.pk,
            "link": link.pk,
            "lookup": lookup.pk,
            "board_key": BoardKey.objects.create(name=LONG, is_for_all=True, last4="abcd").pk,
            "contact_key": ContactKey.objects.create(name=LONG, source="erp", last4="abcd").pk,
            "endpoint": endpoint.pk,
            "delivery": delivery.pk,
            "whole_delivery": whole_delivery.pk,
            "typed": map_variable(hotline, label=WITHOUT_A_GAP[:40], url="https://crm.example.com/{value}").pk,
            "upload": upload.pk,
            "waiting": waiting.pk,
            "working": working.pk,
            "failed": failed.pk,
            "wide": urlencode({"number": wide.e164}),
            "tried": urlencode({"tried": gapless_token}),
            "token": gapless_token,
            "gapless": quote(WITHOUT_A_GAP),
            "empty": "from=2001-01-01&to=2001-01-02",
            "week": f"from={first}&to={today - periods.DAY}",
            "today": f"from={today}&to={today}",
        }
    )


def _take(number: DestinationNumber, n: int, kinds: tuple[str, ...], at: datetime, step_s: int = 9, **more) -> None:
    """Receive the posts of call `n`, `step_s` apart; destinations take turns."""
    name, destination = f"c{n}", DESTINATIONS[n % len(DESTINATIONS)]
    for i, kind in enumerate(kinds):
        moment = at + timedelta(seconds=step_s * i)
        take(number, kind.format(destination), moment, call_uuid=name, correlation_id=name, **more)
