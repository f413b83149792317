"""Which network addresses belong to the public internet."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_CARRIES_IPV4 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""NAT64: the last 32 bits are the IPv4 address that is really meant."""


def is_public(text: str) -> bool:
    """Whether an address, as the resolver gives it, is anybody's and not this machine's, this network's or reserved.

    An IPv6 address that stands for an IPv4 address is judged as that one. Raises ValueError for what is no address.
    """
    address = ipaddress.ip_address(text)
    carried = _carried_ipv4(address)
    return _is_public(address if carried is None else carried)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast


def _carried_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if any(address in network for network in _CARRIES_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
