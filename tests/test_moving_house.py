"""Backup and restore as an operator types them, beside a running bot and into a new place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.library.library import Library
from bot.library.voice import Scope
from bot.settings import child_environment
from rehearsal.server import Rehearsal
from tests.bot_process import LOGGED_IN, ROOT, bot_process, discord_for
from tests.library import first_edition


def typed(
    *arguments: str, variables: Mapping[str, str], given: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Return what `python -m bot` with these arguments did."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=variables["DATA_DIR"],
        env={**child_environment(), "PYTHONPATH": str(ROOT), **variables},
        input=given,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
async def test_a_running_bot_moves_house_and_starts_there(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    await first_edition.make(None, old, tmp_path)
    async with Library(None, old, now=lambda: first_edition.NOW):
        pass
    new.mkdir()
    async with Rehearsal() as rehearsal, discord_for(rehearsal) as settings:
        here, there = ({**settings, "DATA_DIR": str(folder)} for folder in (old, new))
        async with bot_process(tmp_path, **here) as bot:
            await bot.until(LOGGED_IN)
            told = typed("status", variables=here)
            packed = typed("backup", "-", variables=here)
            refused = typed("restore", "-", variables=here, given=packed.stdout)
            await bot.stopped()
        restored = typed("restore", "-", variables=there, given=packed.stdout)
        async with bot_process(tmp_path, **there) as bot:
            await bot.until(LOGGED_IN)
            assert (await bot.stopped())[0] == 0

    assert (packed.returncode, refused.returncode, restored.returncode) == (0, 2, 0), restored.stderr
    assert told.stdout.startswith(b"Myna ")
    assert b" in 1 server; 1 shard" in told.stdout or b" in 0 servers; 1 shard" in told.stdout
    assert b"now holds 6 voices, the settings of 2 servers, and 4 recordings." in packed.stderr
    assert refused.stderr.startswith(b"Another bot (process")
    assert refused.stderr.count(b"\n") == 1
    assert restored.stdout.startswith(b"Restored 6 voices, the settings of 2 servers, and 4 recordings")
    async with Library(None, new) as library:
        ada = await library.voices.find(Scope(first_edition.AVIARY, first_edition.ADA), "Ada")
        assert await library.recordings.read(ada.recording) == first_edition.ADA_WAV
        assert await library.consents.permission_error(ada, first_edition.AVIARY) is None
        assert await library.consents.is_never_cloned(first_edition.MOD)
        assert library.settings.volumes() == {first_edition.AVIARY: 50}
