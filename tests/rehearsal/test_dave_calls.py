"""End-to-end encryption while people and the bot come and go: everything is heard, or it is known why not."""

from __future__ import annotations

import asyncio

from rehearsal.voice.dave import SILENCE_FRAME, Unheard
from rehearsal.voice.listener import Listener
from rehearsal.voice.protocol import Opcode
from tests.fakes.voice_server_client import (
    ANNA,
    BEN,
    CHANNEL,
    DEADLINE,
    GUILD,
    VoiceClientForTests,
    VoiceHouse,
    opus_of,
)


async def everyone_hears(house: VoiceHouse, client: VoiceClientForTests, *listeners: Listener) -> None:
    """Return when the encryption of the whole call has come to rest and a sentence was heard by all."""
    await settled(house, client)
    frames = [opus_of(seed) for seed in range(20)]
    before = [len(listener.packets) for listener in listeners]

    client.play(*frames)
    for listener, heard in zip(listeners, before, strict=True):
        await listener.wait_for_packets(heard + len(frames), timeout=DEADLINE)

    for listener, heard in zip(listeners, before, strict=True):
        assert [packet.opus for packet in listener.packets[heard:]] == frames


async def settled(house: VoiceHouse, client: VoiceClientForTests) -> None:
    group = house.voice.call(GUILD, client.ticket.channel_id).group
    async with asyncio.timeout(DEADLINE):
        while not group.is_settled:
            await house.caught_up(client)
    await house.caught_up(client)


async def test_a_bot_that_joins_one_human_is_heard_from_the_first_frame(house: VoiceHouse) -> None:
    anna = await house.human(ANNA)
    client = house.client()

    await client.connect_securely()

    await everyone_hears(house, client, anna)
    assert anna.undecryptable == 0


async def test_a_bot_that_joins_two_humans_is_heard_by_both(house: VoiceHouse) -> None:
    anna, ben = await house.human(ANNA), await house.human(BEN)
    client = house.client()

    await client.connect_securely()

    await everyone_hears(house, client, anna, ben)
    assert anna.privacy_code == ben.privacy_code is not None
    assert client.dave is not None
    assert client.dave.voice_privacy_code == anna.privacy_code


async def test_a_new_group_begins_without_a_word_and_whoever_comes_later_is_waited_for(
    house: VoiceHouse,
) -> None:
    await house.human(ANNA)
    client = house.client()
    await client.connect_securely()
    await settled(house, client)
    at_the_start = client.opcodes()

    ben = await house.human(BEN)
    await everyone_hears(house, client, ben)

    assert Opcode.WELCOME in at_the_start or Opcode.ANNOUNCE_COMMIT in at_the_start
    assert client.went_over[0] == 0 and Opcode.EXECUTE_TRANSITION not in at_the_start
    assert len(client.went_over) == 2 and client.went_over[1] != 0
    assert client.opcodes().count(Opcode.EXECUTE_TRANSITION) == 1


async def test_a_bot_that_is_there_first_lets_the_human_in(house: VoiceHouse) -> None:
    client = house.client()
    await client.connect()
    await settled(house, client)

    anna = await house.human(ANNA)
    await anna.wait_until_ready(timeout=DEADLINE)

    await everyone_hears(house, client, anna)
    assert Opcode.PROPOSALS in client.opcodes()


async def test_bot_and_human_may_come_at_the_same_moment(house: VoiceHouse) -> None:
    client = house.client()

    connecting = asyncio.create_task(client.connect_securely())
    await client.until(lambda: Opcode.READY in client.opcodes())
    anna = await house.human(ANNA)
    await connecting

    await everyone_hears(house, client, anna)


async def test_a_bot_that_is_alone_is_not_ready_and_its_sound_is_in_the_clear(house: VoiceHouse) -> None:
    client = house.client()
    await client.connect()
    await settled(house, client)

    assert not client.is_ready
    assert house.voice.call(GUILD, CHANNEL).group.epoch == 0


async def test_a_human_who_leaves_and_returns_hears_the_bot_again(house: VoiceHouse) -> None:
    anna = await house.human(ANNA)
    client = house.client()
    await client.connect_securely()
    await everyone_hears(house, client, anna)

    await house.voice.human_leaves(guild_id=GUILD, user_id=ANNA)
    await client.until(lambda: not client.is_ready)
    again = await house.human(ANNA)
    await again.wait_until_ready(timeout=DEADLINE)

    assert client.opcodes().count(Opcode.PREPARE_EPOCH) == 1
    await everyone_hears(house, client, again)
    assert len(anna.packets) == 20


async def test_a_human_who_leaves_and_returns_at_once_hears_the_bot_again(house: VoiceHouse) -> None:
    await house.human(ANNA)
    ben = await house.human(BEN)
    client = house.client()
    await client.connect_securely()

    for _time in range(3):
        await house.voice.human_leaves(guild_id=GUILD, user_id=ANNA)
        anna = await house.human(ANNA)

    await everyone_hears(house, client, anna, ben)


