"""Playback slot: a place in the queue of a voice channel, from its reservation to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import discord

from bot.errors import MemberError
from bot.playback.permissions import VoiceChannelLike
from bot.playback.player import GuildPlayer, VolumeFilter, Volumes
from bot.playback.players import GuildPlayers
from bot.playback.queue import Outcome, Utterance
from bot.text.labels import one_line

ENDINGS: Final = {
    Outcome.SKIPPED: "Skipped.",
    Outcome.STOPPED: "Stopped.",
    Outcome.BROKEN_OFF: "The rest didn't arrive.",
    Outcome.WITHDRAWN: "That voice was withdrawn, so I stopped. Choose another voice.",
    Outcome.SILENCED: "I was muted there, or can't speak there, so I skipped it.",
    Outcome.LOST: "I lost the voice channel before I could say it. Try again, or choose output: here.",
}
"""Words for a member about what was not heard to its end."""

UNHEARD: Final = {
    Outcome.LOST: "I lost the voice channel",
    Outcome.SILENCED: "I was muted there, or can't speak there",
}
"""Endings after which the file is sent instead, as the beginning of a sentence."""


@dataclass(frozen=True, slots=True)
class PlaybackSlot:
    """Slot in the queue of one voice channel, and the ``frames`` that came for it."""

    player: GuildPlayer
    utterance: Utterance
    channel: VoiceChannelLike
    sound: VolumeFilter
    frames: list[bytes] = field(default_factory=list)

    def append(self, frames: Sequence[bytes]) -> None:
        """Append the next frames to what is heard."""
        self.frames.extend(frames)
        self.sound.append(frames)

    @property
    def where(self) -> str:
        """Words for the member while it waits or is heard."""
        ahead = self.player.position(self.utterance)
        mention = self.channel.mention
        return f"{ahead} ahead of it in {mention}" if ahead else f"Speaking in {mention}"

    @contextmanager
    def released_on_failure(self) -> Iterator[None]:
        """Release the slot if the making of its sound fails inside."""
        try:
            yield
        except BaseException:
            self.utterance.fail()
            raise


class PlaybackSlots:
    """Slots of all voice channels; a channel is joined first where that is needed."""

    def __init__(self, players: GuildPlayers, volumes: Volumes) -> None:
        self._players = players
        self._volumes = volumes

    async def reserve(
        self, channel: VoiceChannelLike, member: discord.Member, title: str, voice_ids: frozenset[str]
    ) -> PlaybackSlot:
        """Return a slot for ``member`` in ``channel``. Raises `MemberError` and `PlaybackError`."""
        player = await self._players.join(channel, requested_by=member)
        return self._slot(player, channel, member.id, title, voice_ids)

    def reserve_in(
        self, player: GuildPlayer, member_id: int, title: str, voice_ids: frozenset[str]
    ) -> PlaybackSlot:
        """Return a slot where ``player`` is. Raises `MemberError`."""
        if player.channel is None:
            raise MemberError("I have just left the voice channel.")
        return self._slot(player, player.channel, member_id, title, voice_ids)

    def _slot(
        self,
        player: GuildPlayer,
        channel: VoiceChannelLike,
        member_id: int,
        title: str,
        voice_ids: frozenset[str],
    ) -> PlaybackSlot:
        utterance = player.reserve(member_id=member_id, title=one_line(title, 60), voice_ids=voice_ids)
        volume = self._volumes.get(channel.guild.id)
        return PlaybackSlot(player, utterance, channel, VolumeFilter(utterance, volume))
