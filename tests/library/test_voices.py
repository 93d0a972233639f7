from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from bot.errors import LibraryError, MemberError, NameTakenError
from bot.library.cached_speeches import CachedSpeeches
from bot.library.consent import Consents
from bot.library.database import Database
from bot.library.recordings import Recordings
from bot.library.tables import VoiceMemberRow, VoiceRow
from bot.library.voice import Kind, NewVoice, Scope, Sharing, Voice
from bot.library.voices import NO_SUCH_VOICE, Voices
from bot.library.withdrawal import Withdrawal, Withdrawals
from bot.limits import MAX_TRANSCRIPT_CHARS, MAX_VOICE_MEMBERS, MAX_VOICES_PER_GUILD, MAX_VOICES_PER_MEMBER
from tests.library.shelves import (
    ADA,
    AVIARY,
    BEN,
    CAT,
    ROOKERY,
    SINGERS,
    a_voice,
    ada,
    ben,
    completed,
    moderator,
    refusal,
    singer,
    stranger,
    voice_for,
    voices_in,
)


async def test_a_saved_voice_is_found_by_name_and_by_id_also_after_a_restart(
    database: Database, voices: Voices, recordings: Recordings
) -> None:
    recording = await recordings.keep(b"RIFF")
    saved = await voices.save(
        ada,
        NewVoice(
            *("Old Tom", Kind.CLONED, recording, 7.25),
            transcript=" Hello there. ",
            description="an old man",
            speaker_id=ADA,
            sharing=Sharing.MEMBERS,
            member_ids=frozenset({BEN, CAT}),
        ),
    )
    again = voices_in(database, recordings)

    for name in ("Old Tom", "old  TOM", saved.id):
        assert await again.find(ada, name) == saved
    assert (saved.guild_id, saved.owner_id, saved.transcript, saved.uses) == (AVIARY, ADA, "Hello there.", 0)
    assert await again.unscoped(saved.id) == saved
    assert [voice.id for voice in await completed(again, ben, "tom")] == [saved.id]


@pytest.mark.parametrize("name", ["ALICE", "Ａlice", " alice"])
async def test_a_name_is_taken_once_in_a_server_for_its_owner_and_when_it_is_shared_for_all(
    voices: Voices, recordings: Recordings, name: str
) -> None:
    alice = await a_voice(voices, recordings, "Alice")

    mine = await refusal(a_voice(voices, recordings, name))
    await voices.share(ada, alice.id, Sharing.MEMBERS, member_ids=frozenset({CAT}))
    shared = await refusal(a_voice(voices, recordings, name, ben))
    elsewhere = await a_voice(voices, recordings, name, Scope(ROOKERY, BEN))

    assert mine == shared == "That name is already used here. Choose another one."
    assert elsewhere.guild_id == ROOKERY


@pytest.mark.parametrize("who", [ben, moderator], ids=["a member", "a moderator"])
async def test_nobody_learns_of_a_private_voice_from_its_name(
    voices: Voices, recordings: Recordings, who: Scope
) -> None:
    hidden = await a_voice(voices, recordings, "Alice")
    other = await a_voice(voices, recordings, "Bob", who)

    assert await voices.check_place(who, "alice") == "alice"
    assert (await voices.rename(who, other.id, "ALICE")).name == "ALICE"
    assert (await a_voice(voices, recordings, "Bob", who, sharing=Sharing.SERVER)).name == "Bob"
    assert await voices.find(ada, "Alice") == hidden
    assert (await voices.find(who, "Alice")).id == (await voices.find_to_manage(who, "Alice")).id == other.id
    assert (await voices.named(who, ["alice"]))["alice"].id == other.id


async def test_of_voices_of_one_name_only_one_is_shared(voices: Voices, recordings: Recordings) -> None:
    first = await a_voice(voices, recordings, "Alice")
    second = await a_voice(voices, recordings, "Аlice", ben)  # with a Cyrillic letter

    await voices.share(ben, second.id, Sharing.ROLE, role_id=SINGERS)
    for sharing in (Sharing.MEMBERS, Sharing.SERVER):
        refused = await refusal(voices.share(ada, first.id, sharing, member_ids=frozenset({CAT})))
        assert refused == "That name looks like one that is already used here. Choose another one."
    await voices.share(ben, second.id, Sharing.SERVER)
    await voices.share(ben, second.id, Sharing.ME)
    assert (await voices.share(ada, first.id, Sharing.SERVER)).sharing is Sharing.SERVER