async def test_one_of_two_humans_may_leave_while_the_bot_plays(house: VoiceHouse) -> None:
    anna, ben = await house.human(ANNA), await house.human(BEN)
    client = house.client()
    await client.connect_securely()
    await settled(house, client)

    client.play(*(opus_of(seed) for seed in range(10)))
    await house.voice.human_leaves(guild_id=GUILD, user_id=ANNA)
    client.play(*(opus_of(seed) for seed in range(10, 20)))
    await everyone_hears(house, client, ben)

    assert ben.undecryptable == 0
    assert [packet.opus for packet in ben.packets] == [opus_of(n) for n in [*range(20), *range(20)]]
    assert len(anna.packets) <= 10


async def test_a_second_human_may_join_while_the_bot_plays(house: VoiceHouse) -> None:
    anna = await house.human(ANNA)
    client = house.client()
    await client.connect_securely()
    await settled(house, client)

    client.play(*(opus_of(seed) for seed in range(10)))
    ben = await house.human(BEN)
    client.play(*(opus_of(seed) for seed in range(10, 20)))
    await everyone_hears(house, client, anna, ben)

    assert anna.undecryptable == ben.undecryptable == 0
    assert anna.count(Unheard.TOO_EARLY) == 0
    assert len(anna.speech()) == 40
    assert ben.too_early == len(ben.packets) - len(ben.speech())


async def test_many_humans_come_and_go_and_those_who_stay_hear_everything(house: VoiceHouse) -> None:
    stays = await house.human(ANNA)
    client = house.client()
    await client.connect_securely()
    await settled(house, client)

    for user_id in range(500, 508):
        await house.human(user_id)
        client.play(opus_of(user_id))
        await house.caught_up(client)
        if user_id % 2:
            await house.voice.human_leaves(guild_id=GUILD, user_id=user_id - 1)
    await everyone_hears(house, client, stays, house.voice.call(GUILD, CHANNEL).listeners[507])

    assert stays.undecryptable == stays.too_early == 0
    assert len(stays.speech()) == 28


async def test_sound_sent_before_the_encryption_is_ready_is_lost_and_counted(house: VoiceHouse) -> None:
    house.voice.faults.mls_delay = 0.2
    anna = await house.human(ANNA)
    client = house.client()
    await client.connect()
    await house.caught_up(client)

    client.play(opus_of(1), SILENCE_FRAME, opus_of(2))
    await anna.wait_for_packets(3, timeout=DEADLINE)
    await client.until(lambda: client.is_ready)

    await everyone_hears(house, client, anna)
    assert anna.undecryptable == 2
    assert [packet.why for packet in anna.packets[:3]] == [Unheard.PLAINTEXT, None, Unheard.PLAINTEXT]
    assert anna.speech()[0].opus == opus_of(0)


async def test_a_plain_packet_in_an_encrypted_call_is_lost_even_later(house: VoiceHouse) -> None:
    anna = await house.human(ANNA)
    client = house.client()
    await client.connect_securely()
    await everyone_hears(house, client, anna)

    client.protocol_version = 0
    client.play(opus_of(5))
    await anna.wait_for_packets(21, timeout=DEADLINE)

    assert anna.packets[-1].why is Unheard.PLAINTEXT
    assert anna.undecryptable == 1


async def test_a_bot_that_identifies_anew_comes_back_into_the_group(house: VoiceHouse) -> None:
    anna, ben = await house.human(ANNA), await house.human(BEN)
    old = house.client()
    await old.connect_securely()

    new = house.client(house.expect_bot())
    await new.connect_securely()

    await everyone_hears(house, new, anna, ben)


async def test_a_bot_that_moves_to_another_call_is_heard_there(house: VoiceHouse) -> None:
    anna = await house.human(ANNA)
    ben = await house.human(BEN, channel_id=CHANNEL + 1)
    first = house.client()
    await first.connect_securely()
    await everyone_hears(house, first, anna)

    second = house.client(house.expect_bot(channel_id=CHANNEL + 1))
    await second.connect_securely()

    await everyone_hears(house, second, ben)
    assert len(anna.packets) == 20


async def test_a_call_that_becomes_a_stage_and_back_is_heard_both_times(house: VoiceHouse) -> None:
    anna = await house.human(ANNA)
    on_stage = house.client(house.expect_bot(encrypted=False))
    await on_stage.connect()
    await house.caught_up(on_stage)
    on_stage.play(opus_of(1))
    await anna.wait_for_speech(timeout=DEADLINE)

    encrypted = house.client(house.expect_bot(encrypted=True))
    await encrypted.connect_securely()

    await everyone_hears(house, encrypted, anna)
    assert anna.undecryptable == 0
