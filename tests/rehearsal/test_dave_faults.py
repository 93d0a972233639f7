"""Each fault of the encryption does what it says, and a client that does its part recovers."""

from __future__ import annotations

import time

import pytest

from rehearsal.voice.dave import Unheard
from rehearsal.voice.protocol import Opcode
from tests.fakes.voice_server_client import (
    ANNA,
    BEN,
    CHANNEL,
    DEADLINE,
    GUILD,
    VoiceHouse,
    opus_of,
)
from tests.rehearsal.test_dave_calls import everyone_hears, settled


async def test_the_mls_exchange_can_be_delayed(house: VoiceHouse) -> None:
    house.voice.faults.mls_delay = 0.3
    await house.human(ANNA)
    client = house.client()
    await client.connect()
    connected = time.monotonic()

    await client.until(lambda: client.is_ready)

    assert time.monotonic() - connected >= 0.25


async def test_a_client_that_starts_at_version_zero_is_upgraded(house: VoiceHouse) -> None:
    house.voice.faults.op4_version_zero_first = True
    anna = await house.human(ANNA)
    client = house.client()

    await client.connect()
    described = client.data_of(Opcode.SESSION_DESCRIPTION)
    await client.until(lambda: client.is_ready)

    assert described["dave_protocol_version"] == 0
    assert client.data_of(Opcode.PREPARE_EPOCH) == {"protocol_version": 1, "epoch": 1}
    await everyone_hears(house, client, anna)
    assert anna.undecryptable == 0


async def test_before_the_upgrade_sound_in_the_clear_is_heard(house: VoiceHouse) -> None:
    house.voice.faults.op4_version_zero_first = True
    house.voice.faults.upgrade_delay = 0.3
    anna = await house.human(ANNA)
    client = house.client()
    await client.connect()
    await house.caught_up(client)

    client.play(opus_of(7))
    await anna.wait_for_speech(timeout=DEADLINE)
    await client.until(lambda: client.is_ready)

    await everyone_hears(house, client, anna)
    assert anna.packets[0].opus == opus_of(7)
    assert anna.undecryptable == 0


async def test_a_client_that_ignores_the_upgrade_is_not_heard_any_more(house: VoiceHouse) -> None:
    house.voice.faults.op4_version_zero_first = True
    house.voice.faults.transition_seconds = 0.1
    anna = await house.human(ANNA)
    client = house.client()
    client.ignores_upgrade = True
    await client.connect()
    await client.until(lambda: Opcode.PREPARE_EPOCH in client.opcodes())

    async def first_loss() -> int:
        while not anna.undecryptable:
            client.play(opus_of(1))
            await house.caught_up(client)
        return len(anna.packets)

    await first_loss()
    heard = len(anna.packets)
    client.play(opus_of(2), opus_of(3))
    await anna.wait_for_packets(heard + 2, timeout=DEADLINE)

    assert {packet.why for packet in anna.packets[heard:]} == {Unheard.PLAINTEXT}


@pytest.mark.parametrize("humans", [(ANNA,), (ANNA, BEN)])
async def test_a_bot_whose_welcome_makes_no_sense_is_let_in_again(
    house: VoiceHouse, humans: tuple[int, ...]
) -> None:
    listeners = [await house.human(user_id) for user_id in humans]
    house.voice.faults.invalid_commits = 1
    client = house.client()

    await client.connect_securely()

    await everyone_hears(house, client, *listeners)
    assert client.opcodes().count(Opcode.WELCOME) == 2
    assert house.voice.faults.invalid_commits == 0


async def test_a_bot_that_misses_a_commit_is_let_in_again(house: VoiceHouse) -> None:
    anna = await house.human(ANNA)
    client = house.client()
    await client.connect_securely()
    await settled(house, client)
    house.voice.faults.invalid_commits = 1

    ben = await house.human(BEN)
    await client.until(lambda: client.opcodes().count(Opcode.WELCOME) == 2)

    await everyone_hears(house, client, anna, ben)


async def test_a_bot_that_never_commits_does_not_hold_up_the_others(house: VoiceHouse) -> None:
    anna = await house.human(ANNA)
    client = house.client()
    client.commits = False
    await client.connect_securely()

    ben = await house.human(BEN)
    await ben.wait_until_ready(timeout=DEADLINE)

    await everyone_hears(house, client, anna, ben)


async def test_a_call_that_falls_back_to_version_zero_comes_back_with_the_next_human(
    house: VoiceHouse,
) -> None:
    house.voice.faults.alone_version_zero = True
    anna = await house.human(ANNA)
    client = house.client()
    await client.connect_securely()
    await everyone_hears(house, client, anna)

    await house.voice.human_leaves(guild_id=GUILD, user_id=ANNA)
    await client.until(lambda: client.protocol_version == 0)
    again = await house.human(ANNA)
    await again.wait_until_ready(timeout=DEADLINE)

    await everyone_hears(house, client, again)
    assert client.data_of(Opcode.PREPARE_TRANSITION)["protocol_version"] == 0


async def test_a_human_who_goes_while_the_bot_waits_leaves_the_bot_alone(house: VoiceHouse) -> None:
    house.voice.faults.mls_delay = 0.2
    await house.human(ANNA)
    client = house.client()
    await client.connect()
    await house.caught_up(client)

    await house.voice.human_leaves(guild_id=GUILD, user_id=ANNA)
    await client.until(lambda: Opcode.PREPARE_EPOCH in client.opcodes())
    house.voice.faults.mls_delay = 0.0
    anna = await house.human(ANNA)

    await everyone_hears(house, client, anna)
    assert house.voice.call(GUILD, CHANNEL).group.user_ids == {client.ticket.user_id, ANNA}
