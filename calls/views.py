"""The post endpoint: reads a body within bounds, hands it on, answers as docs/posts.md says."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from email.message import Message
from typing import Any

from django.http import HttpRequest, JsonResponse
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from calls import intake, posts
from calls.spool import SpoolError

logger = logging.getLogger(__name__)

MOST_READ = 1024 * 1024  # an over-long body is read on this far, so that its sender gets to read the answer
RETRY_AFTER_S = 5


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class NotJson(APIException):
    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_code = "unsupported_media_type"


class AlwaysJson(BaseContentNegotiation):
    """Answer JSON whatever the Accept header says: TENIOS reads the status alone."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class PostView(APIView):
    """Takes one post of TENIOS. 200 means that it is on disk."""

    http_method_names = ["post"]
    content_negotiation_class = AlwaysJson
    renderer_classes = [JSONRenderer]
    parser_classes = []  # the body is read by read_body, chunked ones too, which DRF would take for empty

    def post(self, request: Request) -> Response:
        received_at = datetime.now(UTC)
        body = read_body(request._request)
        try:
            post = posts.parse(body, received_at)
            return Response({}) if intake.keep(post) else refuse("forbidden", status.HTTP_403_FORBIDDEN)
        except posts.Refusal as refusal:
            if refusal.code == "bad_post" and not intake.opens_any_number(refusal.access_key, received_at):
                return refuse("forbidden", status.HTTP_403_FORBIDDEN)
            return refuse(refusal.code, status.HTTP_400_BAD_REQUEST)

    def get_exception_handler(self) -> Any:
        return answer_exception


receive_post = PostView.as_view()


def healthz(request: HttpRequest) -> JsonResponse:
    """Say whether posts can be kept: 200 where database or spool can, else 503; and what waits in the spool."""
    answer: dict[str, object] = {"status": "ok", "database": "ok" if intake.has_database() else "away", "spool": "ok"}
    try:
        held = intake.held_in_spool()
        answer |= {"spooled": held.waiting, "oldest_spooled_s": round(held.oldest_s), "set_aside": held.set_aside}
        if held.oldest_s > intake.OLD_S:
            answer["spool"] = f"posts have waited for more than {intake.OLD_S:.0f} s"
        if answer["database"] == "away":
            intake.prove_spool()
    except SpoolError as error:
        logger.error("the spool cannot keep posts: %s", error)
        answer["spool"] = "cannot keep posts"
        if answer["database"] == "away":
            return JsonResponse(answer | {"status": "unavailable"}, status=503)
    return JsonResponse(answer)


def refuse(code: str, status_code: int, **headers: str) -> Response:
    return Response({"error": code}, status=status_code, headers=headers)


def read_body(request: HttpRequest) -> bytes:
    """Return the body of at most 64 KiB, chunked or not. Raise NotJson or TooLarge.

    Read from the server itself: Django gives an empty body where there is no Content-Length."""
    header = Message()
    header["Content-Type"] = request.META.get("CONTENT_TYPE") or "application/json"
    if header.get_content_subtype() != "json" and not header.get_content_subtype().endswith("+json"):
        raise NotJson
    if request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower() not in {"", "identity"}:
        raise NotJson
    stream = request.META["wsgi.input"]
    length = request.META.get("CONTENT_LENGTH")
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    # HTTP/2 needs neither a length nor chunks.
    unmeasured = chunked or (not length and request.META.get("SERVER_PROTOCOL", "").startswith("HTTP/2"))
    left = MOST_READ if unmeasured else min(int(length or 0), MOST_READ)
    body = bytearray()
    while left > 0 and (part := stream.read(min(left, 65536))):
        left -= len(part)
        if len(body) <= posts.MOST_BYTES:
            body += part
    if len(body) > posts.MOST_BYTES:
        raise TooLarge
    return bytes(body)


def answer_exception(error: Exception, context: dict[str, Any]) -> Response:
    """Answer in the one shape `{"error": code}`, with 503 for a fault of ours: the post could not be kept."""
    if isinstance(error, APIException):
        headers = {"Allow": "POST"} if error.status_code == status.HTTP_405_METHOD_NOT_ALLOWED else {}
        return refuse(str(error.default_code), error.status_code, **headers)
    if not isinstance(error, intake.Unavailable):
        # Named, not shown: a traceback would hold the post.
        logger.error("a post could not be taken: %s", type(error).__name__)
    return refuse("unavailable", status.HTTP_503_SERVICE_UNAVAILABLE, **{"Retry-After": str(RETRY_AFTER_S)})
