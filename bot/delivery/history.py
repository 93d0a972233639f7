"""History of generations: what is kept of each, and what the buttons under it do."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import aiohttp
import discord

from bot.audio.formats import SoundboardClip, VoiceMessage
from bot.audio.maker import Maker
from bot.delivery.membership import Membership
from bot.delivery.playback_slot import PlaybackSlot, PlaybackSlots
from bot.delivery.reply import Reply
from bot.delivery.request import SpeakRequest, credit, generation_of, tags, title_of
from bot.delivery.voice_creation import VoiceCreation
from bot.delivery.voice_message import GenerationsInHand
from bot.errors import REST_IS_MISSING, AudioError, LibraryError, MemberError
from bot.interaction import guild_id_of, scope_of
from bot.library.audit import AuditedVoice, Use
from bot.library.generations import Generation
from bot.library.library import Library
from bot.library.voice import Kind, Scope, Voice, utc_now
from bot.library.withdrawal import Post, Withdrawal
from bot.limits import MAX_AUDIO_BYTES, MAX_VOICE_TAKE_SECONDS, MIN_REFERENCE_SECONDS
from bot.models import Speech, SpeechRequest, SpokenVoice
from bot.playback.permissions import VoiceChannelLike
from bot.speech.synthesizer import SpeechSynthesizer

log = logging.getLogger(__name__)

_CLONES: Final = 200
"""Generations of /clone that can be made again, all members together; the oldest is forgotten first."""

_FETCH_SECONDS: Final = 30.0
"""For the file of a generation from Discord; where it takes longer, what is kept here does."""

EXPIRED: Final = "This button has expired. Type /speak for a new take."
NOT_KEPT: Final = "I no longer have that take. Press Again for a new one."
_CLONED: Final = "That's a real person's voice. Ask them to share it with you."
_NOBODYS: Final = "That isn't a real person's voice, so there's nothing to report."
_SEVERAL: Final = "That take has more than one voice, so I can't save it as one."


@dataclass(frozen=True, slots=True)
class KeptGeneration:
    """Generation that is ready to be delivered: the words above it, the buttons under it.

    ``generation`` None: it could not be kept.
    """

    words: str
    buttons: discord.ui.View | None
    generation: Generation | None = None


Buttons = Callable[[str, SpeakRequest], discord.ui.View]
"""Returns the buttons under the generation with this id."""


class GenerationHistory:
    """Generations of the last days: kept when they are delivered, and used by the buttons under them.

    ``buttons`` is set by whoever answers them; there it is also checked who may press which.
    """

    def __init__(
        self,
        library: Library,
        creation: VoiceCreation,
        synthesizer: SpeechSynthesizer,
        maker: Maker,
        slots: PlaybackSlots,
        membership: Membership,
        in_hand: GenerationsInHand,
    ) -> None:
        self._library = library
        self._creation = creation
        self._synthesizer = synthesizer
        self._maker = maker
        self._slots = slots
        self._membership = membership
        self._in_hand = in_hand
        self.buttons: Buttons | None = None
        self._clones: OrderedDict[str, tuple[int, SpeakRequest]] = OrderedDict()  # by generation id
        self._under_way: set[tuple[str, str, int]] = set()

    # -- before it is delivered -------------------------------------------------------------------

    async def keep(
        self, interaction: discord.Interaction, request: SpeakRequest, speech: Speech
    ) -> KeptGeneration:
        """Keep the generation that ``request`` has become, and return it as it is delivered.

        Raises `MemberError` if a voice in it was withdrawn meanwhile, and `LibraryError` if the use of a
        cloned voice cannot be written down: then it must not be delivered.
        """
        words = credit(request, speech, member_id=interaction.user.id)
        generation = generation_of(
            request,
            guild_id=guild_id_of(interaction),
            member_id=interaction.user.id,
            cache_key=self._synthesizer.key_of(request.request),
        )
        try:
            await self._settle(interaction, request, speech.seconds, generation)
        except LibraryError as error:
            if request.is_audited:
                raise
            log.warning("a generation is delivered without buttons: %s", type(error).__name__)
            return KeptGeneration(words, None)
        self._remember_clone(request, generation)
        buttons = self.buttons(generation.id, request) if self.buttons else None
        return KeptGeneration(words, buttons, generation)

    async def check_request(self, interaction: discord.Interaction, request: SpeakRequest) -> None:
        """Raise `MemberError` if a voice in ``request``, saved or not, may not be heard any more."""
        for voice in request.request.voices:
            refusal = await self._library.consents.permission_error(voice, scope_of(interaction).guild_id)
            if refusal is not None:
                raise MemberError(refusal)

    async def note_use(self, interaction: discord.Interaction, request: SpeakRequest, seconds: float) -> None:
        """Write down that the voices of ``request`` were heard. Raises `LibraryError` for a cloned one."""
        try:
            await self._settle(interaction, request, seconds, None)
        except LibraryError as error:
            if request.is_audited:
                raise
            log.warning("the use of a voice is not counted: %s", error)

    async def note_read(
        self, scope: Scope, request: SpeakRequest, seconds: float, *, channel_id: int, message_id: int
    ) -> None:
        """Write down that the voices of ``request`` were heard as a message was read aloud.

        Raises `LibraryError` for a cloned one.
        """
        where = {"channel_id": channel_id, "message_id": message_id}
        try:
            await self._library.generations.settle(
                scope.guild_id,
                (),
                uses=_uses(scope, _voices_of(request), seconds, **where),
                counted=[voice.id for voice in request.voices if voice.kind is not Kind.STARTER],
            )
        except LibraryError as error:
            if request.is_audited:
                raise
            log.warning("the use of a voice is not counted: %s", error)

    async def _settle(
        self,
        interaction: discord.Interaction,
        request: SpeakRequest,
        seconds: float,
        generation: Generation | None,
    ) -> None:
        """Write all of it down at once; a ``generation`` only if its voices may still be heard."""
        scope = scope_of(interaction)
        await self._library.generations.settle(
            scope.guild_id,
            request.request.voices if generation else (),
            uses=_uses(
                scope,
                _voices_of(request),
                seconds,
                channel_id=interaction.channel_id,
                message_id=Reply.of(interaction).message_id,
            ),
            counted=[voice.id for voice in request.voices if voice.kind is not Kind.STARTER],
            generation=generation,
        )

    def _remember_clone(self, request: SpeakRequest, generation: Generation) -> None:
        if request.likeness is None:
            return
        fresh = replace(request, request=replace(request.request, fresh=True))
        self._clones[generation.id] = (generation.member_id, fresh)
        while len(self._clones) > _CLONES:
            self._clones.popitem(last=False)

    # -- afterwards: what its buttons ask for ---------------------------------------------------

    def clone_request(self, generation_id: str) -> SpeakRequest | None:
        """Return the request that makes a generation of /clone anew; None if it is not known any more.

        The recordings of /clone are not kept, only their addresses, and those only in memory.
        """
        _member_id, request = self._clones.get(generation_id, (0, None))
        return request

    def forget_member(self, member_id: int) -> None:
        """Forget what is in memory for this member: what they could have had made again, or fetched again."""
        self._synthesizer.forget_member(member_id)
        self._in_hand.forget(member_id=member_id)
        for generation_id in [key for key, (asker_id, _) in self._clones.items() if asker_id == member_id]:
            del self._clones[generation_id]

    @contextmanager
    def once(self, act: str, generation_id: str, member_id: int) -> Iterator[None]:
        """Raise `MemberError` while the same is still being done with this generation for this member."""
        key = (act, generation_id, member_id)
        if key in self._under_way:
            raise MemberError("Already working on it.")
        self._under_way.add(key)
        try:
            yield
        finally:
            self._under_way.discard(key)

    async def get(self, generation_id: str, *, guild_id: int | None) -> Generation:
        """Return a generation that was delivered in this server. Raises `MemberError` for any other."""
        generation = await self.find(generation_id, guild_id=guild_id)
        if generation is None:
            raise MemberError(EXPIRED)
        return generation

    async def find(self, generation_id: str, *, guild_id: int | None) -> Generation | None:
        """Return a generation that was delivered in this server; None if it is not kept any more."""
        generation = await self._library.generations.get(generation_id)
        if generation is None or generation.guild_id != guild_id:
            return None
        if generation.likeness is None or generation.voice_ids:
            return generation
        # Kept before a likeness had an id: whoever asked for it spoke in their own voice.
        own = Scope(generation.guild_id or generation.member_id, generation.member_id)
        likeness = await self._library.consents.own_likeness_at(own, generation.created_at)
        return replace(generation, voice_ids=(likeness,))

    async def check(self, generation: Generation, guild: discord.Guild | None, member_id: int) -> None:
        """Raise `MemberError` if this member may not hear a voice in the generation any more.

        In ``guild`` it is looked up whether its speaker still belongs there.
        """
        for voice_id in _voice_ids(generation):
            voice = await self._library.voices.unscoped(voice_id)
            speaker_id = (
                voice.speaker_id if voice else await self._library.consents.speaker_of_likeness(voice_id)
            )
            await self._membership.refresh_membership(guild, speaker_id, member_id)
            if voice is None and generation.likeness is None:
                raise MemberError("That take's voice was deleted or withdrawn, so I can't use it.")
            heard = voice or _heard(voice_id, generation)
            guild_id = generation.guild_id or generation.member_id
            refusal = await self._library.consents.permission_error(heard, guild_id)
            if refusal is not None:
                raise MemberError(refusal)

    async def voices(self, generation: Generation) -> list[Voice]:
        """Return the saved voices that are heard in a generation, without those that are gone."""
        found = [await self._library.voices.unscoped(voice_id) for voice_id in _voice_ids(generation)]
        return [voice for voice in found if voice is not None]

    async def real_voices(self, generation: Generation) -> list[AuditedVoice]:
        """Return the voices of real people in a generation, without saved ones that are gone."""
        found = [_as_audited(voice) for voice in await self.voices(generation) if voice.kind is Kind.CLONED]
        if generation.likeness is not None:
            ids = generation.voice_ids
            speaker_id = await self._library.consents.speaker_of_likeness(ids[0]) if ids else None
            found.append(AuditedVoice.likeness_of(speaker_id or generation.member_id))
        return found

    async def can_be_reported(
        self, scope: Scope, generation: Generation | None, message: discord.Message
    ) -> bool:
        """Return whether a real person's voice is heard in ``message``, whose generation may be gone."""
        if generation is not None and await self.real_voices(generation):
            return True
        named = generation.voice_ids if generation else ()
        return bool(await self._library.audit.heard_in(scope.guild_id, message.id, named))

    async def report(self, scope: Scope, generation_id: str, message: discord.Message) -> None:
        """Report the voices of real people in the generation in ``message`` to the moderators.

        Voices that are gone can be reported too, and so can generations. Raises `MemberError`.
        """
        generation = await self._library.generations.get(generation_id)
        if generation is not None and generation.guild_id != scope.guild_id:
            raise MemberError(EXPIRED)
        named = generation.voice_ids if generation else ()
        uses = await self._library.audit.heard_in(scope.guild_id, message.id, named)
        voices = [*(await self.real_voices(generation) if generation else ()), *(use.voice for use in uses)]
        heard = {(one.voice_id, one.speaker_id if one.is_likeness else None): one for one in voices}
        if not heard:
            raise MemberError(EXPIRED if generation is None else _NOBODYS)
        first = next((use.member_id for use in uses if use.message_id == message.id), None)
        refusals = []
        for voice in heard.values():
            try:
                await self._library.audit.report(
                    scope,
                    voice,
                    take_id=generation_id,
                    member_id=generation.member_id if generation else first,
                    channel_id=message.channel.id,
                    message_id=message.id,
                )
            except MemberError as error:
                refusals.append(error)
        if len(refusals) == len(heard):
            raise refusals[0]

    async def play(
        self,
        generation: Generation,
        message: discord.Message,
        channel: VoiceChannelLike,
        member: discord.Member,
    ) -> PlaybackSlot:
        """Play a generation in ``channel``, and return its slot in the queue.

        Raises `MemberError` and `PlaybackError`, as the others do: it is no longer kept, a voice in it was
        withdrawn, the queue is full.
        """
        async with self._in_hand.turn(generation.id):
            speech = await self._speech(generation, message, member.id)
        voice_ids = frozenset(_voice_ids(generation))
        slot = await self._slots.reserve(channel, member, title_of(generation), voice_ids)
        with slot.released_on_failure():
            await self._note_another_use(generation, message, member.id, speech.seconds)
            slot.append(speech.frames)
            await slot.sound.complete()
        return slot

    async def voice_message(
        self, generation: Generation, message: discord.Message, *, member_id: int
    ) -> VoiceMessage:
        """Return the generation as a voice message that a member wants, made now or for somebody before."""
        async with self._in_hand.turn(generation.id):
            made = await self._voice_message(generation, message, member_id)
        await self._note_another_use(generation, message, member_id, made.seconds)
        return made

    async def _voice_message(
        self, generation: Generation, message: discord.Message, member_id: int
    ) -> VoiceMessage:
        made = self._in_hand.voice_message(generation.id)
        if made is not None:
            return made
        speech = await self._speech(generation, message, member_id)
        is_somebodys = bool(await self.real_voices(generation))
        try:
            made = await self._maker.voice_message(
                speech, tags=await self._tags(generation, message), is_announced=is_somebodys
            )
        except AudioError:
            raise MemberError(NOT_KEPT) from None
        generation = await self.get(generation.id, guild_id=generation.guild_id)  # deleted meanwhile?
        await self.check(generation, _guild_of(generation, message), member_id)
        self._in_hand.remember(generation, made)
        return made

    def note_response(self, generation: Generation, interaction: discord.Interaction) -> None:
        """Remember a voice message that is about to be a response, which goes with the voices in it."""
        self._in_hand.note_response(interaction, generation)

    async def note_voice_message(self, generation: Generation, post: Post) -> None:
        """Remember the voice message of a generation, which goes with it, and with the voices in it.

        Raises `MemberError` where it is deleted again, since a voice was withdrawn while it was sent.
        """
        voices = [_heard(voice_id, generation) for voice_id in _voice_ids(generation)]
        guild_id = generation.guild_id or generation.member_id
        refusal = await self._library.consents.speech_posted(post, voices, guild_id, take_id=generation.id)
        if refusal is not None:
            raise MemberError(refusal)

    async def check_saving(self, generation: Generation) -> None:
        """Raise `MemberError` if the generation cannot become a voice, whatever its length."""
        if await self.real_voices(generation):
            raise MemberError(_CLONED)
        if len(set(generation.voice_ids)) > 1:
            raise MemberError(_SEVERAL)

    async def save(
        self,
        scope: Scope,
        generation: Generation,
        message: discord.Message | None,
        name: str,
        *,
        asked_by: str,
    ) -> Voice:
        """Return the generation as a saved voice, with its words as the transcript.

        Its sound is taken from the ``message`` it stands in, or without one from what is kept.
        ``asked_by`` is the name of whoever saves it. Raises `MemberError`.
        """
        name = await self._library.voices.check_place(scope, name)
        await self.check_saving(generation)
        lines = message.content.splitlines() if message else []  # what a member wrote is quoted there
        is_whole = not any(line.startswith(REST_IS_MISSING) for line in lines)
        said = " ".join(" ".join(generation.lines).split()) if is_whole else None
        async with self._in_hand.turn(generation.id):
            speech = await self._speech(generation, message, scope.member_id)
            if not MIN_REFERENCE_SECONDS <= speech.seconds <= MAX_VOICE_TAKE_SECONDS:
                raise MemberError(
                    f"That take is {speech.seconds:.1f} s long. Try again with a line that takes "
                    f"{MIN_REFERENCE_SECONDS:.0f} to {MAX_VOICE_TAKE_SECONDS:.0f} seconds."
                )
            recorded = await self._creation.keep_generation(
                speech, said, asked_by=asked_by, description=generation.style
            )
        try:
            return await self._creation.save_designed(scope, name, recorded, description=generation.style)
        except MemberError:
            await self._creation.drop(recorded.recording)
            raise

    async def save_last(self, scope: Scope, name: str, *, asked_by: str) -> Voice:
        """Return the last generation that this member asked for here as a saved voice.

        Raises `MemberError`.
        """
        guild_id = None if scope.is_private else scope.guild_id
        generation = await self._library.generations.latest(scope.member_id, guild_id)
        if generation is None:
            raise MemberError(
                "I have no recent take of yours to save. Add a recording as a file, or right-click a message "
                "with one and choose Apps, Save this voice."
            )
        return await self.save(scope, generation, None, name, asked_by=asked_by)

    async def soundboard_clip(
        self, generation: Generation, message: discord.Message, *, member_id: int
    ) -> SoundboardClip:
        """Return the generation as a sound for the soundboard that a member wants it on."""
        async with self._in_hand.turn(generation.id):
            speech = await self._speech(generation, message, member_id)
            try:
                clip = await self._maker.soundboard_clip(speech, tags=await self._tags(generation, message))
            except AudioError:
                raise MemberError("That take is silent. Press Again for a new one.") from None
        await self._note_another_use(generation, message, member_id, speech.seconds)
        return clip

    async def forget(self, generation: Generation) -> None:
        """Delete what is kept of a generation: its words, its sound, and its voice messages in Discord."""
        self._in_hand.forget(generation.id)
        posts = await self._library.generations.forget(generation.id)
        await self._library.withdrawals.announce(Withdrawal((), posts))
        if generation.cache_key is not None:
            await self._synthesizer.forget(generation.cache_key)

    async def _speech(
        self, generation: Generation, message: discord.Message | None, member_id: int
    ) -> Speech:
        """Return the speech of a generation: from the file in its message, else as it is kept."""
        await self.check(generation, _guild_of(generation, message), member_id)
        for attachment in message.attachments[:1] if message else []:
            if attachment.size > MAX_AUDIO_BYTES:
                break
            try:
                async with asyncio.timeout(_FETCH_SECONDS):  # meanwhile it has one of few places
                    data = await attachment.read()
            except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
                log.info("the file of a generation could not be fetched: %s", type(error).__name__)
                break
            return await self._maker.speech_from_file(data, name=attachment.filename)
        kept = await self._synthesizer.kept(generation.cache_key) if generation.cache_key else None
        if kept is None:
            raise MemberError(NOT_KEPT)
        return kept

    async def _note_another_use(
        self, generation: Generation, message: discord.Message, member_id: int, seconds: float
    ) -> None:
        """Write down that a member has used the voices of a generation again.

        Raises `LibraryError`, and `MemberError` if it may not be heard any more: encoding takes a moment.
        """
        await self.check(generation, _guild_of(generation, message), member_id)
        scope = Scope(generation.guild_id or generation.member_id, member_id)
        uses = _uses(
            scope,
            await self.real_voices(generation),
            seconds,
            channel_id=message.channel.id,
            message_id=message.id,
        )
        if uses:
            await self._library.generations.settle(scope.guild_id, (), uses=uses)

    async def _tags(self, generation: Generation, message: discord.Message) -> dict[str, str]:
        voices = tuple(await self.voices(generation))
        said = SpeechRequest(title_of(generation))
        metadata = message.interaction_metadata  # who asked for it, as Discord remembers them
        member = metadata.user.display_name if metadata else "a member"
        return tags(SpeakRequest(said, likeness=generation.likeness, voices=voices), member=member)


