"""Voice messages: Discord's bubble with a waveform, in a message of its own."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import discord
from discord.http import MultipartParameters, handle_message_parameters
from discord.webhook.async_ import async_context, interaction_message_response_params

from bot.audio.formats import VoiceMessage
from bot.delivery.offer import PASSING, MemoryFile
from bot.delivery.reply import Reply
from bot.errors import MemberError
from bot.interaction import write_permission_error
from bot.library.cached_speeches import member_label
from bot.library.generations import Generation
from bot.library.withdrawal import Post, Withdrawal
from bot.limits import MAX_GENERATIONS_IN_HAND, MAX_VOICE_MESSAGES_BYTES

log = logging.getLogger(__name__)

_FILE: Final = "voice-message.ogg"
_PAUSES: Final = (1.0, 2.0, 4.0)
"""Seconds between the tries of sending one."""

_TRY_SECONDS: Final = 60.0


_NOT_TAKEN: Final = "Discord rejected the voice message. Try again in a minute."


@dataclass(frozen=True, slots=True)
class _Made:
    message: VoiceMessage
    member_id: int
    voice_ids: frozenset[str]


class GenerationsInHand:
    """Generations whose sound is worked on for a button, few at a time, and the voice messages made of them.

    A voice message is made once for everybody who presses: the newest are remembered, `max_bytes` of them.
    They go when their generation, its member or one of its voices goes.
    """

    def __init__(
        self, *, at_once: int = MAX_GENERATIONS_IN_HAND, max_bytes: int = MAX_VOICE_MESSAGES_BYTES
    ) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._max_bytes = max_bytes
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._made: OrderedDict[str, _Made] = OrderedDict()  # by generation id, oldest use first
        self._responses: deque[tuple[discord.Interaction, frozenset[str]]] = deque()  # oldest first

    @asynccontextmanager
    async def turn(self, generation_id: str) -> AsyncIterator[None]:
        """Wait for a place, and until nobody else works on this generation; nothing is fetched before."""
        lock = self._turns.setdefault(generation_id, asyncio.Lock())
        async with lock, self._places:
            yield

    def voice_message(self, generation_id: str) -> VoiceMessage | None:
        """Return the voice message that was made of a generation, if it is remembered."""
        made = self._made.get(generation_id)
        if made is None:
            return None
        self._made.move_to_end(generation_id)
        return made.message

    def remember(self, generation: Generation, message: VoiceMessage) -> None:
        """Remember the voice message that was made of ``generation``, in place of the least used ones."""
        if len(message.ogg) > self._max_bytes:
            return
        voice_ids = frozenset(filter(None, generation.voice_ids))
        self._made[generation.id] = _Made(message, generation.member_id, voice_ids)
        while sum(len(made.message.ogg) for made in self._made.values()) > self._max_bytes:
            self._made.popitem(last=False)

    def forget(
        self,
        generation_id: str | None = None,
        *,
        member_id: int | None = None,
        voice_ids: Collection[str] = (),
        members: Collection[str] = (),
    ) -> None:
        """Forget what was made of this generation, of those of this member, and in any of these voices.

        ``members`` are labels of more of them.
        """
        for key, made in list(self._made.items()):
            is_theirs = made.member_id == member_id or (members and member_label(made.member_id) in members)
            if key == generation_id or is_theirs or made.voice_ids & set(voice_ids):
                del self._made[key]

    def note_response(self, interaction: discord.Interaction, generation: Generation) -> None:
        """Remember a voice message that is about to be the response to ``interaction``, while that works.

        Where the bot itself is not, nothing else can delete it.
        """
        while self._responses and self._responses[0][0].is_expired():
            self._responses.popleft()
        self._responses.append((interaction, frozenset(filter(None, generation.voice_ids))))

    async def on_voice_withdrawn(self, withdrawal: Withdrawal) -> None:
        """Forget what was made in the withdrawn voices, and delete responses in those that are gone."""
        gone = set(withdrawal.silent_ids)
        self.forget(voice_ids=gone, members=withdrawal.members)
        if not withdrawal.is_final:
            return
        for interaction, _ in [one for one in self._responses if one[1] & gone]:
            with suppress(discord.HTTPException, OSError):  # on its way, it is looked at when it is there
                await interaction.delete_original_response()


class _VoiceFile(MemoryFile):
    """File with the fields of a voice message, which discord.py 2.7.1 does not know."""

    def __init__(self, message: VoiceMessage) -> None:
        super().__init__(message.ogg, _FILE)
        self._more = {"duration_secs": message.seconds, "waveform": message.waveform}

    def to_dict(self, index: int) -> dict[str, Any]:
        """Return the description of the file that goes with its bytes."""
        return {**super().to_dict(index), **self._more}


def voice_message_permission_error(interaction: discord.Interaction) -> str | None:
    """Return why the bot cannot send a voice message of its own where ``interaction`` happens; None: it can.

    That is where it is a member, and in a conversation with it. The reason is in a few words.
    """
    if comes_as_response(interaction):
        return "Outside my servers I can only send voice messages from More…"
    if interaction.guild_id is None:
        return None
    refusal = write_permission_error(interaction)
    if refusal is None and not interaction.app_permissions.send_voice_messages:
        refusal = 'I need the permission "Send Voice Messages" here'
    return None if refusal is None else f"{refusal} for voice messages"


def comes_as_response(interaction: discord.Interaction) -> bool:
    """Return whether the bot itself is not where ``interaction`` happens, only the app of a member.

    There a voice message can only be the first response, within three seconds: not a deferred one, and no
    follow-up (Discord's documentation, Interaction Callback Data and Execute Webhook).
    """
    if interaction.guild_id is None:
        return not interaction.context.dm_channel
    return not interaction.is_guild_integration()


async def respond_with_voice_message(interaction: discord.Interaction, message: VoiceMessage) -> None:
    """Respond to ``interaction``, which nobody has acknowledged, with a voice message.

    Raises one of `bot.delivery.reply.UNREACHABLE` if Discord does not take it.
    """
    http = interaction.client.http

    async def respond() -> None:
        flags = discord.MessageFlags(voice=True)
        with _labelled(
            interaction_message_response_params(
                type=discord.InteractionResponseType.channel_message.value,
                flags=flags,
                file=_VoiceFile(message),
            )
        ) as params:
            await async_context.get().create_interaction_response(
                interaction.id,
                interaction.token,
                session=interaction._session,
                proxy=http.proxy,
                proxy_auth=http.proxy_auth,
                params=params,
            )

    await Reply.of(interaction).finish_at_once(respond)


async def send_voice_message(
    client: discord.Client, channel_id: int, message: VoiceMessage, *, reply_to: discord.Message | None = None
) -> Post:
    """Send a voice message, once however often that is tried, and return where it stands.

    It carries neither words nor buttons. Raises `MemberError` if Discord does not take it.
    """
    answered = reply_to.to_reference(fail_if_not_exists=False) if reply_to else None
    reference: Any = answered.to_message_reference_dict() if answered else discord.utils.MISSING
    nonce = secrets.randbits(63)  # under one nonce Discord makes one message of all tries
    for pause in (*_PAUSES, 0.0):
        with _labelled(
            handle_message_parameters(
                file=_VoiceFile(message),
                flags=discord.MessageFlags(voice=True),
                allowed_mentions=discord.AllowedMentions.none(),
                message_reference=reference,
                nonce=nonce,
            )
        ) as params:
            try:
                async with asyncio.timeout(_TRY_SECONDS):
                    sent = await client.http.send_message(channel_id, params=params)
                return Post(channel_id, int(sent["id"]))
            except (discord.HTTPException, *PASSING) as error:
                code = error.code if isinstance(error, discord.HTTPException) else type(error).__name__
                log.warning("Discord did not take a voice message: %s", code)
                if not isinstance(error, PASSING):
                    break
        await asyncio.sleep(pause)
    raise MemberError(_NOT_TAKEN)


def _labelled(params: MultipartParameters) -> MultipartParameters:
    """Return ``params`` with a file that says that it is Ogg, as discord.py 2.7.1 says of none."""
    for part in params.multipart or ():
        if "filename" in part:
            part["content_type"] = "audio/ogg"
    return params
