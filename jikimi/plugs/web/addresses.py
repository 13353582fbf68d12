"""Which network addresses are anybody's, and which lead into somebody's own network.

IPv6 has several ways to say an IPv4 address; what is said counts, not how.
"""

from __future__ import annotations

import ipaddress
import socket

_SPECIAL_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24")  # IETF protocols (RFC 6890), 6to4 relays (RFC 7526)
)
"""What some versions of Python call global."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is given out of IPv6 (RFC 4291, IANA): the rest is for special purposes."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address."""
_TUNNELS = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocols, Teredo among them (RFC 2928, RFC 4380)
        "2002::/16",  # 6to4 (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637), which Python does not know yet
    )
)


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """What the system's resolver says; nothing if it says nothing."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def is_public(address: str) -> bool:
    """Tell whether an address is one on the public internet."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return _is_public_4(ip)
    if ip.ipv4_mapped:
        return _is_public_4(ip.ipv4_mapped)
    if ip in _NAT64:
        return _is_public_4(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return ip in _GLOBAL_UNICAST and ip.is_global and not any(ip in network for network in _TUNNELS)


def _is_public_4(ip: ipaddress.IPv4Address) -> bool:
    # `is_global` is true of multicast.
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or any(ip in network for network in _SPECIAL_4))
