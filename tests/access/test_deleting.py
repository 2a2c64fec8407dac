"""The admin deletes what other processes add rows to at this moment."""

import pytest
from django.db import transaction
from django.utils import timezone

from calls.models import CallEvent
from contacts.models import Lookup, LookupAnswer
from live.models import Pop
from tests.factories import make_number, make_superuser, make_user, take
from tests.live.endpoints import make_delivery, make_endpoint
from tests.transactions import run_until_it_waits

pytestmark = pytest.mark.django_db(transaction=True)


def endpoint_and_delivery():
    number = make_number()
    take(number, "CALL_START", timezone.now(), call_uuid="call-1")
    endpoint, event = make_endpoint("ERP", number), CallEvent.objects.get()
    return endpoint, lambda: make_delivery(endpoint, number, event=event)


def person_and_ring():
    user = make_user("anna")
    return user, lambda: Pop.objects.create(user=user, is_test=True, rang_at=timezone.now(), revision=1)


def lookup_and_answer():
    lookup = Lookup.objects.create(name="CRM", url="https://crm.example.com/find?tel={caller}")
    times = {"asked_at": timezone.now(), "expires_at": timezone.now()}
    return lookup, lambda: LookupAnswer.objects.create(lookup=lookup, caller="+4917012345678", **times)


@pytest.mark.parametrize("make", [endpoint_and_delivery, person_and_ring, lookup_and_answer])
def test_what_a_process_adds_meanwhile_is_deleted_too(client, make):
    row, add = make()
    client.force_login(make_superuser())
    address = f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/delete/"
    answers = []

    def delete():
        answers.append(client.post(address, {"post": "yes"}).status_code)

    with transaction.atomic():
        # As the database locks it when something that refers to it is stored.
        list(type(row)._base_manager.select_for_update(no_key=True).filter(pk=row.pk))
        second = run_until_it_waits(delete)
        add()
    second.join()

    assert answers == [302]
    assert not type(row).objects.filter(pk=row.pk).exists()
