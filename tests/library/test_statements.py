"""What every utterance and every typed letter reads: one statement each, and none reads a whole table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from bot.errors import LibraryError
from bot.library.consent_rules import Consent, likeness_id
from bot.library.library import Library
from bot.library.starters import STARTERS
from bot.library.tables import Base
from bot.library.voice import Kind, NewVoice, Scope, Sharing, Voice, is_usable, may_know
from tests.library.shelves import ADA, AVIARY, BEN, SINGERS, a_voice, ada, ben, moderator, singer, stranger
from tests.library.statements import statements

Read = Callable[[Library, Voice], Awaitable[object]]

READS: dict[str, Read] = {
    "completion": lambda library, _voice: library.voices.complete(ben, "ali"),
    "completion of what one manages": lambda library, _voice: library.voices.complete(
        ben, "ali", to_manage=True
    ),
    "completion of where one is heard": lambda library, _voice: library.voices.complete_spoken_by(ADA, "a"),
    "the names in a dialogue": lambda library, _voice: library.voices.named(ben, ["Alice", "Bob"]),
    "a voice by its name, and whether it may be heard": lambda library, _voice: library.voices.find_standing(
        ben, "alice"
    ),
    "a starter by its name": lambda library, _voice: library.voices.find_standing(ben, "wizard"),
    "a voice by its id": lambda library, voice: library.voices.find(ben, voice.id),
    "a voice to manage": lambda library, _voice: library.voices.find_to_manage(ada, "alice"),
    "what one speaks with": lambda library, _voice: library.voices.chosen_voices(ben),
    "whether a voice may be heard": lambda library, voice: library.consents.permission_error(voice, AVIARY),
    "whether one may be cloned": lambda library, _voice: library.consents.cloning_permission_error(ada, ADA),
    "whether cloning is on": lambda library, _voice: library.settings.cloning_is_on(AVIARY),
}


async def a_cloned_voice(library: Library) -> Voice:
    """Return a cloned voice of Ada's that Ben may use and has chosen, beside a default."""
    await library.settings.set_cloning(moderator, True, policy=1)
    consent_id = await library.consents.attest(ada)
    recording = await library.recordings.keep(b"RIFF")
    new = NewVoice("Alice", Kind.CLONED, recording, 5.0, speaker_id=ADA, consent_id=consent_id)
    voice = await library.voices.save(ada, new)
    members = frozenset({BEN, 1, 2, 3})
    voice = await library.voices.share(ada, voice.id, Sharing.MEMBERS, member_ids=members)
    await library.voices.choose(ben, voice.id)
    default = await a_voice(library.voices, library.recordings, "Bob", moderator, sharing=Sharing.SERVER)
    await library.voices.set_default(moderator, default.id)
    return voice


@pytest.mark.parametrize("read", READS)
async def test_each_read_is_one_statement_that_goes_by_an_index(
    library: Library, kind: str, read: str
) -> None:
    voice = await a_cloned_voice(library)

    with statements() as counted:
        found = await READS[read](library, voice)

    assert found or found is None
    assert (len(counted.sent), counted.transactions) == (1, 1)
    if kind == "sqlite":
        statement, parameters = counted.sent[0]
        async with library.database.reading() as session:
            connection = await session.connection()
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [str(row.detail) for row in plan]
        tables = tuple(f"SCAN {name}" for name in Base.metadata.tables)
        assert [step for step in steps if step.startswith(tables)] == []


async def test_a_likeness_is_judged_in_one_statement(library: Library) -> None:
    await library.settings.set_cloning(moderator, True, policy=1)
    consent_id = await library.consents.attest(ada)

    class Likeness:
        id = likeness_id(consent_id)

    with statements() as counted:
        assert await library.consents.permission_error(Likeness(), AVIARY) is None
    assert (len(counted.sent), counted.transactions) == (1, 1)


async def test_chosen_voices_are_ones_own_and_the_default(library: Library) -> None:
    voice = await a_cloned_voice(library)

    chosen = await library.voices.chosen_voices(ben)
    assert chosen.mine is not None
    assert chosen.mine.voice == voice
    assert chosen.default is not None
    assert chosen.default.voice.name == "Bob"
    await library.voices.choose(ben, chosen.default.voice.id)
    assert await library.voices.chosen_voices(ben) == replace(chosen, mine=chosen.default)
    assert (await library.voices.chosen_voices(moderator)).mine is None


async def test_the_rules_in_statements_are_those_in_the_code(library: Library) -> None:
    made: list[Voice] = []
    for number, (owner, speaker_id) in enumerate([(ada, None), (ada, BEN), (ben, ADA), (moderator, None)]):
        for sharing in Sharing:
            for members in ({BEN}, {ADA, 5}):
                voice = await a_voice(
                    *(library.voices, library.recordings, f"v {len(made)} {number}", owner),
                    sharing=sharing,
                    role_id=SINGERS if sharing is Sharing.ROLE else None,
                    member_ids=frozenset(members) if sharing is Sharing.MEMBERS else frozenset(),
                    speaker_id=speaker_id,
                )
                if len(made) % 5 == 0:
                    voice = await library.audit.freeze(moderator, voice.id, True)
                made.append(voice)

    starters = {starter.id for starter in STARTERS}
    other_role = Scope(AVIARY, 99, frozenset({SINGERS + 1}))
    for scope in (ada, ben, singer, moderator, stranger, other_role, Scope(AVIARY, 5), Scope.alone(ADA)):
        usable = {voice.id for voice in await library.voices.complete(scope, "", 100)} - starters
        known = {voice.id for voice in await library.voices.complete(scope, "", 100, to_manage=True)}
        assert usable == {voice.id for voice in made if is_usable(scope, voice)}, scope
        assert known == {voice.id for voice in made if may_know(scope, voice)}, scope


async def test_a_voice_its_posts_and_its_consent_go_together_or_not_at_all(library: Library) -> None:
    owner_id = BEN
    await library.settings.set_cloning(moderator, True, policy=1)
    recording = await library.recordings.keep(b"RIFF")
    asked = await library.consents.ask(ben, ADA, recording=recording, name="Ada")
    await library.consents.answer(asked.id, ADA, True)
    new = NewVoice("Ada", Kind.CLONED, recording, 5.0, speaker_id=ADA, consent_id=asked.id)
    voice = await library.voices.save(Scope(AVIARY, owner_id), new)
    await _execute(library, "ALTER TABLE consents RENAME TO away")
    with pytest.raises(LibraryError):
        await library.voices.delete(ben, voice.id)
    await _execute(library, "ALTER TABLE away RENAME TO consents")
    assert await library.voices.unscoped(voice.id) == voice

    await library.voices.delete(ben, voice.id)

    assert await library.voices.unscoped(voice.id) is None
    request = await library.consents.request(asked.id)
    assert request is not None
    assert request.state is Consent.REVOKED


async def _execute(library: Library, statement: str) -> None:
    async with library.database.session() as session:
        await session.execute(text(statement))
