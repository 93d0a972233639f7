"""Transmitter: what one voice connection sends every 20 ms, sealed, and when it falls silent.

The scheduler's thread sends up to hundreds of packets in a row. Sealing one takes two microseconds, handing
it to the kernel as well, and neither waits; yet PyNaCl and `socket.send` release the GIL for it. Any other
thread that wants it takes it then, and may keep it for 5 ms, twice per packet. The same two C functions,
called through `ctypes.PyDLL`, keep it where the platform allows it.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import functools
import logging
import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

import davey
import discord
from discord.enums import SpeakingState
from discord.voice_state import ConnectionFlowState

from bot.playback.queue import SILENCE
from bot.playback.scheduler import FrameScheduler

try:
    from nacl import _sodium as sodium
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as seal_as_reference
except ImportError:  # another build of PyNaCl: every packet takes the library's way
    sodium = None

log = logging.getLogger(__name__)

After = Callable[[Exception | None], Any]


class ActiveSource:
    """One source on its way. ``after`` is called once, in the scheduler's thread, and must not wait."""

    def __init__(self, source: discord.AudioSource, after: After | None) -> None:
        self.source = source
        self.paused = False
        self.over = False
        self._is_ended = False
        self._after = after

    @property
    def is_active(self) -> bool:
        """Return whether its frames are to be sent now."""
        return not self.paused and not self.over

    def end(self, error: Exception | None) -> None:
        """Call ``after``; only the first end counts."""
        if self._is_ended:
            return
        self.over = self._is_ended = True
        if self._after is None and error is not None:
            log.error("playing failed", exc_info=error)
        try:
            if self._after is not None:
                self._after(error)
        except Exception:
            log.exception("the end of playing could not be told")
        self.source.cleanup()


CLOSING_FRAMES: Final = 5
"""Frames of silence after speech: without them a listener's decoder invents a continuation (Discord's
voice documentation, "Voice Data Interpolation")."""

_CONNECTED: Final = ConnectionFlowState.connected


