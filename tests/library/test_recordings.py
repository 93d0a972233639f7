from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from bot.errors import LibraryError, LibraryFullError, LibraryLimitError, sentence_for
from bot.library.database import Database
from bot.library.recording_folder import DataLimit
from bot.library.recordings import Recordings
from bot.library.tables import ConsentRow, RecordingFileRow
from bot.library.voices import Voices
from tests.library.shelves import a_voice, ada

WAV = b"RIFF" + bytes(1000)
NOW = datetime.now(UTC)


def files(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "recordings").iterdir()}


async def test_a_recording_is_read_as_it_was_kept_under_the_hash_of_its_content(
    recordings: Recordings, tmp_path: Path
) -> None:
    sha256 = await recordings.keep(WAV)

    assert sha256 == hashlib.sha256(WAV).hexdigest() == await recordings.keep(WAV)
    assert await recordings.read(sha256) == WAV
    assert files(tmp_path) == {f"{sha256}.wav"}
    kept = tmp_path / "recordings" / f"{sha256}.wav"
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_the_same_recording_kept_by_many_at_once_is_one_file(
    recordings: Recordings, tmp_path: Path
) -> None:
    names = await asyncio.gather(*(recordings.keep(WAV) for _ in range(30)))

    assert files(tmp_path) == {f"{names[0]}.wav"}


@pytest.mark.parametrize("name", ["0" * 64, "", "../myna", "/etc/passwd", "A" * 64, "0" * 63])
async def test_what_is_not_there_is_an_error_and_no_name_leads_elsewhere(
    recordings: Recordings, name: str
) -> None:
    await recordings.keep(WAV)
    with pytest.raises(LibraryError):
        await recordings.read(name)


on_the_disk_alone = pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
"""Beside PostgreSQL a folder has copies; see `TestRows`."""


@on_the_disk_alone
async def test_a_damaged_recording_is_never_handed_out(recordings: Recordings, tmp_path: Path) -> None:
    sha256 = await recordings.keep(WAV)
    (tmp_path / "recordings" / f"{sha256}.wav").write_bytes(WAV[:-1] + b"x")

    with pytest.raises(LibraryError, match="damaged"):
        await recordings.read(sha256)
    await recordings.keep(WAV)
    assert await recordings.read(sha256) == WAV


async def test_only_what_nothing_names_is_dropped(
    database: Database, voices: Voices, recordings: Recordings, tmp_path: Path
) -> None:
    voice = await a_voice(voices, recordings, "Alice")
    later = Recordings(database, tmp_path / "recordings", now=lambda: NOW + timedelta(hours=12))
    hashes = {state: await recordings.keep(state.encode()) for state in ("asked", "lapsed", "granted")}
    async with database.session() as session:
        for state, sha256 in hashes.items():
            lapses_at = NOW + timedelta(hours=-1 if state == "lapsed" else 24)
            session.add(_consent(state if state == "granted" else "asked", sha256, lapses_at))
    await recordings.keep(b"nothing names it")
    (tmp_path / "recordings" / f"{'0' * 64}.1234abcd").write_bytes(b"half")
    (tmp_path / "recordings" / "not ours").write_bytes(b"")

    assert await recordings.drop_unused() == 0  # all are young
    assert await later.drop_unused() == 4

    assert files(tmp_path) == {f"{voice.recording}.wav", f"{hashes['asked']}.wav", "not ours"}


def _consent(state: str, recording: str, lapses_at: datetime) -> ConsentRow:
    return ConsentRow(
        id=recording[:22],
        guild_id=1,
        asker_id=1,
        speaker_id=2,
        state=state,
        policy_version=1,
        recording=recording,
        asked_at=NOW,
        lapses_at=lapses_at,
    )


async def test_after_a_deletion_its_recording_goes_at_once_unless_another_voice_has_it(
    voices: Voices, recordings: Recordings, tmp_path: Path
) -> None:
    voice = await a_voice(voices, recordings, "Alice")
    loose = await recordings.keep(b"loose")

    assert await recordings.drop_unused([voice.recording, loose, "../myna"]) == 1
    assert files(tmp_path) == {f"{voice.recording}.wav"}
    await voices.delete(ada, voice.id)
    assert await recordings.drop_unused([voice.recording]) == 1
    assert files(tmp_path) == set()


