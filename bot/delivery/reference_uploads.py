"""References of saved voices: whether one may speak, and how the TTS gateway gets its recording."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs, urlsplit
from weakref import WeakValueDictionary

import discord

from bot.audio.reference_check import ReferenceCheck
from bot.conditions import owner_of, storage_problem
from bot.delivery.membership import Membership
from bot.delivery.offer import MemoryFile, brief
from bot.delivery.request import SpeakRequest, spoken
from bot.errors import LibraryError, MemberError, NoRecordingPlaceError
from bot.interaction import scope_of
from bot.library.cached_speeches import member_label
from bot.library.consent import Consents
from bot.library.consent_rules import Standing, consent_behind
from bot.library.recordings import Recordings
from bot.library.starters import post_id
from bot.library.voice import Clock, Scope, Voice, utc_now
from bot.library.withdrawal import Post, RecordingPost, RecordingPosts, Withdrawal
from bot.models import RecordingPlace, ReferenceAudio, SpokenVoice
from bot.playback.players import GuildPlayers
from bot.speech.synthesizer import SpeechSynthesizer
from bot.text.labels import excerpt

log = logging.getLogger(__name__)

SPARE_SECONDS: Final = 300.0
"""An address that is valid for less is not handed out: a call may wait this long for its turn."""

REST_SECONDS: Final = 60.0
"""How long a place that refused a recording is not tried again: every try uploads a megabyte."""

TIDY_SECONDS: Final = 3_600.0
_SEEN: Final = 10_000  # voices whose address is remembered, about 5 MB
_MENDED: Final = 16  # mended recordings in memory, 1.5 MB each at most
_PACE_SECONDS: Final = 1.0  # between two deletions that nobody waits for
_INVALID_RECIPIENT: Final = 50033

_WORDS_OF_POSTS: Final = "The recording of the voice"
_FILE_OF_POSTS: Final = "voice.wav"
"""How a message with a recording begins, and what it carries, in every edition so far."""

_LOOKED_THROUGH: Final = 1_000
"""The newest messages of a channel in which recordings of an earlier edition are searched: ten requests."""

_MENDED_WORDS: Final = (
    "A recording for /clone that I had to mend: my TTS gateway fetches it here. I delete it within a day."
)
_NOT_MENDED: Final = (
    "Your recording should be mended, but I have no private place for a mended one, so I used it as it is. "
    "The voice may come out wrong."
)
_NO_STORAGE: Final = (
    "I can't put that voice's recording into my storage channel, so saved voices can't speak. "
    "Whoever runs this bot needs to set STORAGE_CHANNEL_ID to a private channel where I can send files."
)
_NO_OWNER: Final = (
    "I can't send that voice's recording to whoever runs this bot, so saved voices can't speak. "
    "They need to set STORAGE_CHANNEL_ID to a private channel where I can send files."
)


class ReferencePosts:
    """References for the TTS gateway, with one private message for each voice that needs an address.

    ``place`` is where recordings go: to our own TTS gateway with nothing posted, into the channel
    ``storage_channel_id``, or to the owner of the application; never where members read. Discord signs the
    address of an attachment for about a day, and gives a fresh one with every look at the message (its API
    reference, "Signed attachment CDN URLs"). Our own copy is what counts: a deleted message costs one more
    upload. An upload ends although nobody waits for it any more: a message that is sent is remembered.
    """

    def __init__(
        self,
        client: discord.Client,
        posts: RecordingPosts,
        recordings: Recordings,
        *,
        place: RecordingPlace,
        storage_channel_id: int | None = None,
        now: Clock = utc_now,
    ) -> None:
        self._client = client
        self._posts = posts
        self._recordings = recordings
        self.place = place
        self._storage_channel_id = storage_channel_id
        self._now = now
        self._owner_channel: discord.DMChannel | None = None
        self._refused_until = 0.0
        self.is_refused: bool | None = None  # the last recording; None: none was posted yet
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._uploads: set[asyncio.Task[ReferenceAudio]] = set()
        self._seen: OrderedDict[str, RecordingPost | None] = OrderedDict()
        """The post of each voice that was looked for, the newest use last; None where none is needed."""
        self._mended: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        """For our own TTS gateway: likenesses and their mended recordings, by SHA-256, the newest last."""

    @property
    def has_place(self) -> bool:
        """Whether recordings reach the TTS gateway, as far as is known: nothing was refused just now."""
        return self._now().timestamp() >= self._refused_until

    async def at_hand(self, voice: SpokenVoice) -> ReferenceAudio | None:
        """Return the voice's recording if nothing has to be asked or posted for it; None if something has.

        An address in it is valid for five minutes at least. Raises `LibraryError` if our copy is lost.
        """
        key = post_id(voice.id, voice.recording)
        if key not in self._seen:
            return None
        self._seen.move_to_end(key)
        post = self._seen[key]
        if post is None:
            return await self._handed_over(voice)
        if seconds_left(post.url, self._now().timestamp()) <= SPARE_SECONDS:
            return None
        return ReferenceAudio(post.url, voice.transcript)

    async def reference(self, voice: SpokenVoice) -> ReferenceAudio:
        """Return the voice's recording; an address in it is valid for five minutes at least.

        Messages with it that stand anywhere else are deleted. Raises `NoRecordingPlaceError`, and
        `LibraryError` if our copy is lost.
        """
        return await self._uploaded(self._reference(voice))

    async def renew(self, voice: SpokenVoice) -> ReferenceAudio:
        """Return the voice's recording with a new address, for when the one before could not be used.

        Raises what `reference` raises.
        """
        return await self._uploaded(self._renewed(voice))

    async def mended(self, likeness: SpokenVoice, checked: ReferenceCheck) -> tuple[SpokenVoice, str]:
        """Return ``likeness`` after the recording that it needs, and what its member has to know of that.

        That is the one its member has put up, unless it has to be mended. What was mended stands in the
        private place for a day, or until the consent ends; where there is none, the other has to do.
        """
        if not checked.repairs:
            return likeness, ""
        done = " and ".join(filter(None, (", ".join(checked.repairs[:-1]), checked.repairs[-1])))
        try:
            placed = await self._place_mended(likeness, checked)
        except (NoRecordingPlaceError, discord.HTTPException, OSError) as error:
            log.warning("a recording of /clone goes out as it is: %s", type(error).__name__)
            return likeness, _NOT_MENDED
        return replace(placed, transcript=None if checked.part else likeness.transcript), (
            f"I mended your recording: I {done}."
        )

    async def _place_mended(self, likeness: SpokenVoice, checked: ReferenceCheck) -> SpokenVoice:
        if self.place is not RecordingPlace.THIS_MACHINE:
            return replace(likeness, url=(await self._uploaded(self._post_mended(likeness, checked.wav))).url)
        self._mended[checked.sha256] = (likeness.id, checked.wav)
        while len(self._mended) > _MENDED:
            self._mended.popitem(last=False)
        return replace(likeness, recording=checked.sha256, url=None)

    def forget_mended(self, likenesses: Collection[str]) -> None:
        """Forget the mended recordings of these likenesses."""
        for sha256 in [key for key, (owner, _) in self._mended.items() if owner in likenesses]:
            del self._mended[sha256]

    async def settle(self) -> None:
        """Wait until no recording is on its way to Discord that is not remembered yet."""
        if self._uploads:
            await asyncio.wait(set(self._uploads))

    async def _uploaded(self, upload: Coroutine[None, None, ReferenceAudio]) -> ReferenceAudio:
        task = asyncio.create_task(upload)
        self._uploads.add(task)
        task.add_done_callback(self._uploads.discard)
        return await asyncio.shield(task)

    async def _reference(self, voice: SpokenVoice) -> ReferenceAudio:
        async with self._lock(voice):
            at_hand = await self.at_hand(voice)
            if at_hand is not None:
                return at_hand
            key = post_id(voice.id, voice.recording)
            if self.place is RecordingPlace.THIS_MACHINE:
                await self._delete_posts(await self._posts.of(key))
                self._note_seen(key, None)
                return await self._handed_over(voice)
            channel = await self._private_channel()
            async with self._posts.turn(key):
                return await self._found(voice, channel, None) or await self._post_anew(voice, channel)

    async def _found(
        self,
        voice: SpokenVoice,
        channel: discord.PartialMessageable | discord.DMChannel,
        but: RecordingPost | None,
    ) -> ReferenceAudio | None:
        """Return the newest post there that can be used, ``but`` this one, and delete all others."""
        key = post_id(voice.id, voice.recording)
        posts = await self._posts.of(key)
        for post in posts:
            is_there = post.channel_id == channel.id and (but is None or post.message_id != but.message_id)
            url = await self._address(post) if is_there else None
            if url is not None:
                self._note_seen(key, replace(post, url=url))
                await self._delete_posts([one for one in posts if one is not post])
                return ReferenceAudio(url, voice.transcript)
        return None

    async def _renewed(self, voice: SpokenVoice) -> ReferenceAudio:
        async with self._lock(voice):
            if self.place is RecordingPlace.THIS_MACHINE:
                return await self._handed_over(voice)
            channel, key = await self._private_channel(), post_id(voice.id, voice.recording)
            async with self._posts.turn(key):  # another process may have posted it meanwhile
                found = await self._found(voice, channel, self._seen[key]) if key in self._seen else None
                return found or await self._post_anew(voice, channel)

    async def delete(self, posts: Sequence[Post]) -> None:
        """Delete these messages in Discord, and forget those that are gone; the others are tried again."""
        gone = {post.message_id for post in posts}
        for voice_id in [key for key, seen in self._seen.items() if seen and seen.message_id in gone]:
            del self._seen[voice_id]
        for post in posts:
            channel = self._client.get_partial_messageable(post.channel_id)
            try:
                await channel.get_partial_message(post.message_id).delete()
            except discord.NotFound:
                pass
            except (discord.HTTPException, OSError) as error:
                log.warning("a message in channel %d could not be deleted: %s", post.channel_id, brief(error))
                await self._posts.not_deleted(post.message_id, self._now())
                continue
            await self._posts.forget(post.message_id)

    async def delete_orphans(self) -> None:
        """Delete the messages of voices that are gone, and those that were replaced, if it is time to try."""
        await self.delete(await self._posts.to_delete(self._now()))

    async def tidy(self, *, pace: float = _PACE_SECONDS) -> None:
        """Delete every message with a recording that is not wanted where it stands, ``pace`` seconds apart.

        Channels in which an earlier edition has posted are looked through too, each once.
        Raises `LibraryError`, and `discord.HTTPException` or OSError if Discord cannot be asked.
        """
        channel_id = None
        if self.place is not RecordingPlace.THIS_MACHINE:
            with suppress(NoRecordingPlaceError):
                channel_id = (await self._private_channel()).id
        unwanted = [*await self._posts.elsewhere(channel_id), *await self._posts.to_delete(self._now())]
        for number, post in enumerate(dict.fromkeys(unwanted)):
            await asyncio.sleep(pace if number else 0.0)
            await self.delete([post])
        await self._client.wait_until_ready()  # what may be read where is not known before
        for searched_id in await self._posts.channels_to_search(self._now()):
            if searched_id == channel_id:
                await self._posts.searched(searched_id)
                continue
            await asyncio.sleep(pace)
            await self._search(searched_id, pace)

    async def _search(self, channel_id: int, pace: float) -> None:
        """Delete what an earlier edition has posted in a channel, and has forgotten."""
        me, channel = self._client.user, self._client.get_partial_messageable(channel_id)
        known = self._client.get_channel(channel_id)
        try:
            if isinstance(known, discord.abc.GuildChannel | discord.Thread) and not (
                known.permissions_for(known.guild.me).read_message_history
            ):
                raise PermissionError  # Discord would show an empty history
            history = channel.history(limit=_LOOKED_THROUGH)
            found = [message async for message in history if message.author == me and _has_recording(message)]
        except discord.NotFound:
            found = []
        except (discord.HTTPException, OSError) as error:
            log.info("channel %d could not be looked through: %s", channel_id, brief(error))
            await self._posts.not_searched(channel_id, self._now())
            return
        for message in found:
            await asyncio.sleep(pace)
            # Remembered first, so that one that cannot be deleted now is tried again.
            await self._posts.remember(RecordingPost("", channel_id, message.id, 0, "", message.created_at))
            await self.delete([Post(channel_id, message.id)])
        await self._posts.searched(channel_id)

    async def post_ahead(self, voices: AsyncIterable[Voice], consents: Consents) -> None:
        """Post the recording of each of these voices, so that its first use waits for no upload."""
        async for voice in voices:
            try:
                if await consents.permission_error(voice, voice.guild_id) is None:
                    await self.reference(spoken(voice))
            except (LibraryError, MemberError, discord.HTTPException, OSError) as error:
                log.info("the recording of a new voice is posted at its first use: %s", brief(error))

    async def keep_tidy(self, leads: Callable[[], Awaitable[bool]]) -> None:
        """Log what is wrong with the storage channel, then tidy now and every hour. It never returns.

        Of several processes the one that ``leads`` tidies.
        """
        try:
            if self.place is RecordingPlace.STORAGE_CHANNEL and self._storage_channel_id is not None:
                problem = await storage_problem(self._client, self._storage_channel_id)
                if problem is not None:
                    log.warning("%s", problem)
        except (discord.HTTPException, OSError) as error:
            log.warning("the storage channel could not be looked at: %s", brief(error))
        while True:
            try:
                if await leads():
                    await self.tidy()
            except LibraryError as error:
                log.warning("messages with recordings are not tidied up: %s", error)
            except (discord.HTTPException, OSError) as error:
                log.warning("messages with recordings are not tidied up: %s", brief(error))
            await asyncio.sleep(TIDY_SECONDS)

    def _lock(self, voice: SpokenVoice) -> asyncio.Lock:
        return self._locks.setdefault(voice.id, asyncio.Lock())

    async def _handed_over(self, voice: SpokenVoice) -> ReferenceAudio:
        if consent_behind(voice.id) is None:
            wav = await self._recordings.read(voice.recording)
        elif voice.recording in self._mended:
            wav = self._mended[voice.recording][1]
        else:
            raise MemberError("I no longer have that recording. Type /clone again.")
        return ReferenceAudio(f"recording:{voice.recording}", voice.transcript, wav)

    async def _private_channel(self) -> discord.PartialMessageable | discord.DMChannel:
        """Return where recordings are posted. Raises `NoRecordingPlaceError` if nobody is there."""
        if self._storage_channel_id is not None:
            return self._client.get_partial_messageable(self._storage_channel_id)
        if self._owner_channel is None:
            owner = owner_of(self._client)
            if owner is None:
                raise NoRecordingPlaceError(_NO_OWNER)
            try:
                self._owner_channel = await self._client.create_dm(owner)
            except discord.HTTPException as error:
                if isinstance(error, discord.Forbidden | discord.NotFound) or (
                    error.code == _INVALID_RECIPIENT
                ):
                    raise self._refused(error) from None
                raise
        return self._owner_channel

    async def _address(self, post: RecordingPost) -> str | None:
        """Return its address, a fresh one if need be; None if it is gone or cannot be seen any more."""
        if seconds_left(post.url, self._now().timestamp()) > SPARE_SECONDS:
            return post.url
        channel = self._client.get_partial_messageable(post.channel_id)
        try:
            message = await channel.fetch_message(post.message_id)
        except discord.NotFound:
            await self._posts.forget(post.message_id)
            return None
        except discord.Forbidden:  # it still stands there: a new one is made, then this is deleted
            return None
        for attachment in message.attachments:
            if attachment.id == post.attachment_id:
                await self._remember(post.voice_id, message, attachment)
                return attachment.url
        return None

    async def _post_anew(
        self, voice: SpokenVoice, channel: discord.PartialMessageable | discord.DMChannel
    ) -> ReferenceAudio:
        """Post the recording, and delete every message before it."""
        wav = await self._recordings.read(voice.recording)
        name = excerpt(voice.name)
        words = f"{_WORDS_OF_POSTS} {name}: my TTS gateway fetches it here when that voice speaks."
        message = await self._send(channel, words, wav)
        attachment = message.attachments[0]
        await self._remember(post_id(voice.id, voice.recording), message, attachment)
        posts = await self._posts.of(post_id(voice.id, voice.recording))
        await self._delete_posts([one for one in posts if one.message_id != message.id])
        return ReferenceAudio(attachment.url, voice.transcript)

    async def _post_mended(self, likeness: SpokenVoice, wav: bytes) -> ReferenceAudio:
        """Post a recording of /clone beside those that its member has used before."""
        message = await self._send(await self._private_channel(), _MENDED_WORDS, wav)
        consent_id = consent_behind(likeness.id) or likeness.id
        return ReferenceAudio((await self._remember(consent_id, message, message.attachments[0])).url)

    async def _send(
        self, channel: discord.PartialMessageable | discord.DMChannel, words: str, wav: bytes
    ) -> discord.Message:
        if not self.has_place:
            raise self._no_place()
        file = MemoryFile(wav, _FILE_OF_POSTS)
        try:
            message = await channel.send(words, file=file, silent=True, suppress_embeds=True)
            self.is_refused = False
            return message
        except (discord.Forbidden, discord.NotFound) as error:
            raise self._refused(error) from None

    async def _delete_posts(self, posts: Sequence[RecordingPost]) -> None:
        await self.delete([Post(post.channel_id, post.message_id) for post in posts])

    def _refused(self, error: discord.HTTPException) -> NoRecordingPlaceError:
        self._refused_until, self.is_refused = self._now().timestamp() + REST_SECONDS, True
        where = "the owner" if self._storage_channel_id is None else "the channel STORAGE_CHANNEL_ID"
        log.error("%s takes no recordings, so saved voices are silent: %s", where, brief(error))
        return self._no_place()

    def _no_place(self) -> NoRecordingPlaceError:
        return NoRecordingPlaceError(_NO_OWNER if self._storage_channel_id is None else _NO_STORAGE)

    async def _remember(
        self, voice_id: str, message: discord.Message, attachment: discord.Attachment
    ) -> RecordingPost:
        post = RecordingPost(
            voice_id=voice_id,
            channel_id=message.channel.id,
            message_id=message.id,
            attachment_id=attachment.id,
            url=attachment.url,
            posted_at=self._now(),
        )
        await self._posts.remember(post)
        self._note_seen(voice_id, post)
        return post

    def _note_seen(self, voice_id: str, post: RecordingPost | None) -> None:
        self._seen[voice_id] = post
        self._seen.move_to_end(voice_id)
        while len(self._seen) > _SEEN:
            self._seen.popitem(last=False)


def _has_recording(message: discord.Message) -> bool:
    """Return whether a message of the bot is one with the recording of a saved voice."""
    has_file = any(file.filename == _FILE_OF_POSTS for file in message.attachments)
    return has_file and message.content.startswith(_WORDS_OF_POSTS)


def seconds_left(url: str, now: float) -> float:
    """Return how long a signed address of Discord's is still valid; 0 where it does not say.

    Its parameter ``ex`` is the end in hexadecimal seconds since 1970 (API reference, as above).
    """
    try:
        return int(parse_qs(urlsplit(url).query)["ex"][0], 16) - now
    except (KeyError, ValueError):
        return 0.0


class VoiceAccesses:
    """Accesses to voices, one for each place where they are heard."""

    def __init__(self, consents: Consents, membership: Membership, posts: ReferencePosts) -> None:
        self._consents = consents
        self._membership = membership
        self._posts = posts

    def at(self, interaction: discord.Interaction) -> PlaceAccess:
        """Return the access to voices where ``interaction`` happens."""
        guild = interaction.guild if interaction.is_guild_integration() else None
        return self.of(scope_of(interaction), guild)

    def of(self, scope: Scope, guild: discord.Guild | None) -> PlaceAccess:
        """Return the access to voices of a member in ``guild``; None: outside the bot's servers."""
        return PlaceAccess(self._consents, self._membership, self._posts, scope, guild)

    async def reachable(self, request: SpeakRequest) -> SpeakRequest:
        """Return ``request``, without a voice that nobody has named if its recording cannot be put anywhere.

        Raises `LibraryError` if the recording is lost.
        """
        voice = request.request.voice
        if request.is_named or voice is None or self._posts.place is RecordingPlace.THIS_MACHINE:
            return request
        try:
            await self._posts.reference(voice)
        except (NoRecordingPlaceError, discord.HTTPException, OSError):
            return replace(request, request=replace(request.request, voice=None), voices=())
        return request