class Transmitter:
    """Sends what one voice client plays, on the scheduler's beat.

    `play`, `stop`, `pause` and `resume` belong to the event loop, `tick` and `fail` to the scheduler's
    thread. ``heard_again`` is awaited when the connection was lost, or has other keys than before: its
    result is whether to go on. Meanwhile nothing is taken from the source.
    """

    def __init__(
        self,
        client: discord.VoiceClient,
        scheduler: FrameScheduler,
        *,
        heard_again: Callable[[], Awaitable[bool]],
    ) -> None:
        self._client = client
        self._state = client._connection
        self._scheduler = scheduler
        self._heard_again = heard_again
        self._writer = PacketWriter(client)
        self._playing: ActiveSource | None = None
        self._current: ActiveSource  # of the scheduler's thread: what it takes frames from
        self._news = True  # whether anything but the next frame may be due
        self._stopped: deque[ActiveSource] = deque()
        self._silence_left = 0
        self._key: object = None  # of the connection that we know to be heard
        self._encrypting = False
        self._waiting: asyncio.Task[bool] | None = None
        self._is_waiting = False
        self._is_lost = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def playing(self) -> ActiveSource | None:
        """What is being played, paused or not; None when there is nothing."""
        playing = self._playing
        return None if playing is None or playing.over else playing

    def play(self, source: discord.AudioSource, after: After | None) -> None:
        """Send ``source`` from now on, in place of what was played."""
        self.stop()
        self._is_lost = False
        self._note_connection()
        self._playing = ActiveSource(source, after)
        self._news = True
        self._begin(self._start_speaking())

    def stop(self) -> None:
        """End what is played; its ``after`` is called within 20 ms."""
        playing, self._playing = self._playing, None
        if playing is None or playing.over:
            return
        playing.over = True
        self._stopped.append(playing)
        self._news = True
        if self._waiting is not None:
            self._waiting.cancel()
        self._scheduler.add(self)

    def pause(self) -> None:
        """Send nothing of it until `resume`."""
        playing = self.playing
        if playing is not None:
            playing.paused = True
            self._news = True

    def resume(self) -> None:
        """Go on where it was paused."""
        playing = self.playing
        if playing is not None and playing.paused:
            playing.paused = False
            self._begin(self._start_speaking())

    def tick(self) -> bool:
        """Send the 20 ms that are due; return False when nothing is due until something changes.

        Most calls send the next frame over a connection that is as it was: they look at nothing twice.
        """
        if self._news and not self._take_in_news():
            return self._fall_silent()
        state = self._state
        session = state.dave_session
        if session is not None and not (state.dave_protocol_version and session.ready):
            session = None
        if state.secret_key is not self._key or state._state is not _CONNECTED:
            return self._wait_until_heard()
        if (session is None) is self._encrypting:
            self._encrypting = session is not None
            if session is None and state.dave_protocol_version:
                return self._wait_until_heard()
        try:
            frame = self._current.source.read()
            if frame:
                self._writer.send(frame, session)
                return True
        except Exception as error:  # whatever it is, it ends this source and no other
            self._current.end(error)
        else:
            self._current.end(None)
        self._news = True
        return self._fall_silent()

    def fail(self, error: Exception) -> None:
        """End what is played with ``error``."""
        self._news = True
        self._silence_left = 0
        while self._stopped:
            self._stopped.popleft().end(None)
        if self._playing is not None and not self._playing.over:
            self._playing.end(error)
        self._in_loop(self._stop_speaking)

    def _take_in_news(self) -> bool:
        """Tell those that were stopped that they are over; return whether there is a frame to send."""
        self._news = False  # first: what changes from here on is news again
        while self._stopped:
            self._stopped.popleft().end(None)
        playing = self._playing
        if playing is not None and self._is_lost and not self._is_waiting:
            playing.end(None)
        if playing is None or not playing.is_active or self._is_waiting:
            self._news = True
            return False
        self._current = playing
        self._silence_left = CLOSING_FRAMES
        return True

    def _note_connection(self) -> None:
        state = self._state
        self._key, self._encrypting = state.secret_key, state.can_encrypt

    def _fall_silent(self) -> bool:
        if self._is_waiting:
            return False
        if self._silence_left and self._client.is_connected():
            self._silence_left -= 1
            self._writer.send(SILENCE, None)  # nobody encrypts silence end to end
            if self._silence_left:
                return True
        self._silence_left = 0
        self._in_loop(self._stop_speaking)
        return False

    def _wait_until_heard(self) -> bool:
        self._news = self._is_waiting = True
        if not self._in_loop(self._begin_waiting):
            self._is_waiting = False
            self._current.end(None)
        return False

    # In the event loop:

    def _begin_waiting(self) -> None:
        if self.playing is None:
            self._is_waiting = False
            self._scheduler.add(self)
        else:
            self._waiting = self._begin(self._speak_again())
            self._waiting.add_done_callback(self._waited)

    async def _speak_again(self) -> bool:
        if not await self._heard_again():
            return False
        self._note_connection()
        await self._speak(SpeakingState.voice)
        return True

    def _waited(self, waiting: asyncio.Task[bool]) -> None:
        self._waiting = None
        if not waiting.cancelled():
            self._is_lost = waiting.exception() is not None or not waiting.result()
        self._is_waiting = False
        self._scheduler.add(self)

    async def _start_speaking(self) -> bool:
        await self._speak(SpeakingState.voice)
        self._scheduler.add(self)
        return True

    def _stop_speaking(self) -> None:
        playing = self._playing
        if not self._client.is_connected():  # nobody hears the flag, and at the end no task would run
            return
        if playing is None or not playing.is_active:
            self._begin(self._speak(SpeakingState.none))

    async def _speak(self, speaking: SpeakingState) -> bool:
        try:
            await self._client.ws.speak(speaking)
        except Exception as error:  # the websocket is closing, or there is none yet: another flag will follow
            log.debug("the speaking flag was not sent: %r", error)
            return False
        return True

    def _begin(self, coroutine: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        task = self._client.loop.create_task(coroutine, name=f"speaking-{self._client.guild.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _in_loop(self, callback: Callable[[], None]) -> bool:
        """Have ``callback`` called in the event loop; return False when that is closed."""
        try:
            self._client.loop.call_soon_threadsafe(callback)
        except RuntimeError:
            return False
        return True


MODE: Final = "aead_xchacha20_poly1305_rtpsize"
"""The transport encryption that every voice server offers (Discord's voice documentation)."""

FRAME_SAMPLES: Final = 960
"""How far the RTP clock of 48 kHz goes on in 20 ms."""

SEAL: Final = "crypto_aead_xchacha20poly1305_ietf_encrypt"
"""The function of libsodium behind `MODE`."""

_VERSION_AND_TYPE: Final = 0x8078
_NONCE_BYTES: Final = 24
_HEADER_BYTES: Final = 12
_BEFORE_PAYLOAD: Final = _NONCE_BYTES + _HEADER_BYTES
_TAG_BYTES: Final = 16
_COUNTER_BYTES: Final = 4
_AROUND_PAYLOAD: Final = _HEADER_BYTES + _TAG_BYTES + _COUNTER_BYTES
_KEY_BYTES: Final = 32
_MAX_PAYLOAD: Final = 1400
"""The largest Opus frame has 1275 bytes (RFC 6716 §3.2.1), end-to-end encryption adds about 12."""

_ROOM: Final = _NONCE_BYTES + _AROUND_PAYLOAD + _MAX_PAYLOAD
_LAST_SEQUENCE: Final = 0xFFFF
_LAST_TIMESTAMP: Final = 0xFFFF_FFFF
_LAST_NONCE: Final = 0xFFFF_FFFF

_put: Final = struct.Struct(">I20xHHII").pack_into
"""The nonce, which is a counter and zeros, and behind it the RTP header."""

_put_counter: Final = struct.Struct(">I").pack_into


class Packet(Protocol):
    """Room for one packet.

    The nonce comes first, but is not sent: of it the packet has the counter, at its end.
    """

    buffer: bytearray

    def seal(self, frame: bytes, size: int, key: bytes) -> None:
        """Encrypt the ``size`` bytes of ``frame`` to behind the header, which is authenticated with them."""

    def send(self, connection: socket.socket, size: int) -> None:
        """Send the ``size`` bytes behind the nonce. Raises `OSError` if the socket does not take them now."""


class ReleasingPacket:
    """A packet that PyNaCl seals and Python sends. Each lets other threads take the GIL."""

    def __init__(self) -> None:
        self.buffer = bytearray(_ROOM)
        self._view = memoryview(self.buffer)
        self._seal = getattr(sodium.lib, SEAL)
        self._null = sodium.ffi.NULL
        self._nonce = sodium.ffi.from_buffer(self.buffer)
        self._header = self._nonce + _NONCE_BYTES
        self._payload = self._nonce + _BEFORE_PAYLOAD

    def seal(self, frame: bytes, size: int, key: bytes) -> None:
        """Encrypt ``frame`` to behind the header."""
        null = self._null  # no length wanted, no secret nonce
        self._seal(self._payload, null, frame, size, self._header, _HEADER_BYTES, null, self._nonce, key)

    def send(self, connection: socket.socket, size: int) -> None:
        """Send ``size`` bytes."""
        connection.send(self._view[_NONCE_BYTES : _NONCE_BYTES + size])


class _Descriptor:
    """Turns a socket into the number that C knows it by, at the moment of the call.

    No other thread runs Python code between this and the call, because ctypes goes from one to the other in
    C and with the GIL. A number that was asked for before could be that of another connection by now: a
    closed socket's is given to the next one that is opened. Of a closed socket it is -1.
    """

    from_param = socket.socket.fileno


@dataclass(frozen=True, slots=True)
class NativeCalls:
    """libsodium's function that seals and the C library's that sends, called with the GIL held."""

    seal: Any
    send: Any

    def __post_init__(self) -> None:
        """Declare what they take."""
        pointer, length = ctypes.c_void_p, ctypes.c_ulonglong
        # Output, its length, message, associated data, an unused secret nonce, nonce, key.
        message, key = (ctypes.c_char_p, length), ctypes.c_char_p
        self.seal.argtypes = [pointer, pointer, *message, pointer, length, pointer, pointer, key]
        self.seal.restype = ctypes.c_int
        self.send.argtypes = [_Descriptor, pointer, ctypes.c_size_t, ctypes.c_int]
        self.send.restype = ctypes.c_ssize_t


class KeepingPacket:
    """A packet that is sealed and sent without a moment at which another thread could take the GIL."""

    def __init__(self, calls: NativeCalls) -> None:
        self.buffer = bytearray(_ROOM)
        # As long as this lives, the buffer stays where it is.
        self._pinned = (ctypes.c_char * _ROOM).from_buffer(self.buffer)
        begin = ctypes.addressof(self._pinned)
        self._seal, self._send = calls.seal, calls.send
        self._nonce = ctypes.c_void_p(begin)
        self._header = ctypes.c_void_p(begin + _NONCE_BYTES)
        self._payload = ctypes.c_void_p(begin + _BEFORE_PAYLOAD)

    def seal(self, frame: bytes, size: int, key: bytes) -> None:
        """Encrypt ``frame`` to behind the header."""
        self._seal(self._payload, None, frame, size, self._header, _HEADER_BYTES, None, self._nonce, key)

    def send(self, connection: socket.socket, size: int) -> None:
        """Send ``size`` bytes."""
        if self._send(connection, self._header, size, socket.MSG_DONTWAIT) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


def find_native_calls(library: str, *, seal: str = SEAL, send: str = "send") -> NativeCalls | None:
    """Return the calls that keep the GIL: ``seal`` of a shared ``library``, and ``send`` of the C library.

    None where there are none, or where they do other than PyNaCl and Python do: on Windows, and with builds
    of PyNaCl that show libsodium's functions to nobody else.
    """
    if sys.platform == "win32":
        return None
    try:
        calls = NativeCalls(
            getattr(ctypes.PyDLL(library), seal), getattr(ctypes.PyDLL(None, use_errno=True), send)
        )
        if _works(KeepingPacket(calls)):
            return calls
        log.warning("%s of %s, or %s, does other than PyNaCl and Python: not used", seal, library, send)
    except (AttributeError, OSError) as error:
        log.debug("no calls that keep the GIL: %s", error)
    return None


def _works(packet: KeepingPacket) -> bool:
    """Return whether ``packet`` is sealed as PyNaCl does, sent, and refused by a closed socket."""
    frame, key = b"a frame\0of sound", bytes(range(_KEY_BYTES))
    size = len(frame) + _AROUND_PAYLOAD
    _put(packet.buffer, 0, 1, _VERSION_AND_TYPE, 2, 3, 4)
    packet.seal(frame, len(frame), key)
    nonce, sent = bytes(packet.buffer[:_NONCE_BYTES]), bytes(packet.buffer[_NONCE_BYTES:][:size])
    header, behind = sent[:_HEADER_BYTES], bytes(_COUNTER_BYTES)
    if sent != header + seal_as_reference(frame, header, nonce, key) + behind:
        return False
    near, far = socket.socketpair(type=socket.SOCK_DGRAM)
    with near, far:
        far.setblocking(False)
        packet.send(near, size)
        if far.recv(_ROOM) != sent:
            return False
    try:
        packet.send(near, size)
    except OSError as error:
        return error.errno == errno.EBADF
    return False


@functools.cache
def native_calls() -> NativeCalls | None:
    """Return this process's calls that keep the GIL, tried once; None if packets are sent without them."""
    calls = None if sodium is None else find_native_calls(sodium.__file__)
    log.debug("voice packets are sent %s the GIL", "keeping" if calls else "releasing")
    return calls


def new_packet() -> Packet | None:
    """Return room for a packet of the best kind there is here; None: only the library can send."""
    calls = native_calls()
    if calls is not None:
        return KeepingPacket(calls)
    return None if sodium is None else ReleasingPacket()


class PacketWriter:
    """Sends frames as `discord.VoiceClient.send_audio_packet` does, the same bytes at a tenth of the work.

    The counters stay in the client, and the keys and the socket in its connection state, so that a
    reconnect, another key or an epoch of the end-to-end encryption count from the next frame on, and the
    library's own way can be taken at any moment. It is taken for whatever this does not know.
    """

    def __init__(self, client: discord.VoiceClient, packet: Packet | None = None) -> None:
        self._client = client
        self._state = client._connection
        self._packet = packet or new_packet()
        self._key_numbers: object = None
        self._key: bytes | None = None

    def send(self, frame: bytes, session: davey.DaveSession | None) -> None:
        """Send one Opus frame of 20 ms, encrypted by ``session``, which is the connection's if that is ready.

        If the socket does not take it now, it is dropped. Raises what the encryption raises, and
        `ValueError` when ``frame`` is longer than Opus allows.
        """
        client, state, packet = self._client, self._state, self._packet
        if state.secret_key is not self._key_numbers:
            self._take_key()
        key = self._key
        if packet is None or key is None or state.mode != MODE:
            client.send_audio_packet(frame, encode=False)
            return
        sequence, timestamp, counter = client.sequence, client.timestamp, client._incr_nonce
        client.sequence = sequence = sequence + 1 if sequence < _LAST_SEQUENCE else 0
        if session is not None:
            frame = session.encrypt_opus(frame)
        size = len(frame)
        if size > _MAX_PAYLOAD:  # libsodium writes without asking how much room there is
            raise ValueError(f"a voice packet of {size} bytes")
        client._incr_nonce = counter + 1 if counter < _LAST_NONCE else 0
        _put(packet.buffer, 0, counter, _VERSION_AND_TYPE, sequence, timestamp, state.ssrc)
        packet.seal(frame, size, key)
        size += _AROUND_PAYLOAD
        _put_counter(packet.buffer, size + _NONCE_BYTES - _COUNTER_BYTES, counter)
        try:
            packet.send(state.socket, size)
        except OSError as error:
            log.debug("voice packet %d was dropped: %s", sequence, error)
        client.timestamp = timestamp + FRAME_SAMPLES if timestamp <= _LAST_TIMESTAMP - FRAME_SAMPLES else 0

    def _take_key(self) -> None:
        """Take the key of the present connection, which every session description replaces."""
        numbers = self._state.secret_key
        is_key = isinstance(numbers, list) and len(numbers) == _KEY_BYTES
        self._key = bytes(numbers) if is_key else None
        self._key_numbers = numbers
