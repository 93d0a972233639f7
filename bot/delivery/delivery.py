"""Delivery of requests: each is made into speech, and reaches people where they want it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from heapq import heappop, heappush
from typing import ClassVar, Final

import discord

from bot.audio.maker import Maker, Places
from bot.delivery.history import GenerationHistory, KeptGeneration
from bot.delivery.offer import Upload
from bot.delivery.playback_slot import ENDINGS, UNHEARD, PlaybackSlot, PlaybackSlots
from bot.delivery.reference_uploads import VoiceAccesses
from bot.delivery.reply import Reply
from bot.delivery.request import SpeakRequest, asker_by, tags, with_recordings
from bot.delivery.voice_creation import StarterMaker
from bot.delivery.voice_message import send_voice_message, voice_message_permission_error
from bot.errors import RESTARTING, AudioError, LibraryError, MemberError, PlaybackError, sentence_for
from bot.interaction import file_permission_error, guild_id_of, target_of
from bot.library.guild_settings import AnswerRules, GuildSettings, UsageRules
from bot.library.starters import recorded
from bot.library.voice import Kind, Voice
from bot.limits import FILE_WAIT_SECONDS, MAX_FILES_AT_ONCE
from bot.models import FRAME_SECONDS, Asker, Destination, Speech
from bot.playback.queue import Outcome
from bot.speech.synthesizer import SpeechJob, SpeechSynthesizer
from bot.text.labels import file_stem

log = logging.getLogger(__name__)


Rules = tuple[UsageRules, AnswerRules]
"""What moderators rule in a server: who may have how much, and how answers look."""

_TURNS: Final = 4
"""Of 100 servers that ask at once half have a first sound after 0.5 s; after 0.6 with 6, after 0.75 with all.
With 2 the transactions that they share are too small (`python -m benchmarks many-100`, two cores)."""

_TURN_WAIT_SECONDS: Final = 0.5


class Turns:
    """Turns at what is done for every request before its speech can be made: few at once, in order of asking.

    Without, of a hundred who ask at once each would be as late as the last one, because all go on in small
    steps by turns. ``count`` have a turn at once; nobody waits for one longer than ``wait_seconds``, so
    whoever is held up in theirs holds nobody up for long.
    """

    def __init__(self, count: int, *, wait_seconds: float) -> None:
        self._free = count
        self._wait_seconds = wait_seconds
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @asynccontextmanager
    async def one(self, asked: int) -> AsyncIterator[None]:
        """Have a turn; ``asked`` orders those who wait, the lowest first, as the ids of interactions do."""
        has_turn = await self._acquire(asked)
        try:
            yield
        finally:
            if has_turn:
                self._release()

    async def _acquire(self, asked: int) -> bool:
        if self._free > 0:
            self._free -= 1
            return True
        turn = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (asked, next(self._numbers), turn))
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turn
        except TimeoutError:
            return turn.done() and not turn.cancelled()
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()
            raise
        return True

    def _release(self) -> None:
        while self._waiting:
            _, _, turn = heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class Deliveries:
    """Deliveries under way, one for each request; the bot waits for them when it shuts down."""

    def __init__(
        self,
        synthesizer: SpeechSynthesizer,
        maker: Maker,
        slots: PlaybackSlots,
        history: GenerationHistory,
        accesses: VoiceAccesses,
        settings: GuildSettings,
        starters: StarterMaker,
    ) -> None:
        self.synthesizer = synthesizer
        self.maker = maker
        self.slots = slots
        self.history = history
        self.accesses = accesses
        self.settings = settings
        self.starters = starters
        self.places = Places(MAX_FILES_AT_ONCE, wait_seconds=FILE_WAIT_SECONDS)
        self.turns = Turns(_TURNS, wait_seconds=_TURN_WAIT_SECONDS)
        self._open: dict[asyncio.Task[object], Reply] = {}
        self._closing = False

    async def rules(self, interaction: discord.Interaction) -> Rules:
        """Return what moderators rule where ``interaction`` happens. Raises `LibraryError`."""
        guild_id = guild_id_of(interaction)
        return (UsageRules(), AnswerRules()) if guild_id is None else await self.settings.rules(guild_id)

    async def deliver(
        self, interaction: discord.Interaction, request: SpeakRequest, rules: Rules | None = None
    ) -> None:
        """Deliver one request: acknowledge it, make the speech, and finish the reply.

        ``rules`` are those that hold here, if they have just been read. Raises `MemberError`, `TTSError`,
        `PlaybackError` or `LibraryError` where there is nothing to deliver.
        """
        if self._closing:
            raise MemberError(RESTARTING)
        delivery = Delivery(self, interaction, request)
        await delivery.acknowledge()
        task = asyncio.current_task()
        assert task is not None, "a request is delivered inside a task"  # noqa: S101
        self._open[task] = delivery.reply
        try:
            await delivery.run(rules)
        finally:
            del self._open[task]

    async def aclose(self, *, wait: float) -> None:
        """Let open deliveries end for ``wait`` seconds, then tell the rest that the bot restarts."""
        self._closing = True
        if self._open:
            await asyncio.wait(set(self._open), timeout=wait)
        left = dict(self._open)
        for task in left:
            task.cancel()
        endings = [reply.fail(RESTARTING) for reply in left.values() if not reply.is_final]
        with suppress(TimeoutError):  # what Discord does not take it may not take for a quarter of an hour
            async with asyncio.timeout(wait / 2):
                await asyncio.gather(*endings, return_exceptions=True)


class Delivery:
    """Delivery of one request, up to its finished reply; `Deliveries` makes them."""

    def __init__(self, parts: Deliveries, interaction: discord.Interaction, request: SpeakRequest) -> None:
        self.reply = Reply.of(interaction)
        """Reply that the member reads."""
        self._parts = parts
        self._interaction = interaction
        self._request = request
        self._target = target_of(interaction, request.to)
        self._asked = time.monotonic()
        self._asker: Asker
        self._rules = AnswerRules()

    async def acknowledge(self) -> None:
        """Acknowledge the command. Raises `MemberError` where nothing could be delivered."""
        if self._target.to is Destination.VOICE_MESSAGE:
            reason, no_file = (
                voice_message_permission_error(self._interaction),
                file_permission_error(self._interaction),
            )
            if reason is not None and no_file is not None:
                raise MemberError(f"{reason}. {no_file}")
        await self.reply.acknowledge()

    async def run(self, rules: Rules | None) -> None:
        """Make the speech, and finish the reply. Raises what `Deliveries.deliver` does."""
        usage, self._rules = rules or await self._parts.rules(self._interaction)
        self._asker = asker_by(self._interaction, usage)
        self._request = await self._parts.accesses.reachable(await self._with_starters())
        slot, note = await self._reserve()
        if slot is not None:
            await self._speak(slot, gives_file=self._target.to is Destination.BOTH)
            return
        with self._submit() as job:
            speech = await job.result()
        if self._target.to is Destination.VOICE_MESSAGE:
            await self._finish_with_voice_message(speech)
            return
        async with self._file_of(speech) as file:
            await self._finish_with_file(file, await self._kept(speech), note=note)

    async def check(self) -> None:
        """Raise `MemberError` if a voice in it may not be heard any more; asked after every longer step."""
        await self._parts.history.check_request(self._interaction, self._request)

    # -- making -----------------------------------------------------------------------------------

    async def _with_starters(self) -> SpeakRequest:
        """Return the request with the recordings of its starters: what was never used before is made now."""
        starters = [voice for voice in self._request.voices if voice.kind is Kind.STARTER]
        found = {voice.id: await self._recorded(voice) for voice in starters}
        return with_recordings(self._request, found) if found else self._request

    async def _recorded(self, voice: Voice) -> Voice:
        found = await self._parts.starters.find(voice)
        if found is not None:
            return found
        making = self._parts.starters.make(voice, self._asker)
        self.reply.show_progress(making)
        return recorded(voice, await making.recording())

    async def _reserve(self) -> tuple[PlaybackSlot | None, str]:
        """Return a slot in the queue, or None and the reason why only the file can be delivered."""
        member, target = self._interaction.user, self._target
        if target.channel is None or not isinstance(member, discord.Member):
            return None, target.note
        try:
            request = self._request.request
            voice_ids = frozenset(voice.id for voice in request.voices)
            return await self._parts.slots.reserve(target.channel, member, request.text, voice_ids), ""
        except (MemberError, PlaybackError) as error:
            no_file = file_permission_error(self._interaction)
            if self._request.to is not None:
                raise
            if no_file is not None:
                raise MemberError(f"{sentence_for(error)} {no_file}") from error
            return None, sentence_for(error)  # we chose the voice channel, so the file will do

    def _submit(self, slot: PlaybackSlot | None = None) -> SpeechJob:
        """Return the job that makes it, whose progress the member reads from now on."""
        job = self._parts.synthesizer.submit(
            self._request.request,
            self._asker,
            access=self._parts.accesses.at(self._interaction),
            seconds_before=slot.player.seconds_before(slot.utterance) if slot else None,
            asked=self._asked,
        )
        self.reply.show_progress(job)
        return job

    async def _fill(self, slot: PlaybackSlot) -> Speech:
        """Return the speech of the job, whose frames have gone into ``slot`` as they came."""
        with self._submit(slot) as job:
            async for frames in job:
                slot.append(frames)
            return await job.result()

    async def _make_aloud(self, slot: PlaybackSlot) -> Speech | None:
        """Return the speech that is being heard; None if it was dropped and the member was told."""
        with slot.released_on_failure():
            making = asyncio.create_task(self._fill(slot))
            ending = asyncio.create_task(slot.utterance.finished())
            try:
                await asyncio.wait({making, ending}, return_when=asyncio.FIRST_COMPLETED)
                is_made = making.done() and not making.cancelled() and making.exception() is None
                if slot.utterance.outcome is not None and not is_made and not self._is_wanted(slot):
                    making.cancel()
                    await self._end_early(slot, slot.utterance.outcome)
                    return None
                speech = await making
            finally:
                making.cancel()
                ending.cancel()
            await slot.sound.complete()
        return speech

    def _is_wanted(self, slot: PlaybackSlot) -> bool:
        """Return whether the job must go on although it is not heard: the file will be delivered."""
        utterance = slot.utterance
        return utterance.outcome in UNHEARD and bool(utterance.seconds or self._request.to is None)

    async def _end_early(self, slot: PlaybackSlot, outcome: Outcome) -> None:
        """Tell the asker alone that it was dropped while it was made; what was heard counts as used."""
        if slot.frames:
            seconds = len(slot.frames) * FRAME_SECONDS
            await self._parts.history.note_use(self._interaction, self._request, seconds)
        await self.reply.fail(ENDINGS[outcome])

    # -- answering --------------------------------------------------------------------------------

    @property
    def _quote(self) -> str:
        """The beginning of what was written, where moderators have not turned that off."""
        return self._request.quote if self._rules.quotes_text else ""

    async def _finish(
        self, words: str, file: SpeechFile | None, buttons: discord.ui.View | None, *, because: str = ""
    ) -> None:
        await self.reply.finish(words, file, buttons, because=because, quote=self._quote)

    async def _speak(self, slot: PlaybackSlot, *, gives_file: bool) -> None:
        speech = await self._make_aloud(slot)
        if speech is None:
            return
        await self._parts.synthesizer.lull()
        if gives_file:
            async with self._file_of(speech) as file:
                kept = await self._kept_while_heard(slot, speech)
                await self._finish_with_file(file, kept)
            del file, speech  # megabytes, which nobody needs while it waits
            await self._amend(await slot.utterance.finished())
            return
        kept = await self._kept_while_heard(slot, speech)
        self.reply.show("\n".join(filter(None, (self._quote, f"{slot.where} · {kept.words}"))))
        rest_is_missing = speech.rest_is_missing
        del speech  # ten times as large as its frames, which are enough while it waits
        outcome = await slot.utterance.finished()
        await self._finish_spoken(slot, kept, outcome, rest_is_missing=rest_is_missing)

    async def _amend(self, outcome: Outcome) -> None:
        """Say under the reply with the file why not all of it was heard."""
        if outcome in UNHEARD:
            await self.reply.amend(f"{UNHEARD[outcome]}, so not all of it was heard.")
        elif outcome is Outcome.WITHDRAWN:
            await self.reply.amend(ENDINGS[outcome])

    async def _finish_spoken(
        self, slot: PlaybackSlot, kept: KeptGeneration, outcome: Outcome, *, rest_is_missing: bool
    ) -> None:
        if outcome in UNHEARD:
            speech = await self._parts.synthesizer.made_before(
                self._request.request, slot.frames, rest_is_missing=rest_is_missing
            )
            async with self._file_of(speech) as file:
                await self.check()
                await self._finish_with_file(file, kept, because=UNHEARD[outcome])
        elif outcome is Outcome.PLAYED:
            words = f"Spoken in {slot.channel.mention} · {kept.words}"
            await self._finish(words, None, kept.buttons)
        else:
            buttons = None if outcome is Outcome.WITHDRAWN else kept.buttons
            await self._finish(f"{ENDINGS[outcome]}\n{kept.words}", None, buttons)

    async def _kept(self, speech: Speech) -> KeptGeneration:
        """Return the generation as it is delivered: after the last look at its consents, and written down."""
        return await self._parts.history.keep(self._interaction, self._request, speech)

    async def _kept_while_heard(self, slot: PlaybackSlot, speech: Speech) -> KeptGeneration:
        """Do the same while it is being heard: what may not be given is not heard to its end either."""
        try:
            return await self._kept(speech)
        except BaseException:
            slot.utterance.cancel()
            raise

    @asynccontextmanager
    async def _file_of(self, speech: Speech) -> AsyncIterator[SpeechFile | None]:
        """Yield the file of a speech, made now because that takes a while; None where there can be none."""
        if file_permission_error(self._interaction) is not None:
            yield None
            return
        stem = file_stem(self._request.request.text)
        file = SpeechFile(self, self._parts.maker, speech, stem, self._tags, as_ogg=self._rules.sends_ogg)
        async with self._parts.places.one():
            await file.make(self._interaction.filesize_limit)
            yield file

    @property
    def _tags(self) -> Mapping[str, str]:
        return tags(self._request, member=self._interaction.user.display_name)

    async def _finish_with_file(
        self, file: SpeechFile | None, kept: KeptGeneration, *, note: str = "", because: str = ""
    ) -> None:
        """Finish the reply with the file, or where there can be none with the missing permission.

        ``note`` is a sentence above the words, ``because`` the beginning of one that says why it is a file.
        """
        if file is not None:
            words = "\n".join(filter(None, (note, kept.words)))
            await self._finish(words, file, kept.buttons, because=because)
            await self._retract_if_withdrawn()
        else:
            reason = ". ".join(filter(None, (because, file_permission_error(self._interaction))))
            words = "\n".join(filter(None, (note, reason, kept.words)))
            await self._finish(words, None, kept.buttons)

    async def _retract_if_withdrawn(self) -> None:
        """Look once more, since the upload took a moment too: no file of a withdrawn voice stays."""
        if not self._request.is_audited:
            return
        try:
            await self.check()
        except MemberError as error:
            await self.reply.retract(str(error))
        except LibraryError as error:  # it was checked right before, and the next button checks again
            log.warning("a file that was sent is not looked at again: %s", type(error).__name__)

    async def _finish_with_voice_message(self, speech: Speech) -> None:
        """Send a voice message, and finish the reply with the words and the buttons it cannot carry.

        Where there can be none, the file is sent instead.
        """
        reason = voice_message_permission_error(self._interaction)
        channel_id, message = self._interaction.channel_id, None
        if reason is None:
            with suppress(AudioError):
                message = await self._parts.maker.voice_message(
                    speech, tags=self._tags, is_announced=self._request.is_audited
                )
        kept = await self._kept(speech)
        if message is not None and channel_id is not None:
            try:
                post = await send_voice_message(self._interaction.client, channel_id, message)
            except MemberError:
                pass  # so the file is sent
            else:
                if kept.generation is not None:
                    await self._parts.history.note_voice_message(kept.generation, post)
                await self._finish(kept.words, None, kept.buttons)
                return
        async with self._file_of(speech) as file:
            await self.check()  # that took a moment
            because = reason or "Discord rejected the voice message"
            await self._finish_with_file(file, kept, because=because)


class SpeechFile:
    """File of a speech: the best that a place takes, made on demand; ``stem`` is its name."""

    too_large: ClassVar[str] = "That's too long to send as a file here. Try a shorter text."
    """Sentence for the member where no place takes it."""

    def __init__(
        self,
        delivery: Delivery,
        maker: Maker,
        speech: Speech,
        stem: str,
        tags: Mapping[str, str],
        *,
        as_ogg: bool,
    ) -> None:
        self._delivery = delivery
        self._maker = maker
        self._speech = speech
        self._stem = stem
        self._tags = tags
        self._as_ogg = as_ogg
        self._made: Upload | None = None
        self._tried = 0
        self._is_checked = False

    async def make(self, max_bytes: int) -> None:
        """Make the file with at most ``max_bytes``, if there is one so small.

        Whoever sends it at once has asked before whether its voices may still be heard.
        """
        self._made, self._tried, self._is_checked = None, max_bytes, True
        try:
            file = await self._maker.file(
                self._speech, max_bytes=max_bytes, tags=self._tags, as_ogg=self._as_ogg
            )
        except AudioError as error:
            log.info("a speech is given without its file: %s", error)
        else:
            self._made = Upload(f"{self._stem}.{file.extension}", file.data)

    async def fitting(self, max_bytes: int) -> Upload | None:
        """Return the file with at most ``max_bytes``, or None if there is none so small.

        Raises `MemberError` if a voice in it may not be heard any more: the tries can take minutes.
        """
        if self._made is None and max_bytes <= self._tried:
            return None
        is_made = self._made is not None and len(self._made.data) <= max_bytes
        if not is_made:
            await self.make(max_bytes)
        if not (is_made and self._is_checked):
            await self._delivery.check()
        self._is_checked = False
        return self._made
