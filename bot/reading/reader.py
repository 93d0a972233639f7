"""Reader of one voice channel: messages are made ahead, said in order and without gaps, and dropped again."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import discord

from bot.delivery.playback_slot import PlaybackSlot, PlaybackSlots
from bot.errors import (
    LibraryError,
    MemberError,
    PlaybackError,
    TTSError,
    UsageLimitError,
    rest_is_missing,
    sentence_for,
)
from bot.models import FRAME_SECONDS
from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers
from bot.playback.queue import ENOUGH_FRAMES, Outcome, UtteranceState
from bot.reading.author_voices import ReadingVoices, VoicedMessage, at_tempo
from bot.reading.backlog import Backlog, Behind, ReadMessage, tempo_at
from bot.reading.rules import Repeats, with_name
from bot.speech.synthesizer import SpeechJob, SpeechSynthesizer

log = logging.getLogger(__name__)

_IN_HAND: Final = 3
"""Messages that are made or said at once: the one that is heard, the next, and one more for short ones."""

_IN_HAND_OF_AUTHOR: Final = 2
"""Of them by one author, so that they can still use /speak: what they may have in hand counts for both."""

_PASS_SECONDS: Final = 1.5
"""After so much silence a message that is made passes others that are not."""

_LOOK_SECONDS: Final = 0.5
_HOUR_SECONDS: Final = 3_600.0
_TOLD_AT_ONCE: Final = 100
_SHORT_CHARS: Final = 60  # what people say often is short


class ReadingParts:
    """What all readers of the process share."""

    def __init__(
        self,
        players: GuildPlayers,
        slots: PlaybackSlots,
        synthesizer: SpeechSynthesizer,
        voices: ReadingVoices,
    ) -> None:
        self.players = players
        self.slots = slots
        self.synthesizer = synthesizer
        self.voices = voices


class _InHand:
    """A message that is made, or waits for its turn, or is said."""

    def __init__(self, message: ReadMessage, has_name: bool, tempo: float, stops: int) -> None:
        self.message = message
        self.has_name = has_name
        self.text = with_name(message.name, message.text, message.language) if has_name else message.text
        self.tempo = tempo
        self.stops = stops
        self.turn = asyncio.Event()
        self.is_dropped = False
        self.slot: PlaybackSlot | None = None
        self.task: asyncio.Task[None] | None = None
        self._held: list[bytes] | None = []
        self.made = 0

    @property
    def has_begun(self) -> bool:
        """Whether it is heard, or over."""
        done = (UtteranceState.PLAYING, UtteranceState.DONE)
        return self.slot is not None and self.slot.utterance.state in done

    def take(self, frames: Sequence[bytes]) -> None:
        """Take the next frames: they are held until it may begin."""
        self.made += len(frames)
        if self._held is not None:
            self._held += frames
        elif self.slot is not None:
            self.slot.append(frames)

    def begin(self) -> None:
        """Hand over what was held, and what comes from now on."""
        held, self._held = self._held, None
        if held and self.slot is not None:
            self.slot.append(held)

    def drop(self) -> None:
        """Say no more of it."""
        self.is_dropped = True
        if self.task is not None:
            self.task.cancel()


class GuildReader:
    """Reader of one server's voice channel. ``bot_id`` stands for what nobody has written."""

    def __init__(self, parts: ReadingParts, guild: discord.Guild, bot_id: int) -> None:
        self.guild = guild
        self.repeats = Repeats()
        self.lock = asyncio.Lock()
        self._parts = parts
        self._bot_id = bot_id
        self._backlog = Backlog()
        self._in_hand: list[_InHand] = []
        self._last_author: int | None = None
        self._last_ended = float("-inf")
        self._told: dict[str, None] = {}
        self._made: deque[tuple[float, int, float]] = deque()  # when, for which channel, and how many seconds
        self._tasks: set[asyncio.Task[None]] = set()

    # -- what waits -------------------------------------------------------------------------------

    @property
    def behind(self) -> Behind:
        """How far behind it is."""
        waiting = [one.message.seconds for one in self._in_hand if not one.has_begun]
        seconds = self._backlog.seconds + sum(waiting)
        return Behind(len(self._backlog) + len(waiting), seconds, self._backlog.left_out)

    def add(self, message: ReadMessage) -> None:
        """Read a message when it is its turn."""
        if not self._backlog and not self._in_hand:
            self._backlog.left_out = 0
        self._backlog.add(message)
        self._fill()
        self._show()

    def remove(self, message_id: int) -> None:
        """Read a message no more, whether it waits, is made or is heard."""
        self._backlog.remove(message_id)
        for one in [one for one in self._in_hand if one.message.id == message_id]:
            self._drop(one)
            self._name_who_follows(one)
        self._show()

    def knows(self, message_id: int) -> bool:
        """Return whether a message is still to be read, and none of it was heard yet."""
        return any(one.id == message_id for one in self._backlog) or any(
            one.message.id == message_id and not one.has_begun for one in self._in_hand
        )

    def replace(self, new: ReadMessage) -> None:
        """Let a message that has not begun say something else."""
        if self._backlog.replace(new.id, new.text, new.language):
            return
        for place, one in enumerate(self._in_hand):
            if one.message.id == new.id and not one.has_begun:
                message = replace(new, written_at=one.message.written_at)
                before = self._in_hand[place - 1].message.author_id if place else message.author_id
                has_name = one.has_name or (bool(message.name) and before != message.author_id)
                self._start(_InHand(message, has_name, one.tempo, one.stops), place)
                one.drop()
                return

    def clear(self, *, author_id: int | None = None, channel_id: int | None = None) -> int:
        """Drop all that is to be read, or only an author's, or a channel's; return how many that were."""
        dropped = self._backlog.clear(author_id=author_id, channel_id=channel_id)
        for one in list(self._in_hand):
            message = one.message
            if author_id in (None, message.author_id) and channel_id in (None, message.channel_id):
                self._drop(one)
                dropped += 1
        self._show()
        return dropped

    def _drop(self, one: _InHand) -> None:
        if one.has_name and not one.has_begun:  # whoever comes next is named
            self._last_author = None
        one.drop()

    def _name_who_follows(self, dropped: _InHand) -> None:
        """Let the message behind one that is dropped say its author's name, if that one would have."""
        behind = self._in_hand[self._in_hand.index(dropped) + 1 :]
        later = [one for one in behind if not one.is_dropped]
        if not later or not dropped.has_name or dropped.has_begun:
            return
        following, self._last_author = later[0], later[-1].message.author_id
        if following.message.author_id == dropped.message.author_id and not following.has_name:
            named = _InHand(following.message, True, following.tempo, following.stops)
            self._start(named, self._in_hand.index(following))
            following.drop()

    async def aclose(self) -> None:
        """End everything."""
        self.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _show(self) -> None:
        """Let /queue say how far behind it is."""
        player, behind = self._parts.players.get(self.guild.id), self.behind
        if player is None:
            return
        words = ""
        if behind.messages > 1:
            words = f"Reading aloud: {behind.messages} messages wait, about {behind.seconds:.0f} s."
        if behind.left_out:
            words = f"{words} {behind.left_out} were left out: they would have come too late.".strip()
        player.also_waiting = words

    # -- whose turn it is -------------------------------------------------------------------------

    def _fill(self) -> None:
        """Begin with as many messages as may be in hand."""
        player = self._parts.players.get(self.guild.id)
        if player is None or player.channel is None:
            self._backlog.clear()
            return
        now = asyncio.get_running_loop().time()
        while len(self._in_hand) < _IN_HAND:
            counted = Counter(one.message.author_id for one in self._in_hand)
            busy = [author_id for author_id, count in counted.items() if count >= _IN_HAND_OF_AUTHOR]
            ahead = self._seconds_ahead(player)
            behind = ahead + self._backlog.seconds
            message = self._backlog.take(now, ahead, busy=busy)
            if message is None:
                return
            self._begin(message, tempo_at(behind), player, now)

    def _seconds_ahead(self, player: GuildPlayer) -> float:
        """Return about how long what is in hand, or is said, will still be heard."""
        queued = sum(entry.seconds_left for entry in player.utterances())
        return queued + sum(one.message.seconds / one.tempo for one in self._in_hand if not one.has_begun)

    def _begin(self, message: ReadMessage, tempo: float, player: GuildPlayer, now: float) -> None:
        is_other = message.author_id != self._last_author
        pause = message.name_pause
        is_late = pause is not None and not self._in_hand and now - self._last_ended > pause
        has_name = bool(message.name) and (is_other or is_late)
        self._last_author = message.author_id
        self._start(_InHand(message, has_name, tempo, player.stops), len(self._in_hand))

    def _start(self, one: _InHand, place: int) -> None:
        self._in_hand.insert(place, one)
        task = one.task = asyncio.create_task(self._read(one), name=f"reading-{one.message.id}")
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._end(one))  # also of one that was dropped before it ran
        task.add_done_callback(self._tasks.discard)
        self._grant()

    def _end(self, one: _InHand) -> None:
        """Let the next ones follow: this one is over."""
        if one.slot is not None:
            one.slot.utterance.cancel()
        self._in_hand.remove(one)
        self._last_ended = asyncio.get_running_loop().time()
        self._grant()
        self._fill()
        self._show()

    def _grant(self) -> None:
        """Let those go on before whom everything has begun."""
        for one in self._in_hand:
            one.turn.set()
            if not one.has_begun:
                return

    def _may_pass(self, one: _InHand, player: GuildPlayer) -> bool:
        """Return whether a message that is made may be heard before others that were written earlier."""
        if one.made < ENOUGH_FRAMES or player.holds:
            return False
        if any(entry.state is UtteranceState.PLAYING for entry in player.utterances()):
            return False
        earlier = self._in_hand[: self._in_hand.index(one)]
        return all(other.message.author_id != one.message.author_id for other in earlier)

    # -- one message ------------------------------------------------------------------------------

    async def _read(self, one: _InHand) -> None:
        message = one.message
        try:
            await self._read_in_turn(one)
        except UsageLimitError as error:
            is_theirs = error.is_members and message.author_id != self._bot_id
            told = f"<@{message.author_id}>: {error}" if is_theirs else str(error)
            whose = message.author_id if is_theirs else "everybody"
            await self._tell(f"limit of {whose} {discord.utils.utcnow():%j}", message.channel_id, told)
        except MemberError as error:
            if isinstance(error.__cause__, TTSError):  # the author's voice could not be made
                await self._tell_outage(error.__cause__, message)
            else:
                log.info("guild %d: a message is not read: %s", self.guild.id, type(error).__name__)
        except (TTSError, LibraryError, PlaybackError) as error:
            await self._tell_outage(error, message)
        except Exception:  # the next messages must still be read
            log.exception("guild %d: a message could not be read", self.guild.id)

    async def _tell_outage(
        self, error: TTSError | LibraryError | PlaybackError, message: ReadMessage
    ) -> None:
        log.warning("guild %d: a message is not read: %s: %s", self.guild.id, type(error).__name__, error)
        key = "tts" if isinstance(error, TTSError) else "library"
        await self._tell(key, message.channel_id, f"I can't read this aloud now. {sentence_for(error)}")

    async def _read_in_turn(self, one: _InHand) -> None:
        is_nobodys = one.message.author_id == self._bot_id
        reading = await self._parts.voices.reading_of(
            one.message, one.text, self.guild, one.tempo, of_server=is_nobodys
        )
        reading = await self._kept_or(reading, one)
        job, slot = await self._secured(one, reading)
        with job, slot.released_on_failure():
            outcome = await self._say(one, reading, job, slot)
            speech = await job.result() if outcome is Outcome.PLAYED else None
        if speech is not None and speech.rest_is_missing:
            await self._tell_cut(one.message, speech.why)
        elif speech is not None:
            for key in ("tts", "library"):
                self._told.pop(key, None)
        player = slot.player
        if outcome is Outcome.STOPPED:
            self.clear(author_id=None if player.stops != one.stops else one.message.author_id)
        elif outcome in (Outcome.LOST, Outcome.SILENCED):
            self.clear()

    async def _kept_or(self, reading: VoicedMessage, one: _InHand) -> VoicedMessage:
        """Return the reading at its author's own tempo if that is kept: it is free then."""
        natural = reading.request.request.tempo / one.tempo
        if one.tempo == 1.0 or len(one.text) > _SHORT_CHARS:
            return reading
        usual, synthesizer = at_tempo(reading, natural), self._parts.synthesizer
        kept = await synthesizer.kept(synthesizer.key_of(usual.request.request))
        return reading if kept is None else usual

    async def _secured(self, one: _InHand, reading: VoicedMessage) -> tuple[SpeechJob, PlaybackSlot]:
        """Return the job and the slot, as soon as the author has few enough other things in hand."""
        loop = asyncio.get_running_loop()
        request = reading.request.request
        while True:
            player = self._parts.players.get(self.guild.id)
            if player is None or player.channel is None:
                raise PlaybackError("the voice channel was left")
            try:
                one.slot = slot = self._parts.slots.reserve_in(
                    player,
                    one.message.author_id,
                    one.message.text,
                    frozenset(voice.id for voice in request.voices),
                )
                try:
                    before = self._seconds_ahead(player) - one.message.seconds / one.tempo
                    job = self._parts.synthesizer.submit(
                        request, reading.asker, access=reading.access, seconds_before=max(0.0, before)
                    )
                except BaseException:
                    slot.utterance.cancel()
                    raise
                return job, slot
            except UsageLimitError:
                raise
            except MemberError:
                if loop.time() - one.message.written_at > one.message.longest_wait:
                    raise
            await asyncio.sleep(_LOOK_SECONDS)

    async def _tell_cut(self, message: ReadMessage, why: str) -> None:
        """Tell the channel that a message was cut short in its middle; ``why``: the limit that did it."""
        key = f"limit of {message.author_id} {discord.utils.utcnow():%j}" if why else "tts"
        await self._tell(key, message.channel_id, f"<@{message.author_id}>: {rest_is_missing(why)}")

    async def _say(self, one: _InHand, reading: VoicedMessage, job: SpeechJob, slot: PlaybackSlot) -> Outcome:
        """Make it, say it when it is its turn, and return how it ended."""
        making = asyncio.create_task(_make(one, job))
        ending = asyncio.create_task(slot.utterance.finished())
        begun = asyncio.create_task(slot.utterance.begun())
        begun.add_done_callback(lambda _: self._on_begun(one, slot))
        try:
            if await self._wait_for_turn(one, slot.player, making, ending):
                await self._parts.voices.check(reading)  # it was made some time ago
            if not (_has_failed(making) or ending.done()):
                one.begin()
            await asyncio.wait({making, ending}, return_when=asyncio.FIRST_COMPLETED)
            if making.done():
                if _has_failed(making) and slot.utterance.state is UtteranceState.PLAYING:
                    slot.utterance.fail()  # what there is of it is heard
                    await ending
                    await self._parts.voices.note(reading, one.message, len(slot.frames) * FRAME_SECONDS)
                await making
                await slot.sound.complete()
                if not job.is_kept:
                    self._count(one.message.channel_id, one.made * FRAME_SECONDS)
                await self._parts.voices.note(reading, one.message, one.made * FRAME_SECONDS)
            elif slot.frames:
                await self._parts.voices.note(reading, one.message, len(slot.frames) * FRAME_SECONDS)
            return await ending
        finally:
            for task in (making, ending, begun):
                task.cancel()

    def _on_begun(self, one: _InHand, slot: PlaybackSlot) -> None:
        """Let the next one go on; what would be heard too late after all is dropped before its first word."""
        late = asyncio.get_running_loop().time() - one.message.written_at > one.message.longest_wait
        if late and slot.utterance.state is UtteranceState.PLAYING:
            self._backlog.left_out += 1
            one.drop()
        self._grant()
        self._show()

    async def _wait_for_turn(
        self, one: _InHand, player: GuildPlayer, making: asyncio.Task[None], ending: asyncio.Task[Outcome]
    ) -> bool:
        """Wait until it may be heard, has failed or is over; return whether that took a while."""
        if one.turn.is_set():
            return False
        loop, turn = asyncio.get_running_loop(), asyncio.create_task(one.turn.wait())
        stuck_since: float | None = None
        try:
            while not (turn.done() or ending.done() or _has_failed(making)):
                if not self._may_pass(one, player):
                    stuck_since = None
                elif stuck_since is None:
                    stuck_since = loop.time()
                elif loop.time() - stuck_since >= _PASS_SECONDS:
                    break
                waited = {turn, ending} if making.done() else {turn, ending, making}
                await asyncio.wait(waited, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            turn.cancel()
        return True

    # -- telling ----------------------------------------------------------------------------------

    def made_lately(self) -> dict[int, float]:
        """Return how many seconds of new speech each channel was read with in the last hour."""
        self._forget_old()
        made: Counter[int] = Counter()
        for _, channel_id, seconds in self._made:
            made[channel_id] += round(seconds)
        return dict(made)

    def _count(self, channel_id: int, seconds: float) -> None:
        self._forget_old()
        self._made.append((asyncio.get_running_loop().time(), channel_id, seconds))

    def _forget_old(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._made and now - self._made[0][0] > _HOUR_SECONDS:
            self._made.popleft()

    async def _tell(self, key: str, channel_id: int, sentence: str) -> None:
        """Say ``sentence`` in the channel, once until it is another one, or it went well in between."""
        if key in self._told:
            return
        while len(self._told) >= _TOLD_AT_ONCE:
            del self._told[next(iter(self._told))]
        self._told[key] = None
        await tell(self.guild, channel_id, sentence)


async def tell(guild: discord.Guild, channel_id: int, sentence: str) -> None:
    """Write a sentence into a channel, without notifying anybody; where that may not be, nothing happens."""
    channel = guild.get_channel(channel_id)
    if not isinstance(channel, discord.TextChannel | discord.VoiceChannel | discord.StageChannel):
        return
    try:
        await channel.send(sentence, silent=True, allowed_mentions=discord.AllowedMentions.none())
    except (discord.HTTPException, OSError) as error:
        log.info("guild %d: a channel was not told: %r", guild.id, error)


async def _make(one: _InHand, job: SpeechJob) -> None:
    async for frames in job:
        one.take(frames)
    await job.result()


def _has_failed(making: asyncio.Task[None]) -> bool:
    return making.done() and (making.cancelled() or making.exception() is not None)
