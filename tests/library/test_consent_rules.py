"""Consent as functions of values and of the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.library.consent_rules import (
    Consent,
    Request,
    Shares,
    Standing,
    answer_permission_error,
    ask_permission_error,
    cloning_permission_error,
    consent_behind,
    covers,
    have_all_agreed,
    likeness_id,
    likeness_under,
    speech_permission_error,
    state_at,
)
from bot.library.voice import NO_GUILD, NOBODY, Kind, Sharing, Voice, new_id

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ASKER, SPEAKER, STRANGER = 1, 2, 3


def request(state: Consent = Consent.ASKED, **changed: object) -> Request:
    values: dict[str, object] = {
        "id": "r",
        "guild_id": 9,
        "asker_id": ASKER,
        "speaker_id": SPEAKER,
        "state": state,
        "policy_version": 1,
        "recording": "a" * 64,
        "name": "Ada",
        "shares": Shares(),
        "asked_at": NOW,
        "lapses_at": NOW + timedelta(hours=24) if state is Consent.ASKED else None,
    }
    return Request(**{**values, **changed})  # type: ignore[arg-type]


def test_a_question_is_open_for_a_day_and_not_a_moment_longer():
    until = NOW + timedelta(hours=24)

    assert state_at(Consent.ASKED, until, until - timedelta(microseconds=1)) is Consent.ASKED
    assert state_at(Consent.ASKED, until, until) is Consent.LAPSED


@pytest.mark.parametrize("state", [Consent.DECLINED, Consent.REVOKED, Consent.LAPSED])
def test_what_is_over_stays_as_it_is(state: Consent):
    assert state_at(state, NOW, NOW + timedelta(days=1)) is state


@pytest.mark.parametrize("presser", [ASKER, STRANGER])
@pytest.mark.parametrize("state", list(Consent))
def test_nobody_answers_for_the_speaker(state: Consent, presser: int):
    refusal = answer_permission_error(request(state), presser, 1, NOW)

    assert refusal == "Only the member whose voice this is can answer."


@pytest.mark.parametrize("state", [one for one in Consent if one is not Consent.ASKED])
def test_a_second_answer_is_told_what_the_first_one_was(state: Consent):
    assert answer_permission_error(request(state), SPEAKER, 1, NOW)


def test_the_speaker_may_answer_in_time_and_under_the_same_rules():
    late = NOW + timedelta(hours=24)

    assert answer_permission_error(request(), SPEAKER, 1, NOW) is None
    assert "24 hours" in (answer_permission_error(request(), SPEAKER, 1, late) or "")
    assert "rules" in (answer_permission_error(request(), SPEAKER, 2, NOW) or "")


def refused(*before: Request, at: datetime = NOW, guild_id: int = 9, asker_id: int = ASKER) -> str:
    """Return why the asker may not ask the speaker; nothing: they may."""
    return ask_permission_error(guild_id, asker_id, SPEAKER, before, at) or ""


def shown(moment: datetime) -> str:
    return f"<t:{moment.timestamp():.0f}:f>"


def test_for_ones_own_voice_nobody_is_asked():
    assert "own" in (ask_permission_error(9, SPEAKER, SPEAKER, [], NOW) or "")


def test_nobody_is_asked_twice_at_once():
    words = refused(request())

    assert "already" in words
    assert shown(NOW + timedelta(hours=24)) in words


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (request(Consent.DECLINED, answered_at=NOW), "They said no."),
        (request(Consent.REVOKED, revoked_at=NOW), "took their last yes back"),
        (request(Consent.LAPSED, asked_at=NOW - timedelta(days=1), lapses_at=NOW), "didn't answer"),
        (request(asked_at=NOW - timedelta(days=1), lapses_at=NOW), "didn't answer"),
    ],
    ids=["no", "revoked", "lapsed", "lapsed and not swept"],
)
def test_who_got_no_yes_asks_again_a_week_later_and_is_told_when(ended: Request, words: str):
    until = NOW + timedelta(days=7)

    for at in (NOW, NOW + timedelta(days=3), until - timedelta(microseconds=1)):
        assert words in refused(ended, at=at)
        assert shown(until) in refused(ended, at=at)
        assert refused(replace(ended, guild_id=8), at=at), "in another server it is the same pair"
        assert not refused(replace(ended, asker_id=STRANGER), at=at), "somebody else may ask"
    assert not refused(ended, at=until)


def test_a_consent_that_rests_while_its_speaker_is_away_is_no_question():
    assert not refused(request(Consent.GRANTED, lapses_at=NOW - timedelta(days=1)))


def asked_of(number: int, state: Consent = Consent.ASKED, **changed: object) -> Request:
    """Return a question of the asker to another member, ``number`` minutes ago."""
    asked_at = NOW - timedelta(minutes=number)
    values = {"speaker_id": 100 + number, "asked_at": asked_at, "lapses_at": asked_at + timedelta(hours=24)}
    return request(state, **{**values, **changed})


@pytest.mark.parametrize("number", range(6))
def test_two_questions_of_one_asker_may_be_open_in_all_servers_together(number: int):
    asked = [asked_of(one, guild_id=one) for one in range(number)]
    later = NOW + timedelta(hours=24) - timedelta(minutes=1)

    assert ("open questions" in refused(*asked)) == (number >= 2)
    if number >= 2:
        free = asked[1].lapses_at
        assert free is not None
        assert shown(free) in refused(*asked)
        assert not refused(*(one for one in asked if one.asked_at <= asked[1].asked_at), at=later)


@pytest.mark.parametrize("number", [4, 5, 6, 40])
@pytest.mark.parametrize("state", [Consent.DECLINED, Consent.GRANTED, Consent.LAPSED])
def test_five_questions_of_one_asker_are_a_day_s_whatever_became_of_them(number: int, state: Consent):
    ended = {"answered_at": NOW, "lapses_at": None}
    asked = [asked_of(one, guild_id=one, state=state, **ended) for one in range(1, number + 1)]
    free = asked[4].asked_at + timedelta(days=1) if number > 4 else NOW

    assert ("5 times in 24 hours" in refused(*asked)) == (number >= 5)
    assert number < 5 or shown(free) in refused(*asked)
    assert not refused(*asked, at=free)
    assert not refused(*asked, asker_id=STRANGER)


@pytest.mark.parametrize("number", [2, 3, 4, 40])
def test_three_questions_to_one_member_are_a_day_s_in_one_server_whoever_asks(number: int):
    asked = [asked_of(one, speaker_id=SPEAKER, asker_id=100 + one) for one in range(1, number + 1)]
    free = asked[2].asked_at + timedelta(days=1) if number > 2 else NOW

    assert ("They've been asked 3 times here" in refused(*asked)) == (number >= 3)
    assert number < 3 or shown(free) in refused(*asked)
    assert not refused(*asked, at=free)
    assert not refused(*asked, guild_id=8)


def test_ones_own_word_is_no_question():
    own = [request(Consent.GRANTED, asker_id=SPEAKER, id=str(number)) for number in range(9)]

    assert not refused(*own)
    assert not refused(*(replace(one, asker_id=ASKER, speaker_id=ASKER) for one in own))


def test_a_wish_never_to_be_cloned_comes_before_everything_else():
    for is_own in (True, False):
        for is_private in (True, False):
            for accepted in (None, 1, 2):
                refusal = cloning_permission_error(
                    is_never_cloned=True,
                    is_own=is_own,
                    is_private=is_private,
                    accepted=accepted,
                    policy=1,
                )

                assert refusal is not None
                assert ("never" in refusal) if is_own else ("doesn't want" in refusal)


@pytest.mark.parametrize(
    ("is_own", "is_private", "accepted", "part"),
    [
        (True, True, None, None),
        (False, True, None, "Outside servers"),
        (False, True, 1, "Outside servers"),
        (True, False, None, "off in this server"),
        (False, False, None, "off in this server"),
        (True, False, 2, "rules"),
        (True, False, 1, None),
        (False, False, 1, None),
    ],
)
def test_where_cloning_may_begin(is_own: bool, is_private: bool, accepted: int | None, part: str | None):
    refusal = cloning_permission_error(
        is_never_cloned=False, is_own=is_own, is_private=is_private, accepted=accepted, policy=1
    )

    assert refusal is None if part is None else part in (refusal or "")


ME, SERVER = Shares(Sharing.ME), Shares(Sharing.SERVER)
TWO, ONE = (Shares(Sharing.MEMBERS, None, frozenset(who)) for who in ({5, 6}, {5}))
ROLE, OTHER_ROLE = Shares(Sharing.ROLE, 7), Shares(Sharing.ROLE, 8)


@pytest.mark.parametrize(
    ("agreed", "enough_for"),
    [
        (ME, {ME}),
        (ONE, {ME, ONE}),
        (TWO, {ME, ONE, TWO}),
        (ROLE, {ME, ROLE}),
        (SERVER, {ME, ONE, TWO, ROLE, OTHER_ROLE, SERVER}),
    ],
)
def test_who_agreed_to_some_people_did_not_agree_to_others(agreed: Shares, enough_for: set[Shares]):
    for shares in (ME, ONE, TWO, ROLE, OTHER_ROLE, SERVER):
        assert covers(agreed, shares) is (shares in enough_for)


ADAS = Voice(
    id="v",
    guild_id=9,
    name="Ada",
    owner_id=ASKER,
    speaker_id=SPEAKER,
    kind=Kind.CLONED,
    recording="a" * 64,
    seconds=5.0,
    transcript=None,
    description=None,
    sharing=Sharing.ME,
    role_id=None,
    member_ids=frozenset(),
    uses=0,
    created_at=NOW,
    last_used_at=None,
    is_frozen=False,
    consent_id="r",
)
GIVEN = request(Consent.GRANTED)
OF_ADAS = Standing(ADAS, GIVEN, is_never_cloned=False, policy=1)


def test_a_saved_voice_speaks_with_the_consent_it_was_saved_with():
    assert speech_permission_error(OF_ADAS, 9, policy=1, now=NOW) is None


@pytest.mark.parametrize(
    ("standing", "part"),
    [
        (None, "gone"),
        (replace(OF_ADAS, voice=replace(ADAS, guild_id=8)), "gone"),
        (replace(OF_ADAS, voice=replace(ADAS, guild_id=NO_GUILD)), "gone"),
        (replace(OF_ADAS, voice=replace(ADAS, guild_id=NO_GUILD, owner_id=NOBODY)), "gone"),
        (replace(OF_ADAS, voice=replace(ADAS, guild_id=NO_GUILD, kind=Kind.DESIGNED)), "gone"),
        (replace(OF_ADAS, voice=replace(ADAS, is_frozen=True)), "frozen"),
        (replace(OF_ADAS, is_never_cloned=True), "doesn't want to be cloned"),
        (replace(OF_ADAS, policy=None), "Cloning is off"),
        (replace(OF_ADAS, policy=2), "rules for cloning have changed. A moderator"),
        (replace(OF_ADAS, request=None), "hasn't agreed to this"),
        (replace(OF_ADAS, request=replace(GIVEN, guild_id=8)), "hasn't agreed to this"),
        (replace(OF_ADAS, request=replace(GIVEN, speaker_id=STRANGER)), "hasn't agreed to this"),
        (replace(OF_ADAS, request=replace(GIVEN, asker_id=STRANGER)), "hasn't agreed to this"),
        (replace(OF_ADAS, request=request(Consent.DECLINED)), "hasn't agreed to this"),
        (replace(OF_ADAS, request=request(Consent.REVOKED)), "hasn't agreed to this"),
        (replace(OF_ADAS, request=request(Consent.LAPSED)), "hasn't agreed to this"),
        (replace(OF_ADAS, request=request(Consent.ASKED)), "hasn't agreed yet"),
        (replace(OF_ADAS, request=replace(GIVEN, recording="b" * 64)), "another recording"),
        (replace(OF_ADAS, request=replace(GIVEN, recording=None)), "another recording"),
        (replace(OF_ADAS, request=replace(GIVEN, lapses_at=NOW)), "has left this server"),
        (replace(OF_ADAS, request=replace(GIVEN, policy_version=2)), "has to agree again"),
        (replace(OF_ADAS, voice=replace(ADAS, sharing=Sharing.SERVER)), "share this voice with so many"),
    ],
)
def test_one_thing_that_does_not_fit_silences_a_saved_voice(standing: Standing | None, part: str):
    assert part in (speech_permission_error(standing, 9, policy=1, now=NOW) or "")


def test_a_designed_voice_needs_nobody_s_consent_but_can_be_frozen():
    designed = replace(ADAS, kind=Kind.DESIGNED, speaker_id=None, consent_id=None)
    standing = Standing(designed, None, is_never_cloned=False, policy=None)

    assert speech_permission_error(standing, 9, policy=1, now=NOW) is None
    frozen = replace(standing, voice=replace(designed, is_frozen=True))
    assert "frozen" in (speech_permission_error(frozen, 9, policy=1, now=NOW) or "")


def may_likeness_speak(consent: Request, *, policy: int | None = 1, never: bool = False) -> bool:
    standing = Standing(likeness_under(consent), consent, is_never_cloned=never, policy=policy)
    return speech_permission_error(standing, consent.guild_id, policy=1, now=NOW) is None


def test_a_likeness_needs_the_speaker_s_word_for_any_recording_of_their_own():
    own = request(Consent.GRANTED, asker_id=SPEAKER, recording=None, name=None)

    assert may_likeness_speak(own)
    assert not may_likeness_speak(request(Consent.GRANTED, asker_id=SPEAKER))
    assert not may_likeness_speak(request(Consent.GRANTED, recording=None))
    assert not may_likeness_speak(request(Consent.GRANTED))
    for state in (one for one in Consent if one is not Consent.GRANTED):
        assert not may_likeness_speak(replace(own, state=state))


def test_a_likeness_obeys_all_that_silences_a_saved_voice():
    own = request(Consent.GRANTED, asker_id=SPEAKER, recording=None, name=None)

    assert not may_likeness_speak(own, never=True)
    assert not may_likeness_speak(own, policy=None)
    assert not may_likeness_speak(own, policy=2)
    assert not may_likeness_speak(replace(own, policy_version=2))
    assert not may_likeness_speak(replace(own, lapses_at=NOW))
    frozen = Standing(likeness_under(own, is_frozen=True), own, is_never_cloned=False, policy=1)
    assert "frozen" in (speech_permission_error(frozen, own.guild_id, policy=1, now=NOW) or "")
    standing = Standing(likeness_under(own), own, is_never_cloned=False, policy=1)
    assert speech_permission_error(standing, own.guild_id + 1, policy=1, now=NOW) is not None


def test_the_id_of_a_likeness_is_that_of_no_saved_voice():
    consent_id = new_id()

    assert consent_behind(likeness_id(consent_id)) == consent_id
    assert consent_behind(new_id()) is None
    assert consent_behind("") is None


AUTHOR = 77


def test_of_two_who_are_asked_each_may_answer_once_and_nobody_else():
    asked = replace(request(Consent.ASKED), author_id=AUTHOR)

    for presser_id in (SPEAKER, AUTHOR):
        assert answer_permission_error(asked, presser_id, 1, NOW) is None
        agreed = replace(asked, agreed_id=presser_id)
        assert "You have agreed." in (answer_permission_error(agreed, presser_id, 1, NOW) or "")
    for presser_id in (asked.asker_id, STRANGER):
        assert answer_permission_error(asked, presser_id, 1, NOW) is not None


def test_two_have_agreed_when_both_have():
    alone, both = request(Consent.ASKED), replace(request(Consent.ASKED), author_id=AUTHOR)

    assert have_all_agreed(alone, SPEAKER)
    for one, other in ((SPEAKER, AUTHOR), (AUTHOR, SPEAKER)):
        assert not have_all_agreed(both, one)
        assert not have_all_agreed(replace(both, agreed_id=one), one)
        assert have_all_agreed(replace(both, agreed_id=one), other)


def test_whose_recordings_are_frozen_says_nothing_anew_but_may_be_asked_by_others():
    here: dict[str, Any] = {
        "is_never_cloned": False,
        "is_private": False,
        "accepted": 1,
        "policy": 1,
        "is_frozen": True,
    }

    assert "frozen" in (cloning_permission_error(is_own=True, **here) or "")
    assert cloning_permission_error(is_own=False, **here) is None
