"""RTP packets: their transport encryption, who hears them, and what gets lost."""

from __future__ import annotations

import asyncio
import random
import struct

import nacl.secret
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.voice.dave import SILENCE_FRAME
from rehearsal.voice.protocol import Opcode, RTPHeader, TransportKey
from tests.fakes.voice_server_client import (
    CHANNEL,
    DEADLINE,
    GUILD,
    VoiceHouse,
    opus_of,
    stage,
)


async def test_sound_without_end_to_end_encryption_reaches_a_stage(house: VoiceHouse) -> None:
    listener = await house.human()
    client = await stage(house)

    client.play(opus_of(1), SILENCE_FRAME, opus_of(2))
    await listener.wait_for_packets(3, timeout=DEADLINE)

    assert [packet.opus for packet in listener.packets] == [opus_of(1), SILENCE_FRAME, opus_of(2)]
    assert [packet.sequence for packet in listener.packets] == [0, 1, 2]
    assert [packet.timestamp for packet in listener.packets] == [0, 960, 1920]
    assert listener.undecryptable == 0
    assert listener.is_ready


async def test_a_packet_that_was_changed_on_the_way_is_not_heard(house: VoiceHouse) -> None:
    listener = await house.human()
    client = await stage(house)
    packet = bytearray(client.seal(opus_of(1)))
    packet[20] ^= 1

    client.udp.send(packet)
    client.play(opus_of(2))
    await listener.wait_for_packets(1, timeout=DEADLINE)

    connection = house.voice.connection(GUILD)
    assert listener.packets[0].opus == opus_of(2)
    assert connection is not None
    assert connection.unopened == 1


async def test_nothing_is_heard_before_the_client_has_sent_speaking(house: VoiceHouse) -> None:
    listener = await house.human()
    client = house.client(house.expect_bot(encrypted=False))
    client.announces_speaking = False
    await client.connect()
    await house.caught_up(client)

    client.play(opus_of(1))
    await house.caught_up(client)
    await client.send(Opcode.SPEAKING, {"speaking": 1, "delay": 0, "ssrc": client.ssrc})
    await house.caught_up(client)
    client.play(opus_of(2))
    await listener.wait_for_speech(timeout=DEADLINE)

    assert [packet.opus for packet in listener.packets] == [opus_of(2)]


async def test_a_suppressed_bot_is_heard_by_nobody(house: VoiceHouse) -> None:
    listener = await house.human()
    client = await stage(house)
    house.voice.suppress_bot(guild_id=GUILD, suppressed=True)

    client.play(opus_of(1))
    await house.caught_up(client)
    house.voice.suppress_bot(guild_id=GUILD, suppressed=False)
    client.play(opus_of(2))
    await listener.wait_for_packets(1, timeout=DEADLINE)

    assert [packet.opus for packet in listener.packets] == [opus_of(2)]


async def test_every_third_packet_is_lost_when_asked_for(house: VoiceHouse) -> None:
    listener = await house.human()
    client = await stage(house)
    house.voice.faults.drop_every = 3

    client.play(*(opus_of(seed) for seed in range(10)))
    await listener.wait_for_packets(7, timeout=DEADLINE)

    assert [packet.sequence for packet in listener.packets] == [0, 1, 3, 4, 6, 7, 9]
    assert house.voice.packets.dropped == 3


async def test_discovery_is_not_answered_when_asked_for(house: VoiceHouse) -> None:
    house.voice.faults.no_udp_answer = True
    client = house.client()
    await client.open()
    await client.identify()
    await client.until(lambda: client.ssrc > 0)

    with pytest.raises(TimeoutError):
        await client.until(lambda: client.discovered is not None, timeout=0.2)

    assert house.voice.packets.received == 0


async def test_calls_do_not_hear_each_other(house: VoiceHouse) -> None:
    places = [{"guild_id": GUILD + n, "channel_id": CHANNEL + n} for n in range(4)]
    listeners = [await house.human(**place) for place in places]
    clients = [house.client(house.expect_bot(**place)) for place in places]
    await asyncio.gather(*(client.connect_securely() for client in clients))

    for number, client in enumerate(clients):
        client.play(opus_of(number), opus_of(number + 10))
    for listener in listeners:
        await listener.wait_for_packets(2, timeout=DEADLINE)

    heard = [[packet.opus for packet in listener.packets] for listener in listeners]
    assert heard == [[opus_of(number), opus_of(number + 10)] for number in range(4)]


async def test_strange_datagrams_do_no_harm(house: VoiceHouse) -> None:
    listener = await house.human()
    client = await stage(house)
    chance = random.Random(1)

    for size in range(120):
        client.udp.send(chance.randbytes(size) or b"\x80")
        client.udp.send(bytes([chance.choice([0x80, 0x90, 0x9F])]) + chance.randbytes(size))
    client.play(opus_of(1))
    await listener.wait_for_packets(1, timeout=DEADLINE)

    assert listener.packets[-1].opus == opus_of(1)


def test_the_clear_part_of_a_packet_reaches_to_its_extension() -> None:
    key = bytes(range(32))
    contributors, extension = b"\1\2\3\4", b"\xbe\xde\0\1"
    clear = struct.pack(">BBHII", 0x91, 0x78, 7, 960, 5) + contributors + extension
    sealed = nacl.secret.Aead(key).encrypt(b"ABCDopus", clear, bytes(24)).ciphertext
    packet = clear + sealed + bytes(4)

    header = RTPHeader.of(packet)

    assert (header.sequence, header.timestamp, header.ssrc) == (7, 960, 5)
    assert TransportKey(key).open(packet, header) == b"opus"


@given(st.binary(max_size=80))
def test_a_header_is_read_or_refused_whatever_comes(data: bytes) -> None:
    try:
        header = RTPHeader.of(data)
    except ValueError:
        return

    with pytest.raises(ValueError, match="sealed"):
        TransportKey(bytes(32)).open(data, header)
