"""How many connections each address has open."""

from __future__ import annotations

from gateway.identity.address import Proxies, counted


class Connections:
    """Counts them; a proxy that is trusted may have any number, since it brings many callers."""

    def __init__(self, limit: int, proxies: Proxies) -> None:
        self._limit = limit
        self._proxies = proxies
        self._open: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(self._open.values())

    def enter(self, peer: str | None) -> str | None:
        """Count a connection; what to give to `leave`, or None for one too many."""
        address = counted(peer)
        number = self._open.get(address, 0)
        if number >= self._limit and peer is not None and not self._proxies.trusts(peer):
            return None
        self._open[address] = number + 1
        return address

    def leave(self, address: str) -> None:
        """A connection that was counted has ended."""
        left = self._open[address] - 1
        if left:
            self._open[address] = left
        else:
            del self._open[address]
