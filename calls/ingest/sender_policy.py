"""Sender policy: whether a post's address is listed as TENIOS', and what happens to the post if it is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings

from accounts.addresses import OUR_WALLS, Address, Network, client_of_request, is_in, read_networks
from calls.models import TENIOS_NETWORKS, SenderMode

# The beginning of the flag for a post from an address that is not listed; the address follows.
FOREIGN = "foreign_address "
POLICY = "SELECT mode, networks FROM calls_senderpolicy WHERE id = 1"


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a post, as far as known from its address."""

    address: Address | None
    is_listed: bool
    is_refused: bool
    is_foreign: bool  # its posts get a flag

    @property
    def is_trustworthy(self) -> bool:
        """Whether its refused posts are stored: its address is listed or not on the internet."""
        return self.is_listed or self.is_near

    @property
    def is_near(self) -> bool:
        """Whether its address is outside the internet. So is that of a proxy missing from TRUSTED_PROXIES: its clients
        cannot be distinguished and must not be rate-limited for each other."""
        return self.address is not None and is_in(self.address, OUR_WALLS)


class Policy:
    """The policy set by staff. Until it is read, every address may post, and TENIOS' address is listed."""

    def __init__(self, mode: str = SenderMode.OFF, networks: Iterable[Network] = ()) -> None:
        self._mode = mode
        self._networks = tuple(networks) or tuple(read_networks(TENIOS_NETWORKS))

    @classmethod
    def from_rows(cls, rows: list[tuple[str, str]]) -> Policy:
        """Return the policy from the rows of POLICY. If staff have not set one, foreign addresses are reported."""
        ((mode, networks),) = rows or [(SenderMode.REPORT, TENIOS_NETWORKS)]
        return cls(mode, read_networks(networks))

    def judge(self, meta: Mapping[str, str]) -> Sender:
        """Return the sender of a request, from its META."""
        address = client_of_request(meta)
        is_listed = self._lists(address)
        # A request from this machine, such as a test, is not foreign; one through a proxy would have a header. With a
        # secret, only the proxy names an address.
        is_direct = not settings.PROXY_SECRET and "HTTP_X_FORWARDED_FOR" not in meta
        is_local = address is not None and address.is_loopback and is_direct
        return Sender(
            address,
            is_listed,
            is_refused=self.refuses(address),
            is_foreign=self._mode == SenderMode.REPORT and not is_listed and not is_local,
        )

    def refuses(self, address: Address | None) -> bool:
        """Return whether posts from an address are refused."""
        return self._mode == SenderMode.ENFORCE and not self._lists(address)

    def _lists(self, address: Address | None) -> bool:
        return address is not None and is_in(address, self._networks)
