"""One call: the bot's connection to it, the humans who listen, and the group that encrypts for them."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast

from rehearsal.events import Outbox
from rehearsal.voice.dave import DaveGroup, PersonDave, split_commit
from rehearsal.voice.listener import Listener
from rehearsal.voice.protocol import (
    DAVE_VERSION,
    TRANSPORT_MODE,
    CloseCode,
    Opcode,
    RTPHeader,
    TransportKey,
    VoiceFaults,
)


def json_frame(opcode: Opcode, data: object, sequence: int | None = None) -> str:
    """Return a text frame; ``sequence`` is what the client acknowledges in its heartbeats."""
    frame: dict[str, object] = {"op": int(opcode), "d": data}
    if sequence is not None:
        frame["seq"] = sequence
    return json.dumps(frame)


def binary_frame(opcode: Opcode, data: bytes, sequence: int) -> bytes:
    """Return a binary frame of the MLS exchange."""
    return struct.pack(">HB", sequence, opcode) + data


log = logging.getLogger(__name__)

PacketReceiver = Callable[[bytes, RTPHeader], None]

_DISCOVERY_BYTES: Final = 74
_DISCOVERY_REQUEST: Final = 1
_DISCOVERY_ANSWER: Final = 2
_RECEIVE_BUFFER: Final = 4 * 1024 * 1024


class PacketSocket(asyncio.DatagramProtocol):
    """One UDP socket for all calls; every connection registers its SSRC."""

    def __init__(self, faults: VoiceFaults) -> None:
        self._faults = faults
        self._receivers: dict[int, PacketReceiver] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.address: tuple[str, int] = ("127.0.0.1", 0)
        self.received = 0  # packets of sound that arrived, lost ones included
        self.dropped = 0  # ... that `VoiceFaults.drop_every` took
        self.strangers = 0  # ... that no connection expected

    async def open(self) -> None:
        """Bind a free port of 127.0.0.1."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=self.address, family=socket.AF_INET)

    def close(self) -> None:
        """Release the port."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def register(self, ssrc: int, receiver: PacketReceiver) -> None:
        """Hand every packet of ``ssrc`` to ``receiver`` from now on."""
        self._receivers[ssrc] = receiver

    def unregister(self, ssrc: int) -> None:
        """Ignore packets of ``ssrc`` from now on."""
        self._receivers.pop(ssrc, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket; called by asyncio."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self.address = sock.getsockname()[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer IP discovery, or pass a packet on; called by asyncio."""
        if len(data) == _DISCOVERY_BYTES and struct.unpack_from(">H", data)[0] == _DISCOVERY_REQUEST:
            self._answer_discovery(data, addr)
            return
        self.received += 1
        if self._faults.drop_every and self.received % self._faults.drop_every == 0:
            self.dropped += 1
            return
        try:
            header = RTPHeader.of(data)
            receiver = self._receivers[header.ssrc]
        except (ValueError, KeyError):
            self.strangers += 1
            return
        receiver(data, header)

    def error_received(self, exc: Exception) -> None:
        """Go on: a client that closed its socket is no reason to stop; called by asyncio."""
        log.debug("the packet socket saw %s", exc)

    def _answer_discovery(self, request: bytes, addr: tuple[str, int]) -> None:
        ssrc = struct.unpack_from(">I", request, 4)[0]
        if self._faults.no_udp_answer or ssrc not in self._receivers or self._transport is None:
            return
        answer = struct.pack(">HHI64sH", _DISCOVERY_ANSWER, 70, ssrc, addr[0].encode(), addr[1])
        self._transport.sendto(answer, addr)


_RESUMABLE_FRAMES: Final = 256
"""How many frames are kept for a client that resumes; a handshake has about ten."""


class ProtocolError(Exception):
    """The client broke the protocol; its websocket ends with ``code``."""

    def __init__(self, code: CloseCode) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass(frozen=True, slots=True)
class VoiceTicket:
    """What lets the bot into one call, as the main socket tells it: VOICE_SERVER_UPDATE has
    ``token`` and ``endpoint``."""

    token: str = field(repr=False)
    endpoint: str
    guild_id: int
    channel_id: int
    user_id: int
    session_id: str
    encrypted: bool


