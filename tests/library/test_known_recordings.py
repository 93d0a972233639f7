"""Recordings that stay known when their voices and questions are gone, and what was signed here."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bot.library.known_recordings import GENERATED, Known, recording_permission_error
from bot.library.library import Library
from bot.library.tables import IdentityRow, KnownRecordingRow
from bot.library.voice import Kind, NewVoice, Scope, Voice
from tests.library.consents import (
    ELSEWHERE,
    GUILD,
    OTHER,
    OWNER,
    SPEAKER,
    Clock,
    cloning_on,
    moderator,
    other,
    owner,
    speaker,
)
from tests.library.shelves import completed

UPLOAD, MENDED = b"the upload", b"RIFF what it was mended to"
ANOTHER = "f" * 64


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def library(url: str | None, tmp_path: Path, clock: Clock) -> AsyncIterator[Library]:
    async with Library(url, tmp_path, now=clock) as library:
        await cloning_on(library, GUILD, ELSEWHERE)
        yield library


async def asked(library: Library) -> str:
    """Let the owner ask the speaker, and return the id of the question."""
    recording = await library.recordings.keep(MENDED, upload=sha256(UPLOAD))
    return (await library.consents.ask(owner, SPEAKER, recording=recording, name="Ada")).id


async def agreed(library: Library) -> Voice:
    request_id = await asked(library)
    await library.consents.answer(request_id, SPEAKER, True)
    new = NewVoice("Ada", Kind.CLONED, sha256(MENDED), 6.0, speaker_id=SPEAKER, consent_id=request_id)
    return await library.voices.save(owner, new)


async def own(library: Library, scope: Scope) -> Voice:
    recording = await library.recordings.keep(MENDED, upload=sha256(UPLOAD))
    consent_id = await library.consents.attest(scope)
    new = NewVoice("Me", Kind.CLONED, recording, 6.0, speaker_id=scope.member_id, consent_id=consent_id)
    return await library.voices.save(scope, new)


async def refusals(library: Library, scope: Scope, speaker_id: int | None = None) -> list[str | None]:
    """Return what is said to the upload, to the mended recording uploaded, and to another upload of it."""
    claimed, check = speaker_id or scope.member_id, library.known_recordings.permission_error
    return [
        await check(scope, claimed, upload=sha256(UPLOAD), recording=ANOTHER),
        await check(scope, claimed, upload=sha256(MENDED), recording=ANOTHER),
        await check(scope, claimed, upload=ANOTHER, recording=sha256(MENDED)),
    ]


async def is_of_the_speaker_alone(library: Library) -> bool:
    """Return whether only the speaker may use it as their own, here and elsewhere, or be asked for it."""
    for guild_id in (GUILD, ELSEWHERE, OWNER):
        mallory = Scope(guild_id, OWNER)
        alone = [
            one for one in await refusals(library, mallory) if "of another member's voice" in (one or "")
        ]
        third = [one for one in await refusals(library, mallory, OTHER) if "you named" in (one or "")]
        if len(alone) < 3 or len(third) < 3:
            return False
    speakers = [await refusals(library, speaker), await refusals(library, owner, SPEAKER)]
    return speakers == [[None] * 3] * 2


async def open_question(library: Library, _clock: Clock) -> None:
    await asked(library)


async def saved_voice(library: Library, _clock: Clock) -> None:
    await agreed(library)


async def declined(library: Library, _clock: Clock) -> None:
    await library.consents.answer(await asked(library), SPEAKER, False)


async def lapsed(library: Library, clock: Clock) -> None:
    await asked(library)
    clock.forward(hours=25)
    await library.consents.sweep()


async def revoked(library: Library, _clock: Clock) -> None:
    await agreed(library)
    await library.consents.revoke(SPEAKER)


async def revoked_alone(library: Library, _clock: Clock) -> None:
    voice = await agreed(library)
    await library.consents.revoke(SPEAKER, voice.id)


async def revoked_while_open(library: Library, _clock: Clock) -> None:
    await asked(library)
    await library.consents.revoke(SPEAKER)


async def never_cloned(library: Library, _clock: Clock) -> None:
    await agreed(library)
    await library.consents.never_clone(SPEAKER, True)
    await library.consents.never_clone(SPEAKER, False)


async def deleted_by_its_owner(library: Library, _clock: Clock) -> None:
    await library.voices.delete(owner, (await agreed(library)).id)


async def frozen(library: Library, _clock: Clock) -> None:
    await library.audit.freeze(moderator, (await agreed(library)).id, True)


async def frozen_and_deleted(library: Library, _clock: Clock) -> None:
    voice = await agreed(library)
    await library.audit.freeze(moderator, voice.id, True)
    await library.voices.delete(owner, voice.id)


async def data_of_the_asker_deleted(library: Library, _clock: Clock) -> None:
    await asked(library)
    await library.privacy.delete(OWNER)


async def data_of_the_speaker_deleted(library: Library, _clock: Clock) -> None:
    await agreed(library)
    await library.privacy.delete(SPEAKER)


async def server_left_for_long(library: Library, clock: Clock) -> None:
    await agreed(library)
    await library.settings.present([ELSEWHERE])
    clock.forward(days=31)
    await library.tidy()
    assert await completed(library.voices, owner, "") == []


ENDINGS = (
    *(open_question, saved_voice, declined, lapsed, revoked, revoked_alone, revoked_while_open),
    *(never_cloned, deleted_by_its_owner, frozen, frozen_and_deleted),
    *(data_of_the_asker_deleted, data_of_the_speaker_deleted, server_left_for_long),
)


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
async def test_however_it_ended_a_recording_stays_its_speaker_s(
    library: Library, clock: Clock, ending: Callable[[Library, Clock], Awaitable[None]]
) -> None:
    await ending(library, clock)
    await library.withdrawals.aclose()

    assert await is_of_the_speaker_alone(library)


async def test_of_what_nobody_has_named_nothing_is_known(library: Library) -> None:
    await library.recordings.keep(MENDED, upload=sha256(UPLOAD))

    assert await refusals(library, owner) == [None] * 3


async def test_a_question_that_could_not_be_asked_makes_nothing_known(library: Library) -> None:
    await library.consents.withdraw_question(await asked(library))

    assert await refusals(library, owner) == [None] * 3


@pytest.mark.parametrize("is_deleted", [False, True], ids=["there", "deleted"])
async def test_what_moderators_froze_its_owner_cannot_save_there_again(
    library: Library, is_deleted: bool
) -> None:
    voice = await own(library, owner)
    await library.audit.freeze(moderator, voice.id, True)
    if is_deleted:
        await library.voices.delete(owner, voice.id)

    assert all("has frozen that recording here" in (one or "") for one in await refusals(library, owner))
    assert await refusals(library, Scope(ELSEWHERE, OWNER)) == [None] * 3
    assert all(await refusals(library, Scope(ELSEWHERE, OTHER)))


async def test_what_moderators_thawed_may_be_saved_again(library: Library) -> None:
    voice = await own(library, owner)
    for on in (True, False):
        await library.audit.freeze(moderator, voice.id, on)

    assert await refusals(library, owner) == [None] * 3


@pytest.mark.parametrize("kind", [Kind.DESIGNED, Kind.DEFAULT])
async def test_the_recording_of_a_voice_that_was_made_here_is_nobody_s_own(
    library: Library, kind: Kind
) -> None:
    recording = await library.recordings.keep(MENDED, upload=sha256(UPLOAD))
    await library.voices.save(owner, NewVoice("Robot", kind, recording, 6.0))

    assert await refusals(library, owner) == await refusals(library, other) == [GENERATED] * 3


async def test_what_stays_says_neither_whose_it_is_nor_which_recording(library: Library) -> None:
    await revoked(library, Clock())

    async with library.database.reading() as session:
        rows = (await session.scalars(select(KnownRecordingRow))).all()
    said = " ".join(f"{row.hash} {row.speaker} {row.guild_id}" for row in rows)
    assert len(rows) == 2
    assert not [one for one in (sha256(UPLOAD), sha256(MENDED), str(SPEAKER), str(OWNER)) if one in said]


async def test_in_another_database_nothing_is_known_though_the_rows_are_the_same(library: Library) -> None:
    await revoked(library, Clock())
    async with library.database.session() as session:
        await session.execute(update(IdentityRow).values(key="0" * 64))

    assert await refusals(library, owner) == [None] * 3


async def test_a_signature_is_good_for_its_content_and_its_database_alone(
    library: Library, tmp_path: Path
) -> None:
    signature = await library.known_recordings.signature(b"content")

    assert await library.known_recordings.is_signed(b"content", signature)
    for content, said in ((b"Content", signature), (b"content", signature[:-1]), (b"content", "é")):
        assert not await library.known_recordings.is_signed(content, said)
    async with Library(None, tmp_path / "another") as another:
        assert not await another.known_recordings.is_signed(b"content", signature)


@pytest.mark.parametrize(
    ("known", "asker_id", "speaker_id", "words"),
    [
        (Known(), OWNER, OWNER, None),
        (Known(frozenset({OWNER})), OWNER, OWNER, None),
        (Known(frozenset({OWNER, SPEAKER})), OWNER, OWNER, None),
        (Known(frozenset({SPEAKER})), OWNER, SPEAKER, None),
        (Known(frozenset({SPEAKER})), OWNER, OWNER, "only they can use it as their own"),
        (Known(frozenset({SPEAKER})), OWNER, OTHER, "of the member you named"),
        (Known(frozenset({OWNER}), is_frozen=True), OWNER, OWNER, "has frozen that recording here"),
        (Known(frozenset({SPEAKER}), is_frozen=True), OWNER, SPEAKER, None),
        (Known(frozenset({OWNER}), is_generated=True), OWNER, OWNER, "I made that recording"),
    ],
)
def test_who_may_use_what_is_known(known: Known, asker_id: int, speaker_id: int, words: str | None) -> None:
    refusal = recording_permission_error(known, asker_id, speaker_id)

    assert (refusal is None) if words is None else words in (refusal or "")
