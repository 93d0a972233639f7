"""Player of one guild: the task that plays the queue, its volume, and what makes it pause."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Protocol

import discord

from bot.audio.opus import FrameAmplifier
from bot.audio.workers import run_realtime
from bot.errors import AudioError, MemberError
from bot.limits import FULL_VOLUME
from bot.playback.permissions import VoiceChannelLike
from bot.playback.queue import OpusFrames, Outcome, Utterance, UtteranceQueue, UtteranceState
from bot.playback.voice_client import SECURE_SECONDS


class VoiceConnection(Protocol):
    """One connection to one voice channel; it follows when Discord moves us."""

    channel: VoiceChannelLike

    def play(self, source: discord.AudioSource, *, after: Callable[[Exception | None], Any]) -> None:
        """Start taking frames from ``source``; ``after`` is called from another thread at its end.

        Raises `discord.ClientException` when it is not connected or already playing.
        """

    def stop(self) -> None:
        """Stop playing; ``after`` is still called."""

    def pause(self) -> None:
        """Take no frames until `resume`; nothing happens when nothing is played."""

    def resume(self) -> None:
        """Go on with what is paused."""

    @property
    def was_removed(self) -> bool:
        """Whether somebody else took us out of voice: a kick, or the end of the channel."""

    @property
    def is_limited(self) -> bool:
        """Whether it ended because Discord limits our voice connections."""

    def is_connected(self) -> bool:
        """Return whether frames reach Discord now."""

    async def wait_until_open(self, timeout: float) -> bool:
        """Wait until it is connected, ``timeout`` seconds at most; return whether it is."""

    async def wait_until_secure(self, timeout: float) -> bool:
        """Wait until listeners can decrypt us, ``timeout`` seconds at most; return whether they can."""

    def on_ended(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` in the event loop when the connection is gone for good."""

    async def disconnect(self, *, force: bool = False) -> None:
        """Leave the voice channel; bounded in time, raises nothing."""


Connect = Callable[[VoiceChannelLike, float], Awaitable[VoiceConnection]]
"""Joins a voice channel within so many seconds. Raises `PlaybackError`."""


class PauseReason(Enum):
    """One reason; a player goes on when there is none left."""

    ASKED = "paused"  # somebody typed /pause
    ALONE = "nobody is listening"
    SILENCED = "nobody can hear me here"  # server mute, audience of a stage, permission taken away


Remember = Callable[[int, int], None]
"""Called with a guild's id and its volume whenever that changes; it must not block."""


class Volumes:
    """By guild, in percent. ``before`` is what was set before the restart.

    Without ``remember`` it is forgotten with the process.
    """

    def __init__(
        self, before: Mapping[int, int] | None = None, *, remember: Remember = lambda *_: None
    ) -> None:
        self._percents = dict(before or {})
        self._remember = remember

    def get(self, guild_id: int | None) -> int:
        """Return the volume of a guild; the full one outside of guilds."""
        return FULL_VOLUME if guild_id is None else self._percents.get(guild_id, FULL_VOLUME)

    def learn(self, percents: Mapping[int, int]) -> None:
        """Take over what was set in servers that this process has from now on."""
        self._percents.update(percents)

    def set(self, guild_id: int, percent: int) -> None:
        """Speak at ``percent`` of the full volume, from the next sound that is made on."""
        self._percents[guild_id] = percent
        self._remember(guild_id, percent)


log = logging.getLogger(__name__)


class VolumeFilter:
    """What a maker hands the sound of ``utterance`` to, instead of the utterance itself.

    At full volume everything passes at once. Otherwise it is made softer or louder in a worker thread, and
    comes a few milliseconds later, in order.
    """

    def __init__(self, utterance: Utterance, percent: int) -> None:
        self._utterance = utterance
        self._percent = percent
        self._amplifier: FrameAmplifier | None = None
        self._waiting: list[bytes] = []
        self._working: asyncio.Task[None] | None = None

    def append(self, frames: Sequence[bytes]) -> None:
        """Hand over the next 20 ms Opus frames. Too late is no error."""
        if self._percent == FULL_VOLUME:
            self._utterance.append(frames)
            return
        self._waiting += frames
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name=f"volume-{self._utterance.id}")

    async def complete(self) -> None:
        """Note that the sound is whole, and return when all of it is in the queue."""
        if self._working is not None:
            await self._working
        if self._amplifier is not None:
            self._utterance.append(await run_realtime(self._amplifier.finish))
        self._utterance.complete()

    async def _work(self) -> None:
        if self._amplifier is None:
            self._amplifier = FrameAmplifier(self._percent / FULL_VOLUME)
        while self._waiting:
            frames, self._waiting = self._waiting, []
            try:
                frames = await run_realtime(self._amplifier.feed, frames)
            except AudioError as error:
                log.error("a sound keeps its volume: %s", error)
            self._utterance.append(frames)
        self._working = None


