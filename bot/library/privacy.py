"""What a member can ask for about themselves, in all servers at once: everything in a file, or gone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import LibraryError
from bot.library.clock import Clock, utc_now
from bot.library.database import Database
from bot.library.erasing import Erased, erase
from bot.library.exporting import everything_about
from bot.library.recordings import Recordings
from bot.library.voice import Voice
from bot.library.withdrawal import Post, Withdrawal, Withdrawals
from bot.takes.labels import member_label, recording_label, voice_label

log = logging.getLogger(__name__)

Forget = Callable[[str], Awaitable[None]]
"""Throws away kept speech with this label, as `SpeechCache.forget`."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted. ``rows`` counts by kind; ``posts`` are still to be deleted in Discord.

    ``is_scrubbed``: nothing of it is left under the data directory; otherwise the rest goes the next time it
    can. What a server of PostgreSQL keeps of deleted rows is not meant.
    """

    voices: tuple[Voice, ...]
    rows: Mapping[str, int]
    posts: tuple[Post, ...]
    is_scrubbed: bool


class Privacy:
    """Everything about a member: exported and deleted. ``forget`` reaches the speech that is kept."""

    def __init__(
        self,
        database: Database,
        recordings: Recordings,
        withdrawals: Withdrawals,
        *,
        forget: Forget | None = None,
        now: Clock = utc_now,
    ) -> None:
        self._database = database
        self._recordings = recordings
        self._withdrawals = withdrawals
        self._forget = forget
        self._now = now

    def forget_speech_with(self, forget: Forget) -> None:
        """Reach kept speech through ``forget`` from now on."""
        self._forget = forget

    async def export(self, member_id: int) -> dict[str, Any]:
        """Return everything about a member in all servers, ready for JSON."""
        async with self._database.reading() as session:
            found = await everything_about(session, member_id)
        return {"member_id": str(member_id), "exported_at": self._now().isoformat(), **found}

    async def delete(self, member_id: int) -> Deleted:
        """Delete everything of a member: rows, recordings, kept speech, and what the disk still shows of it.

        What stays is said in `bot.library.erasing`. Whoever subscribed to the withdrawals was told of the
        voices. Raises `LibraryError` if nothing could be deleted.
        """
        async with self._database.session() as session:
            erased = await erase(session, member_id, self._now())
        await self._withdrawals.announce(
            Withdrawal(erased.voices, erased.posts, likenesses=erased.likenesses)
        )
        await self._forget_speech(member_id, erased)
        is_scrubbed = True
        try:
            await self._recordings.drop_unused(erased.recordings)
            await self._database.scrub()
        except LibraryError as error:  # the rows are gone, and the library tidies the rest up later
            log.warning("traces of a member's data are left for now: %s", error)
            is_scrubbed = False
        is_scrubbed = is_scrubbed and not self._database.needs_scrubbing
        return Deleted(erased.voices, erased.rows, erased.posts, is_scrubbed)

    async def _forget_speech(self, member_id: int, erased: Erased) -> None:
        if self._forget is None:
            return
        labels = [member_label(member_id)]
        labels += [voice_label(voice.id) for voice in erased.voices]
        labels += [recording_label(recording) for recording in sorted(erased.recordings)]
        for label in labels:
            await self._forget(label)