async def test_who_has_a_private_voice_of_a_name_means_that_and_others_the_shared_one(
    voices: Voices, recordings: Recordings
) -> None:
    mine = await a_voice(voices, recordings, "Alice")
    shared = await a_voice(voices, recordings, "alice", ben, sharing=Sharing.SERVER)

    assert [(await voices.find(who, "ALICE")).id for who in (ada, ben, singer)] == [
        mine.id,
        shared.id,
        shared.id,
    ]
    assert (await voices.find_to_manage(moderator, "ALICE")).id == shared.id
    assert (await voices.find(ada, shared.id)).id == shared.id
    assert (await voices.named(ada, ["Alice"]))["alice"].id == mine.id
    assert (await voices.named(singer, ["Alice"]))["alice"].id == shared.id


@pytest.mark.parametrize(
    "name", ["Аlice", "Αlice", "Alıce", "A\u0335lice", "AIice", "A1ice", "ᎪӀісе", "Al͏ice"]
)
async def test_a_name_that_looks_like_one_that_is_used_is_refused(
    voices: Voices, recordings: Recordings, name: str
) -> None:
    voice = await a_voice(voices, recordings, "Alice", sharing=Sharing.SERVER)
    other = await a_voice(voices, recordings, "Bob", ben)
    looks_like = "That name looks like one that is already used here. Choose another one."

    assert await refusal(a_voice(voices, recordings, name, ben)) == looks_like
    assert await refusal(voices.check_place(ben, name)) == looks_like
    assert await refusal(voices.rename(ben, other.id, name)) == looks_like
    assert (await voices.rename(ada, voice.id, name)).name == name.replace("\u0335", "\u0335")


@pytest.mark.slow
async def test_of_two_hundred_who_save_one_name_at_once_one_wins(
    voices: Voices, recordings: Recordings
) -> None:
    asyncio.get_running_loop().set_debug(False)  # it would triple the time
    recording = await recordings.keep(b"RIFF")
    spellings = itertools.cycle(["Alice", "ALICE", "Ａlice", "alice"])

    results = await asyncio.gather(
        *(
            voices.save(
                Scope(AVIARY, member_id),
                NewVoice(next(spellings), Kind.DESIGNED, recording, 1.0, sharing=Sharing.SERVER),
            )
            for member_id in range(1, 201)
        ),
        return_exceptions=True,
    )

    winners = [result for result in results if isinstance(result, Voice)]
    assert len(winners) == 1
    assert {type(result) for result in results} == {Voice, NameTakenError}
    assert await voices.find(Scope(AVIARY, winners[0].owner_id), "alice") == winners[0]
    assert len(await completed(voices, Scope(AVIARY, winners[0].owner_id), "")) == 1


async def test_a_member_may_save_so_many_and_not_one_more_even_at_once(
    voices: Voices, recordings: Recordings
) -> None:
    results = await asyncio.gather(
        *(a_voice(voices, recordings, f"v{number}") for number in range(MAX_VOICES_PER_MEMBER + 5)),
        return_exceptions=True,
    )

    assert sum(isinstance(result, Voice) for result in results) == MAX_VOICES_PER_MEMBER
    refused = {str(result) for result in results if isinstance(result, MemberError)}
    assert refused == {
        f"You have {MAX_VOICES_PER_MEMBER} voices here, and that's the most. Delete one first: /voice delete."
    }
    assert (await a_voice(voices, recordings, "another", ben)).owner_id == BEN


async def test_a_server_has_so_many_and_not_one_more(
    database: Database, voices: Voices, recordings: Recordings
) -> None:
    recording = await recordings.keep(b"RIFF")
    first = await a_voice(voices, recordings, "first")
    async with database.session() as session:
        session.add_all(
            VoiceRow(
                id=str(number),
                guild_id=AVIARY,
                name=f"v{number}",
                name_key=f"v{number}",
                owner_id=1000 + number,
                kind="designed",
                recording=recording,
                seconds=1.0,
                sharing="me",
                created_at=first.created_at,
            )
            for number in range(MAX_VOICES_PER_GUILD - 1)
        )

    assert f"{MAX_VOICES_PER_GUILD} voices" in await refusal(a_voice(voices, recordings, "more", ben))
    await a_voice(voices, recordings, "more", Scope(ROOKERY, BEN))


