"""The rules of consent, as functions of values and of the time."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from bot.library.voice import Kind, Sharing, Voice, is_for_all_guilds

POLICY_VERSION: Final = 1
"""The version of the policy that moderators and speakers accept. A new one asks all of them again."""

CONSENT_HOURS: Final = 24
"""So long a question may be answered."""

ASK_AGAIN_DAYS: Final = 7
"""Who was refused, lost a consent, or got no answer may ask the same member again after this long."""

MAX_OPEN_QUESTIONS: Final = 2
MAX_QUESTIONS_A_DAY: Final = 5
"""Questions of one member, in all servers together: open at once, and in 24 hours. Each pings somebody."""

MAX_QUESTIONS_TO_ONE_A_DAY: Final = 3
"""Questions to one member in one server in 24 hours, whoever asks: nobody is pestered by many either."""

QUESTION_DAY: Final = timedelta(days=1)
"""How far back questions count for those."""

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

    ``author_id`` wrote the message with the recording, where that is a third person: they have to agree as
    well. ``agreed_id`` is who of the two has, while the other has not answered.
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
    author_id: int | None = None
    agreed_id: int | None = None

    @property
    def asked_ids(self) -> tuple[int, ...]:
        """Who has to agree: the speaker, and who wrote the message with the recording."""
        return (self.speaker_id,) if self.author_id is None else (self.speaker_id, self.author_id)

    @property
    def is_own(self) -> bool:
        """Whether somebody spoke for their own voice."""
        return self.asker_id == self.speaker_id


@dataclass(frozen=True, slots=True)
class Standing:
    """All that decides whether a voice may speak, as of one moment.

    ``is_never_cloned``: its speaker does not want to be, or who wrote the message with the recording.
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


def likeness_under(request: Request, *, is_frozen: bool = False) -> Voice:
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
        is_frozen=is_frozen,
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
    """Return what ``presser_id`` reads who may not answer this now, or None: only who was asked may, once."""
    if presser_id not in request.asked_ids:
        return "Only the member whose voice this is can answer."
    state = state_at(request.state, request.lapses_at, now)
    if state is Consent.ASKED and presser_id == request.agreed_id:
        return "You have agreed. The other person hasn't answered yet. To take it back, use /privacy revoke."
    if state is Consent.GRANTED:
        return "You have already agreed. To take it back, use /privacy revoke."
    if state is Consent.DECLINED:
        return "You have already declined. Nothing was saved."
    if state is Consent.REVOKED:
        return (
            "You took this back, and I deleted everything. Anyone who wants your voice has to ask you again."
        )
    if state is Consent.LAPSED:
        return f"This question was open for {CONSENT_HOURS} hours and has expired. Nothing was saved."
    if request.policy_version != policy:
        return (
            "The cloning rules have changed since you were asked, so this no longer counts. They "
            "have to ask you again."
        )
    return None


def have_all_agreed(request: Request, presser_id: int) -> bool:
    """Return whether everybody who was asked has agreed, now that ``presser_id`` does."""
    return set(request.asked_ids) <= {request.agreed_id, presser_id}


def cloning_permission_error(
    *,
    is_never_cloned: bool,
    is_own: bool,
    is_private: bool,
    accepted: int | None,
    policy: int,
    is_frozen: bool = False,
) -> str | None:
    """Return why a member may not be cloned at all, here and now, as a sentence, or None.

    ``is_own``: they ask for themselves; ``is_private``: outside servers; ``accepted`` is the version of the
    policy that moderators have accepted here, None while cloning is off. ``is_frozen``: a moderator has
    frozen what is made of their own recordings.
    """
    if is_never_cloned and is_own:
        return "You told me never to clone you. Turn that off first: /privacy never-clone-me."
    if is_never_cloned:
        return "That member doesn't want to be cloned."
    if is_own and is_frozen:
        return "A moderator has frozen what I make from your recordings here. Ask a moderator about it."
    if is_private:
        return None if is_own else "Outside servers I can only clone your own voice."
    if accepted is None:
        return "Cloning is off in this server. A moderator can turn it on: /myna cloning."
    if accepted != policy:
        return "The rules for cloning have changed. A moderator has to accept them first: /myna cloning."
    return None


