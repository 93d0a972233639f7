"""One guild's queue, and the task that speaks it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import discord

from bot.errors import MemberError
from bot.limits import MAX_QUEUED_SECONDS, MAX_UTTERANCES_PER_GUILD, MAX_UTTERANCES_PER_MEMBER
from bot.playback.audience import VoiceRoom
from bot.playback.connection import VoiceConnection
from bot.playback.frames import OpusFrames
from bot.playback.utterance import Outcome, Utterance, UtteranceState
from bot.playback.voice_client import SECURE_SECONDS

log = logging.getLogger(__name__)

STALLED_SECONDS: Final = 10.0
"""Without a frame for this long a connection is given up; a reconnect of the library takes 1 to 4 s."""


class GuildPlayer:
    """Says the utterances of one guild, one after the other, in the order they were reserved.

    One that is still being made never holds up one that is ready. Made by `GuildPlayers.join`, which
    owns the connection and replaces it when ``stalled`` is called.
    """

    def __init__(
        self,
        connection: VoiceConnection,
        *,
        stalled: Callable[[GuildPlayer], Awaitable[None]],
        stalled_seconds: float = STALLED_SECONDS,
        secure_seconds: float = SECURE_SECONDS,
    ) -> None:
        self.guild_id = connection.channel.guild.id
        self._connection: VoiceConnection | None = connection
        self._channel = connection.channel
        self._stalled = stalled
        self._stalled_seconds = stalled_seconds
        self._secure_seconds = secure_seconds
        self._ids = itertools.count(1)
        self._queue: list[Utterance] = []
        self._playing: Utterance | None = None
        self._closed = False
        self._news = asyncio.Event()
        self._worker = asyncio.create_task(self._work(), name=f"player-{self.guild_id}")

    @property
    def channel(self) -> VoiceRoom | None:
        """Where it speaks now; None once it has left."""
        if self._closed:
            return None
        return self._channel if self._connection is None else self._connection.channel

    @property
    def connection(self) -> VoiceConnection | None:
        """The connection it speaks through; None while that is being replaced."""
        return self._connection

    def reserve(self, *, member_id: int, title: str) -> Utterance:
        """Return a place in the queue, to be supplied with sound later.

        Raises `MemberError` when the member, the guild or the waiting sound is at its limit.
        """
        if self._closed:
            raise MemberError("I have just left the voice channel. Ask me once more.")
        if sum(utterance.member_id == member_id for utterance in self._queue) >= MAX_UTTERANCES_PER_MEMBER:
            raise MemberError(
                f"You already have {MAX_UTTERANCES_PER_MEMBER} things waiting here. "
                "Wait until one of them has been said, or skip one."
            )
        seconds = sum(utterance.seconds or 0.0 for utterance in self._queue)
        if len(self._queue) >= MAX_UTTERANCES_PER_GUILD or seconds >= MAX_QUEUED_SECONDS:
            raise MemberError("The queue here is full. Wait a moment, or stop what is waiting.")
        utterance = Utterance(next(self._ids), member_id=member_id, title=title, changed=self._take_note)
        self._queue.append(utterance)
        return utterance

    def position(self, utterance: Utterance) -> int:
        """Return how many are ahead of ``utterance``; 0 as well when it is over."""
        queue = self.utterances()
        return queue.index(utterance) if utterance in queue else 0

    def utterances(self) -> list[Utterance]:
        """Return what is being played, then what waits in the order of its reservation."""
        playing = self._playing
        return sorted(self._queue, key=lambda utterance: utterance is not playing)

    def skip(self) -> Utterance | None:
        """Drop what is being played, or else what is next; return it, or None if there is nothing."""
        queue = self.utterances()
        if not queue:
            return None
        queue[0].end(Outcome.SKIPPED)
        return queue[0]

    def stop(self, *, member_id: int | None = None) -> int:
        """Drop everything, or only what ``member_id`` asked for; return how many that were."""
        dropped = [entry for entry in self.utterances() if member_id in (None, entry.member_id)]
        return _end(dropped, Outcome.STOPPED)

    def detach(self) -> VoiceConnection | None:
        """Give up the connection and return it; what is being played waits for `attach`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._channel = connection.channel
        return connection

    def attach(self, connection: VoiceConnection) -> None:
        """Go on with another connection."""
        self._connection = connection
        self._news.set()

    def close(self) -> None:
        """End for good; what is left ends as LOST."""
        self._closed = True
        _end(self.utterances(), Outcome.LOST)
        self._worker.cancel()

    async def wait_closed(self) -> None:
        """Wait until nothing of it runs any more, after `close`."""
        await asyncio.wait({self._worker})

    def _take_note(self, utterance: Utterance) -> None:
        if utterance.state is UtteranceState.DONE:
            self._queue.remove(utterance)
            if utterance is self._playing and self._connection is not None:
                self._connection.stop()
        self._news.set()

    async def _work(self) -> None:
        while not self._closed:  # the cancellation alone can be swallowed on the way (asyncio.wait_for, 3.11)
            utterance = await self._next()
            outcome = Outcome.LOST
            self._playing = utterance
            utterance.begin()
            try:
                outcome = await self._say(utterance)
            except Exception:  # the next utterances must still be said
                log.exception("utterance %d in guild %d could not be played", utterance.id, self.guild_id)
            finally:
                self._playing = None
                utterance.end(outcome)
            if outcome is Outcome.LOST:
                await self._stalled(self)

    async def _next(self) -> Utterance:
        while True:
            for utterance in self._queue:
                if utterance.state is UtteranceState.READY:
                    return utterance
            await self._wait_for_news()

    async def _wait_for_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _say(self, utterance: Utterance) -> Outcome:
        """Play ``utterance``, over more than one connection if we are moved; return how it ended."""
        source = OpusFrames(utterance.frames)
        while utterance.state is UtteranceState.PLAYING:
            connection = await self._next_connection()
            if not await self._play(connection, source, utterance):
                return Outcome.LOST
            if source.finished:
                return Outcome.PLAYED
            if connection is self._connection and utterance.state is UtteranceState.PLAYING:
                return Outcome.LOST
            source.resume()
        return utterance.outcome or Outcome.LOST

    async def _next_connection(self) -> VoiceConnection:
        while self._connection is None:
            await self._wait_for_news()
        return self._connection

    async def _play(self, connection: VoiceConnection, source: OpusFrames, utterance: Utterance) -> bool:
        """Play from ``source`` to its end, or until it is stopped; return False if nothing moves."""
        if not await connection.wait_until_open(self._stalled_seconds):
            return False
        if not await connection.wait_until_secure(self._secure_seconds):
            log.warning("guild %d: no keys for end-to-end encryption yet; speaking anyway", self.guild_id)
        if utterance.state is not UtteranceState.PLAYING:
            return True
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def finish(error: Exception | None) -> None:
            if error is not None:
                log.error("playing in guild %d failed: %r", self.guild_id, error)
            if not ended.done():
                ended.set_result(None)

        def after(error: Exception | None) -> None:  # in the audio thread
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
                loop.call_soon_threadsafe(finish, error)

        try:
            connection.play(source, after=after)
        except discord.ClientException as error:  # it was lost meanwhile
            log.warning("guild %d: cannot play: %s", self.guild_id, error)
            return False
        try:
            return await self._watch(ended, source)
        finally:
            if not ended.done():
                connection.stop()

    async def _watch(self, ended: asyncio.Future[None], source: OpusFrames) -> bool:
        """Wait for the end; return False if no frame is taken for too long."""
        loop = asyncio.get_running_loop()
        taken, since = source.taken, loop.time()
        while not ended.done():
            if source.taken != taken:
                taken, since = source.taken, loop.time()
            elif loop.time() - since >= self._stalled_seconds:
                log.warning("guild %d: no frame was sent for %.1f s", self.guild_id, loop.time() - since)
                return False
            await asyncio.wait({ended}, timeout=self._stalled_seconds / 4)
        return True


def _end(utterances: list[Utterance], outcome: Outcome) -> int:
    for utterance in utterances:
        utterance.end(outcome)
    return len(utterances)
