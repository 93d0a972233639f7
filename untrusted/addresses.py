"""Which addresses a download may connect to, judged when the socket is opened."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from typing import Any

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SPECIAL: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # IANA's special registry, which Python 3.11 knows in part
    ipaddress.IPv4Network("192.88.99.0/24"),  # 6to4 relays, given up
    ipaddress.IPv6Network("3fff::/20"),  # documentation
    ipaddress.IPv6Network("fec0::/10"),  # site-local, given up in 2004
)


class AddressRefused(OSError):  # noqa: N818  (aiohttp passes only an OSError on; it never leaves bot/tts)
    """The address is not one of the public internet."""


class AddressGuard:
    """A socket factory for `aiohttp.TCPConnector` that opens sockets to public addresses only.

    It sees the address that is really used, so names that resolve to something private, names that
    change their mind, and literal addresses in any spelling all end here. With ``allow_loopback``
    this machine is allowed too, and always the addresses in ``trusted``, which may grow later.
    """

    def __init__(self, *, allow_loopback: bool, trusted: Collection[str] = ()) -> None:
        self._allow_loopback = allow_loopback
        self._trusted = trusted

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        """Return a socket for ``info``, a row of `getaddrinfo`. Raises `AddressRefused`."""
        family, kind, protocol, _, peer = info
        if not self.allows(str(peer[0])):
            raise AddressRefused("not a public address")
        return socket.socket(family, kind, protocol)

    def allows(self, address: str) -> bool:
        """Return whether a connection to this IP address is allowed."""
        try:
            inner = _unwrapped(ipaddress.ip_address(address))
        except ValueError:
            return False
        return (self._allow_loopback and inner.is_loopback) or address in self._trusted or _is_public(inner)


def _is_public(address: _Address) -> bool:
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return not any(address in network for network in _SPECIAL)


def _unwrapped(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 one stands for: mapped, 6to4 or NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
