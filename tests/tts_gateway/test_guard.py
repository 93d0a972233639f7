"""Which addresses count as public."""

from __future__ import annotations

import socket

import pytest

from tts_gateway.addresses import AddressRefused, is_public, socket_factory

INSIDE = {
    "this machine": ("127.0.0.1", "127.255.255.254", "0.0.0.0", "::1", "::"),
    "private": ("10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.0.1", "fc00::1", "fd12:3456::1"),
    "this link": ("169.254.169.254", "fe80::1", "fe80::1%eth0"),
    "carriers": ("100.64.0.1", "100.127.255.254"),
    "tests and documents": ("192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"),
    "many at once": ("224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1", "ff0e::1"),
    "reserved": ("192.0.0.1", "240.0.0.1", "100::1"),
    "mapped": ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1"),
    "compatible": ("::127.0.0.1", "::10.0.0.1"),
    "NAT64": ("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    "6to4": ("2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::"),
    "Teredo": ("2001:0:4136:e378:8000:63bf:80ff:fffe",),
    "no address": ("", "localhost", "example.org", "127.1", "2130706433", "0x7f000001", "017700000001"),
}
OUTSIDE = (
    *("1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1"),
    *("2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"),
)


@pytest.mark.parametrize("address", [address for group in INSIDE.values() for address in group])
def test_what_is_inside_a_network_is_not_public(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_on_the_internet_is_public(address: str):
    assert is_public(address)


def test_the_socket_is_refused_for_the_address_that_is_really_connected_to():
    make = socket_factory(lambda address, port: is_public(address) and port == 443)

    allowed = make((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 443)))
    allowed.close()

    for address in [("127.0.0.1", 443), ("8.8.8.8", 22), ("::ffff:127.0.0.1", 443, 0, 0)]:
        with pytest.raises(AddressRefused):
            make((socket.AF_INET, socket.SOCK_STREAM, 0, "", address))
