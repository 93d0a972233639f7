"""What follows a finished take: its voice is cast or counted, its use is written down, its row is kept."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import discord

from bot.answer import Answer
from bot.audio.take import why_not
from bot.audio.wav import write_wav
from bot.destinations import shelf_of
from bot.errors import LibraryError, MemberError
from bot.giving.credit import credit, tags
from bot.giving.order import Order, spoken, take_of
from bot.library.audit import OWN_RECORDING
from bot.library.library import Library
from bot.library.scope import Scope
from bot.library.voices import Kind, NewVoice
from bot.limits import MAX_VOICE_TAKE_SECONDS, MIN_REFERENCE_SECONDS
from bot.models import Speech
from bot.synthesis import Asker, SpeechMaker
from bot.text.style import excerpt

log = logging.getLogger(__name__)

HOUSE_NAME: Final = "House"
_CLONES: Final = 200
_IS_CAST: Final = "This is now the voice of this server, **{}**. A moderator can change it: /voice default."
_IS_MINE: Final = "This is now your voice here, **{}**. Change it with /voice use."


@dataclass(frozen=True, slots=True)
class Kept:
    """A take that is ready to be given: the words above it, its tags, the buttons under it."""

    words: str
    tags: dict[str, str]
    take_id: str | None
    buttons: discord.ui.View | None


Buttons = Callable[[str, Order, bool], discord.ui.View]
"""Returns the buttons under the take with this id; the last says whether it is in a server of the bot's."""


class TakeKeeping:
    """Looks after takes between the making and the giving. ``buttons`` is set by whoever answers them."""

    def __init__(self, library: Library, speeches: SpeechMaker) -> None:
        self._library = library
        self._speeches = speeches
        self.buttons: Buttons | None = None
        self._clones: OrderedDict[str, tuple[int, Order]] = OrderedDict()  # by the ids of their takes

    async def settle(self, interaction: discord.Interaction, order: Order, speech: Speech) -> Kept:
        """Return the take as it is given.

        Raises `MemberError` if a voice in it was withdrawn meanwhile, and `LibraryError` if the use of a
        cloned voice cannot be written down: then it is not given.
        """
        await self.check(interaction, order)
        await self.note_use(interaction, order, speech.seconds)
        words, note = credit(order, speech, member_id=interaction.user.id), ""
        tagged = tags(order, member=interaction.user.display_name)
        cache_key = self._speeches.key_of(order.request)
        try:
            order, note = await self._cast(interaction, order, speech)
            take_id = await self._keep(interaction, order, cache_key)
        except (LibraryError, MemberError) as error:
            log.warning("a take is given without buttons: %s", type(error).__name__)
            return Kept(words, tagged, None, None)
        in_server = interaction.guild_id is not None and interaction.is_guild_integration()
        buttons = self.buttons(take_id, order, in_server) if self.buttons else None
        return Kept(f"{words}\n{note}" if note else words, tagged, take_id, buttons)

    def order_again(self, take_id: str) -> Order | None:
        """Return the order that makes a take after a recording anew; None if it is not known any more.

        Such recordings are not kept, only where they are, and that only in memory.
        """
        _member_id, order = self._clones.get(take_id, (0, None))
        return order

    def forget(self, member_id: int) -> None:
        """Forget what this member could have had made again."""
        for take_id in [one for one, (asker_id, _) in self._clones.items() if asker_id == member_id]:
            del self._clones[take_id]

    async def note_use(self, interaction: discord.Interaction, order: Order, seconds: float) -> None:
        """Write down that the voices of ``order`` were used. Raises `LibraryError` for a cloned one."""
        cloned = [voice.id for voice in order.cloned]
        if order.likeness is not None:
            cloned.append(OWN_RECORDING)
        for voice_id in cloned:
            await self._library.audit.record(
                shelf_of(interaction),
                voice_id,
                interaction.user.id,
                seconds=seconds,
                channel_id=interaction.channel_id,
                message_id=Answer.of(interaction).message_id,
            )
        try:
            for voice in order.voices:
                await self._library.voices.used(voice.id)
        except LibraryError as error:
            log.warning("the use of a voice is not counted: %s", error)

    async def check(self, interaction: discord.Interaction, order: Order) -> None:
        """Raise `MemberError` if a voice in ``order``, saved or not, may not be heard any more."""
        for voice in order.request.voices:
            reason = await self._library.consents.may_speak(voice, shelf_of(interaction))
            if reason is not None:
                raise MemberError(reason)

    async def _cast(
        self, interaction: discord.Interaction, order: Order, speech: Speech
    ) -> tuple[Order, str]:
        """Return the order with the voice that its take has become, and what the member reads about it."""
        if not order.casts or speech.rest_is_missing:
            return order, ""
        if not MIN_REFERENCE_SECONDS <= speech.seconds <= MAX_VOICE_TAKE_SECONDS:
            return order, ""
        if await why_not(speech, order.request.text) is not None:  # heard before it was checked
            return order, ""
        scope = Scope(shelf_of(interaction), interaction.user.id)
        recording = await self._library.recordings.keep(write_wav(speech.pcm))
        said = " ".join(order.request.text.split())
        new = NewVoice(HOUSE_NAME, Kind.CAST, recording, speech.seconds, transcript=said)
        voice = await self._library.voices.cast(scope, new)
        if voice.recording != recording:  # somebody else has spoken first
            return order, ""
        words = _IS_MINE if scope.is_private else _IS_CAST
        in_voice = replace(order.request, voice=spoken(voice), fresh=False)
        # The same words cost nothing now: they were just said in this voice.
        await self._speeches.keep_as(order.request, in_voice, Asker(scope.member_id, scope.guild_id))
        return replace(order, request=in_voice, voices=(voice,)), words.format(excerpt(voice.name))

    async def _keep(self, interaction: discord.Interaction, order: Order, cache_key: str) -> str:
        in_server = interaction.guild_id is not None and interaction.is_guild_integration()
        take = take_of(
            order,
            guild_id=interaction.guild_id if in_server else None,
            member_id=interaction.user.id,
            cache_key=cache_key,
        )
        await self._library.takes.keep(take)
        if order.likeness is not None:
            fresh = replace(order, request=replace(order.request, fresh=True))
            self._clones[take.id] = (interaction.user.id, fresh)
            while len(self._clones) > _CLONES:
                self._clones.popitem(last=False)
        return take.id
