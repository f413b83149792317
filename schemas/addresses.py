"""Which network addresses belong to the public internet."""

from __future__ import annotations

import ipaddress

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_TRANSLATED = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "::/96",  # IPv4-compatible
            "::ffff:0:0/96",  # IPv4-mapped
            "::ffff:0:0:0/96",  # IPv4-translated
            "64:ff9b::/96",  # NAT64
            "64:ff9b:1::/48",  # NAT64 of this network
            "2001::/32",  # Teredo
            "2002::/16",  # 6to4
            "fec0::/10",  # site-local
        ),
    )
)
"""IPv6 that stands for another address, or for one of this site. Where it leads is up to a translator on the way, which
may be in this network: none of it is public."""


def is_public(text: str) -> bool:
    """Whether an address, as the resolver gives it, is public: not this machine's, this network's or reserved.

    Raises ValueError for what is no address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and not _is_plain(address):
        return False
    return address.is_global and not address.is_multicast


def _is_plain(address: ipaddress.IPv6Address) -> bool:
    return address in _GLOBAL_UNICAST and not any(address in network for network in _TRANSLATED)


def is_loopback(host: str) -> bool:
    """Whether a host, as one writes it in a URL without the port, is this machine's own loopback interface."""
    bare = host.strip("[]").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