async def test_no_voice_is_saved_without_its_recording(voices: Voices) -> None:
    for recording in ("0" * 64, "", "../../etc/passwd"):
        with pytest.raises(LibraryError):
            await voices.save(ada, NewVoice("Alice", Kind.DESIGNED, recording, 1.0))

    assert await refusal(voices.find(ada, "Alice")) == NO_SUCH_VOICE


SHARED: dict[str, tuple[dict[str, object], set[Scope]]] = {
    "me": ({"sharing": Sharing.ME}, {ada}),
    "members": ({"sharing": Sharing.MEMBERS, "member_ids": frozenset({BEN})}, {ada, ben}),
    "role": ({"sharing": Sharing.ROLE, "role_id": SINGERS}, {ada, singer}),
    "everyone": ({"sharing": Sharing.ROLE, "role_id": AVIARY}, {ada, ben, singer, moderator}),
    "server": ({"sharing": Sharing.SERVER}, {ada, ben, singer, moderator}),
}


@pytest.mark.parametrize("how", SHARED)
async def test_a_voice_is_used_by_those_it_is_shared_with(
    database: Database, voices: Voices, recordings: Recordings, how: str
) -> None:
    arguments, users = SHARED[how]
    voice = await a_voice(voices, recordings, "Alice")
    shared = await voices.share(ada, voice.id, **arguments)  # type: ignore[arg-type]
    restarted = voices_in(database, recordings)

    assert await voices.unscoped(voice.id) == shared
    for scope in (ada, ben, singer, moderator, stranger):
        for name in ("alice", voice.id):
            if scope in users:
                assert await voices.find(scope, name) == shared
            else:
                assert await refusal(voices.find(scope, name)) == NO_SUCH_VOICE
        for shelf in (voices, restarted):
            assert len(await completed(shelf, scope, "ali")) == (scope in users)


async def test_a_missing_a_foreign_and_a_hidden_voice_get_the_same_answer_whatever_is_asked(
    voices: Voices, recordings: Recordings
) -> None:
    hidden = await a_voice(voices, recordings, "Alice")
    default = await a_voice(voices, recordings, "Default", stranger, sharing=Sharing.SERVER)
    asked: list[Callable[[Scope, str], Awaitable[object]]] = [
        voices.find,
        voices.find_to_manage,
        lambda scope, voice_id: voices.rename(scope, voice_id, "Mine"),
        lambda scope, voice_id: voices.share(scope, voice_id, Sharing.SERVER),
        lambda scope, voice_id: voices.set_transcript(scope, voice_id, "words"),
        voices.delete,
        voices.choose,
    ]

    answers = {
        await refusal(ask(ben, voice_id))
        for ask in asked
        for voice_id in (hidden.id, default.id, "missing", "", "%", "' OR 1=1 --", "_" * 22)
    }

    assert answers == {NO_SUCH_VOICE}
    assert await voices.find(ada, "Alice") == hidden


async def test_owners_and_moderators_change_a_voice_and_nobody_else(
    voices: Voices, recordings: Recordings
) -> None:
    voice = await a_voice(voices, recordings, "Alice", sharing=Sharing.SERVER)

    assert "owner or a moderator" in await refusal(voices.rename(ben, voice.id, "Bob"))
    assert "or a moderator" in await refusal(voices.set_transcript(ben, voice.id, "words"))
    assert "owner" in await refusal(voices.share(moderator, voice.id, Sharing.ME))
    assert "owner" in await refusal(voices.delete(ben, voice.id))
    assert (await voices.rename(ada, voice.id, " ALICE ")).name == "ALICE"
    assert (await voices.rename(moderator, voice.id, "Bob")).name == "Bob"
    changed = await voices.set_transcript(moderator, voice.id, "  words ")

    assert changed.transcript == "words"
    assert await voices.find(ben, "bob") == changed
    assert await refusal(voices.find(ben, "alice")) == NO_SUCH_VOICE
    assert [found.name for found in await completed(voices, ben, "")] == ["Bob"]


@pytest.mark.parametrize("speaker_id", [None, ADA, BEN], ids=["designed", "own", "of another"])
async def test_a_moderator_writes_nothing_about_a_voice_that_is_not_theirs_to_use(
    voices: Voices, recordings: Recordings, speaker_id: int | None
) -> None:
    voice = await a_voice(voices, recordings, "Alice", speaker_id=speaker_id)

    assert "a moderator who may use" in await refusal(voices.set_transcript(moderator, voice.id, "words"))
    assert (await voices.set_transcript(ada, voice.id, "mine")).transcript == "mine"
    await voices.share(ada, voice.id, Sharing.SERVER)
    assert (await voices.set_transcript(moderator, voice.id, "mended")).transcript == "mended"