def _guild_of(generation: Generation, message: discord.Message | None) -> discord.Guild | None:
    """Return the server of a generation that was delivered in one of the bot's."""
    return message.guild if message is not None and generation.guild_id is not None else None


def _voice_ids(generation: Generation) -> tuple[str, ...]:
    """Return the ids of the voices and likenesses in a generation, each once."""
    return tuple(dict.fromkeys(filter(None, generation.voice_ids)))


def _heard(voice_id: str, generation: Generation) -> SpokenVoice:
    """Return a voice of a generation of which only the id counts."""
    return SpokenVoice(voice_id, generation.likeness or "", recording="")


def _as_audited(voice: Voice) -> AuditedVoice:
    return AuditedVoice(voice.id, voice.speaker_id)


def _voices_of(request: SpeakRequest) -> list[AuditedVoice]:
    """Return the voices of real people that a request speaks in."""
    found = [_as_audited(voice) for voice in request.cloned]
    after = request.request.voice
    if request.likeness is not None and after is not None and after.speaker_id is not None:
        found.append(AuditedVoice.likeness_of(after.speaker_id))
    return found


def _uses(
    scope: Scope,
    voices: Collection[AuditedVoice],
    seconds: float,
    *,
    channel_id: int | None,
    message_id: int | None,
) -> list[Use]:
    """Return the uses of real people's voices, as the record has them."""
    where = (channel_id, message_id)
    return [
        Use(
            *(scope.guild_id, voice.voice_id, scope.member_id, utc_now(), seconds, *where),
            speaker_id=voice.speaker_id,
        )
        for voice in voices
    ]
