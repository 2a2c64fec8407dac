"""Factories: plain functions with defaults; a test passes only the values it is about.

`send` posts to the endpoint with the key of the tests; `take` stores posts as received at a given time.
Both need `@pytest.mark.django_db(transaction=True)`, because the intake writes on its own connection."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from calls import keys, posts
from calls.ingest import intake
from calls.models import AccessKey, DestinationNumber, NumberAccess, Right
from contacts.models import Contact, ContactKey, ContactNumber, TypedNumber
from live.models import BoardKey

E164 = "+4922155400300"
# Admits posts for every number passed to `send` and `take`, so that most tests need not create keys.
ACCESS_KEY = "the-key-of-the-tests-0123456789"
PASSWORD = "correct horse battery"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

# What managers of a number saw before there was access, and still see after the update.
OF_MANAGERS = (Right.CALLS, Right.CALLERS, Right.EXPORT)

# The fields beside `variables` in a post; every other name that a test passes is a variable.
TOP_LEVEL = frozenset({"customerNumber", "accessKey", "requestType", "blockType", "destination", "destinationType"})


def make_number(e164: str = E164, *, managers: Iterable[User] = (), **settings: Any) -> DestinationNumber:
    """Create a number without a key; `send` and `make_key` give it one. `managers` get the rights in OF_MANAGERS."""
    number = DestinationNumber.objects.create(e164=e164, **settings)
    for manager in managers:
        give(manager, number, *OF_MANAGERS)
    return number


def make_key(number: DestinationNumber, access_key: str = "", **fields: Any) -> str:
    """Give a number a key that has been valid for long, generated unless passed. Return the key."""
    access_key = access_key or keys.generate()
    fields.setdefault("valid_from", LONG_AGO)
    AccessKey.objects.create(
        destination_number=number, fingerprint=keys.fingerprint(access_key), last4=access_key[-4:], **fields
    )
    return access_key


def make_user(
    name: str = "manager",
    *,
    numbers: Iterable[DestinationNumber] = (),
    rights: Iterable[str] = OF_MANAGERS,
    **fields: Any,
) -> User:
    """Create a user with PASSWORD who has access to `numbers` with these rights; without numbers they see nothing."""
    user = User.objects.create(username=name, password=_hashed(), **fields)
    for number in numbers:
        give(user, number, *rights)
    return user


def give(user: User, number: DestinationNumber | None = None, *rights: str, until: date | None = None) -> NumberAccess:
    """Give a user access to a number, or to all: figures and these rights (`Right`). It replaces earlier access, past
    the models, so that sessions go on and tests see what rights alone do."""
    granted: dict[str, Any] = {right.value: right in rights for right in Right if right != Right.FIGURES}
    fields = granted | {"until": until}
    access, is_new = NumberAccess.objects.get_or_create(user=user, destination_number=number, defaults=fields)
    if not is_new:
        NumberAccess.objects.filter(pk=access.pk).update(**fields)
        access.refresh_from_db()
    return access


def take_back(user: User, number: DestinationNumber | None = None) -> None:
    """Remove what `give` gave."""
    NumberAccess.objects.filter(user=user, destination_number=number).delete()


def expire(user: User, number: DestinationNumber | None = None) -> None:
    """Let yesterday be the last day of what `give` gave. Unlike what takes it back, this ends no session."""
    yesterday = timezone.localdate() - timedelta(days=1)
    NumberAccess.objects.filter(user=user, destination_number=number).update(until=yesterday)


def make_staff(name: str = "staff", *, permissions: Iterable[str] | None = None, **fields: Any) -> User:
    """Create a staff user who sees everything: a superuser, or with only these `permissions`, as `calls.view_call`."""
    user = User.objects.create(
        username=name, password=_hashed(), is_staff=True, is_superuser=permissions is None, **fields
    )
    allow(user, *(permissions or ()))
    give(user, None, *Right)
    return user


def make_superuser(name: str = "superuser", **fields: Any) -> User:
    """Create a superuser, who needs no access to see everything."""
    return User.objects.create(username=name, password=_hashed(), is_staff=True, is_superuser=True, **fields)


def allow(user: User, *permissions: str) -> None:
    """Give a user permissions of Django, such as `calls.view_call`."""
    for name in permissions:
        app_label, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app_label, codename=codename))


def make_contact(
    name: str = "Anna Meyer", *numbers: str, with_extensions: Iterable[str] = (), **fields: Any
) -> Contact:
    """Create a contact with these numbers in E.164; `with_extensions` are numbers of companies."""
    contact = Contact.objects.create(name=name, **fields)
    for e164 in numbers:
        ContactNumber.objects.create(contact=contact, e164=e164)
    for e164 in with_extensions:
        ContactNumber.objects.create(contact=contact, e164=e164, has_extensions=True)
    return contact


def map_variable(number: DestinationNumber, kind: str = "ticket", **fields: Any) -> TypedNumber:
    """Say that callers of a number type a number of this kind: the variable `collected_KIND`, 4 to 8 digits."""
    defaults = {"variable": f"collected_{kind}", "label": kind.capitalize(), "pattern": r"\d{4,8}"}
    return TypedNumber.objects.create(destination_number=number, kind=kind, **(defaults | fields))


def make_contact_key(source: str = "crm", name: str = "", **fields: Any) -> str:
    """Create a key for the contacts of a source, named after it unless named. Return the key."""
    key = keys.generate()
    ContactKey.objects.create(
        name=name or source, source=source, fingerprint=keys.fingerprint(key), last4=key[-4:], **fields
    )
    return key


def make_board_key(*numbers: DestinationNumber, name: str = "Service team", **fields: Any) -> str:
    """Create a key of the live board for these numbers; without any for all. Return the key."""
    key = keys.generate()
    fields = {"is_for_all": not numbers, "fingerprint": keys.fingerprint(key), "last4": key[-4:]} | fields
    BoardKey.objects.create(name=name, **fields).numbers.set(numbers)
    return key


def post_body(
    kind: str, number: DestinationNumber | str = E164, key: str = ACCESS_KEY, **variables: Any
) -> dict[str, Any]:
    """Return a post as TENIOS sends it.

    `kind` may name the block type or destination too: `BLOCK_END QUEUE`, `INITIATE_FORWARD +492212345678`.
    Names in TOP_LEVEL are put beside `variables`, others into them; None omits a name."""
    request_type, _, detail = kind.partition(" ")
    body: dict[str, Any] = {"requestType": request_type, "customerNumber": 200000, "accessKey": key}
    if request_type == "BLOCK_END":
        body["blockType"] = detail or "ANNOUNCEMENT"
    elif request_type in {"INITIATE_FORWARD", "FORWARD_ANSWER"}:
        body |= {"destination": detail or "+492212345678", "destinationType": "EXTERNALNUMBER"}
    named: dict[str, Any] = {
        "destination_number": number if isinstance(number, str) else number.e164,
        "correlation_id": "correlation-1",
        "call_uuid": "call-1",
        "caller_id_number": "+4917012345678",
    }
    for name, value in variables.items():
        place = body if name in TOP_LEVEL else named
        place[name] = value
    body["variables"] = {name: value for name, value in named.items() if value is not None}
    return {name: value for name, value in body.items() if value is not None}


def post(client: Client, body: Any, **environ: str) -> HttpResponse:
    """Post a body to the endpoint and return the answer; `environ` are WSGI variables such as `REMOTE_ADDR`."""
    return client.post("/tenios/posts", json.dumps(body), content_type="application/json", **environ)  # type: ignore


def send(client: Client, number: DestinationNumber, *kinds: str, key: str = "", **more: Any) -> None:
    """Post each kind in sequence as one call, and check that each is accepted; `more` is as for post_body."""
    key = key or _key_of_the_tests(number)
    for kind in kinds:
        answer = post(client, post_body(kind, number, key, **more))
        assert answer.status_code == 200, f"{kind}: {answer.status_code} {answer.content!r}"


def take(number: DestinationNumber, kind: str, at: datetime, **more: Any) -> None:
    """Store a post as if it had been received at `at`; `more` is as for post_body."""
    body = post_body(kind, number, _key_of_the_tests(number), **more)
    assert intake.get_intake().keep(posts.parse(json.dumps(body).encode(), at))


@cache
def _hashed() -> str:
    return make_password(PASSWORD)  # once per run, because it is slow by design


def _key_of_the_tests(number: DestinationNumber) -> str:
    if not number.access_keys.filter(fingerprint=keys.fingerprint(ACCESS_KEY)).exists():
        make_key(number, ACCESS_KEY)
    return ACCESS_KEY
