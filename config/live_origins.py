"""Where pages may read the stream of the process `live`, for the Content-Security-Policy."""

from collections.abc import Iterable


def live_origins(hosts: Iterable[str], port: int) -> list[str]:
    """Return the stream's origins at a port of these ALLOWED_HOSTS; none for port 0, where it is on the pages' site."""
    if not port:
        return []
    # Policies have no addresses of IPv6.
    names = [f"*{host}" if host.startswith(".") else host for host in hosts if not host.startswith("[")]
    return [f"http://{name}:{port}" for name in names]
