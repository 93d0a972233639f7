"""Our voice client: discord.py's, with its faults of 2.7.1 cured (see also voice_connection.py).

Leans on private names of discord.py==2.7.1 (`create_connection_state`, `_connection`,
`Client._connection._get_voice_client`), which is why that release is pinned exactly.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import discord

from bot.errors import PlaybackError
from bot.playback.permissions import VoiceChannelLike, listeners_in
from bot.playback.scheduler import FrameScheduler
from bot.playback.transmitter import Transmitter
from bot.playback.voice_connection import LEAVE_SECONDS, SpeechConnectionState

log = logging.getLogger(__name__)


SECURE_SECONDS: Final = 3.0
"""How long speech waits for the exchange of keys; it takes a few round trips to the listeners."""


_SCHEDULER: Final = FrameScheduler()
"""Sends the frames of all connections; its thread lives while there is something to send."""


class SpeechVoiceClient(discord.VoiceClient):
    """A voice connection that only speaks: always deafened, and it ends cleanly.

    It has no thread of its own for playing: ``scheduler`` sends the frames of all connections.
    """

    scheduler = _SCHEDULER
    _connection: SpeechConnectionState

    def __init__(self, client: discord.Client, channel: discord.abc.Connectable) -> None:
        self._ended = False
        self._on_ended: list[Callable[[], None]] = []
        self._cleaned = asyncio.Event()
        self._leaving: asyncio.Task[None] | None = None
        super().__init__(client, channel)
        self._transmitter = Transmitter(self, self.scheduler, heard_again=self._heard_again)

    def create_connection_state(self) -> SpeechConnectionState:
        """Return the state with the cures."""
        return SpeechConnectionState(self, removed=self._end)

    @property
    def was_removed(self) -> bool:
        """Whether somebody else took us out of voice."""
        return self._connection.was_removed

    @property
    def is_limited(self) -> bool:
        """Whether Discord limits our voice connections (close code 4021)."""
        return self._connection.is_limited

    async def connect(
        self, *, reconnect: bool, timeout: float, self_deaf: bool = True, self_mute: bool = False
    ) -> None:
        """Connect within ``timeout`` seconds, or leave nothing behind."""
        try:
            await super().connect(reconnect=reconnect, timeout=timeout, self_deaf=True, self_mute=self_mute)
        except BaseException:
            # After a cancelled connect the library keeps this client registered ("Already connected")
            # and the bot in the channel. We go on only when Discord has seen us leave.
            await self.disconnect(force=True)
            raise

    async def disconnect(self, *, force: bool = False) -> None:
        """Leave the voice channel; over after `LEAVE_SECONDS` at the latest, raises nothing."""
        if self._leaving is None:
            self._leaving = self.loop.create_task(self._leave(), name=f"leave-voice-{self.guild.id}")
        await asyncio.shield(self._leaving)

    async def _leave(self) -> None:
        removed = self._ended  # then the library is leaving already, and nobody will confirm ours
        self._end()
        leaving = self._cleaned.wait() if removed else super().disconnect(force=True)
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await leaving
        except TimeoutError:
            log.warning("leaving voice in guild %s was not confirmed", self.guild.id)
        finally:
            self.cleanup()

    def cleanup(self) -> None:
        """Take this client out of the library's books; a newer one of the same guild stays in them."""
        if self.client._connection._get_voice_client(self.guild.id) is self:
            super().cleanup()
        self._cleaned.set()
        self._end()

    def on_ended(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` in the event loop when the connection is gone for good."""
        if self._ended:
            callback()
        else:
            self._on_ended.append(callback)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            for callback in self._on_ended:
                callback()

    def play(
        self,
        source: discord.AudioSource,
        *,
        after: Callable[[Exception | None], Any] | None = None,
        **encoder: Any,
    ) -> None:
        """Start playing ``source``; something paused is stopped. ``after`` is called from another thread.

        Raises `discord.ClientException` if not connected, or if playing; `TypeError` if ``source`` has to
        be encoded first, as ``encoder`` would say how: that would make everybody else's sound late.
        """
        if not self.is_connected():
            raise discord.ClientException("Not connected to voice.")
        if self.is_playing():
            raise discord.ClientException("Already playing audio.")
        if not isinstance(source, discord.AudioSource) or not source.is_opus():
            raise TypeError("only a source of Opus frames can be played")
        # The library forgets what is paused, and its thread waits for ever.
        self._transmitter.play(source, after)

    def stop(self) -> None:
        """Stop playing; ``after`` is still called."""
        self._transmitter.stop()

    def pause(self) -> None:
        """Stop taking frames until `resume`."""
        self._transmitter.pause()

    def resume(self) -> None:
        """Go on with what is paused."""
        self._transmitter.resume()

    def is_playing(self) -> bool:
        """Return whether something is being played and not paused."""
        playing = self._transmitter.playing
        return playing is not None and not playing.paused

    def is_paused(self) -> bool:
        """Return whether something is paused."""
        playing = self._transmitter.playing
        return playing is not None and playing.paused

    async def _heard_again(self) -> bool:
        """Wait for the end of a reconnect or move; return False if that is not to be.

        The keys of the end-to-end encryption are missing after it as well.
        """
        deadline = self.loop.time() + self.timeout
        while not self._ended:
            if not await self.wait_until_open(deadline - self.loop.time()):
                break
            await self.wait_until_secure(SECURE_SECONDS)
            if self.is_connected():
                return True
        return False

    async def wait_until_open(self, timeout: float) -> bool:
        """Wait until we are connected, ``timeout`` seconds at most; return whether we are."""
        return await self._connection.wait_for(self.is_connected, timeout)

    async def wait_until_secure(self, timeout: float) -> bool:
        """Wait until listeners can decrypt us, ``timeout`` seconds at most; return whether they can.

        `connect` returns before the keys are exchanged, and until then the library sends in clear,
        which listeners discard. Alone there is nobody to exchange keys with, so there is nothing to
        wait for; nor with protocol version 0 (stages), which has no end-to-end encryption.
        """
        return await self._connection.wait_for(self._is_secure, timeout)

    def _is_secure(self) -> bool:
        if not listeners_in(self.channel):
            return True
        connection = self._connection
        return connection.is_connected() and (connection.dave_protocol_version == 0 or connection.can_encrypt)


async def join(channel: VoiceChannelLike, timeout: float) -> SpeechVoiceClient:
    """Return a connection to ``channel``, made within ``timeout`` seconds. Raises `PlaybackError`.

    On a stage we also step out of the audience.
    """
    known = channel._state.get_channel(channel.id)  # after a new session the library has new objects
    if not isinstance(known, discord.VoiceChannel | discord.StageChannel):
        raise PlaybackError("the voice channel is gone")
    channel = known
    left_over = channel.guild.voice_client
    if left_over is not None:  # of a connection whose end we were not told
        await left_over.disconnect(force=True)
    try:
        client = await channel.connect(cls=SpeechVoiceClient, timeout=timeout, reconnect=True, self_deaf=True)
    except PlaybackError:
        raise
    except TimeoutError as error:
        raise PlaybackError(f"no voice connection within {timeout:g} s") from error
    except Exception as error:  # websocket, socket and library errors; RuntimeError: PyNaCl or davey missing
        raise PlaybackError(f"no voice connection: {type(error).__name__}: {error}") from error
    if isinstance(channel, discord.StageChannel):
        await _step_up(channel, client)
    return client


async def _step_up(channel: discord.StageChannel, client: SpeechVoiceClient) -> None:
    try:
        await channel.guild.me.edit(suppress=False)
    except discord.HTTPException as error:
        await client.disconnect(force=True)
        raise PlaybackError(f"not allowed to speak on the stage: {error}") from error