class BotConnection:
    """A voice session of the bot. It outlives its websocket, which may be resumed."""

    def __init__(
        self, ticket: VoiceTicket, call: VoiceCall, packets: PacketSocket, faults: VoiceFaults
    ) -> None:
        self.ticket = ticket
        self.ssrc = secrets.randbelow(0xFFFF_FFFF) + 1
        self.last_acknowledged = -1
        self.unopened = 0  # packets that the transport key does not open
        self.speaking_flags: list[int] = []  # every SPEAKING the bot sent, in order
        self.is_suppressed: Callable[[], bool] = lambda: False
        self._call = call
        self._packets = packets
        self._faults = faults
        self._secret_key = secrets.token_bytes(32)
        self._key = TransportKey(self._secret_key)
        self._outbox: Outbox | None = None
        self._sequence = 0
        self._kept: deque[tuple[int, str | bytes]] = deque(maxlen=_RESUMABLE_FRAMES)
        self._joined = False
        packets.register(self.ssrc, self._packet)

    @property
    def user_id(self) -> int:
        """Return the bot's user id."""
        return self.ticket.user_id

    def attach(self, outbox: Outbox) -> None:
        """Speak to the bot through ``outbox`` from now on."""
        self._outbox = outbox

    def detach(self, outbox: Outbox) -> None:
        """Stop using ``outbox``, if it is still the one."""
        if self._outbox is outbox:
            self._outbox = None

    def greet(self) -> None:
        """Answer IDENTIFY."""
        ip, port = self._packets.address
        ready = {"ssrc": self.ssrc, "ip": ip, "port": port, "modes": [TRANSPORT_MODE], "experiments": []}
        self._send(Opcode.READY, ready)

    def resume(self, acknowledged: int) -> None:
        """Answer RESUME: everything after frame ``acknowledged`` once more."""
        if self._outbox is not None:
            for sequence, frame in self._kept:
                if sequence > acknowledged:
                    self._outbox.put(frame)
            self._outbox.put(json_frame(Opcode.RESUMED, None))

    def end(self, code: int | None) -> None:
        """End this session; its websocket is closed with ``code`` (None: left to the client)."""
        self._packets.unregister(self.ssrc)
        self._call.remove_bot(self)
        self.close_socket(code)

    def close_socket(self, code: int | None) -> None:
        """Close the websocket with ``code``; the session stays."""
        if self._outbox is not None and code is not None:
            self._outbox.put_close(code)
            self._outbox = None

    def receive_json(self, opcode: int, data: Any) -> None:
        """Act on a text frame. Raises `ProtocolError`, and `LookupError`, `TypeError` or `ValueError`

        when a field is missing or wrong.
        """
        match opcode:
            case Opcode.HEARTBEAT:
                self._heartbeat(data)
            case Opcode.SELECT_PROTOCOL:
                self._select_protocol(data)
            case Opcode.SPEAKING:
                self.speaking_flags.append(int(data["speaking"]))
            case Opcode.TRANSITION_READY:
                self._call.transition_ready(self, int(data["transition_id"]))
            case Opcode.INVALID_COMMIT_WELCOME:
                self._call.group.invalid(self)
            case Opcode.IDENTIFY | Opcode.RESUME:
                raise ProtocolError(CloseCode.ALREADY_AUTHENTICATED)
            case _:
                raise ProtocolError(CloseCode.UNKNOWN_OPCODE)

    def receive_binary(self, frame: bytes) -> None:
        """Act on a binary frame. Raises `ProtocolError`, and `LookupError` or `ValueError` on garbage."""
        opcode, data = frame[0], frame[1:]
        if opcode == Opcode.KEY_PACKAGE:
            self._call.group.key_package(self, data)
        elif opcode == Opcode.COMMIT_WELCOME:
            commit, welcome = split_commit(data)
            self._call.group.commit(self, commit, welcome)
        else:
            raise ProtocolError(CloseCode.UNKNOWN_OPCODE)

    def person_came(self, user_ids: list[int]) -> None:
        """Tell who is in the call."""
        if user_ids:
            self._send(Opcode.CLIENTS_CONNECT, {"user_ids": [str(user_id) for user_id in user_ids]})

    def person_went(self, user_id: int) -> None:
        """Tell who left."""
        self._send(Opcode.CLIENT_DISCONNECT, {"user_id": str(user_id)})

    def prepare_epoch(self, epoch: int) -> None:
        """Ask for a new group."""
        self._send(Opcode.PREPARE_EPOCH, {"protocol_version": DAVE_VERSION, "epoch": epoch})

    def prepare_transition(self, transition_id: int, version: int) -> None:
        """Tell of a change of the protocol version."""
        self._send(Opcode.PREPARE_TRANSITION, {"transition_id": transition_id, "protocol_version": version})

    def set_external_sender(self, package: bytes) -> None:
        """Tell who may propose."""
        self._send_binary(Opcode.EXTERNAL_SENDER, package)

    def consider(self, proposals: bytes) -> None:
        """Tell of proposals, in the form of an append."""
        self._send_binary(Opcode.PROPOSALS, b"\0" + proposals)

    def apply_commit(self, transition_id: int, commit: bytes) -> None:
        """Tell which commit counts."""
        self._send_binary(Opcode.ANNOUNCE_COMMIT, struct.pack(">H", transition_id) + self._spoilt(commit))

    def enter(self, transition_id: int, welcome: bytes) -> None:
        """Let the bot into the group."""
        self._send_binary(Opcode.WELCOME, struct.pack(">H", transition_id) + self._spoilt(welcome))

    def start_over(self) -> None:
        """Tell the bot that it is alone."""
        self.prepare_epoch(1)
        self.prepare_transition(0, DAVE_VERSION)

    def execute(self, transition_id: int) -> None:
        """Let the transition happen."""
        self._send(Opcode.EXECUTE_TRANSITION, {"transition_id": transition_id})

    def _heartbeat(self, data: Any) -> None:
        self.last_acknowledged = int(data.get("seq_ack", -1))
        if self._outbox is not None and not self._faults.no_heartbeat_ack:
            self._outbox.put(json_frame(Opcode.HEARTBEAT_ACK, {"t": data["t"]}))

    def _select_protocol(self, data: Any) -> None:
        if data["protocol"] != "udp":
            raise ProtocolError(CloseCode.UNKNOWN_PROTOCOL)
        if data["data"]["mode"] != TRANSPORT_MODE:
            raise ProtocolError(CloseCode.UNKNOWN_ENCRYPTION_MODE)
        if self._faults.no_session_description or self._joined:
            return
        description = {
            "mode": TRANSPORT_MODE,
            "secret_key": list(self._secret_key),
            "dave_protocol_version": self._call.version_for_bot,
            "audio_codec": "opus",
        }
        self._send(Opcode.SESSION_DESCRIPTION, description)
        self._joined = True
        self._call.add_bot(self)

    def _packet(self, packet: bytes, header: RTPHeader) -> None:
        """Pass a packet on. Discord forwards nothing before the first SPEAKING, so neither do we."""
        try:
            payload = self._key.open(packet, header)
        except ValueError:
            self.unopened += 1
            return
        if self.speaking_flags and not self.is_suppressed():
            self._call.hear(header, self.user_id, payload)

    def _spoilt(self, message: bytes) -> bytes:
        if not self._faults.invalid_commits:
            return message
        self._faults.invalid_commits -= 1
        return message[:-1] + bytes([message[-1] ^ 1])

    def _send(self, opcode: Opcode, data: object) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._keep_and_put(json_frame(opcode, data, self._sequence))

    def _send_binary(self, opcode: Opcode, data: bytes) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._keep_and_put(binary_frame(opcode, data, self._sequence))

    def _keep_and_put(self, frame: str | bytes) -> None:
        self._kept.append((self._sequence, frame))
        if self._outbox is not None:
            self._outbox.put(frame)


