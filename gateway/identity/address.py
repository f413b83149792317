"""Where a request comes from: the address of the connection, or what a proxy that is trusted says."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from aiohttp import web

FORWARDED_FOR = "X-Forwarded-For"
MAX_HOPS = 20
"""So many proxies behind each other are looked through."""

_IPV6_PREFIX = 64
"""What one customer has of IPv6: all of it counts as one address."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ProxiesInvalid(ValueError):
    """`FLEXRUN_TRUSTED_PROXIES` has something else than networks."""


class Proxies:
    """The networks whose proxies say truly whom they forward. Raises ProxiesInvalid."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        try:
            self._networks = tuple(map(ipaddress.ip_network, networks))
        except ValueError as error:
            raise ProxiesInvalid(f"FLEXRUN_TRUSTED_PROXIES: {error}; write 10.0.0.0/8,192.0.2.7") from None

    def trusts(self, text: str | None) -> bool:
        """Whether a connection from this address is that of such a proxy."""
        address = parsed(text) if text is not None and self._networks else None
        return address is not None and self._has(address)

    def client_of(self, request: web.BaseRequest) -> str:
        """The address that counts for a request, as `counted` writes it: the last one that no trusted proxy has."""
        peer = peer_of(request)
        if not self.trusts(peer):
            return counted(peer)
        told = ",".join(request.headers.getall(FORWARDED_FOR, [])).split(",")
        for hop in reversed(told[-MAX_HOPS:]):
            address = parsed(hop.strip())
            if address is None:
                break
            if not self._has(address):
                return counted(str(address))
        return counted(peer)

    def _has(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)


def peer_of(request: web.BaseRequest) -> str | None:
    """The address at the other end of the connection; None where it is a socket of this machine's files."""
    transport = request.transport
    return address_of(transport.get_extra_info("peername")) if transport is not None else None


def address_of(name: object) -> str | None:
    """The address in what a socket says of its other end."""
    return str(name[0]) if isinstance(name, tuple) and name else None  # pyright: ignore[reportUnknownArgumentType] - texts and numbers


@lru_cache(maxsize=4_096)
def counted(text: str | None) -> str:
    """An address as attempts and connections are counted: of IPv6 its network of 64 bits."""
    address = parsed(text) if text is not None else None
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)


@lru_cache(maxsize=4_096)
def parsed(text: str) -> Address | None:
    """An address, also one with a port, as some proxies write it; IPv4 within IPv6 is IPv4. None for anything else."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
