"""A bare client of the voice server: aiohttp, davey and PyNaCl, and nothing of discord.py."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import av
import davey
import nacl.secret
import numpy as np
from aiohttp import web

from rehearsal.voice.connection import VoiceTicket
from rehearsal.voice.listener import Listener
from rehearsal.voice.protocol import TRANSPORT_MODE, Opcode
from rehearsal.voice.server import VoiceServer

DEADLINE = 10.0
GUILD, CHANNEL, BOT, ANNA, BEN = 100, 200, 300, 401, 402
"""Ids that serve where any would."""


class VoiceHouse:
    """A voice server on a port of its own, and the clients that came to it."""

    def __init__(self, voice: VoiceServer) -> None:
        self.voice = voice
        self.url = ""
        self._clients: list[VoiceClientForTests] = []

    def expect_bot(self, **changes: Any) -> VoiceTicket:
        place: dict[str, Any] = {"guild_id": GUILD, "channel_id": CHANNEL}
        place |= {"user_id": BOT, "session_id": "session"}
        return self.voice.expect_bot(**place | changes)

    def client(self, ticket: VoiceTicket | None = None) -> VoiceClientForTests:
        client = VoiceClientForTests(self.url, ticket or self.expect_bot())
        self._clients.append(client)
        return client

    async def human(self, user_id: int = ANNA, **place: int) -> Listener:
        place = {"guild_id": GUILD, "channel_id": CHANNEL} | place
        return await self.voice.human_joins(user_id=user_id, **place)

    async def caught_up(self, client: VoiceClientForTests) -> None:
        """Return when the client has acted on every frame and the voice server on every packet until now."""
        async with asyncio.timeout(DEADLINE):
            await self._heartbeat(client)
            while self.voice.packets.received < sum(each.packets_sent for each in self._clients):
                await self._heartbeat(client)

    async def _heartbeat(self, client: VoiceClientForTests) -> None:
        before = client.opcodes().count(Opcode.HEARTBEAT_ACK)
        await client.send(Opcode.HEARTBEAT, {"t": before, "seq_ack": client.last_sequence})
        await client.until(lambda: client.opcodes().count(Opcode.HEARTBEAT_ACK) > before)

    async def aclose(self) -> None:
        for client in self._clients:
            await client.close()


@contextlib.asynccontextmanager
async def voice_house(voice: VoiceServer | None = None) -> AsyncIterator[VoiceHouse]:
    """Open a voice server without TLS, and close it and every client afterwards."""
    house = VoiceHouse(voice or VoiceServer())
    await house.voice.start()
    app = web.Application()
    app.router.add_get("/", house.voice.websocket)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    house.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/?v=8"
    try:
        yield house
    finally:
        await house.aclose()
        await house.voice.close()
        await runner.cleanup()


def opus_of(seed: int, size: int = 60) -> bytes:
    """Return bytes that stand for one Opus frame; each seed has its own."""
    return random.Random(seed).randbytes(size)


def opus_tone(*, seconds: float, hertz: float, level: float = 0.3) -> list[bytes]:
    """Return a tone as 20 ms Opus frames, encoded by libopus."""
    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.bit_rate = 96_000
    time_axis = np.arange(round(seconds * 48_000)) / 48_000
    samples = (np.sin(2 * np.pi * hertz * time_axis) * level * 32767).astype("<i2")
    packets = []
    for start in range(0, len(samples), 960):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + 960], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, start
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return [bytes(packet) for packet in packets][: len(samples) // 960]


class VoiceClientForTests:
    """Does what discord.py does, step by step, and remembers every frame it got."""

    def __init__(self, url: str, ticket: VoiceTicket) -> None:
        self.url = url
        self.ticket = ticket
        self.frames: list[tuple[int, Any]] = []
        self.last_sequence = -1
        self.close_code: int | None = None
        self.dave: davey.DaveSession | None = None
        self.protocol_version = 0
        self.ssrc = 0
        self.discovered: tuple[str, int] | None = None
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setblocking(False)
        self.commits = True  # answers proposals
        self.announces_speaking = True
        self.ignores_upgrade = False  # as discord.py 2.7.1 does when SESSION_DESCRIPTION said version 0
        self.packets_sent = 0
        self.rtp_sequence = 0
        self.rtp_timestamp = 0
        self._counter = 0
        self._box: nacl.secret.Aead | None = None
        self._pending: dict[int, int] = {}
        self.went_over: list[int] = []
        self._changed = asyncio.Event()
        self._http_session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect the websocket and read it from now on."""
        self._http_session = aiohttp.ClientSession()
        self._socket = await self._http_session.ws_connect(self.url, compress=15)
        self.close_code = None
        self._reader = asyncio.create_task(self._read(self._socket))

    async def identify(self, **changes: Any) -> None:
        data = {
            "server_id": str(self.ticket.guild_id),
            "user_id": str(self.ticket.user_id),
            "session_id": self.ticket.session_id,
            "token": self.ticket.token,
            "max_dave_protocol_version": 1,
        }
        await self.send(Opcode.IDENTIFY, data | changes)

    async def connect(self) -> None:
        """Go all the way to the session description."""
        await self.open()
        await self.identify()
        await self.until(lambda: self._box is not None)

    async def connect_securely(self) -> None:
        """Go all the way to end-to-end encryption."""
        await self.connect()
        await self.until(lambda: self.is_ready)

    @property
    def is_ready(self) -> bool:
        return self.protocol_version > 0 and self.dave is not None and self.dave.ready

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._http_session is not None:
            await self._http_session.close()
        self.udp.close()

    async def drop(self) -> None:
        """Lose the websocket, keep everything else."""
        assert self._socket is not None and self._reader is not None and self._http_session is not None
        await self._socket.close(code=4900)
        await self._reader
        await self._http_session.close()

    async def until(self, condition: Callable[[], bool], *, timeout: float = DEADLINE) -> None:
        """Return when ``condition`` holds; it is looked at after every frame."""
        async with asyncio.timeout(timeout):
            while not condition():
                await self._changed.wait()

    async def until_closed(self) -> int:
        await self.until(lambda: self.close_code is not None)
        assert self.close_code is not None
        return self.close_code

    def opcodes(self) -> list[int]:
        return [opcode for opcode, _data in self.frames]

    def data_of(self, opcode: Opcode) -> Any:
        """Return what the last frame of this kind said."""
        return [data for each, data in self.frames if each == opcode][-1]

    async def send(self, opcode: int, data: Any) -> None:
        assert self._socket is not None
        await self._socket.send_json({"op": int(opcode), "d": data})

    async def send_binary(self, opcode: Opcode, data: bytes) -> None:
        assert self._socket is not None
        await self._socket.send_bytes(bytes([opcode]) + data)

    def seal(self, opus: bytes) -> bytes:
        """Return the packet that discord.py would send for this frame."""
        assert self._box is not None
        if self.is_ready:
            assert self.dave is not None
            opus = self.dave.encrypt_opus(opus)
        header = struct.pack(">BBHII", 0x80, 0x78, self.rtp_sequence, self.rtp_timestamp, self.ssrc)
        counter = struct.pack(">I", self._counter)
        sealed = self._box.encrypt(opus, header, counter.ljust(24, b"\0")).ciphertext
        self._counter += 1
        self.rtp_sequence = (self.rtp_sequence + 1) & 0xFFFF
        self.rtp_timestamp = (self.rtp_timestamp + 960) & 0xFFFFFFFF
        return header + sealed + counter

    def play(self, *frames: bytes) -> None:
        """Send these frames at once."""
        for frame in frames:
            self.udp.send(self.seal(frame))
        self.packets_sent += len(frames)

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in websocket:
            if message.type is aiohttp.WSMsgType.TEXT:
                frame = message.json()
                self.last_sequence = frame.get("seq", self.last_sequence)
                self.frames.append((frame["op"], frame["d"]))
                self._wake()
                await self._json(frame["op"], frame["d"])
            else:
                self.last_sequence = struct.unpack_from(">H", message.data)[0]
                self.frames.append((message.data[2], message.data[3:]))
                await self._binary(message.data[2], message.data[3:])
            self._wake()
        self.close_code = websocket.close_code
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _json(self, opcode: int, data: Any) -> None:
        if opcode == Opcode.READY:
            self.ssrc = data["ssrc"]
            self.udp.connect((data["ip"], data["port"]))
            ip, port = self.discovered = await self._discover()
            place = {"address": ip, "port": port, "mode": TRANSPORT_MODE}
            await self.send(Opcode.SELECT_PROTOCOL, {"protocol": "udp", "data": place})
        elif opcode == Opcode.SESSION_DESCRIPTION:
            self._box = nacl.secret.Aead(bytes(data["secret_key"]))
            self.protocol_version = data["dave_protocol_version"]
            if self.protocol_version:
                await self._new_group()
            if self.announces_speaking:
                await self.send(Opcode.SPEAKING, {"speaking": 0, "delay": 0, "ssrc": self.ssrc})
        elif opcode == Opcode.PREPARE_EPOCH and data["epoch"] == 1 and not self.ignores_upgrade:
            self.protocol_version = data["protocol_version"]
            await self._new_group()
        elif opcode == Opcode.PREPARE_TRANSITION:
            self._pending[data["transition_id"]] = data["protocol_version"]
            if data["transition_id"] == 0:
                self.protocol_version = self._pending.pop(0)
            else:
                await self.send(Opcode.TRANSITION_READY, {"transition_id": data["transition_id"]})
        elif opcode == Opcode.EXECUTE_TRANSITION:
            self.protocol_version = self._pending.pop(data["transition_id"], self.protocol_version)

    async def _discover(self) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        self.udp.send(struct.pack(">HHI66x", 1, 70, self.ssrc))
        answer = await asyncio.wait_for(loop.sock_recv(self.udp, 2048), DEADLINE)
        assert len(answer) == 74
        return answer[8 : answer.index(0, 8)].decode(), struct.unpack_from(">H", answer, 72)[0]

    async def _new_group(self) -> None:
        if self.dave is None:
            self.dave = davey.DaveSession(1, self.ticket.user_id, self.ticket.channel_id)
        else:
            self.dave.reinit(1, self.ticket.user_id, self.ticket.channel_id)
        await self.send_binary(Opcode.KEY_PACKAGE, self.dave.get_serialized_key_package())

    async def _binary(self, opcode: int, data: bytes) -> None:
        if self.dave is None:
            return
        if opcode == Opcode.EXTERNAL_SENDER:
            self.dave.set_external_sender(data)
        elif opcode == Opcode.PROPOSALS and self.commits:
            assert data[0] == 0
            answer = self.dave.process_proposals(davey.ProposalsOperationType.append, data[1:])
            if answer is not None:
                await self.send_binary(Opcode.COMMIT_WELCOME, answer.commit + (answer.welcome or b""))
        elif opcode in (Opcode.ANNOUNCE_COMMIT, Opcode.WELCOME):
            await self._go_over(opcode, struct.unpack_from(">H", data)[0], data[2:])

    async def _go_over(self, opcode: int, transition_id: int, message: bytes) -> None:
        assert self.dave is not None
        self.went_over.append(transition_id)
        try:
            if opcode == Opcode.WELCOME:
                self.dave.process_welcome(message)
            else:
                self.dave.process_commit(message)
        except ValueError:
            await self.send(Opcode.INVALID_COMMIT_WELCOME, {"transition_id": transition_id})
            await self._new_group()
            return
        if transition_id != 0:  # a new group is in force at once
            self._pending[transition_id] = self.protocol_version
            await self.send(Opcode.TRANSITION_READY, {"transition_id": transition_id})


async def stage(house: VoiceHouse) -> VoiceClientForTests:
    """Return a client in a call without end-to-end encryption that may be heard already."""
    client = house.client(house.expect_bot(encrypted=False))
    await client.connect()
    await house.caught_up(client)
    return client
