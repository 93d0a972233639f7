"""Taking consent back: by the speaker, in any state and from anywhere; and what else makes a voice rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError
from bot.library.clock import Clock, utc_now
from bot.library.consent_rows import ConsentRows
from bot.library.consent_rules import POLICY_VERSION, Consent, likeness_id
from bot.library.database import Database
from bot.library.voice import Voice
from bot.library.withdrawal import Withdrawal, Withdrawals

OPEN: Final = (Consent.ASKED, Consent.GRANTED)
"""What there is to take back."""


class Revoking:
    """The part of `Consents` that makes voices fall silent. Each of these tells it before it returns."""

    def __init__(
        self,
        database: Database,
        withdrawals: Withdrawals,
        *,
        now: Clock = utc_now,
        policy: int = POLICY_VERSION,
        rows: Callable[[AsyncSession], ConsentRows] = ConsentRows,
    ) -> None:
        self._database = database
        self._withdrawals = withdrawals
        self._now = now
        self._policy = policy
        self._rows = rows

    async def revoke(self, speaker_id: int, voice_id: str | None = None) -> list[Voice]:
        """Take back what this member agreed to, for one voice or for all, and return the voices that went.

        It works in any state and from anywhere; open questions are over too. When it returns, the voices are
        deleted and everybody who subscribed to the withdrawals was told. Raises `MemberError` when
        ``voice_id`` is no voice of theirs.
        """
        async with self._database.session() as session:
            withdrawal = await self._revoke(self._rows(session), speaker_id, voice_id)
        await self._withdrawals.announce(withdrawal)
        return list(withdrawal.voices)

    async def never_clone(self, member_id: int, on: bool) -> list[Voice]:
        """Let nobody clone this member, in any server, and take back what there is; or let them ask again.

        Returns the voices that went.
        """
        async with self._database.session() as session:
            rows = self._rows(session)
            await rows.set_never_clone(member_id, self._now() if on else None)
            withdrawal = await self._revoke(rows, member_id, None) if on else Withdrawal(())
        await self._withdrawals.announce(withdrawal)
        return list(withdrawal.voices)

    async def is_never_cloned(self, member_id: int) -> bool:
        """Return whether this member has said that nobody may clone them."""
        async with self._database.reading() as session:
            return await self._rows(session).is_never_cloned(member_id)

    async def speaker_left(self, guild_id: int, member_id: int) -> None:
        """Let the voices of a member who left a server rest there. They can still take everything back."""
        await self._set_lapse(guild_id, member_id, is_here=False)

    async def speaker_returned(self, guild_id: int, member_id: int) -> None:
        """Let the voices of a member who is back in a server be used again."""
        await self._set_lapse(guild_id, member_id, is_here=True)

    async def voice_deleted(self, voice: Voice) -> None:
        """End the consent that hung on a voice which somebody deleted, and tell that the voice is gone.

        A member's word that they clone their own voice, whichever recording, stands all the same.
        """
        async with self._database.session() as session:
            rows = self._rows(session)
            posts = await rows.delete_voices([voice.id])
            request = await rows.request(voice.consent_id) if voice.consent_id else None
            is_over = request is not None and not (request.is_own and request.recording is None)
            if request is not None and is_over and not await rows.consents_in_use([request.id]):
                await rows.change([request.id], OPEN, Consent.REVOKED, self._now())
        await self._withdrawals.announce(Withdrawal([voice], posts))

    async def _revoke(self, rows: ConsentRows, speaker_id: int, voice_id: str | None) -> Withdrawal:
        voices = [one for one in await rows.voices_of(speaker_id) if voice_id in (None, one.id)]
        if voice_id is not None and not voices:
            raise MemberError("There is no such voice of yours. /privacy export shows what there is.")
        posts = await rows.delete_voices([voice.id for voice in voices])
        recordings: set[str | None] = set()
        if voice_id is None:
            open_ones = await rows.in_states(speaker_id, OPEN)
            ended = {one.id for one in open_ones}
            recordings = {one.recording for one in open_ones}
        else:
            ended = {voice.consent_id for voice in voices if voice.consent_id}
            ended -= await rows.consents_in_use(ended)
        await rows.change(ended, OPEN, Consent.REVOKED, self._now())
        return Withdrawal(
            voices,
            posts,
            likenesses=[likeness_id(one) for one in sorted(ended)],
            recordings=[one for one in recordings if one is not None],
        )

    async def _set_lapse(self, guild_id: int, member_id: int, *, is_here: bool) -> None:
        async with self._database.session() as session:
            rows = self._rows(session)
            # A question that was left behind is over; a consent comes back with its speaker.
            states = [Consent.GRANTED] if is_here else OPEN
            resting = await rows.in_states(member_id, states, guild_id)
            await rows.set_lapse([one.id for one in resting], None if is_here else self._now())
            voices = [] if is_here else await rows.voices_of(member_id)
        silent = [replace(voice, is_frozen=True) for voice in voices if voice.guild_id == guild_id]
        likenesses = [] if is_here else [likeness_id(one.id) for one in resting]
        await self._withdrawals.announce(Withdrawal(silent, is_final=False, likenesses=likenesses))
