"""The formats in which other systems are told what happens in calls, a module for each."""

from live.dispatch.formats.base import EndpointFormat


def of(endpoint_format: str) -> EndpointFormat:
    """Return the format of an endpoint by its name in `Format`."""
    return FORMATS[endpoint_format]


FORMATS: dict[str, EndpointFormat] = {}
