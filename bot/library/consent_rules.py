"""The rules of consent, as functions of values and of the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from bot.library.voice import Kind, Sharing, Voice

POLICY_VERSION: Final = 1
"""The version of the policy that moderators and speakers accept. A new one asks all of them again."""

CONSENT_HOURS: Final = 24
"""So long a question may be answered."""

ASK_AGAIN_DAYS: Final = 7
"""Who was refused, or lost a consent, may ask the same member again after this long: nobody is pestered."""

_LIKENESS: Final = "own:"
"""Begins the id of a voice that is not saved; the id of a saved one has no colon."""


class Consent(Enum):
    """How a consent stands."""

    ASKED = "asked"
    GRANTED = "granted"
    DECLINED = "declined"
    REVOKED = "revoked"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Shares:
    """With whom a voice is, or is to be, shared."""

    sharing: Sharing = Sharing.ME
    role_id: int | None = None
    member_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Request:
    """A consent as it was asked for, and how it stood when it was read.

    ``asker_id`` wants to clone ``speaker_id``; for one's own voice they are the same. ``recording`` None:
    any recording of one's own voice; ``name`` is what the voice is to be called. ``lapses_at`` None: it
    lasts. The message is the one with the buttons, if there is one.
    """

    id: str
    guild_id: int
    asker_id: int
    speaker_id: int
    state: Consent
    policy_version: int
    recording: str | None
    name: str | None = field(repr=False)
    shares: Shares
    asked_at: datetime
    lapses_at: datetime | None
    answered_at: datetime | None = None
    revoked_at: datetime | None = None
    channel_id: int | None = None
    message_id: int | None = None

    @property
    def is_own(self) -> bool:
        """Whether somebody spoke for their own voice."""
        return self.asker_id == self.speaker_id


@dataclass(frozen=True, slots=True)
class Standing:
    """All that decides whether a voice may speak, as of one moment.

    ``policy`` is the version that the server's moderators have accepted, None while cloning is off there.
    """

    voice: Voice
    request: Request | None
    is_never_cloned: bool
    policy: int | None


def likeness_id(request_id: str) -> str:
    """Return the id of the voice that /clone speaks with under this consent.

    Nothing is saved of it, so it lives as long as the consent: one that is given anew is another voice.
    """
    return f"{_LIKENESS}{request_id}"


def consent_behind(voice_id: str) -> str | None:
    """Return the id of the consent on which a likeness hangs; None: this is the id of a saved voice."""
    return voice_id.removeprefix(_LIKENESS) if voice_id.startswith(_LIKENESS) else None


def likeness_under(request: Request) -> Voice:
    """Return the voice that /clone speaks with under this consent, for the rules that saved voices obey.

    Its recording is none that we keep, so only a consent to any recording of one's own is enough for it.
    """
    return Voice(
        id=likeness_id(request.id),
        guild_id=request.guild_id,
        name="",
        owner_id=request.asker_id,
        speaker_id=request.speaker_id,
        kind=Kind.CLONED,
        recording="",
        seconds=0.0,
        created_at=request.asked_at,
        consent_id=request.id,
    )


def state_at(state: Consent, lapses_at: datetime | None, now: datetime) -> Consent:
    """Return how a consent stands at ``now`` that was last written down as ``state``.

    A question lapses when nobody answers. A consent lapses while its speaker is away from the server.
    """
    is_open = state in (Consent.ASKED, Consent.GRANTED)
    return Consent.LAPSED if is_open and lapses_at is not None and now >= lapses_at else state


def lapse_of_question(asked_at: datetime) -> datetime:
    """Return until when a question that was asked then may be answered."""
    return asked_at + timedelta(hours=CONSENT_HOURS)


def may_ask_again(refused_at: datetime, now: datetime) -> bool:
    """Return whether somebody who was refused then may ask the same member now."""
    return now >= refused_at + timedelta(days=ASK_AGAIN_DAYS)


def covers(agreed: Shares, actual: Shares) -> bool:
    """Return whether who agreed to ``agreed`` has agreed to ``actual`` too."""
    if actual.sharing is Sharing.ME or agreed.sharing is Sharing.SERVER:
        return True
    if agreed.sharing is not actual.sharing:
        return False
    if actual.sharing is Sharing.MEMBERS:
        return actual.member_ids <= agreed.member_ids
    return agreed.role_id == actual.role_id


def answer_permission_error(request: Request, presser_id: int, policy: int, now: datetime) -> str | None:
    """Return what ``presser_id`` reads who may not answer this now, or None: only the speaker may, once."""
    if presser_id != request.speaker_id:
        return "Only the member whose voice it is can answer this."
    state = state_at(request.state, request.lapses_at, now)
    if state is Consent.GRANTED:
        return "You have already agreed. To take it back, use /privacy revoke."
    if state is Consent.DECLINED:
        return "You have already declined. Nothing was saved."
    if state is Consent.REVOKED:
        return "This was taken back. Nothing of it is left; whoever wants your voice has to ask you again."
    if state is Consent.LAPSED:
        return f"This question was open for {CONSENT_HOURS} hours and has expired. Nothing was saved."
    if request.policy_version != policy:
        return "The rules for cloning have changed since you were asked. It has to be asked again."
    return None


def cloning_permission_error(
    *, is_never_cloned: bool, is_own: bool, is_private: bool, accepted: int | None, policy: int
) -> str | None:
    """Return why a member may not be cloned at all, here and now, as a sentence, or None.

    ``is_own``: they ask for themselves; ``is_private``: outside servers; ``accepted`` is the version of the
    policy that moderators have accepted here, None while cloning is off.
    """
    if is_never_cloned and is_own:
        return "You have told me never to clone you. Take that back first: /privacy never-clone-me."
    if is_never_cloned:
        return "That member does not want to be cloned."
    if is_private:
        return None if is_own else "Outside servers I clone nobody's voice but your own."
    if accepted is None:
        return "Cloning is off in this server. A moderator can turn it on: /voice cloning."
    if accepted != policy:
        return "The rules for cloning have changed. A moderator has to accept them first: /voice cloning."
    return None


def ask_permission_error(
    asker_id: int, speaker_id: int, before: Iterable[Request], now: datetime
) -> str | None:
    """Return why this member may not be asked now, who was asked ``before`` by the same asker, or None."""
    if asker_id == speaker_id:
        return "For your own voice you need nobody else. Save it as your own."
    for request in before:
        if state_at(request.state, request.lapses_at, now) is Consent.ASKED:
            return f"You have asked them already. They have {CONSENT_HOURS} hours to answer."
        ended = request.revoked_at or request.answered_at
        refused = request.state in (Consent.DECLINED, Consent.REVOKED)
        if refused and ended is not None and not may_ask_again(ended, now):
            return f"They said no. You can ask them again {ASK_AGAIN_DAYS} days after that."
    return None


def speech_permission_error(
    standing: Standing | None, guild_id: int, *, policy: int, now: datetime
) -> str | None:
    """Return why a voice that stands like this may not be heard in this server at ``now``, or None."""
    if standing is None or standing.voice.guild_id != guild_id:
        return "This voice is not here any more. Choose another one."
    voice = standing.voice
    if voice.is_frozen:
        return "A moderator has frozen this voice. Ask them, or choose another one."
    if voice.kind is not Kind.CLONED:
        return None
    if standing.is_never_cloned:
        return "The member whose voice this is does not want to be cloned. Choose another one."
    refusal = cloning_permission_error(
        is_never_cloned=False,
        is_own=voice.speaker_id == voice.owner_id,
        is_private=guild_id == voice.owner_id,
        accepted=standing.policy,
        policy=policy,
    )
    return refusal or _agreement_error(voice, standing.request, policy, now)


def _agreement_error(voice: Voice, request: Request | None, policy: int, now: datetime) -> str | None:
    """Return why this is no consent of the speaker's, for this owner, recording and these people, or None."""
    if (
        request is None
        or (request.guild_id, request.speaker_id, request.asker_id)
        != (voice.guild_id, voice.speaker_id, voice.owner_id)
        or request.state not in (Consent.GRANTED, Consent.ASKED)
    ):
        return "The member whose voice this is does not agree to its use. Choose another one."
    if request.state is Consent.ASKED:
        return "The member whose voice this is has not agreed yet. Choose another one, or wait for them."
    if request.recording not in ((None, voice.recording) if request.is_own else (voice.recording,)):
        return "The member whose voice this is has agreed to another recording, not to this one."
    if state_at(request.state, request.lapses_at, now) is Consent.LAPSED:
        return "The member whose voice this is has left this server. The voice rests until they are back."
    if request.policy_version != policy:
        return "The rules for cloning have changed. The member whose voice this is has to agree once more."
    if not request.is_own and not covers(
        request.shares, Shares(voice.sharing, voice.role_id, voice.member_ids)
    ):
        return (
            "The member whose voice this is did not agree to share it with so many. "
            "Its owner has to share it with fewer, or ask them again."
        )
    return None
