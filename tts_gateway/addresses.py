"""Which addresses on the network a stranger may make us connect to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""What `socket.getaddrinfo` gives and aiohttp passes on: family, kind, protocol, name, (host, port, …)."""

_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052
_COMPATIBLE: Final = IPv6Network("::/96")  # RFC 4291 §2.5.5.1, long out of use, still accepted by stacks


class AddressRefused(OSError):  # noqa: N818 - reads as what happened
    """The address is not one we connect to on behalf of a stranger."""


def is_public(host: str) -> bool:
    """Return whether ``host``, a literal IP address, is reached over the public internet.

    An IPv4 address inside an IPv6 one counts as that IPv4 address.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    inner = _ipv4_inside(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        address = inner
    return address.is_global and not address.is_multicast and not address.is_reserved


def _ipv4_inside(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def socket_factory(allowed: Callable[[str, int], bool]) -> Callable[[AddressInfo], socket.socket]:
    """Return a maker of sockets that refuses (`AddressRefused`) to make one for any other address.

    It sees the very address that is connected to, after every name resolution and redirect, so a name
    that resolves differently the second time gains nothing.
    """

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _name, address = info
        if not allowed(str(address[0]), int(address[1])):
            raise AddressRefused("not an address for a reference recording")
        return socket.socket(family, kind, protocol)

    return make
