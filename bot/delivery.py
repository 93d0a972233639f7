"""From an order to an answer: where the speech goes, and how it reaches people."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import discord

from bot import __version__
from bot.again import AgainButton, Redo
from bot.answer import Answer, Upload
from bot.audio.export import export
from bot.audio.info_tags import COMMENT, SOFTWARE, TITLE
from bot.destinations import destination_of
from bot.errors import AudioError, MemberError, PlaybackError
from bot.messages import REST_IS_MISSING, progress_line, sentence_for
from bot.models import Destination, Progress, Speech, SpeechRequest
from bot.playback.at_volume import AtVolume
from bot.playback.audience import VoiceRoom
from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers
from bot.playback.utterance import Outcome, Utterance
from bot.playback.volumes import Volumes
from bot.synthesis import Asker, SpeechMaker
from bot.text.style import excerpt, file_stem, one_line

log = logging.getLogger(__name__)

_ENDINGS = {
    Outcome.SKIPPED: "Skipped.",
    Outcome.STOPPED: "Stopped.",
    Outcome.BROKEN_OFF: "The rest of it did not arrive.",
    Outcome.SILENCED: "I was muted there, or may no longer speak, so it was skipped.",
    Outcome.LOST: "I lost the voice channel before it could be said. Try again, or choose to: here.",
}
_UNHEARD = {
    Outcome.LOST: "I lost the voice channel",
    Outcome.SILENCED: "I was muted there, or may no longer speak",
}
_RESTARTING = "I am restarting. Try again in a minute."


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
    sound: AtVolume


class Delivery:
    """Carries out orders, each to one final answer."""

    def __init__(self, speeches: SpeechMaker, players: GuildPlayers, volumes: Volumes) -> None:
        self._speeches = speeches
        self._players = players
        self._volumes = volumes
        self._open: dict[asyncio.Task[object], Answer] = {}
        self._closing = False

    async def carry_out(self, interaction: discord.Interaction, order: Order) -> None:
        """Acknowledge, make the speech, and give the final answer.

        Raises `MemberError`, `TTSError` or `PlaybackError` where there is nothing to give.
        """
        if self._closing:
            raise MemberError(_RESTARTING)
        to, channel = destination_of(interaction, order.to)
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
        self._closing = True
        if self._open:
            await asyncio.wait(set(self._open), timeout=wait)
        left = dict(self._open)
        for task in left:
            task.cancel()
        endings = [answer.finish(_RESTARTING) for answer in left.values() if not answer.is_final]
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
        sound = AtVolume(utterance, self._volumes.get(interaction.guild_id))
        return _Place(player, utterance, channel, sound), ""

    async def _make(
        self, interaction: discord.Interaction, order: Order, place: _Place | None = None
    ) -> Speech:
        answer = Answer.of(interaction)

        def show(progress: Progress) -> None:
            answer.show(progress_line(progress))

        return await self._speeches.make(
            order.request,
            Asker(interaction.user.id, interaction.guild_id or interaction.user.id),
            on_progress=show,
            on_frames=place.sound.append if place else None,
            seconds_before=place.player.seconds_before(place.utterance) if place else 0.0,
        )

    async def _make_aloud(
        self, interaction: discord.Interaction, order: Order, place: _Place
    ) -> Speech | None:
        """Return the speech that is being heard; None when it was dropped, and the member knows it."""
        utterance = place.utterance
        with _place_given_back(place):
            making = asyncio.create_task(self._make(interaction, order, place))

            def give_up() -> None:
                if utterance.outcome in _UNHEARD and (utterance.seconds or order.to is None):
                    return  # it will be given as a file
                making.cancel()  # nobody wants the rest

            utterance.on_dropped(give_up)
            try:
                speech = await making
            except asyncio.CancelledError:
                making.cancel()
                if utterance.outcome is None:
                    raise
                await Answer.of(interaction).finish(_ENDINGS[utterance.outcome])
                return None
            await place.sound.complete()
        return speech

    async def _speak_and_give_file(
        self, interaction: discord.Interaction, order: Order, place: _Place
    ) -> None:
        speech = await self._make_aloud(interaction, order, place)
        if speech is None:
            return
        await self._give_file(interaction, order, speech)
        outcome = await place.utterance.finished()
        if outcome in _UNHEARD:
            words = _credit(interaction, order, speech)
            await Answer.of(interaction).amend(f"{words}\n{_UNHEARD[outcome]}, so not all of it was heard.")

    async def _speak_only(self, interaction: discord.Interaction, order: Order, place: _Place) -> None:
        answer = Answer.of(interaction)
        speech = await self._make_aloud(interaction, order, place)
        if speech is None:
            return
        words = _credit(interaction, order, speech)
        ahead = place.player.position(place.utterance)
        before = (
            f"{ahead} ahead of it in {place.channel.mention}"
            if ahead
            else f"Speaking in {place.channel.mention}"
        )
        answer.show(f"{before} · {words}")
        outcome = await place.utterance.finished()
        if outcome in _UNHEARD:
            note = f"{_UNHEARD[outcome]}, so here is the file."
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
        answer = Answer.of(interaction)
        button = AgainButton(answer, member_id=interaction.user.id, redo=self._redo(order))
        await answer.finish(content, Upload(name, file.data), button)

    def _redo(self, order: Order) -> Redo:
        fresh = replace(order, request=replace(order.request, fresh=True))

        async def redo(interaction: discord.Interaction) -> None:
            await self.carry_out(interaction, fresh)

        return redo


@contextmanager
def _place_given_back(place: _Place) -> Iterator[None]:
    try:
        yield
    except BaseException:
        place.utterance.fail()
        raise


def _credit(interaction: discord.Interaction, order: Order, speech: Speech) -> str:
    name = discord.utils.escape_markdown(interaction.user.display_name)
    voice = "AI-generated voice"
    if order.likeness:
        voice += f" after {discord.utils.escape_markdown(order.likeness)}"
    credit = f"{voice} · {speech.seconds:.1f} s · asked for by {name}"
    return f"{credit}\n{REST_IS_MISSING}" if speech.rest_is_missing else credit
