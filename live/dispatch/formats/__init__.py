"""The formats of events for other systems, a module for each."""

from live.dispatch.formats.base import EndpointFormat
from live.dispatch.formats.placetel import Placetel
from live.dispatch.formats.sipgate import Sipgate
from live.dispatch.formats.webhooks import Webhooks
from live.dispatch.formats.zammad import Zammad
from live.models import Format

FORMATS: dict[str, EndpointFormat] = {
    Format.WEBHOOK: Webhooks(),
    Format.ZAMMAD: Zammad(),
    Format.SIPGATE: Sipgate(),
    Format.PLACETEL: Placetel(),
}


def of(endpoint_format: str) -> EndpointFormat:
    """Return the format of an endpoint by its name in `Format`."""
    return FORMATS[endpoint_format]
