"""The models of what goes on right now: rings of people, the processes that show them, keys of the live board, and
events for other systems."""

from live.models.board_keys import BoardKey
from live.models.deliveries import Delivery, DispatchCursor, State
from live.models.dispatchers import DispatchProcess
from live.models.endpoints import CallerShown, Endpoint, EventType, Format, Rows, WhyOff
from live.models.rings import (
    DEFAULT_TIMEOUT_S,
    LONGEST_TIMEOUT_S,
    SHORTEST_TIMEOUT_S,
    FeedCursor,
    Listener,
    LiveProcess,
    LiveProfile,
    NumberRings,
    Pop,
    PopOn,
    WhyClosed,
    WhyNot,
)

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "LONGEST_TIMEOUT_S",
    "SHORTEST_TIMEOUT_S",
    "BoardKey",
    "CallerShown",
    "Delivery",
    "DispatchCursor",
    "DispatchProcess",
    "Endpoint",
    "EventType",
    "FeedCursor",
    "Format",
    "Listener",
    "LiveProcess",
    "LiveProfile",
    "NumberRings",
    "Pop",
    "PopOn",
    "Rows",
    "State",
    "WhyClosed",
    "WhyNot",
    "WhyOff",
]