async def test_a_voice_saved_while_its_recording_is_dropped_has_it_or_is_not_saved(
    voices: Voices, recordings: Recordings
) -> None:
    async def save(number: int) -> str | None:
        try:
            return (await a_voice(voices, recordings, f"v{number}")).recording
        except LibraryError:
            return None

    async def drop(number: int) -> None:
        sha256 = hashlib.sha256(f"the recording of v{number} {ada.guild_id}".encode()).hexdigest()
        await recordings.drop_unused([sha256])

    results = await asyncio.gather(*(work(number) for number in range(20) for work in (save, drop)))

    for sha256 in filter(None, results):
        assert await recordings.read(sha256)


async def test_without_a_folder_there_is_nothing_to_drop(recordings: Recordings) -> None:
    assert await recordings.drop_unused() == 0
    assert await recordings.drop_unused(["0" * 64]) == 0


@on_the_disk_alone
async def test_on_a_full_disk_nothing_half_saved_is_left(recordings: Recordings, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    await recordings.keep(WAV)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(LibraryFullError):
            await recordings.keep(bytes(60_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)

    assert len(files(tmp_path)) == 1
    await recordings.keep(bytes(60_000))
    assert len(files(tmp_path)) == 2


@on_the_disk_alone
async def test_a_folder_that_cannot_be_written_is_an_error(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LibraryError):
        await Recordings(database, tmp_path / "file" / "recordings").keep(WAV)


class TestLimit:
    """What gives way where the data folder may hold no more, and what is refused then."""

    LIMIT = 100_000
    SIZE = 10_000

    @pytest.fixture
    def limit(self, tmp_path: Path) -> DataLimit:
        return DataLimit(tmp_path, self.LIMIT, cache="cache", backups="backups")

    @pytest.fixture
    def limited(self, database: Database, limit: DataLimit, tmp_path: Path) -> Recordings:
        limit.max_bytes += limit.used()  # the database is there already, and grows a little
        return Recordings(database, tmp_path / "recordings", limit=limit)

    def put(self, path: Path, size: int = SIZE, *, age: float = 0.0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        os.utime(path, (NOW.timestamp() - age, NOW.timestamp() - age))
        return path

    def test_everything_counts_and_what_is_of_no_need_goes_oldest_first(
        self, limit: DataLimit, tmp_path: Path
    ):
        voice = self.put(tmp_path / "recordings" / f"{'a' * 64}.wav")
        aside = self.put(tmp_path / "recordings" / "aside" / f"{'b' * 64}.wav")
        speech = [self.put(tmp_path / "cache" / name, age=age) for name, age in (("new", 1), ("old", 2))]
        backups = [self.put(tmp_path / "backups" / f"{age}.db", age=age) for age in (3, 1, 2)]
        assert limit.used() == 7 * self.SIZE

        assert limit.make_room(3 * self.SIZE)
        assert limit.used() == 7 * self.SIZE
        assert limit.make_room(4 * self.SIZE)
        assert [path.exists() for path in speech] == [True, False]
        assert limit.make_room(7 * self.SIZE)
        assert [path.exists() for path in (speech[0], aside, *backups)] == [False, False, False, True, True]
        assert limit.make_room(8 * self.SIZE)
        assert not limit.make_room(9 * self.SIZE)

        assert [path.exists() for path in (voice, *backups)] == [True, False, True, False]

    @pytest.mark.parametrize("size", [0, 1, 10**12])
    def test_without_a_limit_everything_fits_and_nothing_goes(self, tmp_path: Path, size: int):
        speech = self.put(tmp_path / "cache" / "speech")

        assert DataLimit(tmp_path, 0, cache="cache", backups="backups").make_room(size)
        assert speech.exists()

    async def test_what_does_not_fit_is_refused_and_those_before_stay(
        self, limited: Recordings, tmp_path: Path
    ):
        large = [bytes([number]) * 30_000 for number in range(6)]
        results = await asyncio.gather(*(limited.keep(wav) for wav in large), return_exceptions=True)

        kept = [name for name in results if isinstance(name, str)]
        assert 1 <= len(kept) <= 3
        assert {type(error) for error in results if not isinstance(error, str)} == {LibraryLimitError}
        assert files(tmp_path) == {f"{name}.wav" for name in kept}
        first = large[results.index(kept[0])]
        assert await limited.keep(first) == kept[0], "what is there needs no room"
        assert "/voice delete" in sentence_for(LibraryLimitError())


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
class TestRows:
    """On PostgreSQL a recording is a row; what lies in the folder of a process is a copy."""

    async def test_another_process_reads_what_one_has_kept_and_has_a_copy_then(
        self, database: Database, recordings: Recordings, tmp_path: Path
    ) -> None:
        sha256 = await recordings.keep(WAV)
        other = Recordings(database, tmp_path / "other" / "recordings")

        assert await other.has(sha256)
        assert await other.read(sha256) == WAV
        assert files(tmp_path / "other") == {f"{sha256}.wav"}

    async def test_a_copy_that_is_damaged_or_cannot_be_written_is_done_without(
        self, database: Database, recordings: Recordings, tmp_path: Path
    ) -> None:
        sha256 = await recordings.keep(WAV)
        (tmp_path / "recordings" / f"{sha256}.wav").write_bytes(WAV[:-1] + b"x")
        (tmp_path / "file").touch()

        assert await recordings.read(sha256) == WAV
        assert await Recordings(database, tmp_path / "file" / "recordings").read(sha256) == WAV

    async def test_a_row_that_cannot_be_read_is_one_sentence_and_heals_when_it_is_kept_again(
        self, database: Database, recordings: Recordings, tmp_path: Path
    ) -> None:
        sha256 = await recordings.keep(WAV)
        other = Recordings(database, tmp_path / "other" / "recordings")
        async with database.session() as session:
            await session.execute(update(RecordingFileRow).values(wav=WAV[:-1] + b"x"))

        with pytest.raises(LibraryError, match="a recording in the database is damaged") as failed:
            await other.read(sha256)
        assert sentence_for(failed.value).endswith("Try again in a minute.")
        await recordings.keep(WAV)
        assert await other.read(sha256) == WAV

    async def test_files_from_before_there_were_rows_become_rows_and_others_do_not(
        self, database: Database, voices: Voices, recordings: Recordings, tmp_path: Path
    ) -> None:
        voice = await a_voice(voices, recordings, "Alice")
        async with database.session() as session:
            await session.execute(delete(RecordingFileRow))
        (tmp_path / "recordings" / f"{'0' * 64}.wav").write_bytes(b"of another database")
        other = Recordings(database, tmp_path / "other" / "recordings")
        with pytest.raises(LibraryError, match="neither in the database nor in this folder"):
            await other.read(voice.recording)

        assert await recordings.files_into_rows() == 1
        assert await recordings.files_into_rows() == 0
        assert hashlib.sha256(await other.read(voice.recording)).hexdigest() == voice.recording

    async def test_what_is_dropped_by_one_goes_from_the_rows_and_from_the_folders_of_all(
        self, database: Database, voices: Voices, recordings: Recordings, tmp_path: Path
    ) -> None:
        voice = await a_voice(voices, recordings, "Alice")
        other = Recordings(database, tmp_path / "other" / "recordings")
        await other.read(voice.recording)
        await voices.delete(ada, voice.id)
        await recordings.drop_unused([voice.recording])

        assert not await other.has(voice.recording)
        assert files(tmp_path) == set()
        await other.drop_unused()
        assert files(tmp_path / "other") == set()

    async def test_all_recordings_together_are_within_the_limit_whatever_a_folder_holds(
        self, database: Database, tmp_path: Path
    ) -> None:
        limit = DataLimit(tmp_path, 100_000, cache="cache", backups="backups")
        recordings = Recordings(database, tmp_path / "recordings", limit=limit)
        (tmp_path / "something").write_bytes(bytes(100_000))
        sha256 = await recordings.keep(bytes(60_000))

        assert not (tmp_path / "recordings").exists()
        assert await recordings.read(sha256) == bytes(60_000)
        with pytest.raises(LibraryLimitError, match="DATA_MEGABYTES"):
            await recordings.keep(bytes(50_000))
