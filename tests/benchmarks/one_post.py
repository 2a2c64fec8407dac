"""Shared by the other frameworks: converts a post's JSON into the statement's row. Independent of Calltally."""

import hashlib
import hmac
import json
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

# Written before they are started: the database's address, the statement, the pepper of the keys, sizes.
SETUP = json.loads((Path(os.environ["CALLTALLY_HOME"]) / "contenders.json").read_text())
PEPPER = SETUP["pepper"].encode()


def posts(body: bytes) -> str:
    """Return the statement's parameter: an array of one row."""
    post = json.loads(body)
    key = post.pop("accessKey")
    variables = post["variables"]
    row = {
        "ingest_id": str(ingest_id()),
        "received_at": datetime.now(UTC).isoformat(),
        "fingerprint": hmac.new(PEPPER, key.encode(), hashlib.sha256).hexdigest(),
        "destination_number": variables["destination_number"],
        "destination_number_received": variables["destination_number"],
        "call_uuid": variables["call_uuid"],
        "correlation_id": variables.get("correlation_id", ""),
        "callback_id": variables.get("callback_id", ""),
        "caller_id_number": variables.get("caller_id_number", ""),
        "caller_received": variables.get("caller_id_number", ""),
        "customer_number": str(post.get("customerNumber", "")),
        "request_type": post["requestType"],
        "block_type": post.get("blockType", ""),
        "destination": post.get("destination", ""),
        "destination_type": post.get("destinationType", ""),
        "payload": json.dumps(post, separators=(",", ":")),
        "flags": [],
    }
    return json.dumps([row])


def ingest_id() -> uuid.UUID:
    """Return a version-7 UUID, which sorts by receipt as Calltally's does and is cheaper for the index."""
    number = time.time_ns() // 1_000_000 << 80 | 0x7 << 76 | 0b10 << 62
    return uuid.UUID(int=number | int.from_bytes(os.urandom(9)) >> 8 & (1 << 62) - 1)
