"""History of generations: what is kept of each, and what the buttons under it do."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import aiohttp
import discord

from bot.audio.formats import SoundboardClip
from bot.audio.maker import Maker
from bot.delivery.credit import credit, tags
from bot.delivery.playback_slot import PlaybackSlot, PlaybackSlots
from bot.delivery.reference_uploads import Membership
from bot.delivery.reply import Reply
from bot.delivery.request import SpeakRequest, generation_of, spoken, title_of
from bot.delivery.voice_creation import VoiceMaking
from bot.delivery.voice_message import send_voice_message
from bot.errors import AudioError, LibraryError, MemberError
from bot.interaction import shelf_of
from bot.library.audit import OWN_RECORDING
from bot.library.generations import Generation
from bot.library.library import Library
from bot.library.voice import Kind, NewVoice, Scope, Voice
from bot.limits import MAX_AUDIO_BYTES, MAX_VOICE_TAKE_SECONDS, MIN_REFERENCE_SECONDS
from bot.messages import REST_IS_MISSING
from bot.models import Asker, Speech, SpeechRequest, SpokenVoice
from bot.playback.permissions import VoiceChannelLike
from bot.speech.synthesizer import SpeechSynthesizer
from bot.text.labels import excerpt

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


Buttons = Callable[[str, SpeakRequest, bool], discord.ui.View]
"""Returns the buttons under the take with this id; the last says whether it is in a server of the bot's."""


class GenerationHistory:
    """Looks after takes between the making and the giving. ``buttons`` is set by whoever answers them."""

    def __init__(self, library: Library, speeches: SpeechSynthesizer, maker: Maker) -> None:
        self._library = library
        self._maker = maker
        self._speeches = speeches
        self.buttons: Buttons | None = None
        self._clones: OrderedDict[str, tuple[int, SpeakRequest]] = OrderedDict()  # by the ids of their takes

    async def settle(self, interaction: discord.Interaction, order: SpeakRequest, speech: Speech) -> Kept:
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

    def order_again(self, take_id: str) -> SpeakRequest | None:
        """Return the order that makes a take after a recording anew; None if it is not known any more.

        Such recordings are not kept, only where they are, and that only in memory.
        """
        _member_id, order = self._clones.get(take_id, (0, None))
        return order

    def forget(self, member_id: int) -> None:
        """Forget what this member could have had made again."""
        for take_id in [one for one, (asker_id, _) in self._clones.items() if asker_id == member_id]:
            del self._clones[take_id]

    async def note_use(self, interaction: discord.Interaction, order: SpeakRequest, seconds: float) -> None:
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
                message_id=Reply.of(interaction).message_id,
            )
        try:
            for voice in order.voices:
                await self._library.voices.used(voice.id)
        except LibraryError as error:
            log.warning("the use of a voice is not counted: %s", error)

    async def check(self, interaction: discord.Interaction, order: SpeakRequest) -> None:
        """Raise `MemberError` if a voice in ``order``, saved or not, may not be heard any more."""
        for voice in order.request.voices:
            reason = await self._library.consents.permission_error(voice, shelf_of(interaction))
            if reason is not None:
                raise MemberError(reason)

    async def _cast(
        self, interaction: discord.Interaction, order: SpeakRequest, speech: Speech
    ) -> tuple[SpeakRequest, str]:
        """Return the order with the voice that its take has become, and what the member reads about it."""
        if not order.casts or speech.rest_is_missing:
            return order, ""
        if not MIN_REFERENCE_SECONDS <= speech.seconds <= MAX_VOICE_TAKE_SECONDS:
            return order, ""
        if (
            await self._maker.find_defect(speech, order.request.text) is not None
        ):  # heard before it was checked
            return order, ""
        scope = Scope(shelf_of(interaction), interaction.user.id)
        recording = await self._library.recordings.keep(await self._maker.wav(speech))
        said = " ".join(order.request.text.split())
        new = NewVoice(HOUSE_NAME, Kind.CAST, recording, speech.seconds, transcript=said)
        voice = await self._library.voices.create_default_voice(scope, new)
        if voice.recording != recording:  # somebody else has spoken first
            return order, ""
        words = _IS_MINE if scope.is_private else _IS_CAST
        in_voice = replace(order.request, voice=spoken(voice), fresh=False)
        # The same words cost nothing now: they were just said in this voice.
        await self._speeches.keep_as(order.request, in_voice, Asker(scope.member_id, scope.guild_id))
        return replace(order, request=in_voice, voices=(voice,)), words.format(excerpt(voice.name))

    async def _keep(self, interaction: discord.Interaction, order: SpeakRequest, cache_key: str) -> str:
        in_server = interaction.guild_id is not None and interaction.is_guild_integration()
        take = generation_of(
            order,
            guild_id=interaction.guild_id if in_server else None,
            member_id=interaction.user.id,
            cache_key=cache_key,
        )
        await self._library.generations.keep(take)
        if order.likeness is not None:
            fresh = replace(order, request=replace(order.request, fresh=True))
            self._clones[take.id] = (interaction.user.id, fresh)
            while len(self._clones) > _CLONES:
                self._clones.popitem(last=False)
        return take.id


