from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from bot.errors import LibraryError
from bot.library.database import Database
from bot.library.generations import Generation
from bot.library.library import Library
from bot.library.recordings import Recordings
from bot.library.tables import VoiceRow
from bot.library.voice import Kind, NewVoice, Scope, Sharing
from tests.library.shelves import ADA, AVIARY, ada, ben, completed, moderator, singer, voice_for, voices_in

MANY = 10_000
COMPLETION_SECONDS = 0.020


async def test_everything_is_there_after_a_restart(url: str | None, tmp_path: Path) -> None:
    async with Library(url, tmp_path) as library:
        recording = await library.recordings.keep(b"RIFF")
        voice = await library.voices.save(ada, NewVoice("Alice", Kind.DESIGNED, recording, 1.0))
        await library.voices.choose(ada, voice.id)
        generation = Generation(
            "t", AVIARY, ADA, ("hello",), None, None, None, (voice.id,), None, None, datetime.now(UTC)
        )
        await library.generations.keep(generation)
        library.settings.remember_volume(AVIARY, 150)

    async with Library(url, tmp_path) as library:
        assert await voice_for(library.voices, ada) == voice
        assert [found.id for found in await completed(library.voices, ada, "a")] == [voice.id]
        assert await library.recordings.read(recording) == b"RIFF"
        assert await library.generations.get("t") == generation
        assert library.settings.volumes() == {AVIARY: 150}


async def test_a_library_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    library = Library(None, tmp_path / "file")

    with pytest.raises(LibraryError):
        await library.__aenter__()
    await library.__aexit__(None, None, None)


async def test_of_a_deleted_voice_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    async with Library(None, tmp_path) as library:
        recording = await library.recordings.keep(b"RIFFcanary-sound")
        new = NewVoice(
            *("canary-name", Kind.DESIGNED, recording, 1.0),
            transcript="canary-words " * 50,
            description="canary-description",
        )
        voice = await library.voices.save(ada, new)
        await library.voices.rename(ada, voice.id, "canary-other-name")
        assert b"canary" in on_disk(tmp_path)

        await library.voices.delete(ada, voice.id)
        await library.withdrawals.aclose()

        assert b"canary" not in on_disk(tmp_path)
        assert voice.id.encode() not in on_disk(tmp_path)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_among_ten_thousand_voices_completion_takes_under_a_fiftieth_of_a_second(
    database: Database, recordings: Recordings
) -> None:
    async with database.session() as session:
        await session.execute(insert(VoiceRow), list(_many()))
    voices = voices_in(database, recordings)
    asyncio.get_running_loop().set_debug(False)

    for scope in (ada, ben, singer, moderator, Scope(999, 1)):
        for typed in ("", "v", "voice 99", "no such voice", "9999"):
            spent = []
            for _ in range(5):
                begun = time.process_time()
                found = await completed(voices, scope, typed)
                spent.append(time.process_time() - begun)
            assert statistics.median(spent) < COMPLETION_SECONDS, (scope, typed)
            assert len(found) <= 25


def _many() -> Iterator[dict[str, object]]:
    """Yield rows of voices of one server; every other one is hidden from most members."""
    for number in range(MANY):
        yield {
            "id": f"{number:022}",
            "guild_id": AVIARY,
            "name": f"Voice {number}",
            "name_key": f"voice {number}",
            "owner_id": 1000 + number,
            "kind": "designed",
            "recording": "0" * 64,
            "seconds": 1.0,
            "sharing": (Sharing.ME if number % 2 else Sharing.SERVER).value,
            "uses": 0,
            "created_at": datetime.now(UTC),
            "is_frozen": False,
        }
