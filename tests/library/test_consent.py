"""Consent in a whole library: on both databases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select

from bot.errors import MemberError
from bot.library.consent import Consents, Spoken
from bot.library.consent_rules import POLICY_VERSION, Consent, Request
from bot.library.library import Library
from bot.library.tables import ConsentRow, NeverCloneRow, RecordingPostRow
from bot.library.voice import Kind, NewVoice, Scope, Sharing, Voice
from bot.library.withdrawal import Post, RecordingPost, Withdrawal
from bot.models import SpokenVoice
from tests.library.consents import (
    ELSEWHERE,
    GUILD,
    OTHER,
    OWNER,
    RECORDING,
    SPEAKER,
    Clock,
    agreed_voice,
    cloning_on,
    moderator,
    other,
    own_voice,
    owner,
    speaker,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def library(url: str | None, tmp_path: Path, clock: Clock) -> AsyncIterator[Library]:
    async with Library(url, tmp_path, now=clock) as library:
        yield library


def under_newer_policy(library: Library, clock: Clock) -> Consents:
    return Consents(
        *(library.database, library.cached_speeches, library.withdrawals),
        now=clock,
        policy=POLICY_VERSION + 1,
    )


async def test_cloning_is_off_until_a_moderator_accepts_the_policy_and_again_for_a_new_one(
    library: Library, clock: Clock
):
    assert "off in this server" in (await library.consents.cloning_permission_error(speaker, SPEAKER) or "")

    await cloning_on(library)
    newer = under_newer_policy(library, clock)

    assert await library.consents.cloning_permission_error(speaker, SPEAKER) is None
    assert await library.consents.cloning_permission_error(owner, SPEAKER) is None
    assert "rules" in (await newer.cloning_permission_error(speaker, SPEAKER) or "")
    assert "off" in (
        await library.consents.cloning_permission_error(Scope(ELSEWHERE, SPEAKER), SPEAKER) or ""
    )


async def test_the_word_for_ones_own_voice_is_asked_once_per_server_and_policy(
    library: Library, clock: Clock
):
    await cloning_on(library, GUILD, ELSEWHERE)

    consent_id = await library.consents.attest(speaker)
    newer = under_newer_policy(library, clock)

    assert await library.consents.has_attested(speaker)
    assert await library.consents.attest(speaker) == consent_id
    assert not await library.consents.has_attested(other)
    assert not await library.consents.has_attested(Scope(ELSEWHERE, SPEAKER))
    assert not await newer.has_attested(speaker)
    written = await library.consents.request(consent_id)
    assert written is not None
    assert (written.policy_version, written.answered_at) == (POLICY_VERSION, clock.now)


async def test_a_new_policy_silences_voices_until_moderators_and_the_speaker_accept_it(
    library: Library, clock: Clock
):
    await cloning_on(library)
    voice = await own_voice(library)
    newer = under_newer_policy(library, clock)

    assert "moderator" in (await newer.permission_error(voice, GUILD) or "")
    await cloning_on(library, policy=POLICY_VERSION + 1)
    assert "agree again" in (await newer.permission_error(voice, GUILD) or "")
    await newer.attest(speaker)

    assert await newer.permission_error(voice, GUILD) is None


@pytest.mark.slow
async def test_anothers_recording_needs_that_members_own_press(library: Library):
    await cloning_on(library)
    asked = await library.consents.ask(owner, SPEAKER, recording="a" * 64, name="Ada")

    for presser in (OWNER, OTHER, 0):
        with pytest.raises(MemberError, match="Only the member whose voice this is"):
            await library.consents.answer(asked.id, presser, True)
    answer = await library.consents.answer(asked.id, SPEAKER, True)

    assert answer is Consent.GRANTED
    with pytest.raises(MemberError, match="already agreed"):
        await library.consents.answer(asked.id, SPEAKER, False)
    with pytest.raises(MemberError, match="expired"):
        await library.consents.answer("an unknown id", SPEAKER, True)


async def test_a_question_names_what_is_asked_and_lapses_after_a_day(library: Library, clock: Clock):
    await cloning_on(library)
    asked = await library.consents.ask(
        *(owner, SPEAKER), recording="a" * 64, name="Ada", sharing=Sharing.SERVER
    )
    await library.consents.posted(asked.id, 1, 2)
    clock.forward(hours=24)

    with pytest.raises(MemberError, match="24 hours"):
        await library.consents.answer(asked.id, SPEAKER, True)
    (lapsed,) = await library.consents.sweep()

    assert (lapsed.asker_id, lapsed.name, lapsed.shares.sharing) == (OWNER, "Ada", Sharing.SERVER)
    assert (lapsed.channel_id, lapsed.message_id) == (1, 2)
    left = await library.consents.request(asked.id)
    assert left is not None
    assert (left.state, left.recording, left.name) == (Consent.LAPSED, None, None)


async def test_of_two_presses_at_the_same_moment_one_counts(library: Library):
    await cloning_on(library)
    asked = await library.consents.ask(owner, SPEAKER, recording="a" * 64, name="Ada")

    answers = await asyncio.gather(
        *(library.consents.answer(asked.id, SPEAKER, yes) for yes in (True, False, True, False)),
        return_exceptions=True,
    )

    assert sum(isinstance(answer, Consent) for answer in answers) == 1
    assert sum(isinstance(answer, MemberError) for answer in answers) == 3


async def test_never_clone_me_comes_first_in_every_server_and_takes_back_what_there_is(library: Library):
    await cloning_on(library, GUILD, ELSEWHERE)
    voices = [
        await agreed_voice(library),
        await agreed_voice(library, scope=Scope(ELSEWHERE, OWNER)),
        await own_voice(library, Scope(ELSEWHERE, SPEAKER)),
    ]
    asked = await library.consents.ask(other, SPEAKER, recording="b" * 64, name="Bea")

    gone = await library.consents.never_clone(SPEAKER, True)

    assert {voice.id for voice in gone} == {voice.id for voice in voices}
    for scope in (owner, speaker, Scope(ELSEWHERE, OTHER), Scope(999, OTHER), Scope.alone(SPEAKER)):
        assert await library.consents.cloning_permission_error(scope, SPEAKER) is not None
    assert "doesn't want" in (
        await library.consents.cloning_permission_error(Scope(999, OTHER), SPEAKER) or ""
    )
    with pytest.raises(MemberError, match="took this back"):
        await library.consents.answer(asked.id, SPEAKER, True)
    with pytest.raises(MemberError, match="never-clone-me"):
        await library.consents.attest(speaker)

    await library.consents.never_clone(SPEAKER, False)

    assert await library.consents.cloning_permission_error(speaker, SPEAKER) is None
    for voice in voices:
        assert await library.consents.permission_error(voice, voice.guild_id) is not None


async def test_outside_servers_only_ones_own_voice_and_there_without_a_switch(library: Library):
    alone = Scope.alone(SPEAKER)

    voice = await own_voice(library, alone)

    assert await library.consents.permission_error(voice, SPEAKER) is None
    refusal = await library.consents.cloning_permission_error(alone, OTHER)
    assert "only clone your own voice" in (refusal or "")
    with pytest.raises(MemberError, match="only clone your own voice"):
        await library.consents.ask(alone, OTHER, recording="a" * 64, name="Bob")


async def test_revoking_is_told_within_a_second_with_the_posts_though_somebody_hangs(library: Library):
    await cloning_on(library)
    voice = await agreed_voice(library)
    post = RecordingPost(voice.id, 31, 32, 33, "https://cdn.example/voice.wav", voice.created_at)
    await library.posts.remember(post)
    told: list[Withdrawal] = []
    never = asyncio.Event()

    async def hang(withdrawal: Withdrawal) -> None:
        await never.wait()

    async def fail(withdrawal: Withdrawal) -> None:
        raise RuntimeError("broken listener")

    async def listen(withdrawal: Withdrawal) -> None:
        assert await library.voices.unscoped(voice.id) is None
        told.append(withdrawal)

    for listener in (hang, fail, listen):
        library.withdrawals.subscribe(listener)
    began = time.monotonic()
    gone = await library.consents.revoke(SPEAKER, voice.id)
    took = time.monotonic() - began
    never.set()

    assert [one.id for one in gone] == [voice.id]
    (withdrawal,) = told
    assert (withdrawal.is_final, list(withdrawal.posts)) == (True, [Post(31, 32)])
    assert took < 30  # a second and what a busy machine adds, not for ever
    assert await library.posts.to_delete(datetime.now(UTC)) == [Post(31, 32)]
    async with library.database.reading() as session:
        (wiped,) = await session.scalars(select(RecordingPostRow))
    assert (wiped.message_id, wiped.url, wiped.attachment_id) == (32, "", 0)


@pytest.mark.parametrize("state", ["asked", "granted", "away", "off", "frozen", "new policy"])
async def test_the_speaker_revokes_in_any_state_and_from_anywhere(library: Library, clock: Clock, state: str):
    await cloning_on(library)
    asked = await library.consents.ask(owner, SPEAKER, recording="a" * 64, name="Bea")
    consents = library.consents
    voice = None
    if state != "asked":
        await library.consents.answer(asked.id, SPEAKER, True)
        voice = await own_voice(library)
    if state == "away":
        await library.consents.speaker_left(GUILD, SPEAKER)
    if state == "off":
        await library.settings.set_cloning(moderator, False, policy=POLICY_VERSION)
    if state == "frozen" and voice is not None:
        await library.audit.freeze(moderator, voice.id, True)
    if state == "new policy":
        consents = under_newer_policy(library, clock)

    gone = await consents.revoke(SPEAKER)

    assert [one.id for one in gone] == ([voice.id] if voice else [])
    request = await library.consents.request(asked.id)
    assert request is not None
    assert request.state is Consent.REVOKED
    assert not await library.consents.has_attested(speaker)


async def test_revoking_one_voice_leaves_the_others_and_nobody_revokes_anothers(library: Library):
    await cloning_on(library)
    theirs, own = await agreed_voice(library), await own_voice(library)

    for stranger in (OWNER, OTHER):
        with pytest.raises(MemberError, match="no such voice"):
            await library.consents.revoke(stranger, theirs.id)
    await library.consents.revoke(SPEAKER, theirs.id)

    assert await library.consents.permission_error(theirs, GUILD) is not None
    assert await library.consents.permission_error(own, GUILD) is None
    assert (await library.consents.request(theirs.consent_id or "")).state is Consent.REVOKED  # type: ignore[union-attr]


async def test_the_recording_of_a_revoked_voice_is_gone_from_the_disk(library: Library, tmp_path: Path):
    await cloning_on(library)
    voice = await agreed_voice(library)

    await library.consents.revoke(SPEAKER)
    await library.withdrawals.aclose()

    found = await asyncio.to_thread(lambda: [path for path in tmp_path.rglob("*") if path.is_file()])
    assert not [path for path in found if path.stem == voice.recording]
    assert await library.voices.complete(owner, "", to_manage=True) == []


async def test_the_voice_of_a_speaker_who_left_rests_and_comes_back_with_them(library: Library):
    await cloning_on(library, GUILD, ELSEWHERE)
    here = await agreed_voice(library)
    there = await agreed_voice(library, scope=Scope(ELSEWHERE, OWNER))

    await library.consents.speaker_left(GUILD, SPEAKER)

    assert "left this server" in (await library.consents.permission_error(here, GUILD) or "")
    assert await library.consents.permission_error(there, ELSEWHERE) is None
    await library.consents.speaker_returned(GUILD, SPEAKER)
    assert await library.consents.permission_error(here, GUILD) is None


async def test_a_voice_shared_with_more_people_than_was_agreed_is_silent(library: Library):
    await cloning_on(library)
    voice = await agreed_voice(library, sharing=Sharing.ME)

    wider = await library.voices.share(owner, voice.id, Sharing.SERVER)

    assert "so many" in (await library.consents.permission_error(wider, GUILD) or "")
    await library.voices.share(owner, voice.id, Sharing.ME)
    assert await library.consents.permission_error(voice, GUILD) is None


async def test_designed_and_default_voices_need_no_consent_and_frozen_ones_are_silent(library: Library):
    for kind in (Kind.DESIGNED, Kind.DEFAULT):
        sha256 = await library.recordings.keep(RECORDING)
        voice = await library.voices.save(owner, NewVoice(kind.value, kind, sha256, 6.0))

        assert await library.consents.permission_error(voice, GUILD) is None
        assert await library.consents.permission_error(voice, ELSEWHERE) is not None
        await library.audit.freeze(moderator, voice.id, True)
        assert "frozen" in (await library.consents.permission_error(voice, GUILD) or "")


async def test_what_a_caller_says_of_a_voice_counts_for_nothing(library: Library):
    await cloning_on(library)
    sha256 = await library.recordings.keep(RECORDING)
    voice = await library.voices.save(owner, NewVoice("Ada", Kind.CLONED, sha256, 6.0, speaker_id=SPEAKER))

    disguised = replace(voice, kind=Kind.DESIGNED, speaker_id=None, guild_id=GUILD)

    assert "hasn't agreed to this" in (await library.consents.permission_error(disguised, GUILD) or "")


async def test_a_voice_that_its_owner_deletes_takes_its_consent_with_it(library: Library):
    await cloning_on(library)
    voice, own = await agreed_voice(library), await own_voice(library)

    await library.voices.delete(owner, voice.id)
    await library.voices.delete(speaker, own.id)

    assert (await library.consents.request(voice.consent_id or "")).state is Consent.REVOKED  # type: ignore[union-attr]
    assert await library.consents.has_attested(speaker)


async def likeness_of(library: Library, scope: Scope = speaker) -> SpokenVoice:
    """Return what /clone speaks with for somebody who has said that it is their own voice."""
    await library.consents.attest(scope)
    return SpokenVoice(await library.consents.own_likeness(scope), "after me.wav", "")


async def test_a_likeness_passes_the_gate_like_a_saved_voice(library: Library, clock: Clock):
    with pytest.raises(MemberError, match="off in this server"):
        await library.consents.own_likeness(speaker)
    await cloning_on(library, GUILD, ELSEWHERE)
    await library.consents.attest(speaker, recording="a" * 64)  # of one recording alone
    with pytest.raises(MemberError, match="confirmed that this is your own voice"):
        await library.consents.own_likeness(speaker)
    likeness = await likeness_of(library)
    permission_error = library.consents.permission_error

    assert await permission_error(likeness, GUILD) is None
    assert await permission_error(likeness, ELSEWHERE) is not None
    await library.settings.set_cloning(moderator, False, policy=POLICY_VERSION)
    assert "off in this server" in (await permission_error(likeness, GUILD) or "")
    await cloning_on(library)
    await library.consents.speaker_left(GUILD, SPEAKER)
    assert "has left" in (await permission_error(likeness, GUILD) or "")
    await library.consents.speaker_returned(GUILD, SPEAKER)
    assert await permission_error(likeness, GUILD) is None
    newer = under_newer_policy(library, clock)
    assert "rules" in (await newer.permission_error(likeness, GUILD) or "")


@pytest.mark.parametrize("act", ["revoke", "never", "delete"])
async def test_a_likeness_that_was_taken_back_is_told_of_and_never_comes_back(library: Library, act: str):
    await cloning_on(library)
    here, alone = await likeness_of(library), await likeness_of(library, Scope.alone(SPEAKER))
    others = await likeness_of(library, other)
    told: list[Withdrawal] = []

    async def listen(withdrawal: Withdrawal) -> None:
        told.append(withdrawal)

    library.withdrawals.subscribe(listen)
    if act == "revoke":
        await library.consents.revoke(SPEAKER)
    elif act == "never":
        await library.consents.never_clone(SPEAKER, True)
        await library.consents.never_clone(SPEAKER, False)
    else:
        await library.privacy.delete(SPEAKER)
    after = await likeness_of(library)

    assert {one for withdrawal in told for one in withdrawal.likenesses} == {here.id, alone.id}
    assert await library.consents.permission_error(here, GUILD) is not None
    assert await library.consents.permission_error(alone, SPEAKER) is not None
    assert await library.consents.permission_error(others, GUILD) is None
    assert await library.consents.permission_error(after, GUILD) is None


async def test_all_that_is_cloned_in_a_server_is_told_of_when_cloning_is_turned_off(library: Library):
    await cloning_on(library, GUILD, ELSEWHERE)
    here = {(await likeness_of(library, scope)).id for scope in (speaker, other)}
    elsewhere = await likeness_of(library, Scope(ELSEWHERE, SPEAKER))
    voice = await agreed_voice(library)
    told: list[Withdrawal] = []

    async def listen(withdrawal: Withdrawal) -> None:
        told.append(withdrawal)

    library.withdrawals.subscribe(listen)
    await library.consents.silence_guild(GUILD)
    await library.consents.silence_guild(ELSEWHERE)

    assert [set(one.likenesses) for one in told] == [here, {elsewhere.id}]
    assert [[(silent.id, silent.is_frozen) for silent in one.voices] for one in told] == [
        [(voice.id, True)],
        [],
    ]
    assert not any(one.is_final for one in told)
    assert await library.consents.speaker_of_likeness(elsewhere.id) == SPEAKER
    assert await library.consents.speaker_of_likeness("own:") is None


async def test_what_was_made_before_a_word_was_given_does_not_hang_on_it(library: Library, clock: Clock):
    await cloning_on(library)
    before = clock.now
    clock.forward(hours=1)
    likeness = await likeness_of(library)

    assert await library.consents.own_likeness_at(speaker, clock.now) == likeness.id
    too_early = await library.consents.own_likeness_at(speaker, before)
    assert await library.consents.permission_error(SpokenVoice(too_early, "", ""), GUILD) is not None


AUTHOR = 710_000_000_000_000_044


async def asked_of_two(library: Library) -> Request:
    await cloning_on(library)
    sha256 = await library.recordings.keep(RECORDING)
    return await library.consents.ask(
        *(owner, SPEAKER), recording=sha256, name="Ada", author_id=AUTHOR, sharing=Sharing.SERVER
    )


async def voice_of_two(library: Library) -> Voice:
    asked = await asked_of_two(library)
    for member_id in (AUTHOR, SPEAKER):
        await library.consents.answer(asked.id, member_id, True)
    new = NewVoice(*("Ada", Kind.CLONED, asked.recording or "", 6.0), speaker_id=SPEAKER, consent_id=asked.id)
    return await library.voices.save(owner, new)


async def test_both_may_agree_at_once_and_one_twice_counts_once(library: Library):
    asked = await asked_of_two(library)
    presses = [library.consents.answer(asked.id, SPEAKER, True) for _ in range(3)]
    await asyncio.gather(*presses, return_exceptions=True)
    half = await library.consents.request(asked.id)
    assert half is not None
    assert half.state is Consent.ASKED

    both = await asked_of_two_anew(library)
    answers = await asyncio.gather(
        *(library.consents.answer(both.id, member_id, True) for member_id in both.asked_ids)
    )

    assert sorted(answer.value for answer in answers) == ["asked", "granted"]


async def asked_of_two_anew(library: Library) -> Request:
    await library.consents.revoke(SPEAKER)
    return await library.consents.ask(other, SPEAKER, recording="b" * 64, name="Ada", author_id=AUTHOR)


@pytest.mark.parametrize("person", [AUTHOR, SPEAKER])
@pytest.mark.parametrize("way", ["revoke", "revoke one", "never", "delete"])
async def test_each_of_two_can_take_the_voice_back(library: Library, person: int, way: str):
    voice = await voice_of_two(library)
    assert await library.consents.permission_error(voice, GUILD) is None
    assert [one.id for one in await library.voices.spoken_by(person)] == [voice.id]
    assert [one.id for one in await library.voices.complete_spoken_by(person, "ad")] == [voice.id]

    if way == "delete":
        await library.privacy.delete(person)
    elif way == "never":
        await library.consents.never_clone(person, True)
    else:
        await library.consents.revoke(person, voice.id if way == "revoke one" else None)

    assert await library.consents.permission_error(voice, GUILD) is not None
    assert await library.voices.unscoped(voice.id) is None


@pytest.mark.parametrize("person", [AUTHOR, SPEAKER])
async def test_what_one_of_two_has_taken_back_is_no_consent_to_another_voice(library: Library, person: int):
    voice = await voice_of_two(library)
    consent = await library.consents.request(voice.consent_id or "")
    assert consent is not None
    await library.consents.revoke(person)

    after = await library.consents.request(consent.id)
    assert after is not None
    assert after.state is Consent.REVOKED
    new = NewVoice(*("Ada", Kind.CLONED, voice.recording, 6.0), speaker_id=SPEAKER, consent_id=consent.id)
    await library.recordings.keep(RECORDING)
    again = await library.voices.save(owner, new)
    assert await library.consents.permission_error(again, GUILD) is not None


async def test_who_leaves_is_told_of_with_their_voices_and_likeness(library: Library):
    await cloning_on(library)
    voice, likeness = await own_voice(library, speaker), await likeness_of(library)
    told: list[Withdrawal] = []

    async def listen(withdrawal: Withdrawal) -> None:
        told.append(withdrawal)

    library.withdrawals.subscribe(listen)
    await library.consents.speaker_left(GUILD, SPEAKER)

    assert [(one.voices[0].id, list(one.likenesses), one.is_final) for one in told] == [
        (voice.id, [likeness.id], False)
    ]


@pytest.mark.parametrize("person", [AUTHOR, SPEAKER])
async def test_who_is_never_to_be_cloned_is_asked_as_neither(library: Library, person: int):
    voice = await voice_of_two(library)
    async with library.database.session() as session:  # as if it had been said in front of another process
        await session.execute(insert(NeverCloneRow).values(member_id=person, since=voice.created_at))

    assert "doesn't want to be cloned" in (await library.consents.permission_error(voice, GUILD) or "")
    with pytest.raises(MemberError, match="doesn't want to be cloned"):
        await library.consents.ask(other, SPEAKER, recording="b" * 64, name="Ada", author_id=AUTHOR)


async def test_an_author_who_said_no_is_not_asked_again_by_another_name(library: Library):
    asked = await asked_of_two(library)
    await library.consents.answer(asked.id, AUTHOR, False)

    with pytest.raises(MemberError, match="They said no"):
        await library.consents.ask(owner, OTHER, recording="b" * 64, name="Eve", author_id=AUTHOR)


async def test_who_asks_or_is_heard_is_no_third_person(library: Library):
    await cloning_on(library)

    for author_id in (OWNER, SPEAKER):
        asked = await library.consents.ask(
            owner, SPEAKER, recording="b" * 64, name="Ada", author_id=author_id
        )
        assert asked.asked_ids == (SPEAKER,)
        await library.consents.revoke(SPEAKER)
        async with library.database.session() as session:
            await session.execute(delete(ConsentRow))


async def test_a_voice_message_goes_with_any_voice_in_it_and_with_its_generation(library: Library):
    await cloning_on(library)
    voice, own = await agreed_voice(library), await own_voice(library, other, "Bob")
    likeness = await likeness_of(library)
    posted = library.consents.speech_posted
    heard: list[list[Spoken]] = [[voice, own], [own], [likeness], []]
    for number, voices in enumerate(heard):
        assert await posted(Post(5, 100 + number), voices, GUILD, take_id=f"take {number}") is None

    await library.consents.revoke(SPEAKER)
    assert await library.generations.forget("take 3") == [Post(5, 103)]

    left = {post.message_id for post in await library.posts.to_delete(datetime.now(UTC))}
    assert left == {100, 102, 103}
    await library.voices.delete(other, own.id)
    assert {post.message_id for post in await library.posts.to_delete(datetime.now(UTC))} == left | {101}


async def test_a_voice_message_of_a_voice_that_was_just_taken_back_goes_at_once(library: Library):
    await cloning_on(library)
    voice = await agreed_voice(library)
    told: list[Withdrawal] = []

    async def listen(withdrawal: Withdrawal) -> None:
        told.append(withdrawal)

    library.withdrawals.subscribe(listen)
    await library.consents.revoke(SPEAKER)

    assert await library.consents.speech_posted(Post(5, 6), [voice], GUILD, take_id="take") is not None
    assert told[-1].posts == [Post(5, 6)]
    assert await library.posts.to_delete(datetime.now(UTC)) == [Post(5, 6)]


async def test_what_is_known_of_voice_messages_lasts_as_long_as_their_voices(library: Library, clock: Clock):
    await cloning_on(library)
    voice = await agreed_voice(library)
    for number, voices in enumerate(([voice], [])):
        await library.consents.speech_posted(Post(5, number), voices, GUILD, take_id="take")

    clock.forward(days=1_000)
    await library.generations.sweep()

    assert await library.generations.forget("take") == [Post(5, 0)]