async def play(
    connection: VoiceConnection,
    source: OpusFrames,
    *,
    stalled_seconds: float,
    is_held: Callable[[], bool],
) -> bool:
    """Play from ``source`` to its end, or until it is stopped; return False when no frame is taken for

    ``stalled_seconds`` although ``is_held`` gives no reason for that, or when it cannot begin.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def finish(error: Exception | None) -> None:
        if error is not None:
            log.error("playing in guild %d failed: %r", connection.channel.guild.id, error)
        if not ended.done():
            ended.set_result(None)

    def after(error: Exception | None) -> None:  # in the thread that sends
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            loop.call_soon_threadsafe(finish, error)

    try:
        connection.play(source, after=after)
    except discord.ClientException as error:  # it was lost meanwhile
        log.warning("guild %d: cannot play: %s", connection.channel.guild.id, error)
        return False
    try:
        return await _watch(ended, source, stalled_seconds, is_held)
    finally:
        if not ended.done():
            connection.stop()


async def _watch(
    ended: asyncio.Future[None], source: OpusFrames, stalled_seconds: float, is_held: Callable[[], bool]
) -> bool:
    loop = asyncio.get_running_loop()
    taken, since = source.taken, loop.time()
    while not ended.done():
        if source.taken != taken or is_held():
            taken, since = source.taken, loop.time()
        elif loop.time() - since >= stalled_seconds:
            log.warning("no frame was sent for %.1f s", loop.time() - since)
            return False
        await asyncio.wait({ended}, timeout=stalled_seconds / 4)
    return True


STALLED_SECONDS: Final = 5.0
"""Without a frame for this long a connection is given up. A reconnect of the library takes 1 to 4 s, and
with the new connection nobody waits longer than 10 s."""


class GuildPlayer:
    """Says the utterances of one guild, one after the other, fairly in turn (see `UtteranceQueue`).

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
        self._queue = UtteranceQueue()
        self._source: OpusFrames | None = None
        self._holds: set[PauseReason] = set()
        self.stops = 0
        """How often everything was dropped, whoever had asked for it."""
        self.also_waiting = ""
        """What waits and has no place in the queue yet, in words for whoever looks at it."""
        self._closed = False
        self._idle_since = asyncio.get_running_loop().time()
        self._news = asyncio.Event()
        self._worker = asyncio.create_task(self._work(), name=f"player-{self.guild_id}")

    @property
    def channel(self) -> VoiceChannelLike | None:
        """Where it speaks now; None once it has left."""
        if self._closed:
            return None
        return self._channel if self._connection is None else self._connection.channel

    @property
    def connection(self) -> VoiceConnection | None:
        """The connection it speaks through; None while that is being replaced."""
        return self._connection

    @property
    def idle_seconds(self) -> float:
        """For how long there has been nothing to say; 0 while there is something."""
        return 0.0 if self._queue else asyncio.get_running_loop().time() - self._idle_since

    @property
    def holds(self) -> frozenset[PauseReason]:
        """Why it stands still; empty when it does not."""
        return frozenset(self._holds)

    # -- the queue --------------------------------------------------------------------------------

    def reserve(self, *, member_id: int, title: str, voice_ids: frozenset[str] = frozenset()) -> Utterance:
        """Return a place in the queue, to be supplied with sound later.

        ``voice_ids`` are the saved voices and likenesses in it, see `withdraw`. Raises `MemberError` when
        the member, the guild or the waiting sound is at its limit.
        """
        if self._closed:
            raise MemberError("I just left the voice channel. Try again.")
        self._queue.refuse_if_full(member_id)
        utterance = Utterance(
            next(self._ids),
            member_id=member_id,
            title=title,
            voice_ids=voice_ids,
            changed=self._take_note,
        )
        self._queue.add(utterance)
        return utterance

    @property
    def queued(self) -> int:
        """How many utterances there are, with that which is being said."""
        return len(self._queue)

    def position(self, utterance: Utterance) -> int:
        """Return how many are ahead of ``utterance``; 0 as well when it is over."""
        queue = self.utterances()
        return queue.index(utterance) if utterance in queue else 0

    def seconds_before(self, utterance: Utterance) -> float:
        """Return about how long what is ahead of ``utterance`` will still be heard."""
        ahead = self.utterances()[: self.position(utterance)]
        return sum(entry.seconds_left for entry in ahead)

    def utterances(self) -> list[Utterance]:
        """Return what is being played, then what waits, in the order in which it will be said."""
        return self._queue.in_order()

    def bring_forward(self, utterance: Utterance) -> None:
        """Let ``utterance`` be the next one."""
        self._queue.bring_forward(utterance)

    def skip(self) -> Utterance | None:
        """Drop what is being played, or else what is next; return it, or None if there is nothing."""
        queue = self.utterances()
        if not queue:
            return None
        queue[0].end(Outcome.SKIPPED)
        return queue[0]

    def stop(self, *, member_id: int | None = None, outcome: Outcome = Outcome.STOPPED) -> int:
        """Drop everything, or only what ``member_id`` asked for; return how many that were."""
        self.stops += member_id is None
        dropped = [entry for entry in self.utterances() if member_id in (None, entry.member_id)]
        return _end(dropped, outcome)

    def withdraw(self, *voice_ids: str) -> int:
        """Drop everything in which one of these voices is heard, at once; return how many that were."""
        heard = [one for one in self.utterances() if not one.voice_ids.isdisjoint(voice_ids)]
        return _end(heard, Outcome.WITHDRAWN)

    # -- standing still ---------------------------------------------------------------------------

    def pause(self) -> bool:
        """Stand still until `resume`; return whether that is new."""
        return self.hold(PauseReason.ASKED)

    def resume(self) -> bool:
        """Go on after `pause`, with the very next frame; return whether it was paused."""
        return self.release(PauseReason.ASKED)

    def hold(self, reason: PauseReason) -> bool:
        """Stand still for ``reason``; return whether that is new."""
        if reason in self._holds:
            return False
        self._holds.add(reason)
        if self._connection is not None:
            self._connection.pause()
        return True

    def release(self, reason: PauseReason) -> bool:
        """Go on, if ``reason`` was the last one; return whether it was one."""
        if reason not in self._holds:
            return False
        self._holds.remove(reason)
        if not self._holds:
            if self._source is not None:
                self._source.resume()
            if self._connection is not None:
                self._connection.resume()
            self._news.set()
        return True

    # -- the connection ---------------------------------------------------------------------------

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

    # -- the worker -------------------------------------------------------------------------------

    def _take_note(self, utterance: Utterance) -> None:
        if utterance.state is UtteranceState.DONE:
            is_playing = utterance is self._queue.playing
            self._queue.remove(utterance)
            self._idle_since = asyncio.get_running_loop().time()
            if is_playing and self._connection is not None:
                self._connection.stop()
        self._news.set()

    async def _work(self) -> None:
        while not self._closed:  # the cancellation alone can be swallowed on the way (asyncio.wait_for, 3.11)
            utterance = await self._next()
            self._source = OpusFrames(utterance.frames)
            self._queue.begin(utterance)
            utterance.begin()
            outcome = await self._attempt(utterance, self._source)
            if outcome is Outcome.LOST and utterance.state is not UtteranceState.DONE:
                # The connection is lost, but not what is to be said: it goes on where it was, once.
                await self._stalled(self)
                self._source.resume()
                outcome = await self._attempt(utterance, self._source)
            self._report_gaps(utterance, self._source)
            self._source = None
            utterance.end(outcome)
            if outcome is Outcome.LOST:
                await self._stalled(self)

    async def _next(self) -> Utterance:
        while True:
            utterance = None if self._holds else self._queue.next_ready()
            if utterance is not None:
                return utterance
            await self._wait_for_news()

    async def _wait_for_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _attempt(self, utterance: Utterance, source: OpusFrames) -> Outcome:
        try:
            return await self._say(utterance, source)
        except Exception:  # the next utterances must still be said
            log.exception("utterance %d in guild %d could not be played", utterance.id, self.guild_id)
            return Outcome.LOST

    async def _say(self, utterance: Utterance, source: OpusFrames) -> Outcome:
        """Play ``utterance``, over more than one connection if we are moved; return how it ended."""
        while utterance.state is UtteranceState.PLAYING:
            connection = await self._next_connection(utterance)
            if connection is None:
                break
            moving = await self._is_ready(connection)
            if moving and utterance.state is UtteranceState.PLAYING and not self._holds:
                moving = await play(
                    *(connection, source),
                    stalled_seconds=self._stalled_seconds,
                    is_held=lambda: bool(self._holds),
                )
                if source.finished:
                    return utterance.outcome_when_played
                source.resume()
                # Ended, but neither at its end nor because somebody asked for it.
                moving = moving and (connection is not self._connection or bool(utterance.outcome))
            if not moving and connection is self._connection:
                return Outcome.LOST
        return utterance.outcome or Outcome.LOST

    async def _next_connection(self, utterance: Utterance) -> VoiceConnection | None:
        """Return the connection once there is one and nothing holds it; None when ``utterance`` is over."""
        while utterance.state is UtteranceState.PLAYING:
            if self._connection is not None and not self._holds:
                return self._connection
            await self._wait_for_news()
        return None

    async def _is_ready(self, connection: VoiceConnection) -> bool:
        if not await connection.wait_until_open(self._stalled_seconds):
            return False
        if not await connection.wait_until_secure(self._secure_seconds):
            log.warning("guild %d: no keys for end-to-end encryption yet; speaking anyway", self.guild_id)
        return True

    def _report_gaps(self, utterance: Utterance, source: OpusFrames) -> None:
        if source.gaps:
            log.warning(
                "utterance %d in guild %d: the sound ran out %d times, for %.2f s in all. If that's often "
                "so, look at how long calls of the TTS gateway take.",
                *(utterance.id, self.guild_id, source.gaps, source.gap_seconds),
            )


def _end(utterances: list[Utterance], outcome: Outcome) -> int:
    for utterance in utterances:
        utterance.end(outcome)
    return len(utterances)
