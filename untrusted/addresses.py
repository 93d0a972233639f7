"""Addresses that a stranger may make us connect to, judged when the socket is opened."""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""A row of `socket.getaddrinfo`, as aiohttp passes it on: family, kind, protocol, name, (host, port, …)."""

_SPECIAL_IPV4: Final = tuple(
    # The IANA's registry of special-purpose addresses, whole: each release of Python knows another part of
    # it, and calls some of them global. The last is no longer in it, but relays may still answer there.
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4"),
        "192.88.99.0/24",
    )
)
_UNICAST_IPV6: Final = IPv6Network("2000::/3")  # all that the IANA gives to networks; RFC 4291 §2.4
_SPECIAL_IPV6: Final = tuple(
    # What lies in there and is in the registry: protocols (Teredo, ORCHID, AMT and others), documentation,
    # 6to4, AS112. The last was the 6bone's and has been given back.
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "3ffe::/16")
)
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)  # before the IPv4 address; RFC 5214 §6.1


class AddressRefused(OSError):  # noqa: N818  (aiohttp passes only an OSError on; it never leaves our clients)
    """The address is not one that a stranger may make us connect to."""


class AddressGuard:
    """A socket factory for `aiohttp.TCPConnector` that opens sockets to public addresses only.

    It sees the address that is really used, so names that resolve to something private, names that
    change their mind, and literal addresses in any spelling all end here. With ``allow_loopback``
    this machine is allowed too, and always the addresses in ``trusted``, which may grow later.
    """

    def __init__(self, *, allow_loopback: bool, trusted: Collection[str] = ()) -> None:
        self._allow_loopback = allow_loopback
        self._trusted = trusted

    def __call__(self, info: AddressInfo) -> socket.socket:
        """Return a socket for ``info``. Raises `AddressRefused`."""
        return _open_socket(info, allowed=self.allows(str(info[4][0])))

    def allows(self, address: str) -> bool:
        """Return whether a connection to this IP address is allowed."""
        if address in self._trusted:
            return True
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
            return False  # it is meant for one network card; a public address needs no such zone
        inner = _unwrap(parsed)
        return (self._allow_loopback and inner.is_loopback) or _is_public(inner)


class EndpointGuard:
    """A socket factory like `AddressGuard` that knows a few pairs of address and port, and no others."""

    def __init__(self, endpoints: Collection[tuple[str, int]]) -> None:
        self._endpoints = endpoints

    def __call__(self, info: AddressInfo) -> socket.socket:
        """Return a socket for ``info``. Raises `AddressRefused`."""
        address, port = info[4][:2]
        return _open_socket(info, allowed=(address, port) in self._endpoints)


def _open_socket(info: AddressInfo, *, allowed: bool) -> socket.socket:
    if not allowed:
        raise AddressRefused("not an address to connect to for a stranger")
    family, kind, protocol, _name, _address = info
    return socket.socket(family, kind, protocol)


def _unwrap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 one stands for: mapped, 6to4 or NAT64."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return _last_32_bits(address)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    if address not in _UNICAST_IPV6 or any(address in network for network in _SPECIAL_IPV6):
        return False
    is_tunnel = int(address) >> 32 & 0xFFFF_FFFF in _ISATAP  # to the IPv4 address at its end
    return not is_tunnel or _is_public(_last_32_bits(address))


def _last_32_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
