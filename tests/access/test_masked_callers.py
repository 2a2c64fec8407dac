"""No page shows a whole caller when it is opened, whatever the rights.

Every address is read, reports with their filters, by a person with every right and permission, and by a superuser."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from calls.models import Call, CallEvent, Right
from contacts.models import CallNote, ContactNumber, LinkTemplate
from live.models import Delivery
from tests.access.addresses import addresses, fill, filled, objects_of, objects_of_all
from tests.access.sights import paths, paths_in_admin
from tests.factories import allow, give, make_number, make_superuser, make_user, take
from tests.live.rings import ring

pytestmark = pytest.mark.django_db(transaction=True)

# Who calls; who calls for the person who looks; a contact that has called.
CALLER, OF_OWN_RING, OF_CONTACT = "+4917012345678", "+4915199988877", "+4916033344455"
# A whole caller is shown in one's own rings, because the telephone shows it too, and as the number of a contact, which
# is a record of the company.
OWN_RINGS = {"/live/", "/live/state", "/live/why/", "/live/why/?who=all"}
CONTACTS = re.compile(r"/admin/contacts/contact/(\d+/(change|delete)/)?")


def make_person_with_everything():
    user = make_user("anna", is_staff=True)
    give(user, None, *Right)
    allow(
        user, *(f"{app}.{name}" for app, name in Permission.objects.values_list("content_type__app_label", "codename"))
    )
    return user


@pytest.fixture
def number(client):
    """A number whose messages, rejected messages, notes, rings and deliveries name callers."""
    number = make_number(label="Hotline")
    fill(client, number)
    at = timezone.now() - timedelta(minutes=2)
    take(number, "CALL_START", at, call_uuid="typed", callback_on="0170 12345678", ani="tel:0170-12345678")
    take(number, "CALL_START", at, call_uuid="by a contact", caller_id_number=OF_CONTACT)
    ring(make_user("ben"), number, why_not="late")
    writer = make_user("writer")
    for call in Call.objects.all():
        CallNote.objects.create(call=call, user=writer, text=f"Call back {call.caller_id_number}")
    LinkTemplate.objects.create(name="By number", url="https://crm.example.com/?phone={caller}", shown_when="any")
    return number


def everything(client, number, user):
    """Return what a person sees by address, without blanks and punctuation; and the objects in the addresses."""
    event = CallEvent.objects.get(call__call_uuid="typed")
    objects = objects_of(number, user) | objects_of_all(number)
    objects |= {"calls/call": event.call_id, "calls/callevent": event.pk}
    ContactNumber.objects.create(contact_id=objects["contacts/contact"], e164=OF_CONTACT)
    Delivery.objects.update(body=f'{{"caller": "{CALLER}"}}', answer=f"Who is {CALLER}?")
    others = (address for address in addresses() if not address.startswith(("reports/", "admin/")))
    asked = {
        *paths([number], list(Call.objects.values_list("pk", flat=True))),
        *paths_in_admin(objects),
        *(filled(address, objects) for address in others),
        *("/reports/calls/?period=today", "/reports/system/", "/live/why/?who=all"),
        *(f"/admin/auth/user/{note.user_id}/delete/" for note in CallNote.objects.all()),
    }
    return {path: text_of(client.get(path)) for path in sorted(asked)}, objects


def text_of(answer):
    body = b"".join(answer)
    answer.close()
    return re.sub(r"[\s()/.\-\u00a0]", "", unescape(body.decode(errors="replace")))


def naming(seen, caller):
    """Return the addresses that show a caller whole, in any spelling."""
    return {path for path, text in seen.items() if caller[-9:] in text}


@pytest.mark.parametrize("make", [make_person_with_everything, make_superuser])
def test_no_page_shows_a_whole_caller_when_it_is_opened(client, number, make):
    user = make()
    client.force_login(user)
    ring(user, number, caller=OF_OWN_RING, why_not="late")
    ring(user, number, caller=OF_OWN_RING, at=timezone.now())

    seen, objects = everything(client, number, user)

    assert naming(seen, CALLER) == set()
    assert naming(seen, OF_OWN_RING) == OWN_RINGS
    of_contact = naming(seen, OF_CONTACT)
    assert {path for path in of_contact if not CONTACTS.fullmatch(path)} == set()
    # Nothing is proved where there is nothing to see.
    assert of_contact
    assert "AnnaMeyer" in seen[Call.objects.get(call_uuid="by a contact").get_absolute_url()]
    masked = {path for path, text in seen.items() if f"{CALLER[:-3]}•••" in text}
    assert masked > {
        *("/reports/calls/?period=today", f"/reports/calls/{objects['calls/call']}/", "/live/why/?who=all"),
        *("/admin/calls/call/", f"/admin/calls/call/{objects['calls/call']}/change/"),
        *("/admin/calls/callevent/", f"/admin/calls/callevent/{objects['calls/callevent']}/change/"),
        f"/admin/calls/refusedpost/{objects['calls/refusedpost']}/change/",
    }
