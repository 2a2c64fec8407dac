"""Every address of the URL configuration, and the objects that stand in them: those of one number, or missing ones."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.base import SessionBase
from django.http import QueryDict
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from accounts.models import AuditEntry
from calls.models import Call, CallEvent, DestinationNumber, OpeningHours, RefusedPost, SenderPolicy
from contacts.models import Contact, ContactKey, ContactUpload, LinkTemplate, Lookup, TypedNumber
from live.models import BoardKey, Delivery, Endpoint, NumberRings
from reports.counting import rollups
from reports.exports import downloads, workbook_jobs
from reports.models import DayBlockCounts, DayCounts, FirstPost, QuarterHourBlockCounts, QuarterHourCounts, Workbook
from reports.queries import forwards
from tests.factories import post, post_body, take

COUNTS = (QuarterHourCounts, DayCounts, QuarterHourBlockCounts, DayBlockCounts, FirstPost)
# Parts of addresses, and what is written in their place. Names in braces are those of objects.
PARTS = {
    "refusedpost/<int:pk>": "refusedpost/{calls/refusedpost}",
    "numbers/<int:pk>": "numbers/{number}",
    "lead-time/<int:pk>": "lead-time/{number}",
    "calls/<int:pk>": "calls/{calls/call}",
    "security-keys/<int:pk>": "security-keys/1",
    "<uuid:upload>": "{upload}",
    "<int:lookup>": "{contacts/lookup}",
    "<int:endpoint>": "{live/endpoint}",
    "<int:delivery>": "{live/delivery}",
    "<uuid:pk>": "{workbook}",
    "<path:content_type_id>/<path:object_id>": "{content type}/{calls/call}",
    "^tenios/posts/?$": "tenios/posts",
    "^(?P<app_label>auth|accounts|calls|contacts|reports|live)/$": "calls/",
    "(?P<url>.*)$": "nothing/here/",
    "<str:source>/<path:external_id>": "crm/1",
}
MISSING_ID, MISSING_E164 = 987654321, "+4930987654"


def addresses(resolver: Any = None, before: str = "") -> Iterator[str]:
    """Yield every address, as the URL configuration spells it."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLPattern):
            yield before + str(pattern.pattern)
        else:
            yield from addresses(pattern, before + str(pattern.pattern))


def with_names(address: str) -> str:
    """Return the path of an address, with names of objects in braces: `/reports/numbers/{number}/`."""
    path = address
    for part, text in PARTS.items():
        path = path.replace(part, text)
    table = "/".join(address.split("/")[1:3])
    for part in ("<path:object_id>", "<id>"):
        path = path.replace(part, f"{{{table}}}")
    if path.endswith("files/new/"):
        path += "?kind=calls&number={e164}"
    elif path.endswith((".csv", ".xlsx", "calls/whole/")) and "/files/" not in path and "admin/" not in path:
        path += "?number={e164}"
    elif "/keys/" in path:
        path += "?number={number}"
    elif path.endswith("accesskey/revoke/"):
        path += "?key={calls/accesskey}"
    return f"/{path}"


def filled(address: str, objects: Mapping[str, Any]) -> str:
    """Return the path of an address that names these objects; blank if it needs one that is not among them."""
    try:
        return with_names(address).format_map(objects)
    except KeyError:
        return ""


def fill(client: Client, *numbers: DestinationNumber) -> None:
    """Receive posts for numbers so that each has a call, counts, a refused post and opening hours."""
    SenderPolicy.objects.get_or_create(pk=1)
    began = timezone.now() - timedelta(minutes=1)
    for number in numbers:
        forward = f"INITIATE_FORWARD {destination_of(number)}"
        for n, kind in enumerate(("CALL_START", "BLOCK_END", forward, "CALL_END")):
            take(number, kind, began + timedelta(seconds=n), call_uuid=f"call of {number.e164}")
        assert post(client, post_body("CALL_START", number, "not-a-key-of-it")).status_code == 403
        NumberRings.objects.get_or_create(destination_number=number)
        number.opening_hours = OpeningHours.objects.create(name=f"Hours of {number.e164}", state="NW")
        number.save()
    rollups.recount_changed(wait=True)


def destination_of(number: DestinationNumber) -> str:
    """Return the destination that calls to a number are forwarded to."""
    return f"{number.e164[:-3]}999"


