"""What the address that a post came from means for it: whether that is TENIOS', and what becomes of it if not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings

from accounts.addresses import OUR_WALLS, Address, Network, client_of_request, is_in, read_networks
from calls.models import TENIOS_NETWORKS, SenderMode

# Begins the flag of an event that came from elsewhere; the address follows.
FOREIGN = "foreign_address "
POLICY = "SELECT mode, networks FROM calls_senderpolicy WHERE id = 1"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a post, as far as its address tells."""

    address: Address | None
    is_listed: bool
    is_refused: bool
    is_foreign: bool  # to be flagged

    @property
    def is_trustworthy(self) -> bool:
        """Whether what it sent in vain is worth keeping: it is listed, or within our own walls."""
        return self.is_listed or self.is_near

    @property
    def is_near(self) -> bool:
        """Whether it is no address of the internet. A proxy that nobody told us to trust has such a one too: whoever
        is behind it cannot be told apart, and must not pay for each other."""
        return self.address is not None and is_in(self.address, OUR_WALLS)


class Policy:
    """What staff have set. Before that is known, every address may post, and TENIOS' own is listed."""

    def __init__(self, mode: str = SenderMode.OFF, networks: Iterable[Network] = ()) -> None:
        self._mode = mode
        self._networks = tuple(networks) or tuple(read_networks(TENIOS_NETWORKS))

    @classmethod
    def from_rows(cls, rows: list[tuple[str, str]]) -> Policy:
        """Return the policy of the rows of POLICY; where staff have changed nothing, foreign addresses are reported."""
        ((mode, networks),) = rows or [(SenderMode.REPORT, TENIOS_NETWORKS)]
        return cls(mode, read_networks(networks))

    def judge(self, meta: Mapping[str, str]) -> Sender:
        """Say who sent a request, by its META."""
        address = client_of_request(meta)
        is_listed = self._lists(address)
        # Somebody on this very machine tries things out; through a proxy it would have said so. With a secret only the
        # proxy names an address.
        is_direct = not settings.PROXY_SECRET and "HTTP_X_FORWARDED_FOR" not in meta
        is_local = address is not None and address.is_loopback and is_direct
        return Sender(
            address,
            is_listed,
            is_refused=self.refuses(address),
            is_foreign=self._mode == SenderMode.REPORT and not is_listed and not is_local,
        )

    def refuses(self, address: Address | None) -> bool:
        """Say whether no post from an address is taken."""
        return self._mode == SenderMode.ENFORCE and not self._lists(address)

    def _lists(self, address: Address | None) -> bool:
        return address is not None and is_in(address, self._networks)
