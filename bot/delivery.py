"""From an order to an answer: where the speech goes, and how it reaches people."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import discord

from bot import __version__
from bot.answer import Answer, Upload
from bot.audio.export import export
from bot.audio.info_tags import COMMENT, SOFTWARE, TITLE
from bot.audio.opus import opus_frames
from bot.errors import AudioError, MemberError, PlaybackError
from bot.messages import progress_line, sentence_for
from bot.models import Destination, Progress, Speech, SpeechRequest
from bot.playback.audience import VoiceRoom
from bot.playback.permissions import why_not_speak_in
from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers
from bot.playback.utterance import Outcome, Utterance
from bot.synthesis import SpeechMaker
from bot.text.style import excerpt, file_stem, one_line

log = logging.getLogger(__name__)

_ENDINGS = {
    Outcome.SKIPPED: "Skipped.",
    Outcome.STOPPED: "Stopped.",
    Outcome.LOST: "I lost the voice channel before it could be said. Try again, or choose to: here.",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What a member wants said: ``to`` None leaves the destination to us.

    ``likeness`` names the recording whose voice is imitated, if any.
    """

    request: SpeechRequest
    to: Destination | None = None
    likeness: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """A reserved place in the queue of one voice channel."""

    player: GuildPlayer
    utterance: Utterance
    channel: VoiceRoom


class Delivery:
    """Carries out orders, each to one final answer."""

    def __init__(self, speeches: SpeechMaker, players: GuildPlayers) -> None:
        self._speeches = speeches
        self._players = players
        self._open: dict[asyncio.Task[object], Answer] = {}

    async def carry_out(self, interaction: discord.Interaction, order: Order) -> None:
        """Acknowledge, make the speech, and give the final answer.

        Raises `MemberError`, `TTSError` or `PlaybackError` where there is nothing to give.
        """
        to, channel = _destination(interaction, order.to)
        answer = Answer.of(interaction)
        await answer.defer()
        with self._kept_open(answer):
            place, note = await self._reserve(interaction, order, to, channel)
            if place is None:
                speech = await self._make(interaction, order)
                await self._give_file(interaction, order, speech, note=note)
            elif to is Destination.BOTH:
                await self._speak_and_give_file(interaction, order, place)
            else:
                await self._speak_only(interaction, order, place)

    async def aclose(self, *, wait: float) -> None:
        """Let open answers end for ``wait`` seconds, then tell the rest that the bot restarts."""
        if self._open:
            await asyncio.wait(set(self._open), timeout=wait)
        left = dict(self._open)
        for task in left:
            task.cancel()
        sentence = "I am restarting. Try again in a minute."
        endings = [answer.finish(sentence) for answer in left.values() if not answer.is_final]
        await asyncio.gather(*endings, return_exceptions=True)

    @contextmanager
    def _kept_open(self, answer: Answer) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None, "an order is carried out inside a task"  # noqa: S101
        self._open[task] = answer
        try:
            yield
        finally:
            del self._open[task]

    async def _reserve(
        self, interaction: discord.Interaction, order: Order, to: Destination, channel: VoiceRoom | None
    ) -> tuple[_Place | None, str]:
        """Return a place in the queue, or None and the reason why only the file can be given."""
        member = interaction.user
        if channel is None or not isinstance(member, discord.Member):
            return None, ""
        try:
            player = await self._players.join(channel, requested_by=member)
            utterance = player.reserve(member_id=member.id, title=excerpt(order.request.text, 60))
        except (MemberError, PlaybackError) as error:
            if order.to is None:  # we chose the voice channel, so the file will do
                return None, sentence_for(error)
            raise
        return _Place(player, utterance, channel), ""

    async def _make(self, interaction: discord.Interaction, order: Order) -> Speech:
        answer = Answer.of(interaction)

        def show(progress: Progress) -> None:
            answer.show(progress_line(progress))

        return await self._speeches.make(order.request, member_id=interaction.user.id, on_progress=show)

    async def _speak_and_give_file(
        self, interaction: discord.Interaction, order: Order, place: _Place
    ) -> None:
        with _place_given_back(place):
            speech = await self._make(interaction, order)
            place.utterance.supply(await opus_frames(speech))
        await self._give_file(interaction, order, speech)
        if await place.utterance.finished() is Outcome.LOST:
            words = _credit(interaction, order, speech)
            await Answer.of(interaction).amend(
                f"{words}\nI lost the voice channel, so not all of it was heard."
            )

    async def _speak_only(self, interaction: discord.Interaction, order: Order, place: _Place) -> None:
        answer = Answer.of(interaction)
        with _place_given_back(place):
            making = asyncio.create_task(self._make(interaction, order))

            def give_up() -> None:
                making.cancel()  # nobody would hear it

            place.utterance.on_dropped(give_up)
            try:
                speech = await making
            except asyncio.CancelledError:
                making.cancel()
                outcome = place.utterance.outcome
                if outcome is None:
                    raise
                await answer.finish(_ENDINGS[outcome])
                return
            place.utterance.supply(await opus_frames(speech))
        words = _credit(interaction, order, speech)
        ahead = place.player.position(place.utterance)
        before = (
            f"{ahead} ahead of it in {place.channel.mention}"
            if ahead
            else f"Speaking in {place.channel.mention}"
        )
        answer.show(f"{before} · {words}")
        outcome = await place.utterance.finished()
        if outcome is Outcome.LOST:
            note = "I lost the voice channel, so here is the file."
            await self._give_file(interaction, order, speech, note=note)
        elif outcome is Outcome.PLAYED:
            await answer.finish(f"Spoken in {place.channel.mention} · {words}")
        else:
            await answer.finish(f"{_ENDINGS[outcome]} · {words}")

    async def _give_file(
        self, interaction: discord.Interaction, order: Order, speech: Speech, *, note: str = ""
    ) -> None:
        tags = {
            TITLE: one_line(order.request.text, 60),
            COMMENT: f"AI-generated voice, made for {interaction.user.display_name}",
            SOFTWARE: f"Myna {__version__}",
        }
        try:
            file = await export(speech, max_bytes=interaction.filesize_limit, tags=tags)
        except AudioError as error:
            raise MemberError("That is too long to send as a file here. Try a shorter text.") from error
        words = _credit(interaction, order, speech)
        name = f"{file_stem(order.request.text)}.{file.extension}"
        content = f"{note}\n{words}" if note else words
        await Answer.of(interaction).finish(content, Upload(name, file.data))