async def test_somebody_else_s_voice_is_renamed_by_them_or_a_moderator_and_not_by_its_owner(
    voices: Voices, recordings: Recordings
) -> None:
    voice = await a_voice(voices, recordings, "Benny", speaker_id=BEN)

    for owner in (ada, Scope(AVIARY, ADA, is_moderator=True)):
        assert "keeps the name they agreed to" in await refusal(voices.rename(owner, voice.id, "A joke"))
    assert await refusal(voices.rename(singer, voice.id, "A joke")) == NO_SUCH_VOICE
    assert (await voices.rename(ben, voice.id, "Benjamin")).name == "Benjamin"
    assert (await voices.rename(moderator, voice.id, "Voice 7")).name == "Voice 7"


async def test_a_voice_is_not_renamed_to_a_name_that_is_taken_or_is_none(
    voices: Voices, recordings: Recordings
) -> None:
    alice = await a_voice(voices, recordings, "Alice")
    await a_voice(voices, recordings, "Bob", ben, sharing=Sharing.SERVER)

    assert "already used here" in await refusal(voices.rename(ada, alice.id, "BOB"))
    assert "characters I can't use" in await refusal(voices.rename(ada, alice.id, "a:b"))
    assert await voices.find(ada, "Alice") == alice


async def test_words_that_are_too_long_are_refused(voices: Voices, recordings: Recordings) -> None:
    voice = await a_voice(voices, recordings, "Alice")

    kept = await voices.set_transcript(ada, voice.id, "x" * MAX_TRANSCRIPT_CHARS)
    assert "too long" in await refusal(voices.set_transcript(ada, voice.id, "x" * (MAX_TRANSCRIPT_CHARS + 1)))

    assert await voices.find(ada, "Alice") == kept
    assert (await voices.set_transcript(ada, voice.id, " ")).transcript is None


async def test_sharing_with_nobody_in_particular_is_refused(voices: Voices, recordings: Recordings) -> None:
    voice = await a_voice(voices, recordings, "Alice")
    crowd = frozenset(range(1, MAX_VOICE_MEMBERS + 2))

    assert "the role" in await refusal(voices.share(ada, voice.id, Sharing.ROLE))
    assert "1 to 25 members" in await refusal(voices.share(ada, voice.id, Sharing.MEMBERS))
    assert "1 to 25 members" in await refusal(voices.share(ada, voice.id, Sharing.MEMBERS, member_ids=crowd))


@pytest.mark.parametrize("who", [ada, moderator, ben], ids=["owner", "moderator", "speaker"])
async def test_a_voice_is_deleted_by_its_owner_a_moderator_or_who_is_heard_in_it(
    database: Database, recordings: Recordings, who: Scope
) -> None:
    told: list[str] = []

    async def listen(withdrawal: Withdrawal) -> None:
        told.extend(voice.id for voice in withdrawal.voices)

    withdrawals = Withdrawals()
    withdrawals.subscribe(listen)
    consents = Consents(database, CachedSpeeches(database), withdrawals)
    voices = Voices(database, recordings, consents, withdrawals)
    voice = await a_voice(
        *(voices, recordings, "Alice"),
        sharing=Sharing.MEMBERS,
        member_ids=frozenset({CAT}),
        speaker_id=BEN,
    )
    await voices.choose(singer, voice.id)

    assert await voices.find_to_manage(who, "alice") == voice
    assert await voices.delete(who, voice.id) == voice

    assert told == [voice.id]
    assert await voices.unscoped(voice.id) is None
    assert await voice_for(voices, singer) is None
    assert await completed(voices, ada, "") == []
    assert await refusal(voices.delete(who, voice.id)) == NO_SUCH_VOICE
    async with database.reading() as session:
        assert (await session.scalars(select(VoiceMemberRow))).all() == []
    await a_voice(voices, recordings, "Alice", ben)


async def test_of_twenty_who_delete_at_once_one_does(voices: Voices, recordings: Recordings) -> None:
    voice = await a_voice(voices, recordings, "Alice")

    results = await asyncio.gather(*(voices.delete(ada, voice.id) for _ in range(20)), return_exceptions=True)

    assert [type(result) for result in results].count(Voice) == 1
    assert {str(result) for result in results if isinstance(result, MemberError)} == {NO_SUCH_VOICE}