class PlaceAccess:
    """Access to voices for one member in one place: a `bot.models.VoiceAccess`."""

    def __init__(
        self,
        consents: Consents,
        membership: Membership,
        posts: ReferencePosts,
        scope: Scope,
        guild: discord.Guild | None,
    ) -> None:
        self._consents = consents
        self._membership = membership
        self._posts = posts
        self._scope = scope
        self._guild = guild

    async def permission_error(self, voice: SpokenVoice) -> str | None:
        """Return why it may not speak now, as a sentence for the member; None: it may.

        In a server it is looked up whether its speaker still belongs there.
        """
        await self._membership.refresh_membership(self._guild, voice.speaker_id, self._scope.member_id)
        return await self._consents.permission_error(voice, self._scope.guild_id)

    async def permission_error_of(self, found: Standing) -> str | None:
        """Return the same of a voice that was found this moment, without reading it again."""
        voice, member_id = found.voice, self._scope.member_id
        if await self._membership.refresh_membership(self._guild, voice.speaker_id, member_id):
            return await self._consents.permission_error(voice, self._scope.guild_id)
        return self._consents.permission_error_of(found, self._scope.guild_id)

    async def reference(self, voice: SpokenVoice) -> ReferenceAudio:
        """Return the recording of a saved voice for the TTS gateway.

        Raises `MemberError` where it had to be published and the voice may not speak.
        """
        at_hand = await self._posts.at_hand(voice)
        if at_hand is not None:
            return at_hand
        await self._check(voice)
        return await self._posts.reference(voice)

    async def renew(self, voice: SpokenVoice) -> ReferenceAudio:
        """Return its recording at a new address. Raises `MemberError` as `reference` does."""
        await self._check(voice)
        return await self._posts.renew(voice)

    async def _check(self, voice: SpokenVoice) -> None:
        """Raise `MemberError` if it may not speak: a revoked recording is not published again."""
        refusal = await self.permission_error(voice)
        if refusal is not None:
            raise MemberError(refusal)