def objects_of(
    number: DestinationNumber, user: User, workbook: Workbook | None = None, upload: ContactUpload | None = None
) -> dict[str, Any]:
    """Return what addresses about a number name, by the name that `with_names` gives it. `user` is not of a number."""
    objects: dict[str, Any] = {
        f"{table._meta.app_label}/{table._meta.model_name}": table._default_manager.filter(destination_number=number)[0]
        for table in (Call, *COUNTS)
    }
    objects["calls/callevent"] = CallEvent.objects.filter(call=objects["calls/call"])[0]
    objects["calls/destinationnumber"] = number
    objects["calls/accesskey"] = number.access_keys.get()
    objects["live/numberrings"] = NumberRings.objects.get_or_create(destination_number=number)[0]
    objects["contacts/typednumber"] = TypedNumber.objects.get_or_create(
        destination_number=number, variable="collected_ticket", kind="ticket", label="Ticket", pattern="[0-9]{4}"
    )[0]
    objects["live/endpoint"], objects["live/delivery"] = _told(number, objects["calls/callevent"])
    objects["calls/refusedpost"] = RefusedPost.objects.get(destination_number=number.e164)
    objects["auth/user"] = user
    return {name: found.pk for name, found in objects.items()} | {
        "contacts/agentdestination": forwards.token(forwards.named(destination_of(number), "EXTERNALNUMBER")),
        "number": number.pk,
        "e164": quote(number.e164),
        "workbook": workbook.pk if workbook else uuid.uuid4(),
        "upload": upload.pk if upload else uuid.uuid4(),
        "content type": ContentType.objects.get_for_model(Call).pk,
    }


def _told(number: DestinationNumber, event: CallEvent) -> tuple[Endpoint, Delivery]:
    """Return an endpoint of a number that has just been added, or was before, and what it is told of an event."""
    url = "https://erp.example.com/calls"
    endpoint = Endpoint.objects.get_or_create(name=f"ERP {number.e164}", format="webhook", url=url, all_numbers=False)[
        0
    ]
    endpoint.numbers.set([number])
    of_event = {"endpoint": endpoint, "event": event, "kind": "call.started"}
    return endpoint, Delivery.objects.get_or_create(**of_event, defaults={"uuid": uuid.uuid4(), "body": "{}"})[0]


def objects_of_all(number: DestinationNumber) -> dict[str, Any]:
    """Return the objects in addresses that belong to no single number."""
    return {
        "accounts/auditentry": AuditEntry.objects.latest("position").pk,
        "auth/group": Group.objects.order_by("pk")[0].pk,
        "calls/openinghours": number.opening_hours_id,
        "calls/senderpolicy": 1,
        "contacts/contact": Contact.objects.get_or_create(name="Anna Meyer")[0].pk,
        "contacts/lookup": Lookup.objects.get_or_create(name="ERP", url="https://erp.example.com/{caller}")[0].pk,
        "contacts/contactkey": ContactKey.objects.get_or_create(name="Odoo", source="erp")[0].pk,
        "live/boardkey": BoardKey.objects.get_or_create(name="Service team", is_for_all=True)[0].pk,
        "contacts/linktemplate": LinkTemplate.objects.get_or_create(name="CRM", url="https://crm.example.com/")[0].pk,
    }


def missing_objects(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return objects of the same names that do not exist."""
    return dict.fromkeys(names, MISSING_ID) | {
        "e164": quote(MISSING_E164),
        "workbook": uuid.uuid4(),
        "upload": uuid.uuid4(),
        "content type": ContentType.objects.get_for_model(Call).pk,
    }


def make_workbook(number: DestinationNumber, asker: User) -> Workbook:
    """Make a workbook of a number's counts that a person has requested."""
    query = QueryDict(f"number={quote(number.e164)}")
    workbook = workbook_jobs.ask(downloads.read("counts", query, asker, SessionBase()), asker)
    workbook_jobs.make_waiting()
    return workbook


def make_upload(user: User) -> ContactUpload:
    """Make a file of contacts that a person has imported, with a refused row."""
    return ContactUpload.objects.create(
        user=user, name="contacts.csv", source="crm", imported_at=timezone.now(), refused="line;reason"
    )
