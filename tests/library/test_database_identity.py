"""A database and a data directory know each other: whatever is started with another one touches nothing."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from bot.errors import LibraryError, OtherDatabaseError
from bot.library.backups import BACKUP_FOLDER
from bot.library.consent_rows import ConsentRows
from bot.library.consent_rules import Consent
from bot.library.database import ID_FILE, Database
from bot.library.engine import DATABASE_FILE, address, engine_for
from bot.library.library import Library
from bot.library.migrations import bring_up_to_date
from bot.library.recording_folder import ASIDE, RECORDING_FOLDER
from bot.library.recordings import GRACE_SECONDS
from bot.library.voice import Kind, NewVoice, Sharing, Voice
from bot.library.voice_rows import delete_voices
from bot.limits import ASIDE_DAYS
from tests.library.conftest import a_database
from tests.library.consents import GUILD, OWNER, SPEAKER, Clock, agreed_voice, cloning_on, owner
from tests.library.first_edition import first_revisions
from tests.library.postgresql import PostgreSQL
from tests.library.shelves import a_voice, ada

SENTENCE = r"No recording was touched\. Check DATABASE_URL and DATA_DIR.*\.$"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def other_url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of another database without tables."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'elsewhere' / 'typo.db'}"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    async with a_database(server) as url:
        yield url


def here(folder: Path) -> set[str]:
    """Return the recordings where they belong."""
    return {path.stem for path in (folder / RECORDING_FOLDER).glob("*.wav")}


def aside(folder: Path) -> set[str]:
    return {path.stem for path in (folder / RECORDING_FOLDER / ASIDE).glob("*.wav")}


def make_old(folder: Path, clock: Clock, **by: float) -> None:
    """Let every file be as old as that, for the clock."""
    at = (clock() - timedelta(**by)).timestamp()
    for path in (folder / RECORDING_FOLDER).rglob("*.wav"):
        os.utime(path, (at, at))


async def two_voices(url: str | None, folder: Path, clock: Clock) -> list[Voice]:
    async with Library(url, folder, now=clock) as library:
        return [await a_voice(library.voices, library.recordings, name) for name in ("Alice", "Bob")]


class Copy:
    """A copy of a database, as an operator makes it while no bot runs."""

    def __init__(self, url: str | None, folder: Path, name: str = "older") -> None:
        self._url = url
        self._file = folder / DATABASE_FILE
        self._copy = folder / f"{name}.copy"
        self._rows: dict[str, list[asyncpg.Record]] = {}

    async def make(self) -> None:
        if self._url is None:
            await asyncio.to_thread(shutil.copy, self._file, self._copy)
            return
        connection = await asyncpg.connect(self._url)
        for table in await self._tables(connection):
            self._rows[table] = await connection.fetch(f"SELECT * FROM {table}")
        await connection.close()

    async def put_back(self) -> None:
        if self._url is None:
            await asyncio.to_thread(shutil.copy, self._copy, self._file)
            return
        connection = await asyncpg.connect(self._url)
        await connection.execute("SET session_replication_role = replica")  # in any order
        for table in await self._tables(connection):
            await connection.execute(f"DELETE FROM {table}")
            if self._rows[table]:
                await connection.copy_records_to_table(table, records=self._rows[table])
        await connection.close()

    async def _tables(self, connection: asyncpg.Connection) -> list[str]:
        found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return [row["tablename"] for row in found]


async def test_the_first_start_marks_the_folder_and_later_ones_agree(
    empty_url: str | None, tmp_path: Path
) -> None:
    ids = set()
    for _ in range(3):
        async with Library(empty_url, tmp_path) as library:
            ids.add(library.database.id)
            ids.add((tmp_path / ID_FILE).read_text(encoding="utf-8").strip())

    assert len(ids) == 1
    assert (tmp_path / ID_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("is_marked", [True, False])
async def test_a_database_just_created_is_refused_beside_recordings_and_nothing_is_made(
    kind: str, empty_url: str | None, other_url: str, tmp_path: Path, clock: Clock, is_marked: bool
) -> None:
    voices = await two_voices(empty_url, tmp_path, clock)
    make_old(tmp_path, clock, hours=2)
    if not is_marked:  # as the first edition left it
        (tmp_path / ID_FILE).unlink()

    for _ in range(2):  # the second start finds no database of the first one
        with pytest.raises(OtherDatabaseError, match=SENTENCE):
            async with Library(other_url, tmp_path, now=clock) as library:
                await library.tidy()

    assert not (tmp_path / "elsewhere").exists()
    assert here(tmp_path) == {voice.recording for voice in voices}
    async with Library(empty_url, tmp_path, now=clock) as library:
        assert await library.recordings.read(voices[0].recording)


async def test_a_database_file_that_is_lost_is_not_begun_anew(tmp_path: Path, clock: Clock) -> None:
    voices = await two_voices(None, tmp_path, clock)
    make_old(tmp_path, clock, hours=2)
    (tmp_path / DATABASE_FILE).rename(tmp_path / "away.db")

    for content in (None, b""):  # gone, and emptied
        if content is not None:
            (tmp_path / DATABASE_FILE).write_bytes(content)
        with pytest.raises(OtherDatabaseError, match=SENTENCE):
            await Library(None, tmp_path, now=clock).__aenter__()
    (tmp_path / "away.db").replace(tmp_path / DATABASE_FILE)

    async with Library(None, tmp_path, now=clock) as library:
        assert len([await library.recordings.read(voice.recording) for voice in voices]) == 2


async def test_the_database_of_another_bot_is_refused(
    empty_url: str | None, other_url: str, tmp_path: Path, clock: Clock
) -> None:
    voices = await two_voices(empty_url, tmp_path / "mine", clock)
    await two_voices(other_url, tmp_path / "theirs", clock)
    make_old(tmp_path / "mine", clock, hours=2)

    for folder in ("mine", "theirs"):
        url = other_url if folder == "mine" else (empty_url or f"sqlite:///{tmp_path}/mine/{DATABASE_FILE}")
        with pytest.raises(OtherDatabaseError, match=SENTENCE):
            await Library(url, tmp_path / folder, now=clock).__aenter__()

    assert here(tmp_path / "mine") == {voice.recording for voice in voices}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a" * 22 + b"\n", b"x" * 5000])
async def test_a_mark_that_says_something_else_is_never_written_over(
    url: str | None, tmp_path: Path, content: bytes
) -> None:
    async with Library(url, tmp_path):
        pass
    (tmp_path / ID_FILE).write_bytes(content)

    with pytest.raises(OtherDatabaseError, match=rf"delete .*{ID_FILE}\.$"):
        await Library(url, tmp_path).__aenter__()
    assert (tmp_path / ID_FILE).read_bytes() == content
    (tmp_path / ID_FILE).unlink()

    async with Library(url, tmp_path) as library:
        assert (tmp_path / ID_FILE).read_text(encoding="utf-8").strip() == library.database.id


async def test_a_mark_that_cannot_be_written_is_one_sentence(empty_url: str | None, tmp_path: Path) -> None:
    async with await Database.open(empty_url, tmp_path):
        pass
    (tmp_path / ID_FILE).mkdir()

    with pytest.raises(LibraryError, match=rf"{ID_FILE} cannot be read"):
        await Library(empty_url, tmp_path).__aenter__()


async def test_two_bots_that_open_a_new_database_at_once_know_it_by_one_id(
    empty_url: str | None, tmp_path: Path
) -> None:
    async with await Database.open(empty_url, tmp_path) as database, database.session() as session:
        await session.execute(text("DELETE FROM identity"))

    opened = await asyncio.gather(*(Database.open(empty_url, tmp_path) for _ in range(4)))

    assert len({database.id for database in opened}) == 1
    for database in opened:
        await database.aclose()


class TestOneDatabaseAndSeveralFolders:
    """Bots that share a database of PostgreSQL, each with its own data directory."""

    @pytest.fixture
    def kind(self) -> str:
        return "postgresql"

    @pytest.mark.slow
    async def test_a_folder_without_anything_belongs_to_the_database_it_is_started_with(
        self, empty_url: str, tmp_path: Path, clock: Clock
    ) -> None:
        async with (
            Library(empty_url, tmp_path / "a", now=clock) as one,
            Library(empty_url, tmp_path / "b", now=clock) as other,
        ):
            assert one.database.id == other.database.id
        marks = {(tmp_path / folder / ID_FILE).read_text(encoding="utf-8") for folder in ("a", "b")}
        assert marks == {f"{one.database.id}\n"}

    async def test_neither_touches_the_recordings_of_the_other(
        self, empty_url: str, tmp_path: Path, clock: Clock
    ) -> None:
        async with (
            Library(empty_url, tmp_path / "a", now=clock) as one,
            Library(empty_url, tmp_path / "b", now=clock) as other,
        ):
            voice = await a_voice(one.voices, one.recordings, "Alice")
            make_old(tmp_path, clock, hours=2)
            clock.forward(hours=2)
            await other.tidy()
            await one.tidy()
            assert here(tmp_path / "a") == {voice.recording}

    @pytest.mark.slow
    @pytest.mark.parametrize("days", [0, ASIDE_DAYS + 1])
    async def test_what_one_deletes_goes_from_the_folder_of_the_other_by_its_hash(
        self, empty_url: str, tmp_path: Path, clock: Clock, days: int
    ) -> None:
        async with Library(empty_url, tmp_path / "a", now=clock) as one:
            voice = await a_voice(one.voices, one.recordings, "Alice")
        clock.forward(days=days)
        async with Library(empty_url, tmp_path / "b", now=clock) as other:
            await other.voices.delete(ada, voice.id)
            await other.withdrawals.aclose()
            await other.tidy()
        assert here(tmp_path / "a") == {voice.recording}

        async with Library(empty_url, tmp_path / "a", now=clock) as one:
            await one.tidy()
        assert here(tmp_path / "a") == aside(tmp_path / "a") == set()


class TestAnOlderCopyOfTheDatabase:
    """Put back by its operator beside recordings that are newer: not one of them may be lost."""

    async def test_recordings_it_never_knew_are_put_aside_and_come_back_with_the_newer_one(
        self, empty_url: str | None, tmp_path: Path, clock: Clock
    ) -> None:
        (alice, bob) = await two_voices(empty_url, tmp_path, clock)
        older = Copy(empty_url, tmp_path)
        await older.make()
        async with Library(empty_url, tmp_path, now=clock) as library:
            newer_voice = await a_voice(library.voices, library.recordings, "Carol")
        newer = Copy(empty_url, tmp_path, "newer")
        await newer.make()
        await older.put_back()
        make_old(tmp_path, clock, hours=2)

        for _ in range(2):
            async with Library(empty_url, tmp_path, now=clock) as library:
                await library.tidy()
                assert here(tmp_path) == {alice.recording, bob.recording}
                assert aside(tmp_path) == {newer_voice.recording}
                clock.forward(days=ASIDE_DAYS - 15)

        await newer.put_back()
        async with Library(empty_url, tmp_path, now=clock) as library:
            assert await library.recordings.read(newer_voice.recording)
            assert aside(tmp_path) == set()
            await library.voices.delete(ada, newer_voice.id)
            await library.withdrawals.aclose()
        assert here(tmp_path) == {alice.recording, bob.recording}

    async def test_what_was_put_aside_goes_after_its_days(
        self, library: Library, tmp_path: Path, clock: Clock
    ) -> None:
        stranger = tmp_path / RECORDING_FOLDER / f"{'0' * 64}.wav"
        stranger.parent.mkdir(exist_ok=True)
        stranger.write_bytes(b"of another bot")
        make_old(tmp_path, clock, days=400)

        await library.tidy()
        assert (here(tmp_path), aside(tmp_path)) == (set(), {"0" * 64})
        clock.forward(days=ASIDE_DAYS - 1)
        await library.tidy()
        assert aside(tmp_path) == {"0" * 64}
        clock.forward(days=2)
        await library.tidy()
        assert aside(tmp_path) == set()

    @pytest.fixture
    async def library(self, url: str | None, tmp_path: Path, clock: Clock) -> AsyncIterator[Library]:
        async with Library(url, tmp_path, now=clock) as library:
            yield library

    @pytest.mark.parametrize("known_as", ["asked", "just kept"])
    async def test_a_recording_that_it_knows_only_from_before_it_was_a_voice_is_not_deleted(
        self, empty_url: str | None, tmp_path: Path, clock: Clock, known_as: str
    ) -> None:
        older = Copy(empty_url, tmp_path)
        async with Library(empty_url, tmp_path, now=clock) as library:
            await cloning_on(library)
            sha256 = await library.recordings.keep(b"RIFF soon a voice")
            if known_as == "asked":
                await library.consents.ask(owner, SPEAKER, recording=sha256, name="x", sharing=Sharing.ME)
        await older.make()
        async with Library(empty_url, tmp_path, now=clock) as library:
            await library.voices.save(owner, NewVoice("Soon", Kind.DESIGNED, sha256, 6.0))
        await older.put_back()
        clock.forward(days=2)

        async with Library(empty_url, tmp_path, now=clock) as library:
            for request in await library.consents.sweep():
                await library.recordings.drop_unused([request.recording or ""])
            await library.tidy()

        assert (here(tmp_path), aside(tmp_path)) == (set(), {sha256})

    async def test_who_takes_a_voice_back_is_obeyed_by_it_too(
        self, empty_url: str | None, tmp_path: Path, clock: Clock
    ) -> None:
        older = Copy(empty_url, tmp_path)
        async with Library(empty_url, tmp_path, now=clock) as library:
            await cloning_on(library)
            voice = await agreed_voice(library)
        await older.make()
        async with Library(empty_url, tmp_path, now=clock) as library:
            await library.recordings.keep(b"RIFF newer")
        await older.put_back()

        async with Library(empty_url, tmp_path, now=clock) as library:
            assert await library.consents.revoke(SPEAKER)
            await library.withdrawals.aclose()
        assert voice.recording not in here(tmp_path) | aside(tmp_path)


class TestADeletionThatWasCutOff:
    """A process that is killed between the row and the file: the next start ends what was begun, at once."""

    async def test_the_recording_of_a_deleted_voice_goes_at_the_next_start(
        self, url: str | None, tmp_path: Path, clock: Clock
    ) -> None:
        (alice, bob) = await two_voices(url, tmp_path, clock)
        async with await Database.open(url, tmp_path) as database, database.session() as session:
            await delete_voices(session, [alice.id])
        assert here(tmp_path) == {alice.recording, bob.recording}

        async with Library(url, tmp_path, now=clock):
            assert here(tmp_path) == {bob.recording}
        assert aside(tmp_path) == set()

    @pytest.mark.parametrize("after", [Consent.DECLINED, Consent.LAPSED, Consent.REVOKED])
    async def test_the_recording_of_an_ended_question_goes_at_the_next_start(
        self, url: str | None, tmp_path: Path, clock: Clock, after: Consent
    ) -> None:
        async with Library(url, tmp_path, now=clock) as library:
            await cloning_on(library)
            sha256 = await library.recordings.keep(b"RIFF of a question")
            asked = await library.consents.ask(owner, SPEAKER, recording=sha256, name="x")
            async with library.database.session() as session:
                await ConsentRows(session).change([asked.id], [Consent.ASKED], after, clock())
        assert here(tmp_path) == {sha256}

        async with Library(url, tmp_path, now=clock):
            assert here(tmp_path) | aside(tmp_path) == set()

    async def test_what_was_agreed_to_waits_an_hour_for_its_voice(
        self, url: str | None, tmp_path: Path, clock: Clock
    ) -> None:
        async with Library(url, tmp_path, now=clock) as library:
            await cloning_on(library)
            sha256 = await library.recordings.keep(b"RIFF of a question")
            asked = await library.consents.ask(owner, SPEAKER, recording=sha256, name="x")
            clock.forward(hours=20)
            await library.consents.answer(asked.id, SPEAKER, True)

        async with Library(url, tmp_path, now=clock) as library:
            assert here(tmp_path) == {sha256}
            clock.forward(seconds=GRACE_SECONDS + 1)
            await library.tidy()
        assert here(tmp_path) | aside(tmp_path) == set()

    async def test_what_was_kept_and_never_saved_goes_after_an_hour(
        self, url: str | None, tmp_path: Path, clock: Clock
    ) -> None:
        async with Library(url, tmp_path, now=clock) as library:
            sha256 = await library.recordings.keep(b"RIFF that nobody saved")

        async with Library(url, tmp_path, now=clock) as library:
            assert here(tmp_path) == {sha256}
            clock.forward(seconds=GRACE_SECONDS + 1)
            await library.tidy()
        assert here(tmp_path) | aside(tmp_path) == set()

    async def test_a_withdrawn_question_takes_its_recording_along_at_once(
        self, url: str | None, tmp_path: Path, clock: Clock
    ) -> None:
        async with Library(url, tmp_path, now=clock) as library:
            await cloning_on(library)
            sha256 = await library.recordings.keep(b"RIFF of a question")
            await library.consents.ask(owner, SPEAKER, recording=sha256, name="x")
            await library.consents.never_clone(SPEAKER, True)
            await library.withdrawals.aclose()
            assert here(tmp_path) | aside(tmp_path) == set()

    async def test_a_file_that_cannot_be_deleted_now_is_tried_again(
        self, url: str | None, tmp_path: Path, clock: Clock
    ) -> None:
        (alice, bob) = await two_voices(url, tmp_path, clock)
        file = tmp_path / RECORDING_FOLDER / f"{alice.recording}.wav"
        file.rename(tmp_path / "meanwhile")
        file.mkdir()  # nobody can unlink a folder, not even root

        async with Library(url, tmp_path, now=clock) as library:
            await library.voices.delete(ada, alice.id)
            with pytest.raises(LibraryError, match="cannot be deleted now"):
                await library.recordings.drop_unused([alice.recording])
            file.rmdir()
            (tmp_path / "meanwhile").rename(file)
            await library.tidy()
        assert here(tmp_path) | aside(tmp_path) == {bob.recording}


class TestTheFirstEdition:
    """A folder and a database without an id, with voices, questions and what was left over."""

    @pytest.fixture
    async def first(self, empty_url: str | None, tmp_path: Path) -> dict[str, str]:
        """Fill both, and return the recordings by what they were for."""
        return await make_first_edition(empty_url, tmp_path)

    async def test_it_is_brought_up_to_date_and_loses_nothing(
        self, first: dict[str, str], empty_url: str | None, tmp_path: Path, clock: Clock
    ) -> None:
        make_old(tmp_path, clock, hours=2)

        async with Library(empty_url, tmp_path, now=clock) as library:
            await library.tidy()
            assert await library.recordings.read(first["voice"]) == b"RIFF voice"
            assert (tmp_path / ID_FILE).read_text(encoding="utf-8").strip() == library.database.id
        assert here(tmp_path) == {first["voice"], first["question"]}
        assert aside(tmp_path) == {first["left over"]}
        assert len(list((tmp_path / BACKUP_FOLDER).glob("*-0001-*"))) == (empty_url is None)

    async def test_what_lapses_and_what_is_taken_back_goes_at_once(
        self, first: dict[str, str], empty_url: str | None, tmp_path: Path, clock: Clock
    ) -> None:
        async with Library(empty_url, tmp_path, now=clock) as library:
            clock.forward(days=1)
            (lapsed,) = await library.consents.sweep()
            await library.recordings.drop_unused([lapsed.recording or ""])
            await library.privacy.delete(OWNER)
        assert here(tmp_path) | aside(tmp_path) == {first["left over"]}

    async def test_its_own_backup_can_be_put_back(
        self, kind: str, first: dict[str, str], empty_url: str | None, tmp_path: Path, clock: Clock
    ) -> None:
        if kind == "postgresql":
            pytest.skip("its backups are its operator's")
        async with Library(None, tmp_path, now=clock) as library:
            newer = await a_voice(library.voices, library.recordings, "Newer")
            before = library.database.id
        (backup,) = (tmp_path / BACKUP_FOLDER).iterdir()
        backup.replace(tmp_path / DATABASE_FILE)
        make_old(tmp_path, clock, hours=2)

        async with Library(None, tmp_path, now=clock) as library:
            assert library.database.id == before
            await library.tidy()
        assert here(tmp_path) == {first["voice"], first["question"]}
        assert aside(tmp_path) == {first["left over"], newer.recording}

    async def test_beside_the_folder_of_another_bot_it_is_refused(
        self, empty_url: str | None, other_url: str, tmp_path: Path, clock: Clock
    ) -> None:
        voices = await two_voices(empty_url, tmp_path / "mine", clock)
        await make_first_edition(other_url, tmp_path / "theirs")

        with pytest.raises(OtherDatabaseError, match=SENTENCE):
            await Library(other_url, tmp_path / "mine", now=clock).__aenter__()
        assert here(tmp_path / "mine") == {voice.recording for voice in voices}

        async with Library(other_url, tmp_path / "theirs", now=clock):
            pass  # where it belongs it still starts


_COLUMNS = {
    "voices": "id, guild_id, name, name_key, owner_id, kind, recording, seconds, sharing, uses, created_at,"
    " is_frozen",
    "consents": "id, guild_id, asker_id, speaker_id, state, policy_version, recording, name, sharing,"
    " asked_at, lapses_at",
}


async def make_first_edition(url: str | None, folder: Path) -> dict[str, str]:
    """Make a data directory as the first edition left it."""
    first = first_revisions(folder / "first edition", "0001")
    where = address(url, folder)
    if where.database and url is not None and url.startswith("sqlite"):
        Path(where.database).parent.mkdir(parents=True, exist_ok=True)
    await bring_up_to_date(where, first, busy_seconds=5)
    recordings = {}
    (folder / RECORDING_FOLDER).mkdir()
    for what in ("voice", "question", "left over"):
        content = f"RIFF {what}".encode()
        recordings[what] = hashlib.sha256(content).hexdigest()
        (folder / RECORDING_FOLDER / f"{recordings[what]}.wav").write_bytes(content)
    zone = "" if where.get_backend_name() == "sqlite" else "+00"
    noon = Clock().now.replace(tzinfo=None)
    asked_at, lapses_at = (f"'{noon + timedelta(hours=hours)}.000000{zone}'" for hours in (-1, 23))
    rows = {
        "voices": f"'v', {GUILD}, 'V', 'v', {OWNER}, 'designed', '{recordings['voice']}', 6, 'me', 0,"
        f" {asked_at}, false",
        "consents": f"'c', {GUILD}, {OWNER}, {SPEAKER}, 'asked', 1, '{recordings['question']}', 'Q', 'me',"
        f" {asked_at}, {lapses_at}",
    }
    engine = engine_for(where, busy_seconds=5)
    async with engine.begin() as connection:
        for table, values in rows.items():
            await connection.execute(text(f"INSERT INTO {table} ({_COLUMNS[table]}) VALUES ({values})"))
    await engine.dispose()
    return recordings
