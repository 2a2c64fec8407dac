"""What tests of refused posts share: addresses, sending a post, waiting until it is stored."""

from datetime import timedelta

from django.utils import timezone

from calls.ingest import intake
from calls.ingest.refused_posts import RefusedPostDraft
from calls.models import RefusedPost, SenderPolicy
from tests.factories import ACCESS_KEY, E164, post, post_body

TENIOS = "80.239.139.193"
STRANGER = "203.0.113.9"
OTHER = "+4930123456"


def send(client, body, sender=TENIOS):
    return post(client, body, REMOTE_ADDR=sender)


def start(number=E164, key=ACCESS_KEY, **more):
    return post_body("CALL_START", number, key, **more)


def settled():
    """Wait until posts that are stored in the background are stored too."""
    intake.get_intake().close()
    return RefusedPost.objects.order_by("pk")


def set_policy(mode, networks=TENIOS):
    SenderPolicy.objects.update_or_create(pk=1, defaults={"mode": mode, "networks": networks})
    intake.get_intake().read_again()


def made_up(place, code="forbidden", body="{}", **more):
    at = timezone.now() - timedelta(days=1) + timedelta(seconds=place)
    fields = {
        "ingest_id": f"00000000-0000-7000-8000-{place:012d}",
        "received_at": at.isoformat(),
        "status": 403,
        "code": code,
        "address": TENIOS,
        "is_listed": True,
        "fingerprint": f"{place:064d}",
        "destination_number": "",
        "request_type": "CALL_START",
        "body": body,
    }
    return RefusedPostDraft(**fields | more)
