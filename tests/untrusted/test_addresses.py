"""Which addresses a stranger may make the bot and the TTS gateway connect to."""

from __future__ import annotations

import logging
import socket

import pytest

from tts_gateway.fetch import CANNOT_BE_REACHED, FetchOptions, ReferenceFetcher
from tts_gateway.wire import RequestRefused
from untrusted.addresses import AddressGuard, AddressRefused, EndpointGuard

NOT_PUBLIC = {
    "unspecified": ("0.0.0.0", "0.0.0.1", "0.255.255.255", "::"),
    "private": ("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
    "unique local": ("fc00::1", "fd12:3456::1", "fd00:ec2::254"),
    "carriers": ("100.64.0.1", "100.127.255.255"),
    "this link": ("169.254.169.254", "fe80::1", "febf::1"),
    "site-local, given up": ("fec0::1", "feff:ffff::1"),
    "protocols": ("192.0.0.1", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.0.192"),
    "IPv6 protocols": ("2001:1::1", "2001:1::2", "2001:1::3", "2001:2::1", "2001:3::1", "2001:4:112::1"),
    "identifiers": ("2001:10::1", "2001:20::1", "2001:2f::1", "2001:30::1", "2001:3f::1", "2001:1ff::1"),
    "AS112 and AMT": ("192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1"),
    "6to4 relays, given up": ("192.88.99.1", "192.88.99.255", "::ffff:192.88.99.1", "2002:c058:6301::1"),
    "documentation": ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"),
    "documentation since 2024": ("3fff::1", "3fff:fff:ffff::1"),
    "measurements": ("198.18.0.1", "198.19.255.255"),
    "many at once": ("224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"),
    "reserved": ("240.0.0.1", "255.255.255.255", "4000::1", "8000::1", "e000::1"),
    "discarded": ("100::1", "100:0:0:1::1"),
    "segment routing since 2024": ("5f00::1", "5f00:ffff::1"),
    "6bone, given back": ("3ffe::1", "3ffe:ffff::1"),
    "mapped": ("::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:192.0.0.9", "::ffff:0.0.0.0"),
    "translated": ("::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8"),
    "compatible": ("::127.0.0.1", "::10.0.0.1", "::808:808", "::8.8.8.8"),
    "NAT64": ("64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::192.0.0.9", "64:ff9b::192.88.99.1"),
    "NAT64 of a network": ("64:ff9b:1::1", "64:ff9b:1:ffff::8.8.8.8"),
    "6to4": ("2002:0a00:0001::", "2002:a9fe:a9fe::", "2002:c0a8:1::1", "2002:c000:9::1", "2002:e000:1::"),
    "Teredo": ("2001::1", "2001:0:7f00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:0:808:808::"),
    "ISATAP": ("fe80::5efe:8.8.8.8", "2600::5efe:10.0.0.1", "2600::200:5efe:a9fe:a9fe", "2600::5efe:7f00:1"),
    "zones": ("fe80::1%lo", "fe80::1%eth0", "fec0::1%1", "2606:4700::1111%eth0", "::1%lo", "ff02::1%2"),
    "no address": ("", "localhost", "1.1.1.1:80", "[::1]", "127.1", "2130706433", "0x7f000001", "0x7f.1"),
    "no address either": ("017700000001", "127.0.0.01", "1.1.1.1/32", " 1.1.1.1", "1.1.1.1%eth0", "::1%"),
}
LOOPBACK = (
    *("127.0.0.1", "127.255.255.254", "::1"),
    *("::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::127.0.0.1", "2002:7f00:0001::"),
)
PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "104.16.0.1", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.1"),
    *("100.63.255.255", "100.128.0.1", "169.253.255.255", "192.0.1.1", "192.88.98.1", "198.17.255.255"),
    *("223.255.255.255", "2606:4700:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2a00:1450::1"),
    *("2620:4f:8001::1", "3ffd::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:0808:0808::"),
    "2600::5efe:8.8.8.8",
)


@pytest.mark.parametrize("allow_loopback", [False, True])
@pytest.mark.parametrize("address", [address for group in NOT_PUBLIC.values() for address in group])
def test_no_address_that_is_not_public_is_connected_to(address: str, allow_loopback: bool):
    assert not AddressGuard(allow_loopback=allow_loopback).allows(address)


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_is_connected_to_only_where_that_is_allowed(address: str):
    assert not AddressGuard(allow_loopback=False).allows(address)
    assert AddressGuard(allow_loopback=True).allows(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_connected_to(address: str):
    assert AddressGuard(allow_loopback=False).allows(address)


def test_a_trusted_address_is_connected_to_once_it_is_known():
    known: set[str] = set()
    guard = AddressGuard(allow_loopback=False, trusted=known)
    before = guard.allows("10.0.0.7")

    known.add("10.0.0.7")

    assert (before, guard.allows("10.0.0.7"), guard.allows("10.0.0.8")) == (False, True, False)


def test_a_socket_is_made_only_for_an_allowed_address():
    guard = AddressGuard(allow_loopback=False)
    rest = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")

    with guard((socket.AF_INET, *rest, ("8.8.8.8", 443))) as made:
        assert made.family is socket.AF_INET
    with pytest.raises(AddressRefused):
        guard((socket.AF_INET6, *rest, ("::ffff:127.0.0.1", 443, 0, 0)))


def test_a_socket_to_an_endpoint_needs_its_address_and_its_port():
    guard = EndpointGuard({("127.0.0.1", 443)})
    rest = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")

    with guard((socket.AF_INET, *rest, ("127.0.0.1", 443))) as made:
        assert made.family is socket.AF_INET
    for address in [("127.0.0.1", 22), ("8.8.8.8", 443), ("::ffff:127.0.0.1", 443, 0, 0)]:
        with pytest.raises(AddressRefused):
            guard((socket.AF_INET, *rest, address))


@pytest.mark.parametrize(
    "host",
    [
        "192.88.99.1",
        "[3fff::1]",
        "[fec0::1]",
        "[::808:808]",
        "192.0.0.9",
        "[2600::5efe:a00:1]",
        "192.31.196.1",
    ],
)
async def test_the_tts_gateway_fetches_from_no_address_that_the_guard_refuses(
    host: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "tts_gateway.fetch")
    fetcher = ReferenceFetcher(FetchOptions())

    with pytest.raises(RequestRefused, match=CANNOT_BE_REACHED):
        await fetcher.fetch(f"http://{host}/voice.wav")
    await fetcher.aclose()

    assert caplog.messages == [f"reference at {host.strip('[]')}: AddressRefused"]
