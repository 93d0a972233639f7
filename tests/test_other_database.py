"""Settings that lead to another database: the bot and the voice files say so and stop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.__main__ import main, run
from bot.delivery.voice_archive import export_voice
from bot.errors import OtherDatabaseError
from bot.library.library import Library
from bot.library.voice import Kind, NewVoice, Scope, Voice
from bot.settings import Secret, Settings
from bot.speech_bot import SpeechBot
from rehearsal.recordings import RECORDINGS
from rehearsal.server import Rehearsal

SENTENCE = "Check DATABASE_URL and DATA_DIR"


@pytest.fixture
async def voice(tmp_path: Path) -> Voice:
    """A voice in the folder that the settings name."""
    async with Library(None, tmp_path / "data") as library:
        recording = await library.recordings.keep(b"RIFF")
        return await library.voices.save(Scope(1, 2), NewVoice("Alice", Kind.DESIGNED, recording, 1.0))


def wrong(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'typo.db'}"


async def test_the_bot_does_not_start_and_every_recording_is_there(voice: Voice, tmp_path: Path) -> None:
    url = Secret(wrong(tmp_path))
    settings = Settings(data_dir=tmp_path / "data", database_url=url, tts_base_url="http://127.0.0.1:9/v1")

    async with Rehearsal() as rehearsal:
        with pytest.raises(OtherDatabaseError, match=SENTENCE):
            await run(SpeechBot(settings, connector=rehearsal.connector()), rehearsal.token, asyncio.Event())

    assert not (tmp_path / "typo.db").exists()
    async with Library(None, tmp_path / "data") as library:
        assert await library.recordings.read(voice.recording) == b"RIFF"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["export-voice", "Alice", "--guild", "1"], ["import-voice", "x.zip", "--guild", "1", "--owner", "2"]],
)
def test_voice_files_end_like_a_bad_setting(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / "x.zip"
    if command[0] == "import-voice":
        asyncio.run(_export(tmp_path, file))
    else:
        asyncio.run(_save(tmp_path))
    monkeypatch.setenv("DATABASE_URL", wrong(tmp_path))

    assert main(command) == 2
    said = capsys.readouterr().err
    assert SENTENCE in said
    assert len(said.splitlines()) == 1


async def _save(tmp_path: Path) -> None:
    async with Library(None, tmp_path / "data") as library:
        recording = await library.recordings.keep(RECORDINGS[1].path.read_bytes())
        await library.voices.save(Scope(1, 2), NewVoice("Alice", Kind.DESIGNED, recording, 1.0))


async def _export(tmp_path: Path, file: Path) -> None:
    await _save(tmp_path)
    await export_voice(Settings(data_dir=tmp_path / "data"), "Alice", 1, file)