EXPIRED: Final = "This button has expired. Type /speak to have something said."
NOT_KEPT: Final = "That take is no longer kept. Press Again to make a new one."
_CLONED: Final = (
    "That is the voice of a real person, so it cannot be saved a second time. Ask them to share it."
)
_SEVERAL: Final = "More than one voice is heard in that, so it cannot become one."


class GenerationActions:
    """The takes of the last days, for whoever answers the buttons under them; who may is checked there."""

    def __init__(
        self,
        library: Library,
        making: VoiceMaking,
        speeches: SpeechSynthesizer,
        maker: Maker,
        places: PlaybackSlots,
        presence: Membership,
    ) -> None:
        self._maker = maker
        self._library = library
        self._presence = presence
        self._making = making
        self._speeches = speeches
        self._places = places
        self._under_way: set[tuple[str, str, int]] = set()

    @contextmanager
    def once(self, act: str, take_id: str, member_id: int) -> Iterator[None]:
        """Raise `MemberError` while the same is still being done with this take for this member."""
        key = (act, take_id, member_id)
        if key in self._under_way:
            raise MemberError("I am at it already.")
        self._under_way.add(key)
        try:
            yield
        finally:
            self._under_way.discard(key)

    async def take(self, take_id: str, *, guild_id: int | None) -> Generation:
        """Return a take that was given in this server. Raises `MemberError` for any other."""
        take = await self._library.generations.get(take_id)
        if take is None or take.guild_id != guild_id:
            raise MemberError(EXPIRED)
        if take.likeness is None or take.voice_ids:
            return take
        # Kept before a likeness had an id: whoever asked for it spoke in their own voice.
        own = Scope(take.guild_id or take.member_id, take.member_id)
        likeness = await self._library.consents.own_likeness_at(own, take.created_at)
        return replace(take, voice_ids=(likeness,))

    async def check(self, take: Generation, guild: discord.Guild | None, member_id: int) -> None:
        """Raise `MemberError` if a voice in a take may not be heard any more, as a member wants to hear it.

        In ``guild`` it is looked up whether its speaker still belongs there.
        """
        for voice_id in dict.fromkeys(filter(None, take.voice_ids)):
            await self._presence.look(guild, voice_id, member_id)
            voice = await self._library.voices.unscoped(voice_id)
            if voice is None and take.likeness is None:
                raise MemberError("The voice in it was deleted or withdrawn, so it is silent now.")
            heard = voice or SpokenVoice(voice_id, take.likeness or "", recording="")
            reason = await self._library.consents.permission_error(heard, take.guild_id or take.member_id)
            if reason is not None:
                raise MemberError(reason)

    async def voices(self, take: Generation) -> list[Voice]:
        """Return the saved voices that are heard in a take, without those that are gone."""
        found = [await self._library.voices.unscoped(one) for one in dict.fromkeys(take.voice_ids) if one]
        return [voice for voice in found if voice is not None]

    async def cloned(self, take: Generation) -> list[Voice]:
        """Return those of them that are the voices of real people."""
        return [voice for voice in await self.voices(take) if voice.kind is Kind.CLONED]

    async def play(
        self, take: Generation, message: discord.Message, channel: VoiceChannelLike, member: discord.Member
    ) -> PlaybackSlot:
        """Let a take be heard in ``channel``, and return its place in the queue.

        Raises `MemberError` and `PlaybackError`, as the others do: it is no longer kept, a voice in it was
        withdrawn, the queue is full.
        """
        speech = await self._sound(take, message, member.id)
        voice_ids = frozenset(filter(None, take.voice_ids))
        place = await self._places.reserve(channel, member, title_of(take), voice_ids)
        with place.given_back_on_failure():
            frames = await self._maker.frames(speech)
            await self.check(take, channel.guild, member.id)  # the encoding took a moment
            await self._note_use(take, message, member.id, speech)
            place.append(frames)
            await place.sound.complete()
        return place

    async def send_as_voice_message(
        self, take: Generation, message: discord.Message, client: discord.Client, *, member_id: int
    ) -> None:
        """Answer ``message``, under which the take stands, with a voice message that a member wants."""
        speech = await self._sound(take, message, member_id)
        try:
            made = await self._maker.voice_message(speech, tags=await self._tags(take, message))
        except AudioError:
            raise MemberError(NOT_KEPT) from None
        await self.check(take, _guild_of(take, message), member_id)
        await self._note_use(take, message, member_id, speech)
        await send_voice_message(client, message.channel.id, made, reply_to=message)

    async def check_saving(self, take: Generation) -> None:
        """Raise `MemberError` if the take cannot become a voice, whatever its length."""
        if take.likeness is not None or await self.cloned(take):
            raise MemberError(_CLONED)
        if len(set(take.voice_ids)) > 1:
            raise MemberError(_SEVERAL)

    async def save(
        self, scope: Scope, take: Generation, message: discord.Message | None, name: str, *, asked_by: str
    ) -> Voice:
        """Return the take as a saved voice, with its words as the transcript.

        Without the ``message`` under which it stands, its sound is what is kept of it. ``asked_by`` is the
        name of whoever saves it. Raises `MemberError`.
        """
        name = await self._library.voices.check_place(scope, name)
        await self.check_saving(take)
        speech = await self._sound(take, message, scope.member_id)
        if not MIN_REFERENCE_SECONDS <= speech.seconds <= MAX_VOICE_TAKE_SECONDS:
            raise MemberError(
                f"That take is {speech.seconds:.1f} s long, and a voice needs {MIN_REFERENCE_SECONDS:.0f} to "
                f"{MAX_VOICE_TAKE_SECONDS:.0f} s. Let me say something shorter or longer, and save that."
            )
        is_whole = message is None or REST_IS_MISSING not in message.content
        said = " ".join(" ".join(take.lines).split()) if is_whole else None
        recorded = await self._making.keep_take(speech, said, asked_by=asked_by)
        try:
            return await self._making.save_made(scope, name, recorded, description=take.style)
        except MemberError:
            await self._making.drop(recorded.recording)
            raise

    async def save_last(self, scope: Scope, name: str, *, asked_by: str) -> Voice:
        """Return the last take that this member asked for here as a saved voice. Raises `MemberError`."""
        guild_id = None if scope.is_private else scope.guild_id
        take = await self._library.generations.latest(scope.member_id, guild_id)
        if take is None:
            raise MemberError(
                "I have said nothing for you lately that could become a voice. Add a recording: a file, or "
                "a link to a message with one."
            )
        return await self.save(scope, take, None, name, asked_by=asked_by)

    async def clip(self, take: Generation, message: discord.Message, *, member_id: int) -> SoundboardClip:
        """Return the take as a sound for the soundboard that a member wants it on."""
        speech = await self._sound(take, message, member_id)
        try:
            clip = await self._maker.soundboard_clip(speech, tags=await self._tags(take, message))
        except AudioError:
            raise MemberError(
                "There is nothing to be heard in that. Press Again to make a new one."
            ) from None
        await self.check(take, _guild_of(take, message), member_id)
        await self._note_use(take, message, member_id, speech)
        return clip

    async def forget(self, take: Generation) -> None:
        """Delete what is kept of a take: its words, and its sound."""
        await self._library.generations.forget(take.id)
        if take.cache_key is not None:
            await self._speeches.forget(take.cache_key)

    async def _sound(self, take: Generation, message: discord.Message | None, member_id: int) -> Speech:
        """Return how the take sounds: from the file under it, else as it is kept."""
        await self.check(take, _guild_of(take, message), member_id)
        for attachment in message.attachments[:1] if message else []:
            if attachment.size > MAX_AUDIO_BYTES:
                break
            try:
                data = await attachment.read()
            except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
                log.info("the file of a take could not be fetched: %s", type(error).__name__)
                break
            return await self._maker.speech_from_file(data, name=attachment.filename)
        kept = await self._speeches.kept(take.cache_key) if take.cache_key else None
        if kept is None:
            raise MemberError(NOT_KEPT)
        return kept.speech

    async def _note_use(
        self, take: Generation, message: discord.Message, member_id: int, speech: Speech
    ) -> None:
        """Write down that a member has let a cloned voice be heard once more. Raises `LibraryError`."""
        heard = [voice.id for voice in await self.cloned(take)]
        if take.likeness is not None:
            heard.append(OWN_RECORDING)
        for voice_id in heard:
            await self._library.audit.record(
                take.guild_id or take.member_id,
                voice_id,
                member_id,
                seconds=speech.seconds,
                channel_id=message.channel.id,
                message_id=message.id,
            )

    async def _tags(self, take: Generation, message: discord.Message) -> dict[str, str]:
        voices = tuple(await self.voices(take))
        order = SpeakRequest(SpeechRequest(title_of(take)), likeness=take.likeness, voices=voices)
        return tags(order, member=_asker_of(message))


def _guild_of(take: Generation, message: discord.Message | None) -> discord.Guild | None:
    """Return the server of a take that was given in one of the bot's."""
    return message.guild if message is not None and take.guild_id is not None else None


def _asker_of(message: discord.Message) -> str:
    """Return the name of who asked for the take above these buttons, as Discord remembers it."""
    metadata = message.interaction_metadata
    return metadata.user.display_name if metadata else "a member"