_DOWNGRADE: Final = 0xFFFF
"""The transition id of a fall back to version 0; the group's own ids count up from 1."""


class VoiceCall:
    """Everybody in one voice channel. Listeners get every packet of the bot."""

    def __init__(self, guild_id: int, channel_id: int, faults: VoiceFaults) -> None:
        self.guild_id = guild_id
        self.channel_id = channel_id
        self.listeners: dict[int, Listener] = {}
        self.group = DaveGroup(channel_id, faults)
        self.encrypted = True
        self._faults = faults
        self._bot: BotConnection | None = None
        self._in_clear = False  # the protocol version is 0 for the moment
        self._upgrade: asyncio.TimerHandle | None = None
        self._upgraded: asyncio.TimerHandle | None = None
        self.group.on_executed = self._transition_executed

    @property
    def is_empty(self) -> bool:
        """Return whether nobody is left."""
        return not self.listeners and self._bot is None

    @property
    def version_for_bot(self) -> int:
        """Return the protocol version that the bot's SESSION_DESCRIPTION names."""
        return DAVE_VERSION if self.encrypted and not self._faults.op4_version_zero_first else 0

    def set_encrypted(self, encrypted: bool) -> None:
        """Turn end-to-end encryption on, or off as in a stage channel."""
        if encrypted == self.encrypted:
            return
        self.encrypted = encrypted
        for listener in self.listeners.values():
            listener.encrypted = encrypted
            if encrypted:
                self.group.join(listener.dave)
            else:
                self.group.leave(listener.user_id)

    def add_listener(self, user_id: int) -> Listener:
        """Let a human in and return their ears."""
        listener = Listener(user_id, PersonDave(user_id, self.channel_id, self.group))
        listener.encrypted = self.encrypted
        self.listeners[user_id] = listener
        if self._bot is not None:
            self._bot.person_came([user_id])
        if self.encrypted:
            if self._in_clear and self._bot is not None and not self._upgrade:
                self._begin_upgrade()
            self.group.join(listener.dave)
        return listener

    def remove_listener(self, user_id: int) -> None:
        """Let a human go; they hear nothing more."""
        if self.listeners.pop(user_id, None) is None:
            return
        if self._bot is not None:
            self._bot.person_went(user_id)
            if self._faults.alone_version_zero and self.encrypted and not self.listeners:
                self._downgrade()
        self.group.leave(user_id)

    def add_bot(self, bot: BotConnection) -> None:
        """Let the bot in once it has its SESSION_DESCRIPTION."""
        self._bot = bot
        bot.person_came(list(self.listeners))
        if not self.encrypted:
            return
        if self._faults.op4_version_zero_first:
            self._in_clear = True
            loop = asyncio.get_running_loop()
            self._upgrade = loop.call_later(self._faults.upgrade_delay, self._begin_upgrade)
        else:
            self.group.join(bot)

    def remove_bot(self, bot: BotConnection) -> None:
        """Let the bot go, if it is still this one."""
        if self._bot is not bot:
            return
        self._bot = None
        self._end_of_clear()
        self.group.leave(bot.user_id)

    def hear(self, header: RTPHeader, sender_id: int, payload: bytes) -> None:
        """Give a packet of the bot to everyone who listens."""
        in_clear = self._in_clear or not self.encrypted
        for listener in self.listeners.values():
            listener.hear(header, sender_id, payload, in_clear=in_clear)

    def close(self) -> None:
        """Forget everybody and every callback."""
        self._end_of_clear()
        self._bot = None
        self.listeners.clear()
        self.group.close()

    def _begin_upgrade(self) -> None:
        """Go from version 0 to 1: a new epoch, and the bot may come into the group."""
        bot, self._upgrade = self._bot, None
        if bot is None:
            return
        bot.prepare_epoch(1)
        self.group.join(bot)
        loop = asyncio.get_running_loop()
        self._upgraded = loop.call_later(self._faults.transition_seconds, self._end_of_clear)

    def _downgrade(self) -> None:
        """Fall back to version 0 because nobody is left to encrypt for."""
        if self._bot is None:
            return
        self.group.leave(self._bot.user_id)
        self._in_clear = True
        self._bot.prepare_transition(_DOWNGRADE, 0)

    def transition_ready(self, bot: BotConnection, transition_id: int) -> None:
        """Take the bot's word that it can go over (23)."""
        if transition_id == _DOWNGRADE and self._in_clear:
            bot.execute(transition_id)
        else:
            self.group.ready(bot, transition_id)

    def _transition_executed(self) -> None:
        if self._bot is not None and self._bot.user_id in self.group.user_ids:
            self._end_of_clear()

    def _end_of_clear(self) -> None:
        for timer in (self._upgrade, self._upgraded):
            if timer is not None:
                timer.cancel()
        self._upgrade = self._upgraded = None
        self._in_clear = False
