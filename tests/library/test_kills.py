from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bot.library.engine import DATABASE_FILE
from bot.library.library import Library
from bot.library.recording_folder import RECORDING_FOLDER
from bot.library.voice import Kind, NewVoice
from tests.library.kills import Acknowledged, look
from tests.library.shelves import ada

KILLS = 30
"""A few seconds of them; `python -m tests.library.kills 1000` does more."""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_killed_at_random_points_nothing_acknowledged_is_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.library.kills", str(KILLS)],
        check=False,
        timeout=300,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    checked = re.match(rf"{KILLS} kills, (\d+) acknowledgements, 0 lost or broken", done.stdout)
    assert checked is not None, done.stdout
    assert int(checked[1]) > KILLS


async def test_the_one_who_looks_finds_every_loss(tmp_path: Path) -> None:
    async with Library(None, tmp_path) as library:
        recording = await library.recordings.keep(b"RIFF")
        voice = await library.voices.save(ada, NewVoice("Alice", Kind.DESIGNED, recording, 1.0))
    acknowledged = Acknowledged()
    acknowledged.hear(f"saved {voice.id} {recording}")
    assert await asyncio.to_thread(look, tmp_path, acknowledged) == []

    acknowledged.hear("saved other 00")
    acknowledged.hear(f"deleted {voice.id}")
    acknowledged.hear("on 5")
    (tmp_path / RECORDING_FOLDER / f"{recording}.wav").write_bytes(b"RIF")
    faults = await asyncio.to_thread(look, tmp_path, acknowledged)

    assert faults == [
        "lost: voice other",
        f"back again: voice {voice.id}",
        "lost: setting of 5",
        f"no recording: voice {voice.id}",
    ]
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
