"""Which IP addresses are public: the same on every Python, and whatever an address carries within.

Python's own ``is_global`` differs from release to release, and some addresses stand for others: what is sent to
``::ffff:10.0.0.1`` arrives at 10.0.0.1. Such an address is as public as the one within.
"""

from __future__ import annotations

import ipaddress
from typing import Final

_V4 = ipaddress.IPv4Network
_V6 = ipaddress.IPv6Network

_NOT_PUBLIC_V4: Final = tuple(
    map(
        _V4,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
"""IANA's special-purpose addresses, multicast and what is reserved."""
_PUBLIC_V6: Final = _V6("2000::/3")
"""All that is given out. Loopback, private, link-local, site-local (fec0::/10) and multicast lie outside of it."""
_NOT_PUBLIC_V6: Final = tuple(
    map(_V6, ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20"))
)
"""Special purposes within it; Teredo (2001::/32) among them."""

_CARRIERS: Final = {
    _V6("::ffff:0:0/96"): 0,
    _V6("64:ff9b::/96"): 0,  # NAT64, by which networks without IPv4 reach all of it
    _V6("2002::/16"): 80,  # 6to4
}
"""Networks whose addresses stand for an IPv4 address -> how many bits come after it. Those that are out of use
(``::a.b.c.d``, Teredo) or of one network only (``64:ff9b:1::/48``) are not public, whatever they carry."""


def is_public(address: str) -> bool:
    """Say whether an address may be one that anybody reaches.

    Args:
        address: IPv4 or IPv6; one with a zone is of this machine's networks.

    Raises:
        ValueError: It is no address.
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return _is_public_v4(found)
    if found.scope_id is not None:
        return False
    within = _within(found)
    if within is not None:
        return _is_public_v4(within)
    return found in _PUBLIC_V6 and not any(found in network for network in _NOT_PUBLIC_V6)


def _is_public_v4(address: ipaddress.IPv4Address) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_V4)


def _within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    shift = next((shift for network, shift in _CARRIERS.items() if address in network), None)
    return None if shift is None else ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF)
