"""`bot status`: the running bot asked what it does, by whoever may read its data folder."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.monitor import Monitor
from bot.status import STATUS_FILE, StatusSocket, _failures, ask, screen
from tests.scenes import Scene, file_of, open_scene
from tts_gateway.engines.offline import OfflineEngine


@pytest.fixture
async def monitor(tmp_path: Path) -> AsyncIterator[Monitor]:
    """Yield a monitor of no bot, which can be asked for the status of ``tmp_path``."""
    async with Monitor(None) as monitor, StatusSocket(tmp_path, monitor):
        yield monitor


def is_private(file: Path) -> bool:
    return file.stat().st_mode & 0o077 == 0


async def test_a_bot_at_work_says_what_it_does(tmp_path: Path, monitor: Monitor) -> None:
    scene: Scene
    async with open_scene(tmp_path, OfflineEngine()) as scene:
        monitor.watch(scene.bot)
        await scene.bot.conditions.look()
        await file_of(await scene.speak("Hello there"))
        (status,) = await ask(tmp_path)

    assert status["ready"], status["reasons"]
    assert status["discord"]["servers"] == 1
    assert status["tts"]["gateway"] == scene.settings.tts_base_url
    assert status["requests"]["ended"]["made"] >= 1
    assert status["data"]["database"] == "SQLite"
    assert is_private(tmp_path / STATUS_FILE)
    lines = screen([status]).splitlines()
    assert lines[0].startswith("Myna ")
    assert "serves everybody" in lines[0]
    assert f"{scene.bot.user} in 1 server; 1 shard" in lines[1]
    assert len(lines) <= 24  # one screen
    assert max(map(len, lines)) <= 110
    assert "Hello" not in json.dumps(status)
    rows = screen([status] * 8).splitlines()
    assert "in 8 servers: 8 of 8 processes serve." in rows[0]
    assert re.search(r"^  \d+ +up .*, 1 shard, 1 server, 0 channels, 0 calls", rows[-1])
    assert len(rows) <= 24


async def test_a_bot_that_waits_says_what_for(tmp_path: Path, monitor: Monitor) -> None:
    monitor.note_obstacle("Discord cannot be reached. Is this machine online?")

    (status,) = await ask(tmp_path)

    assert not status["ready"]
    assert screen([status]).splitlines()[1] == "  ! Discord cannot be reached. Is this machine online?"


async def test_every_process_of_a_bot_is_asked(tmp_path: Path, monitor: Monitor) -> None:
    further = tmp_path / "process-2"
    further.mkdir()
    async with Monitor(None) as second, StatusSocket(further, second):
        second.note_obstacle("The second one waits.")
        both = first, other = await ask(tmp_path)

    assert (first["reasons"], other["reasons"]) == (["The bot is starting."], ["The second one waits."])
    lines = screen(both).splitlines()
    assert lines[0].endswith(" in 0 servers: 0 of 2 processes serve.")
    assert lines[-1] == "  ! The second one waits."


@pytest.mark.parametrize("where", [{"key": "0" * 64}, {"key": ""}, {"key": "é" * 32}])
async def test_whoever_has_not_the_key_learns_nothing(
    tmp_path: Path, monitor: Monitor, where: dict[str, Any]
) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    port = json.loads((tmp_path / STATUS_FILE).read_bytes())["port"]
    (stranger / STATUS_FILE).write_text(json.dumps({"port": port, **where}), encoding="utf-8")

    async with asyncio.timeout(5):
        assert await ask(stranger) == []
    assert len(await ask(tmp_path)) == 1


async def test_after_the_end_nobody_answers_and_what_a_killed_one_left_is_no_bot(tmp_path: Path) -> None:
    async with Monitor(None) as monitor, StatusSocket(tmp_path, monitor):
        left = (tmp_path / STATUS_FILE).read_bytes()
    assert not (tmp_path / STATUS_FILE).exists()
    for content in (left, b"", b"[]", b'{"port": "no", "key": 1}', b'{"port": 70000, "key": ""}'):
        (tmp_path / STATUS_FILE).write_bytes(content)
        assert await ask(tmp_path) == []


def test_the_failures_that_came_most_often_are_named() -> None:
    ended = {"made": 5, "busy": 3, "credit": 2, "no_answer": 12, "denied": 1, "other": 0}

    assert _failures({"ended": ended}) == "18 failed, most often: no_answer 12, busy 3, credit 2"
    assert _failures({"ended": {"made": 5, "busy": 0}}) == ""
