import json
from datetime import UTC, datetime

from django.db import transaction
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from calls import keys, posts
from calls.models import AccessKey, Call, CallEvent, ChangedQuarterHour

# The column of a call that each post fills.
MOMENTS = {
    "CALL_START": "call_start_at",
    "INITIATE_FORWARD": "forwarded_at",
    "FORWARD_ANSWER": "answered_at",
    "CALL_END": "ended_at",
}


class VariablesSerializer(serializers.Serializer):
    destination_number = serializers.CharField()
    call_uuid = serializers.CharField()
    correlation_id = serializers.CharField(default="")
    caller_id_number = serializers.CharField(default="")


class PostSerializer(serializers.Serializer):
    requestType = serializers.CharField()  # noqa: N815 (TENIOS' spelling)
    customerNumber = serializers.CharField()  # noqa: N815
    accessKey = serializers.CharField(write_only=True)  # noqa: N815
    blockType = serializers.CharField(default="")  # noqa: N815
    destination = serializers.CharField(default="")
    destinationType = serializers.CharField(default="")  # noqa: N815
    variables = VariablesSerializer()


class PostView(APIView):
    # As for our own view: the key in the post says who sent it.
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @transaction.atomic
    def post(self, request: Request) -> Response:
        serializer = PostSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        post = serializer.validated_data
        variables = post["variables"]
        access_key = (
            AccessKey.objects.select_related("destination_number")
            .filter(fingerprint=keys.fingerprint(post["accessKey"]))
            .filter(destination_number__e164=variables["destination_number"])
            .first()
        )
        if access_key is None or not access_key.is_live():
            return Response({"error": "forbidden"}, status=403)
        now = datetime.now(UTC)
        call, _ = Call.objects.get_or_create(
            destination_number=access_key.destination_number,
            call_uuid=variables["call_uuid"],
            defaults={
                "correlation_id": variables["correlation_id"],
                "first_post_at": now,
                "last_post_at": now,
                "caller_id_number": variables["caller_id_number"],
                "customer_number": post["customerNumber"],
                "decided_by": [],
            },
        )
        call.last_post_at = now
        if moment := MOMENTS.get(post["requestType"]):
            setattr(call, moment, now)
        call.save()
        CallEvent.objects.create(
            ingest_id=posts.new_ingest_id(now),
            call=call,
            access_key=access_key,
            received_at=now,
            request_type=post["requestType"],
            block_type=post["blockType"],
            destination=post["destination"],
            destination_type=post["destinationType"],
            destination_number=variables["destination_number"],
            caller_id_number=variables["caller_id_number"],
            customer_number=post["customerNumber"],
            payload=json.dumps(serializer.data),
        )
        quarter_hour = call.first_post_at.replace(minute=call.first_post_at.minute // 15 * 15, second=0, microsecond=0)
        ChangedQuarterHour.objects.create(destination_number=access_key.destination_number, quarter_hour=quarter_hour)
        return Response({})
