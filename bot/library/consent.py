"""Consent: asked for, given, taken back; and the gate that every cloned voice passes before it speaks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError
from bot.library.cached_speeches import CachedSpeeches, voice_label
from bot.library.consent_rows import ConsentRows
from bot.library.consent_rules import (
    POLICY_VERSION,
    QUESTION_DAY,
    Consent,
    Request,
    Shares,
    Standing,
    answer_permission_error,
    ask_permission_error,
    cloning_permission_error,
    consent_behind,
    have_all_agreed,
    lapse_of_question,
    likeness_id,
    speech_permission_error,
    state_at,
)
from bot.library.database import Database
from bot.library.voice import Clock, Kind, Scope, Sharing, Voice, new_id, utc_now
from bot.library.withdrawal import Post, Withdrawal, Withdrawals

OPEN: Final = (Consent.ASKED, Consent.GRANTED)
"""What there is to take back."""

ENDED_DAYS: Final = 30
"""So long a question is remembered that came to nothing; see `ASK_AGAIN_DAYS` for why it is at all."""

EXPIRED: Final = "This button has expired. Run the command again for a new one."

NOT_SAID: Final = (
    "You haven't confirmed that this is your own voice, or you took that back. Run the command again."
)


class Spoken(Protocol):
    """A voice by its id: whatever else is said of it is looked up."""

    @property
    def id(self) -> str:
        """The id of the voice, or of a likeness."""


class Consents:
    """The consents of every server: who agreed to what. Whatever makes voices fall silent says so at once.

    Nothing of it is kept in memory: what the database says at this moment counts, also after a restart and
    in front of another process. ``policy`` is the version of the policy that counts; ``now`` the time.
    """

    def __init__(
        self,
        database: Database,
        speeches: CachedSpeeches,
        withdrawals: Withdrawals,
        *,
        now: Clock = utc_now,
        policy: int = POLICY_VERSION,
        rows: Callable[[AsyncSession], ConsentRows] = ConsentRows,
    ) -> None:
        self._database = database
        self._speeches = speeches
        self._withdrawals = withdrawals
        self._now = now
        self._policy = policy
        self._rows = rows

    async def cloning_permission_error(self, scope: Scope, speaker_id: int) -> str | None:
        """Return why nobody may even begin to clone this member here, as a sentence, or None: go on.

        To be asked before anything is downloaded. A member's wish never to be cloned comes first.
        """
        async with self._database.reading() as session:
            return await self._cloning_error(self._rows(session), scope, speaker_id)

    async def has_attested(self, scope: Scope) -> bool:
        """Return whether this member has said here, under this policy, that they clone their own voice."""
        async with self._database.reading() as session:
            return bool(await self._own(self._rows(session), scope))

    async def attest(self, scope: Scope, *, recording: str | None = None) -> str:
        """Write down "this is my own voice", said now; return the id of the consent.

        For one ``recording`` (a SHA-256), or for any of their own. It holds for their voices here that were
        saved with it under an older policy as well. Raises `MemberError` as `cloning_permission_error` says.
        """
        member_id = scope.member_id
        async with self._database.session() as session:
            rows = self._rows(session)
            refusal = await self._cloning_error(rows, scope, member_id)
            if refusal is not None:
                raise MemberError(refusal)
            said = await self._own(rows, scope)
            request = next((one for one in said if one.recording in (None, recording)), None)
            if request is None:
                request = self._request(scope, member_id, recording, None, Shares())
                request = replace(
                    request, state=Consent.GRANTED, answered_at=request.asked_at, lapses_at=None
                )
                await rows.add(request)
            await self._renew(rows, request)
        return request.id

    async def own_likeness(self, scope: Scope) -> str:
        """Return the id under which a recording of this member's own voice passes `permission_error` here.

        Raises `MemberError` as `cloning_permission_error` says, and if they have not said that they clone
        their own voice.
        """
        async with self._database.reading() as session:
            rows = self._rows(session)
            refusal = await self._cloning_error(rows, scope, scope.member_id)
            found = None if refusal else await self._likeness(rows, scope, self._now())
        if found is None:
            raise MemberError(refusal or NOT_SAID)
        return found

    async def own_likeness_at(self, scope: Scope, at: datetime) -> str:
        """Return the same for what was made ``at`` that moment, without a note of the consent behind it.

        Where there was none that still counts, it is an id that never passes.
        """
        async with self._database.reading() as session:
            return await self._likeness(self._rows(session), scope, at) or likeness_id("")

    async def silence_guild(self, guild_id: int) -> None:
        """Let all that is cloned in a server fall silent at once, after cloning was turned off there."""
        async with self._database.reading() as session:
            rows = self._rows(session)
            voices = [replace(voice, is_frozen=True) for voice in await rows.cloned_in(guild_id)]
            likenesses = [likeness_id(request.id) for request in await rows.own_in(guild_id)]
        await self._withdrawals.announce(Withdrawal(voices, is_final=False, likenesses=likenesses))

    async def speaker_of_likeness(self, voice_id: str) -> int | None:
        """Return whose likeness this is; None for a saved voice, and where the consent is gone."""
        request_id = consent_behind(voice_id)
        request = None if request_id is None else await self.request(request_id)
        return None if request is None else request.speaker_id

    async def question_permission_error(self, scope: Scope, speaker_id: int) -> str | None:
        """Return why this member may not be asked now, as a sentence, or None: `ask` would.

        To be asked before anything is downloaded. See `cloning_permission_error`, and `ask_permission_error`
        of the rules for how often members ask and are asked.
        """
        async with self._database.reading() as session:
            return await self._question_error(self._rows(session), scope, speaker_id)

    async def ask(
        self,
        scope: Scope,
        speaker_id: int,
        *,
        recording: str,
        name: str,
        sharing: Sharing = Sharing.ME,
        role_id: int | None = None,
        member_ids: frozenset[int] = frozenset(),
        author_id: int | None = None,
    ) -> Request:
        """Return the question to ``speaker_id`` whether the asker may save this recording as a voice.

        It names what they agree to, and lapses after `CONSENT_HOURS`. ``author_id`` wrote the message with
        the recording; a third person has to agree too. Raises `MemberError` as `question_permission_error`
        says, for both.
        """
        if author_id in (scope.member_id, speaker_id):
            author_id = None
        async with self._database.session() as session:
            for key in (scope.guild_id, scope.member_id):  # what the rule counts
                await self._database.lock(session, key)
            rows = self._rows(session)
            for asked_id in (speaker_id,) if author_id is None else (speaker_id, author_id):
                refusal = await self._question_error(rows, scope, asked_id)
                if refusal is not None:
                    raise MemberError(refusal)
            request = self._request(scope, speaker_id, recording, name, Shares(sharing, role_id, member_ids))
            request = replace(request, author_id=author_id)
            await rows.add(request)
        return request

    async def withdraw_question(self, request_id: str) -> None:
        """Take back a question that could not be put to anybody, as if it had not been asked."""
        async with self._database.session() as session:
            await self._rows(session).withdraw(request_id)

    async def posted(self, request_id: str, channel_id: int, message_id: int) -> None:
        """Remember in which message the buttons of a request stand."""
        async with self._database.session() as session:
            await self._rows(session).set_message(request_id, channel_id, message_id)

    async def request(self, request_id: str) -> Request | None:
        """Return a request as it stands now; None for an unknown id."""
        async with self._database.reading() as session:
            request = await self._rows(session).request(request_id)
        return None if request is None else self._as_of_now(request)

    async def question_to(self, presser_id: int, request_id: str) -> Request:
        """Return a question that this member may answer now. Raises `MemberError` as `answer` does."""
        request = await self.request(request_id)
        if request is None:
            raise MemberError(EXPIRED)
        refusal = answer_permission_error(request, presser_id, self._policy, self._now())
        if refusal is not None:
            raise MemberError(refusal)
        return request

    async def answer(self, request_id: str, presser_id: int, yes: bool) -> Consent:
        """Take the answer of somebody who was asked and return how the request stands now.

        Of two it is `Consent.ASKED` still, until both have agreed. Raises `MemberError` for everybody else,
        for a second answer, a late one, and an unknown request; and for a yes where cloning is not possible
        any more.
        """
        async with self._database.session() as session:
            rows = self._rows(session)
            request = await rows.request(request_id)
            if request is None:
                raise MemberError(EXPIRED)
            refusal = answer_permission_error(request, presser_id, self._policy, self._now())
            if refusal is None and yes:
                refusal = await self._cloning_error_of_any(rows, request)
            if refusal is not None:
                raise MemberError(refusal)
            if yes and not await self._all_agree(rows, request, presser_id):
                return Consent.ASKED
            after = Consent.GRANTED if yes else Consent.DECLINED
            if not await rows.change([request_id], [Consent.ASKED], after, self._now()):
                raise MemberError(EXPIRED)  # answered or taken back at this very moment
            if yes:
                await self._renew(rows, replace(request, state=after))
        return after

    async def permission_error(self, voice: Spoken, guild_id: int) -> str | None:
        """Return why this voice may not be heard in this server now, as a sentence, or None: it may.

        THE gate: to be asked at every use, before anything is made; for what /clone makes too, whose voice
        is a likeness. Designed and default voices need no consent, but none may speak that is deleted,
        frozen, or another server's.
        """
        return await self._database.read_together(self.permission_errors_in, (voice, guild_id))

    async def permission_errors_in(
        self, session: AsyncSession, asked: Sequence[tuple[Spoken, int]]
    ) -> list[str | None]:
        """Return the same for each voice and server, in one statement for all saved voices.

        It is in the caller's transaction, so that what that writes down hangs on it.
        """
        standings = await self._standings(self._rows(session), [voice for voice, _ in asked])
        return [self.permission_error_of(standings.get(voice.id), guild_id) for voice, guild_id in asked]

    def permission_error_of(self, standing: Standing | None, guild_id: int) -> str | None:
        """Return the same of a voice that was just found and stands like this; None: there is none."""
        return speech_permission_error(standing, guild_id, policy=self._policy, now=self._now())

    async def speech_posted(
        self, post: Post, voices: Collection[Spoken], guild_id: int, *, take_id: str
    ) -> str | None:
        """Look once more at the voices of a voice message that was just posted, and return why it must go.

        It is deleted then, and whoever subscribed to the withdrawals was told. Otherwise it is remembered,
        and goes with its generation and with any voice in it that is taken back.
        """
        async with self._database.session() as session:
            rows, refusal = self._rows(session), None
            real, standings = [], await self._standings(rows, voices)
            for voice in voices:
                standing = standings.get(voice.id)
                refusal = refusal or self.permission_error_of(standing, guild_id)
                if standing is not None and standing.voice.kind is Kind.CLONED:
                    real.append(consent_behind(voice.id) or voice.id)
            if refusal is None:
                await rows.remember_voice_message(post, take_id, real, self._now())
            else:
                await rows.withdraw_post(post, self._now())
        if refusal is not None:
            await self._withdrawals.announce(Withdrawal((), [post]))
        return refusal

    async def revoke(self, speaker_id: int, voice_id: str | None = None) -> list[Voice]:
        """Take back what this member agreed to, for one voice or for all, and return the voices that went.

        A member agrees as the one who is heard, or who wrote the message with the recording.

        It works in any state and from anywhere; open questions are over too. When it returns, the voices are
        deleted and everybody who subscribed to the withdrawals was told. Raises `MemberError` when
        ``voice_id`` is no voice of theirs.
        """
        async with self._database.session() as session:
            withdrawal = await self._revoke(session, speaker_id, voice_id)
        await self._withdrawals.announce(withdrawal)
        return list(withdrawal.voices)

    async def never_clone(self, member_id: int, on: bool) -> list[Voice]:
        """Let nobody clone this member, in any server, and take back what there is; or let them ask again.

        Returns the voices that went.
        """
        async with self._database.session() as session:
            rows = self._rows(session)
            await rows.set_never_clone(member_id, self._now() if on else None)
            withdrawal = await self._revoke(session, member_id, None) if on else Withdrawal(())
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

    async def delete_voice(self, session: AsyncSession, voice: Voice) -> Withdrawal:
        """Delete a voice and end the consent that hung on it, in the caller's transaction.

        Returns what the caller announces after it. A member's word that they clone their own voice,
        whichever recording, stands all the same.
        """
        rows = self._rows(session)
        posts = await rows.delete_voices([voice.id])
        request = await rows.request(voice.consent_id) if voice.consent_id else None
        is_over = request is not None and not (request.is_own and request.recording is None)
        if request is not None and is_over and not await rows.consents_in_use([request.id]):
            await rows.change([request.id], OPEN, Consent.REVOKED, self._now())
        speeches = await self._speeches.forget(session, [voice_label(voice.id)])
        return Withdrawal([voice], posts, speeches=speeches)

    async def sweep(self) -> list[Request]:
        """End the questions that nobody has answered in time, and return them as they were asked."""
        now = self._now()
        async with self._database.session() as session:
            rows = self._rows(session)
            overdue = await rows.overdue(now)
            await rows.change([one.id for one in overdue], [Consent.ASKED], Consent.LAPSED, now)
            await rows.forget_ended(now - timedelta(days=ENDED_DAYS))
        return overdue

    async def _revoke(self, session: AsyncSession, speaker_id: int, voice_id: str | None) -> Withdrawal:
        rows = self._rows(session)
        voices = [one for one in await rows.voices_agreed_by(speaker_id) if voice_id in (None, one.id)]
        if voice_id is not None and not voices:
            raise MemberError("You have no such voice. /privacy export lists yours.")
        posts = await rows.delete_voices([voice.id for voice in voices])
        recordings: set[str | None] = set()
        if voice_id is None:
            open_ones = await rows.asked_of(speaker_id, OPEN)
            ended = {one.id for one in open_ones}
            recordings = {one.recording for one in open_ones}
        else:
            ended = {voice.consent_id for voice in voices if voice.consent_id}
            ended -= await rows.consents_in_use(ended)
        await rows.change(ended, OPEN, Consent.REVOKED, self._now())
        posts += await rows.withdraw_voice_messages(ended)
        likenesses = [likeness_id(one) for one in sorted(ended)]
        silent = (*(voice.id for voice in voices), *likenesses)
        return Withdrawal(
            voices,
            posts,
            likenesses=likenesses,
            recordings=[one for one in recordings if one is not None],
            speeches=await self._speeches.forget(session, [voice_label(one) for one in silent]),
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

    async def _cloning_error(self, rows: ConsentRows, scope: Scope, speaker_id: int) -> str | None:
        is_never_cloned, is_frozen, accepted = await rows.cloning_of(scope.guild_id, speaker_id)
        return cloning_permission_error(
            is_never_cloned=is_never_cloned,
            is_own=speaker_id == scope.member_id,
            is_private=scope.is_private,
            accepted=accepted,
            policy=self._policy,
            is_frozen=is_frozen,
        )

    async def _question_error(self, rows: ConsentRows, scope: Scope, asked_id: int) -> str | None:
        refusal = await self._cloning_error(rows, scope, asked_id)
        if refusal is not None:
            return refusal
        people, now = (scope.guild_id, scope.member_id, asked_id), self._now()
        before = await rows.asked_before(*people, now - QUESTION_DAY)
        return ask_permission_error(*people, before, now)

    async def _cloning_error_of_any(self, rows: ConsentRows, request: Request) -> str | None:
        """Return why one of those who were asked may not be cloned any more, or None."""
        scope = Scope(request.guild_id, request.asker_id)
        refusals = [await self._cloning_error(rows, scope, asked_id) for asked_id in request.asked_ids]
        return next(filter(None, refusals), None)

    @staticmethod
    async def _standings(rows: ConsentRows, voices: Collection[Spoken]) -> dict[str, Standing]:
        """Return what decides about each of these voices, by its id; who is gone is not in it."""
        ids = dict.fromkeys(voice.id for voice in voices)
        likenesses = {voice_id: under for voice_id in ids if (under := consent_behind(voice_id)) is not None}
        saved = ids.keys() - likenesses.keys()
        standings = await rows.standings(saved) if saved else {}
        for voice_id, request_id in likenesses.items():
            standing = await rows.standing_of_likeness(request_id)
            if standing is not None:
                standings[voice_id] = standing
        return standings

    @staticmethod
    async def _all_agree(rows: ConsentRows, request: Request, presser_id: int) -> bool:
        """Note that one of those who were asked agrees; return whether all do. Two may press at once."""
        if not have_all_agreed(request, presser_id):
            await rows.set_agreed(request.id, presser_id)
        newest = await rows.request(request.id)
        return newest is not None and have_all_agreed(newest, presser_id)

    async def _likeness(self, rows: ConsentRows, scope: Scope, at: datetime) -> str | None:
        said = [one for one in await self._own(rows, scope) if one.recording is None and one.asked_at <= at]
        return likeness_id(said[0].id) if said else None

    async def _own(self, rows: ConsentRows, scope: Scope) -> list[Request]:
        """Return what counts here of the member's word for their own voice, the widest first."""
        said = await rows.between(scope.guild_id, scope.member_id, scope.member_id)
        counts = [
            one
            for one in said
            if self._as_of_now(one).state is Consent.GRANTED and one.policy_version == self._policy
        ]
        return sorted(counts, key=lambda one: one.recording is not None)

    def _request(
        self, scope: Scope, speaker_id: int, recording: str | None, name: str | None, shares: Shares
    ) -> Request:
        now = self._now()
        return Request(
            new_id(),
            *(scope.guild_id, scope.member_id, speaker_id, Consent.ASKED, self._policy),
            *(recording, name, shares, now, lapse_of_question(now)),
        )

    async def _renew(self, rows: ConsentRows, request: Request) -> None:
        """Let the voices that were saved with such a consent hang on this newer one."""
        renewed = [
            voice.id
            for voice in await rows.voices_of(request.speaker_id)
            if (voice.guild_id, voice.owner_id) == (request.guild_id, request.asker_id)
            and request.recording in ((None, voice.recording) if request.is_own else (voice.recording,))
        ]
        if renewed:
            await rows.set_consent(renewed, request.id)

    def _as_of_now(self, request: Request) -> Request:
        return replace(request, state=state_at(request.state, request.lapses_at, self._now()))
