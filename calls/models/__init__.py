"""The models of calls. Import them from this package, not from its modules; migrations refer to its validators."""

from calls.access import Right
from calls.models.access import NumberAccess
from calls.models.access_keys import AccessKey
from calls.models.base import BOXES, RequestType
from calls.models.calls import Call, CallEvent
from calls.models.changed_quarter_hours import ChangedQuarterHour
from calls.models.numbers import Arrives, DestinationNumber, validate_e164
from calls.models.opening_hours import OpeningHours, SingleDay, WeeklyHours, validate_quarter_hour
from calls.models.refused_posts import Reason, RefusedPost
from calls.models.senders import TENIOS_NETWORKS, SenderMode, SenderPolicy, validate_networks

__all__ = [
    "BOXES",
    "TENIOS_NETWORKS",
    "AccessKey",
    "Arrives",
    "Call",
    "CallEvent",
    "ChangedQuarterHour",
    "DestinationNumber",
    "NumberAccess",
    "OpeningHours",
    "Reason",
    "RefusedPost",
    "RequestType",
    "Right",
    "SenderMode",
    "SenderPolicy",
    "SingleDay",
    "WeeklyHours",
    "validate_e164",
    "validate_networks",
    "validate_quarter_hour",
]
