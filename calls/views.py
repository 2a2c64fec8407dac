"""The post endpoint. docs/posts.md specifies its answers."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from email.message import Message
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from calls import posts
from calls.ingest import intake, post_log
from calls.ingest.refused_posts import RefusedPostDraft
from calls.ingest.sender_policy import FOREIGN, Sender

logger = logging.getLogger(__name__)

MOST_READ = 1024 * 1024  # a body that is too long is read up to here, so that its sender can read the answer
RETRY_AFTER_S = 5
JSON = "application/json"
TAKEN = b"{}"  # without a renderer, which would cost a third of the time before a post is passed on


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class NotJson(APIException):
    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_code = "unsupported_media_type"


class AlwaysJson(BaseContentNegotiation):
    """Answers in JSON regardless of the Accept header; TENIOS reads only the status."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class PostView(APIView):
    """Receives a post from TENIOS. Status 200 means that it is on disk."""

    http_method_names = ["post"]
    content_negotiation_class = AlwaysJson
    renderer_classes = [JSONRenderer]
    # A post is authenticated by its access key, which is in the body.
    authentication_classes = []
    permission_classes = []
    parser_classes = []  # read_body reads the body; DRF would treat a chunked one as empty

    def post(self, request: Request) -> HttpResponse:
        received_at = datetime.now(UTC)
        of_process = intake.get_intake()
        sender = of_process.sender_of(request.META)
        if wait_s := of_process.wait_s(sender):
            return refuse("too_many", status.HTTP_429_TOO_MANY_REQUESTS, **{"Retry-After": str(wait_s)})
        answer, refused = take(request._request, sender, received_at)
        if refused is None:
            of_process.note_taken(sender)
        else:
            post_log.refused(refused)
            of_process.keep_refused(refused, sender)
        return answer

    def get_exception_handler(self) -> Any:
        return answer_exception


receive_post = PostView.as_view()


def take(request: HttpRequest, sender: Sender, received_at: datetime) -> tuple[HttpResponse, RefusedPostDraft | None]:
    """Store a post; return the answer, and if it is refused, a draft of the refused post. Raise Unavailable."""
    body = b""
    about = {"address": sender.address and str(sender.address), "is_listed": sender.is_trustworthy}
    try:
        body = read_body(request)
        post = posts.parse(body, received_at)
        if sender.is_foreign:
            post = replace(post, flags=[*post.flags, f"{FOREIGN}{sender.address or 'unknown'}"])
        if not sender.is_refused and intake.get_intake().keep(post):
            return HttpResponse(TAKEN, content_type=JSON), None
        code = "foreign_address" if sender.is_refused else "forbidden"
        refused = RefusedPostDraft.of_post(post, code, status=status.HTTP_403_FORBIDDEN, **about)
    except (posts.Refusal, TooLarge, NotJson) as error:
        refusal = error if isinstance(error, posts.Refusal) else posts.Refusal(str(error.default_code))
        status_code = getattr(error, "status_code", status.HTTP_400_BAD_REQUEST)
        code = refusal.code
        if sender.is_refused:
            status_code, code = status.HTTP_403_FORBIDDEN, "foreign_address"
        elif code == "bad_post" and not intake.get_intake().opens_any_number(refusal.fingerprint, received_at):
            status_code = status.HTTP_403_FORBIDDEN
        refused = RefusedPostDraft.of_refusal(
            refusal,
            received_at,
            posts.new_ingest_id(received_at),
            status=status_code,
            code=code,
            body=refusal.payload or posts.text_without_key(body),
            **about,
        )
    is_forbidden = refused.status == status.HTTP_403_FORBIDDEN
    return refuse("forbidden" if is_forbidden else refused.code, refused.status), refused


def refuse(code: str, status_code: int, **headers: str) -> Response:
    return Response({"error": code}, status=status_code, headers=headers)


def read_body(request: HttpRequest) -> bytes:
    """Return a body of at most 64 KiB, chunked or not. Raise NotJson or TooLarge.

    Reads from the server's stream, because Django returns an empty body if there is no Content-Length."""
    media_type = request.META.get("CONTENT_TYPE") or JSON
    if media_type != JSON and not is_json(media_type):
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


def is_json(media_type: str) -> bool:
    """Return whether a Content-Type is JSON or ends in `+json`."""
    header = Message()
    header["Content-Type"] = media_type
    return header.get_content_subtype() == "json" or header.get_content_subtype().endswith("+json")


def answer_exception(error: Exception, context: dict[str, Any]) -> Response:
    """Answer with `{"error": code}`; with status 503 for errors of ours, which mean that the post was not stored."""
    if isinstance(error, APIException):
        headers = {"Allow": "POST"} if error.status_code == status.HTTP_405_METHOD_NOT_ALLOWED else {}
        return refuse(str(error.default_code), error.status_code, **headers)
    if not isinstance(error, intake.Unavailable):
        # Only its name is logged: a traceback would contain the post.
        logger.error("a post could not be taken: %s", type(error).__name__)
    return refuse("unavailable", status.HTTP_503_SERVICE_UNAVAILABLE, **{"Retry-After": str(RETRY_AFTER_S)})
