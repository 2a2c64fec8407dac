"""What the messages from TENIOS mean for rings, for the live board and for other systems: one rule for all of them."""

from __future__ import annotations

from enum import Enum

from calls.models import RequestType

BRIDGE = "BRIDGE"


class Kind(Enum):
    """What an event means."""

    START = "start"
    FORWARD = "forward"
    ANSWER = "answer"
    BRIDGE_END = "bridge end"
    CALL_END = "call end"


# Whatever their block type.
OF_REQUESTS: dict[str, Kind] = {
    RequestType.CALL_START: Kind.START,
    RequestType.INITIATE_FORWARD: Kind.FORWARD,
    RequestType.FORWARD_ANSWER: Kind.ANSWER,
    RequestType.CALL_END: Kind.CALL_END,
}


def kind_of(request_type: str, block_type: str) -> Kind | None:
    """Return what an event means; None if nothing."""
    if request_type == RequestType.BLOCK_END and block_type == BRIDGE:
        return Kind.BRIDGE_END
    return OF_REQUESTS.get(request_type)
