"""From the ticket to the session description, and every way in which a voice websocket ends."""

from __future__ import annotations

import pytest

from rehearsal.voice.protocol import TRANSPORT_MODE, CloseCode, Opcode
from rehearsal.voice.server import VoiceServer
from tests.fakes.voice_server_client import (
    ANNA,
    BEN,
    BOT,
    CHANNEL,
    DEADLINE,
    GUILD,
    VoiceHouse,
    opus_of,
    voice_house,
)


async def test_the_handshake_goes_from_hello_to_the_session_description(house: VoiceHouse) -> None:
    client = house.client()

    await client.connect()

    assert client.opcodes()[:3] == [Opcode.HELLO, Opcode.READY, Opcode.SESSION_DESCRIPTION]
    assert client.data_of(Opcode.READY)["modes"] == [TRANSPORT_MODE]
    assert client.data_of(Opcode.SESSION_DESCRIPTION)["dave_protocol_version"] == 1
    assert len(client.data_of(Opcode.SESSION_DESCRIPTION)["secret_key"]) == 32


async def test_discovery_tells_the_client_the_address_its_packets_come_from(house: VoiceHouse) -> None:
    client = house.client()

    await client.connect()

    assert client.discovered == client.udp.getsockname()


async def test_a_stage_needs_no_end_to_end_encryption(house: VoiceHouse) -> None:
    client = house.client(house.expect_bot(encrypted=False))

    await client.open()
    await client.identify(max_dave_protocol_version=0)
    await client.until(lambda: Opcode.SESSION_DESCRIPTION in client.opcodes())

    assert client.data_of(Opcode.SESSION_DESCRIPTION)["dave_protocol_version"] == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token": "0" * 16}, CloseCode.AUTHENTICATION_FAILED),
        ({"user_id": str(BOT + 1)}, CloseCode.AUTHENTICATION_FAILED),
        ({"session_id": "another"}, CloseCode.SESSION_NO_LONGER_VALID),
        ({"server_id": str(GUILD + 1)}, CloseCode.SERVER_NOT_FOUND),
        ({"max_dave_protocol_version": 0}, CloseCode.DAVE_REQUIRED),
        ({"max_dave_protocol_version": None}, CloseCode.FAILED_TO_DECODE),
        ({"server_id": "a guild"}, CloseCode.FAILED_TO_DECODE),
    ],
)
async def test_an_identify_that_is_wrong_is_refused_with_discords_code(
    house: VoiceHouse, changes: dict[str, object], code: CloseCode
) -> None:
    client = house.client()

    await client.open()
    await client.identify(**changes)

    assert await client.until_closed() == code


async def test_whoever_does_not_identify_first_is_sent_away(house: VoiceHouse) -> None:
    client = house.client()

    await client.open()
    await client.send(Opcode.HEARTBEAT, {"t": 1, "seq_ack": -1})

    assert await client.until_closed() == CloseCode.NOT_AUTHENTICATED


@pytest.mark.parametrize(
    ("opcode", "data", "code"),
    [
        (99, {}, CloseCode.UNKNOWN_OPCODE),
        (Opcode.HEARTBEAT, 5, CloseCode.FAILED_TO_DECODE),
        (Opcode.IDENTIFY, {}, CloseCode.ALREADY_AUTHENTICATED),
        (Opcode.SELECT_PROTOCOL, {"protocol": "webrtc"}, CloseCode.UNKNOWN_PROTOCOL),
        (
            Opcode.SELECT_PROTOCOL,
            {"protocol": "udp", "data": {"mode": "aead_aes256_gcm_rtpsize"}},
            CloseCode.UNKNOWN_ENCRYPTION_MODE,
        ),
    ],
)
async def test_a_frame_that_breaks_the_protocol_ends_the_websocket(
    house: VoiceHouse, opcode: int, data: object, code: CloseCode
) -> None:
    client = house.client()
    await client.connect()

    await client.send(opcode, data)

    assert await client.until_closed() == code


async def test_garbage_in_a_commit_ends_the_websocket(house: VoiceHouse) -> None:
    client = house.client()
    await client.connect()

    await client.send_binary(Opcode.COMMIT_WELCOME, b"\0\1\0\1\7garbage")

    assert await client.until_closed() == CloseCode.FAILED_TO_DECODE


async def test_a_heartbeat_is_acknowledged_with_its_own_number(house: VoiceHouse) -> None:
    client = house.client()
    await client.connect()

    await client.send(Opcode.HEARTBEAT, {"t": 1234567, "seq_ack": 3})
    await client.until(lambda: Opcode.HEARTBEAT_ACK in client.opcodes())

    connection = house.voice.connection(GUILD)
    assert client.data_of(Opcode.HEARTBEAT_ACK) == {"t": 1234567}
    assert connection is not None
    assert connection.last_acknowledged == 3