class VoiceSilencer:
    """Silencer of withdrawn voices: it drops them from queues, jobs, kept speech and posts."""

    def __init__(self, players: GuildPlayers, synthesizer: SpeechSynthesizer, posts: ReferencePosts) -> None:
        self._players = players
        self._synthesizer = synthesizer
        self._posts = posts

    async def on_voice_withdrawn(self, withdrawal: Withdrawal) -> None:
        """Drop all that the bot holds of a withdrawn voice; who waited for it reads a sentence."""
        silent = withdrawal.silent_ids
        dropped = self._players.withdraw(*(self._players.voice_ids() if withdrawal.is_blind else silent))
        for member_id in self._players.member_ids():
            if member_label(member_id) in withdrawal.members:
                self._players.stop_all_of(member_id)
        if dropped:
            log.info("voices were withdrawn: %d utterances dropped", dropped)
        await asyncio.gather(
            self._posts.delete(withdrawal.posts),
            self._synthesizer.withdraw(*silent, members=withdrawal.members, speeches=withdrawal.speeches),
        )
        if withdrawal.is_final:
            self._posts.forget_mended(withdrawal.likenesses)
        if withdrawal.is_final and (withdrawal.voices or withdrawal.likenesses):
            await self._posts.settle()  # a recording that was just being posted is known by now
            await self._posts.delete_orphans()
