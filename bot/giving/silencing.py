"""What happens at once when a voice may not be heard any more."""

from __future__ import annotations

import asyncio
import logging

from bot.giving.access import VoiceAccesses
from bot.library.withdrawal import Withdrawal
from bot.playback.players import GuildPlayers
from bot.reference_posts import ReferencePosts
from bot.synthesis import SpeechMaker

log = logging.getLogger(__name__)


class Silencing:
    """Drops all that the bot holds of a withdrawn voice: the queues, the makings, kept speech, posts."""

    def __init__(
        self,
        players: GuildPlayers,
        speeches: SpeechMaker,
        accesses: VoiceAccesses,
        posts: ReferencePosts,
    ) -> None:
        self._players = players
        self._speeches = speeches
        self._accesses = accesses
        self._posts = posts

    async def hear(self, withdrawal: Withdrawal) -> None:
        """Take in a withdrawal; who waited for such a voice reads a sentence."""
        silent = [voice.id for voice in withdrawal.voices if withdrawal.is_final or voice.is_frozen]
        silent += withdrawal.likenesses
        dropped = self._players.withdraw(*silent)
        if dropped:
            log.info("voices were withdrawn: %d utterances dropped", dropped)
        await asyncio.gather(self._posts.delete(withdrawal.posts), self._speeches.withdraw(*silent))
        if withdrawal.is_final and withdrawal.voices:
            await self._accesses.settle()  # a recording that was just being posted is known by now
            await self._posts.delete_orphans()
