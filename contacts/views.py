"""The address to which other systems, such as an ERP, write their contacts. docs/contacts.md specifies it."""

from __future__ import annotations

import json
import logging
from typing import Any, cast

from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.addresses import client_of_request, neighbourhood
from calls.ingest.rate_limit import RateLimit
from calls.views import AlwaysJson, read_body
from contacts import contact_keys, upserts
from contacts.importing.texts import cleaned
from contacts.models import ContactKey
from contacts.models.contacts import LONGEST
from contacts.serializers import ContactSerializer, as_json

logger = logging.getLogger(__name__)

SCHEME = "Bearer"
RETRY_AFTER_S = 15
# Senders of wrong keys; their own count in each process.
wrong_keys = RateLimit()


class MustWait(exceptions.Throttled):
    def __init__(self, wait_s: int) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


class BadJson(exceptions.APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "bad_json"


class WithContactKey(BaseAuthentication):
    """Reads `Authorization: Bearer KEY`. An address that sends many wrong keys has to wait."""

    def authenticate(self, request: Request) -> tuple[None, ContactKey]:
        address = client_of_request(request.META)
        sender = neighbourhood(address) if address else None
        if wait_s := wrong_keys.wait_s(sender):
            raise MustWait(wait_s)
        scheme, _blank, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        found = contact_keys.live_key(key.strip()) if scheme.lower() == SCHEME.lower() else None
        if found is None:
            wrong_keys.refused(sender)
            raise exceptions.NotAuthenticated
        wrong_keys.taken(sender)
        contact_keys.note_use(found)
        return None, found

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class OfItsSource(BasePermission):
    """A key is for one source. Contacts of others are answered like missing ones."""

    def has_permission(self, request: Request, view: Any) -> bool:
        key = cast("ContactKey", request.auth)
        if key.source != view.kwargs["source"]:
            raise exceptions.NotFound
        return True


class ContactView(APIView):
    """Adds, replaces and removes a contact."""

    http_method_names = ["put", "delete"]
    content_negotiation_class = AlwaysJson
    renderer_classes = [JSONRenderer]
    authentication_classes = [WithContactKey]
    permission_classes = [OfItsSource]
    parser_classes = []  # read_body reads the body, up to its limit

    def put(self, request: Request, source: str, external_id: str) -> Response:
        check_id(external_id)
        serializer = ContactSerializer(data=read_json(request))
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        contact, is_new = upserts.put(source, external_id, values, values.pop("numbers"))
        return Response(as_json(contact), status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)

    def delete(self, request: Request, source: str, external_id: str) -> Response:
        check_id(external_id)
        if not upserts.delete(source, external_id):
            raise exceptions.NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_exception_handler(self) -> Any:
        return answer_exception


# Codes that differ from those of the library.
CODES: dict[type[Exception], str] = {exceptions.NotAuthenticated: "unauthorized", MustWait: "too_many"}


def check_id(external_id: str) -> None:
    """Raise ValidationError if an id cannot be stored as it is."""
    if cleaned(external_id) != external_id or len(external_id) > LONGEST["external_id"]:
        raise serializers.ValidationError({"id": [_("An id has up to 200 characters and no space around it.")]})


def read_json(request: Request) -> Any:
    """Return the JSON of a body of at most 64 KiB. Raise BadJson, TooLarge or NotJson."""
    try:
        return json.loads(read_body(request._request))
    except (ValueError, RecursionError):
        raise BadJson from None


def answer_exception(error: Exception, context: dict[str, Any]) -> Response:
    """Answer with `{"error": code}`, and with the fields that are wrong. The log has no contact."""
    if isinstance(error, serializers.ValidationError):
        return Response({"error": "invalid", "fields": error.detail}, status=status.HTTP_400_BAD_REQUEST)
    if isinstance(error, exceptions.APIException):
        headers: dict[str, str] = {}
        if isinstance(error, exceptions.NotAuthenticated):
            headers = {"WWW-Authenticate": SCHEME}
        if isinstance(error, MustWait):
            headers = {"Retry-After": str(error.wait_s)}
        if isinstance(error, exceptions.MethodNotAllowed):
            headers = {"Allow": "PUT, DELETE"}
        return _refuse(CODES.get(type(error), str(error.default_code)), error.status_code, **headers)
    # Only its name is logged: a traceback would contain the contact.
    logger.error("a contact could not be taken: %s", type(error).__name__)
    if isinstance(error, OperationalError | InterfaceError):
        return _refuse("unavailable", status.HTTP_503_SERVICE_UNAVAILABLE, **{"Retry-After": str(RETRY_AFTER_S)})
    return _refuse("error", status.HTTP_500_INTERNAL_SERVER_ERROR)


def _refuse(code: str, status_code: int, **headers: str) -> Response:
    return Response({"error": code}, status=status_code, headers=headers)