def ask_permission_error(
    guild_id: int, asker_id: int, asked_id: int, before: Collection[Request], now: datetime
) -> str | None:
    """Return why this member may not be asked by this asker here and now, as a sentence, or None.

    ``before`` is what was asked: by the asker of this member, ever; by the asker, and of this member here, in
    the last `QUESTION_DAY`.
    """
    if asker_id == asked_id:
        return "You don't need anyone's consent for your own voice. Save it as yours."
    mine = [one for one in before if one.asker_id == asker_id and not one.is_own]
    theirs = [one for one in before if one.guild_id == guild_id and asked_id in one.asked_ids]
    refusals = (
        *(_pair_error(one, now) for one in mine if asked_id in one.asked_ids),
        _open_error([one for one in mine if _is_open(one, now)]),
        _day_error(mine, MAX_QUESTIONS_A_DAY, now, f"You've asked {MAX_QUESTIONS_A_DAY} times in 24 hours."),
        _day_error(
            [one for one in theirs if not one.is_own],
            *(MAX_QUESTIONS_TO_ONE_A_DAY, now),
            f"They've been asked {MAX_QUESTIONS_TO_ONE_A_DAY} times here in 24 hours.",
        ),
    )
    return next(filter(None, refusals), None)


def _is_open(request: Request, now: datetime) -> bool:
    is_asked = request.state is Consent.ASKED
    return is_asked and state_at(request.state, request.lapses_at, now) is Consent.ASKED


def _pair_error(request: Request, now: datetime) -> str | None:
    """Return why who asked this may not ask the same member again yet, or None."""
    if _is_open(request, now):
        return f"You've already asked them. They can answer until {_shown(request.lapses_at)}."
    if request.state is Consent.DECLINED:
        ended, what = request.answered_at, "They said no."
    elif request.state is Consent.REVOKED:
        ended, what = request.revoked_at, "They took their last yes back."
    elif request.state in (Consent.ASKED, Consent.LAPSED):
        ended, what = request.lapses_at, "They didn't answer."
    else:
        return None
    again = None if ended is None else ended + timedelta(days=ASK_AGAIN_DAYS)
    return None if again is None or now >= again else f"{what} You can ask them again after {_shown(again)}."


def _open_error(questions: Collection[Request]) -> str | None:
    if len(questions) < MAX_OPEN_QUESTIONS:
        return None
    until = sorted(one.lapses_at for one in questions if one.lapses_at is not None)
    return (
        f"You have {MAX_OPEN_QUESTIONS} open questions, and that's the most. Ask again when one "
        f"is answered, or after {_shown(until[-MAX_OPEN_QUESTIONS])}."
    )


def _day_error(questions: Collection[Request], most: int, now: datetime, what: str) -> str | None:
    recent = sorted(one.asked_at for one in questions if one.asked_at > now - QUESTION_DAY)
    if len(recent) < most:
        return None
    return f"{what} You can ask again after {_shown(recent[-most] + QUESTION_DAY)}."


def _shown(moment: datetime | None) -> str:
    """Return a moment as Discord shows it to each reader, in their own time."""
    return "then" if moment is None else f"<t:{math.ceil(moment.timestamp())}:f>"


def speech_permission_error(
    standing: Standing | None, guild_id: int, *, policy: int, now: datetime
) -> str | None:
    """Return why a voice that stands like this may not be heard in this server at ``now``, or None."""
    voice = standing.voice if standing is not None else None
    if voice is not None and is_for_all_guilds(voice):
        return None
    if standing is None or voice is None or voice.guild_id != guild_id:
        return "This voice is gone. Choose another one."
    if voice.is_frozen:
        return "A moderator has frozen this voice. Ask them, or choose another one."
    if voice.kind is not Kind.CLONED:
        return None
    if standing.is_never_cloned:
        return "The speaker doesn't want to be cloned. Choose another voice."
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
        return "The speaker hasn't agreed to this. Choose another voice."
    if request.state is Consent.ASKED:
        return "The speaker hasn't agreed yet. Choose another voice, or wait for them."
    if request.recording not in ((None, voice.recording) if request.is_own else (voice.recording,)):
        return "The speaker agreed to another recording, not to this one."
    if state_at(request.state, request.lapses_at, now) is Consent.LAPSED:
        return "The speaker has left this server. The voice is paused until they return."
    if request.policy_version != policy:
        return "The cloning rules have changed. The speaker has to agree again."
    if not request.is_own and not covers(
        request.shares, Shares(voice.sharing, voice.role_id, voice.member_ids)
    ):
        return (
            "The speaker didn't agree to share this voice with so many people. Its owner has to "
            "share it with fewer, or ask them again."
        )
    return None
