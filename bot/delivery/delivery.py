"""From an order to an answer: where the speech goes, and how it reaches people."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import ClassVar

import discord

from bot.audio.formats import export, voice_message
from bot.audio.opus import FRAME_SECONDS
from bot.delivery.history import GenerationHistory, Kept
from bot.delivery.offer import Upload
from bot.delivery.playback_slot import ENDINGS, UNHEARD, PlaybackSlot, PlaybackSlots
from bot.delivery.reference_uploads import VoiceAccesses
from bot.delivery.reply import Reply
from bot.delivery.request import SpeakRequest
from bot.delivery.voice_message import send_voice_message, why_not_here
from bot.errors import AudioError, MemberError, PlaybackError
from bot.interaction import Target, target_of, why_no_file
from bot.messages import progress_line, sentence_for
from bot.models import Destination, Progress, Speech
from bot.playback.queue import Outcome
from bot.speech.synthesizer import Asker, SpeechSynthesizer
from bot.text.labels import file_stem

__all__ = ["Delivery", "SpeakRequest"]

log = logging.getLogger(__name__)

_RESTARTING = "I am restarting. Try again in a minute."


class SpeechFile:
    """A speech as the best file that a place takes, made when it is asked for."""

    too_large: ClassVar[str] = "That is too long to send as a file here. Try a shorter text."
    """What the member reads where no place takes it."""

    def __init__(
        self,
        keeping: GenerationHistory,
        interaction: discord.Interaction,
        order: SpeakRequest,
        speech: Speech,
        tags: Mapping[str, str],
    ) -> None:
        self._keeping = keeping
        self._interaction = interaction
        self._order = order
        self._speech = speech
        self._tags = tags
        self._made: Upload | None = None

    async def fitting(self, max_bytes: int) -> Upload | None:
        """Return the file with at most ``max_bytes``, or None if there is none so small.

        Raises `MemberError` if a voice in it may not be heard any more: tries can take long.
        """
        if self._made is None or len(self._made.data) > max_bytes:
            self._made = None
            try:
                file = await export(self._speech, max_bytes=max_bytes, tags=self._tags)
            except AudioError as error:
                log.info("a speech is given without its file: %s", error)
                return None
            name = f"{file_stem(self._order.request.text)}.{file.extension}"
            self._made = Upload(name, file.data)
        await self._keeping.check(self._interaction, self._order)
        return self._made


class Delivery:
    """Carries out orders, each to one final answer."""

    def __init__(
        self,
        speeches: SpeechSynthesizer,
        places: PlaybackSlots,
        keeping: GenerationHistory,
        accesses: VoiceAccesses,
    ) -> None:
        self._speeches = speeches
        self._places = places
        self._keeping = keeping
        self._accesses = accesses
        self._open: dict[asyncio.Task[object], Reply] = {}
        self._closing = False

    async def carry_out(self, interaction: discord.Interaction, order: SpeakRequest) -> None:
        """Acknowledge, make the speech, and give the final answer.

        Raises `MemberError`, `TTSError`, `PlaybackError` or `LibraryError` where there is nothing to give.
        """
        if self._closing:
            raise MemberError(_RESTARTING)
        target = target_of(interaction, order.to)
        self._check_voice_message(interaction, target.to)
        answer = Reply.of(interaction)
        await answer.defer()
        with self._kept_open(answer):
            order = await self._accesses.reachable(order)
            place, note = await self._reserve(interaction, order, target)
            if place is None:
                speech = await self._make(interaction, order)
                kept = await self._keeping.settle(interaction, order, speech)
                if target.to is Destination.VOICE_MESSAGE:
                    await self._give_voice_message(interaction, order, speech, kept)
                else:
                    await self._give_file(interaction, order, speech, kept, note=note)
            elif target.to is Destination.BOTH:
                await self._speak_and_give_file(interaction, order, place)
            else:
                await self._speak_only(interaction, order, place)

    async def aclose(self, *, wait: float) -> None:
        """Let open answers end for ``wait`` seconds, then tell the rest that the bot restarts."""
        self._closing = True
        if self._open:
            await asyncio.wait(set(self._open), timeout=wait)
        left = dict(self._open)
        for task in left:
            task.cancel()
        endings = [answer.finish(_RESTARTING) for answer in left.values() if not answer.is_final]
        with suppress(TimeoutError):  # what Discord does not take it may not take for a quarter of an hour
            async with asyncio.timeout(wait / 2):
                await asyncio.gather(*endings, return_exceptions=True)

    @contextmanager
    def _kept_open(self, answer: Reply) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None, "an order is carried out inside a task"  # noqa: S101
        self._open[task] = answer
        try:
            yield
        finally:
            del self._open[task]

    async def _reserve(
        self, interaction: discord.Interaction, order: SpeakRequest, target: Target
    ) -> tuple[PlaybackSlot | None, str]:
        """Return a place in the queue, or None and the reason why only the file can be given."""
        member = interaction.user
        if target.channel is None or not isinstance(member, discord.Member):
            return None, target.note
        try:
            return await self._places.for_order(target.channel, member, order), ""
        except (MemberError, PlaybackError) as error:
            no_file = why_no_file(interaction)
            if order.to is not None:
                raise
            if no_file is not None:
                raise MemberError(f"{sentence_for(error)} {no_file}") from error
            return None, sentence_for(error)  # we chose the voice channel, so the file will do

    async def _make(
        self, interaction: discord.Interaction, order: SpeakRequest, place: PlaybackSlot | None = None
    ) -> Speech:
        answer = Reply.of(interaction)

        def show(progress: Progress) -> None:
            answer.show(progress_line(progress))

        return await self._speeches.make(
            order.request,
            Asker(interaction.user.id, interaction.guild_id or interaction.user.id),
            on_progress=show,
            on_frames=place.append if place else None,
            seconds_before=place.player.seconds_before(place.utterance) if place else 0.0,
            access=self._accesses.at(interaction),
        )

    async def _make_aloud(
        self, interaction: discord.Interaction, order: SpeakRequest, place: PlaybackSlot
    ) -> Speech | None:
        """Return the speech that is being heard; None when it was dropped, and the member knows it."""
        utterance = place.utterance
        with place.given_back_on_failure():
            making = asyncio.create_task(self._make(interaction, order, place))

            def give_up() -> None:
                if utterance.outcome in UNHEARD and (utterance.seconds or order.to is None):
                    return  # it will be given as a file
                making.cancel()  # nobody wants the rest

            utterance.on_dropped(give_up)
            try:
                speech = await making
            except asyncio.CancelledError:
                making.cancel()
                if utterance.outcome is None:
                    raise
                await self._end_early(interaction, order, place, utterance.outcome)
                return None
            await place.sound.complete()
        return speech

    async def _settle_aloud(
        self, interaction: discord.Interaction, order: SpeakRequest, speech: Speech, place: PlaybackSlot
    ) -> Kept:
        try:
            return await self._keeping.settle(interaction, order, speech)
        except BaseException:
            place.utterance.cancel()  # what may not be given is not heard to its end either
            raise

    async def _end_early(
        self, interaction: discord.Interaction, order: SpeakRequest, place: PlaybackSlot, outcome: Outcome
    ) -> None:
        """Tell the member that it was dropped while it was made; what was heard of it counts as used."""
        if place.frames:
            await self._keeping.note_use(interaction, order, len(place.frames) * FRAME_SECONDS)
        await Reply.of(interaction).finish(ENDINGS[outcome])

    async def _speak_and_give_file(
        self, interaction: discord.Interaction, order: SpeakRequest, place: PlaybackSlot
    ) -> None:
        speech = await self._make_aloud(interaction, order, place)
        if speech is None:
            return
        kept = await self._settle_aloud(interaction, order, speech, place)
        await self._give_file(interaction, order, speech, kept)
        del speech  # megabytes, which nobody needs while it waits
        outcome = await place.utterance.finished()
        if outcome in UNHEARD:
            note = f"{UNHEARD[outcome]}, so not all of it was heard."
        elif outcome is Outcome.WITHDRAWN:
            note = ENDINGS[outcome]
        else:
            return
        await Reply.of(interaction).amend(note)

    async def _speak_only(
        self, interaction: discord.Interaction, order: SpeakRequest, place: PlaybackSlot
    ) -> None:
        answer = Reply.of(interaction)
        speech = await self._make_aloud(interaction, order, place)
        if speech is None:
            return
        kept = await self._settle_aloud(interaction, order, speech, place)
        answer.show(f"{place.where} · {kept.words}")
        rest_is_missing = speech.rest_is_missing
        del speech  # ten times as large as its frames, which are enough while it waits
        outcome = await place.utterance.finished()
        if outcome in UNHEARD:
            speech = await self._speeches.made_before(
                order.request, place.frames, rest_is_missing=rest_is_missing
            )
            await self._give_file(interaction, order, speech, kept, because=UNHEARD[outcome])
        elif outcome is Outcome.PLAYED:
            words = f"Spoken in {place.channel.mention} · {kept.words}"
            await answer.finish(words, view=kept.buttons)
        else:
            buttons = None if outcome is Outcome.WITHDRAWN else kept.buttons
            await answer.finish(f"{ENDINGS[outcome]}\n{kept.words}", view=buttons)

    async def _give_file(
        self,
        interaction: discord.Interaction,
        order: SpeakRequest,
        speech: Speech,
        kept: Kept,
        *,
        note: str = "",
        because: str = "",
    ) -> None:
        """Answer with the file, or where there can be none with the words and the missing permission.

        ``note`` is a sentence above the words, ``because`` the beginning of one that says why it is a file.
        """
        answer = Reply.of(interaction)
        no_file = why_no_file(interaction)
        if no_file is None:
            file = SpeechFile(self._keeping, interaction, order, speech, kept.tags)
            words = "\n".join(filter(None, (note, kept.words)))
            await answer.finish(words, file, kept.buttons, because=because)
        else:
            reason = f"{because}. {no_file}" if because else no_file
            words = "\n".join(filter(None, (note, reason, kept.words)))
            await answer.finish(words, view=kept.buttons)

    def _check_voice_message(self, interaction: discord.Interaction, to: Destination) -> None:
        """Raise `MemberError` where neither a voice message can be sent nor the file in its stead."""
        if to is not Destination.VOICE_MESSAGE:
            return
        reason, no_file = why_not_here(interaction), why_no_file(interaction)
        if reason is not None and no_file is not None:
            raise MemberError(f"{reason}. {no_file}")

    async def _give_voice_message(
        self, interaction: discord.Interaction, order: SpeakRequest, speech: Speech, kept: Kept
    ) -> None:
        """Post a voice message, and answer with the words and the buttons, which it cannot carry.

        Where there can be none the file is given.
        """
        reason = why_not_here(interaction)
        if reason is None and interaction.channel_id is not None:
            if await self._has_sent_voice_message(interaction, order, speech, kept):
                await Reply.of(interaction).finish(kept.words, view=kept.buttons)
                return
            reason = "Discord did not take the voice message"
        await self._give_file(interaction, order, speech, kept, because=reason or "")

    async def _has_sent_voice_message(
        self, interaction: discord.Interaction, order: SpeakRequest, speech: Speech, kept: Kept
    ) -> bool:
        """Return whether it was sent. Raises `MemberError` if a voice in it may not be heard any more."""
        try:
            message = await voice_message(speech, tags=kept.tags)
        except AudioError:
            return False
        await self._keeping.check(interaction, order)  # the encoding took a moment
        try:
            await send_voice_message(interaction.client, interaction.channel_id or 0, message)
        except MemberError:
            return False
        return True