async def test_a_client_without_a_heartbeat_is_sent_away() -> None:
    async with voice_house(VoiceServer(heartbeat_seconds=0.1)) as house:
        client = house.client()
        await client.connect()
        hello = client.data_of(Opcode.HELLO)

        code = await client.until_closed()

    assert hello == {"v": 8, "heartbeat_interval": 100}
    assert code == CloseCode.SESSION_TIMEOUT


async def test_a_client_that_resumes_gets_what_it_missed_and_keeps_its_ssrc(house: VoiceHouse) -> None:
    await house.human()
    client = house.client()
    await client.connect_securely()
    ssrc, missed_after = client.ssrc, client.last_sequence
    await client.drop()
    await house.human(BEN)

    await client.open()
    again = {"server_id": str(GUILD), "session_id": "session", "token": client.ticket.token}
    await client.send(Opcode.RESUME, again | {"seq_ack": missed_after})
    await client.until(lambda: Opcode.RESUMED in client.opcodes())

    assert client.data_of(Opcode.CLIENTS_CONNECT) == {"user_ids": [str(BEN)]}
    assert client.opcodes().count(Opcode.SESSION_DESCRIPTION) == 1
    connection = house.voice.connection(GUILD)
    assert connection is not None
    assert connection.ssrc == ssrc


async def test_a_resume_with_an_old_ticket_is_refused(house: VoiceHouse) -> None:
    client = house.client()
    await client.connect()
    await client.drop()
    await house.voice.bot_left(guild_id=GUILD)
    house.expect_bot(session_id="a later one")

    await client.open()
    again = {"server_id": str(GUILD), "session_id": "session", "token": client.ticket.token}
    await client.send(Opcode.RESUME, again | {"seq_ack": -1})

    assert await client.until_closed() == CloseCode.AUTHENTICATION_FAILED


@pytest.mark.parametrize("code", [1000, 4006, 4009, 4014, 4015, 4021, 4022])
async def test_the_bots_websocket_can_be_closed_with_any_code(house: VoiceHouse, code: int) -> None:
    client = house.client()
    await client.connect()

    await house.voice.close_bot(GUILD, code)

    assert await client.until_closed() == code


async def test_a_bot_that_left_is_disconnected_and_its_ticket_is_void(house: VoiceHouse) -> None:
    client = house.client()
    await client.connect()

    await house.voice.bot_left(guild_id=GUILD)

    assert await client.until_closed() == CloseCode.DISCONNECTED
    again = house.client(client.ticket)
    await again.open()
    await again.identify()
    assert await again.until_closed() in (CloseCode.SERVER_NOT_FOUND, CloseCode.SESSION_NO_LONGER_VALID)


async def test_a_new_ticket_ends_the_old_connection_and_its_sound(house: VoiceHouse) -> None:
    listener = await house.human()
    old = house.client()
    await old.connect_securely()

    new = house.client(house.expect_bot())
    code = await old.until_closed()
    await new.connect_securely()
    await listener.wait_until_ready(timeout=DEADLINE)
    old.play(opus_of(1))
    new.play(opus_of(2))
    await listener.wait_for_speech(timeout=DEADLINE)

    assert code == CloseCode.DISCONNECTED
    assert [packet.opus for packet in listener.packets] == [opus_of(2)]


async def test_the_bot_learns_who_comes_and_goes(house: VoiceHouse) -> None:
    await house.human(ANNA)
    client = house.client()
    await client.connect()
    await client.until(lambda: Opcode.CLIENTS_CONNECT in client.opcodes())
    present = client.data_of(Opcode.CLIENTS_CONNECT)

    await house.human(BEN)
    await house.voice.human_leaves(guild_id=GUILD, user_id=ANNA)
    await client.until(lambda: Opcode.CLIENT_DISCONNECT in client.opcodes())

    assert present == {"user_ids": [str(ANNA)]}
    assert client.data_of(Opcode.CLIENTS_CONNECT) == {"user_ids": [str(BEN)]}
    assert client.data_of(Opcode.CLIENT_DISCONNECT) == {"user_id": str(ANNA)}


async def test_a_human_is_in_one_call_of_a_guild_at_a_time(house: VoiceHouse) -> None:
    await house.human(channel_id=CHANNEL)

    await house.human(channel_id=CHANNEL + 1)

    assert ANNA not in house.voice.call(GUILD, CHANNEL).listeners
    assert ANNA in house.voice.call(GUILD, CHANNEL + 1).listeners


async def test_faults_may_be_replaced_as_a_whole(house: VoiceHouse) -> None:
    faults = type(house.voice.faults)(no_session_description=True)

    house.voice.faults = faults
    client = house.client()
    await client.open()
    await client.identify()
    await client.until(lambda: client.discovered is not None)
    await house.caught_up(client)

    assert Opcode.SESSION_DESCRIPTION not in client.opcodes()