@contextmanager
def _place_given_back(place: _Place) -> Iterator[None]:
    try:
        yield
    except BaseException:
        place.utterance.cancel()
        raise


def _destination(
    interaction: discord.Interaction, wish: Destination | None
) -> tuple[Destination, VoiceRoom | None]:
    """Return where the speech goes, and the voice channel if it is heard in one.

    Raises `MemberError` where the wish cannot be fulfilled.
    """
    channel = None
    if wish is not Destination.HERE:
        channel = _voice_channel_of(interaction.user) if interaction.is_guild_integration() else None
        reason = _why_not_voice(interaction, channel)
        if reason is not None:
            if wish is not None:
                raise MemberError(reason)
            channel = None
    to = wish or (Destination.BOTH if channel else Destination.HERE)
    if to is not Destination.VOICE_CHANNEL and not interaction.app_permissions.attach_files:
        raise MemberError("I may not send files here: I need the permission Attach Files.")
    return to, channel


def _voice_channel_of(user: discord.User | discord.Member) -> VoiceRoom | None:
    voice = user.voice if isinstance(user, discord.Member) else None
    return voice.channel if voice else None


def _why_not_voice(interaction: discord.Interaction, channel: VoiceRoom | None) -> str | None:
    if interaction.guild is None or not interaction.is_guild_integration():
        return "I can speak in a voice channel only in servers I have been added to. Try to: here."
    if channel is None:
        return "Join a voice channel first, or choose to: here."
    return why_not_speak_in(channel, interaction.guild.me)


def _credit(interaction: discord.Interaction, order: Order, speech: Speech) -> str:
    name = discord.utils.escape_markdown(interaction.user.display_name)
    voice = "AI-generated voice"
    if order.likeness:
        voice += f" after {discord.utils.escape_markdown(order.likeness)}"
    return f"{voice} · {speech.seconds:.1f} s · asked for by {name}"
