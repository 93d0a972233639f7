import socket

import pytest

from untrusted.addresses import AddressGuard, AddressRefused

INNER = [
    "0.0.0.0",
    "0.0.0.1",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::10.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
    "2002:0a00:0001::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
LOOPBACK = [
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "2002:7f00:0001::",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "104.16.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:0808:0808::",
]


@pytest.mark.parametrize("allow_loopback", [False, True])
@pytest.mark.parametrize("address", INNER)
def test_no_inner_address_is_connected_to(address: str, allow_loopback: bool):
    assert not AddressGuard(allow_loopback=allow_loopback).allows(address)


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_only_if_the_tts_gateway_is_on_it(address: str):
    assert not AddressGuard(allow_loopback=False).allows(address)
    assert AddressGuard(allow_loopback=True).allows(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_connected_to(address: str):
    assert AddressGuard(allow_loopback=False).allows(address)


def test_the_tts_gateways_own_address_is_connected_to_once_it_is_known():
    known: set[str] = set()
    guard = AddressGuard(allow_loopback=False, trusted=known)
    before = guard.allows("10.0.0.7")

    known.add("10.0.0.7")

    assert (before, guard.allows("10.0.0.7"), guard.allows("10.0.0.8")) == (False, True, False)


@pytest.mark.parametrize("address", ["", "localhost", "1.1.1.1:80", "0x7f.1", "127.1", "[::1]"])
def test_what_is_no_address_is_refused(address: str):
    assert not AddressGuard(allow_loopback=True).allows(address)


def test_a_socket_is_made_only_for_an_allowed_address():
    guard = AddressGuard(allow_loopback=False)
    rest = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")

    with guard((socket.AF_INET, *rest, ("8.8.8.8", 443))) as made:
        assert made.family is socket.AF_INET
    with pytest.raises(AddressRefused):
        guard((socket.AF_INET6, *rest, ("::ffff:127.0.0.1", 443, 0, 0)))
