"""One guild's player: the task that says what is in the queue, and what makes it stand still."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from bot.errors import MemberError
from bot.playback import turn
from bot.playback.audience import VoiceRoom
from bot.playback.connection import VoiceConnection
from bot.playback.frames import OpusFrames
from bot.playback.holds import Hold
from bot.playback.queue import UtteranceQueue
from bot.playback.utterance import Outcome, Utterance, UtteranceState
from bot.playback.voice_client import SECURE_SECONDS

log = logging.getLogger(__name__)

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
        self._holds: set[Hold] = set()
        self._closed = False
        self._idle_since = asyncio.get_running_loop().time()
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

    @property
    def idle_seconds(self) -> float:
        """For how long there has been nothing to say; 0 while there is something."""
        return 0.0 if self._queue else asyncio.get_running_loop().time() - self._idle_since

    @property
    def holds(self) -> frozenset[Hold]:
        """Why it stands still; empty when it does not."""
        return frozenset(self._holds)

    # -- the queue --------------------------------------------------------------------------------

    def reserve(self, *, member_id: int, title: str, voice_ids: frozenset[str] = frozenset()) -> Utterance:
        """Return a place in the queue, to be supplied with sound later.

        ``voice_ids`` are the saved voices and likenesses in it, see `withdraw`. Raises `MemberError` when
        the member, the guild or the waiting sound is at its limit.
        """
        if self._closed:
            raise MemberError("I have just left the voice channel. Ask me once more.")
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
        dropped = [entry for entry in self.utterances() if member_id in (None, entry.member_id)]
        return _end(dropped, outcome)

    def withdraw(self, *voice_ids: str) -> int:
        """Drop everything in which one of these voices is heard, at once; return how many that were."""
        heard = [one for one in self.utterances() if not one.voice_ids.isdisjoint(voice_ids)]
        return _end(heard, Outcome.WITHDRAWN)

    # -- standing still ---------------------------------------------------------------------------

    def pause(self) -> bool:
        """Stand still until `resume`; return whether that is new."""
        return self.hold(Hold.ASKED)

    def resume(self) -> bool:
        """Go on after `pause`, with the very next frame; return whether it was paused."""
        return self.release(Hold.ASKED)

    def hold(self, reason: Hold) -> bool:
        """Stand still for ``reason``; return whether that is new."""
        if reason in self._holds:
            return False
        self._holds.add(reason)
        if self._connection is not None:
            self._connection.pause()
        return True

    def release(self, reason: Hold) -> bool:
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
                moving = await turn.play(
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
                "utterance %d in guild %d: the sound ran out %d times, for %.2f s in all",
                *(utterance.id, self.guild_id, source.gaps, source.gap_seconds),
            )


def _end(utterances: list[Utterance], outcome: Outcome) -> int:
    for utterance in utterances:
        utterance.end(outcome)
    return len(utterances)
