from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bot.limits import MAX_VOLUME
from bot.store import GuildStore

AVIARY, ROOKERY = 1, 2


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "data" / "guilds.json"
    async with GuildStore(path) as store:
        store.remember_volume(AVIARY, 150)
        store.remember_channel(AVIARY, 77)
        store.remember_channel(ROOKERY, 88)

    async with GuildStore(path) as store:
        assert store.channels() == {AVIARY: 77, ROOKERY: 88}
        assert store.volumes()[AVIARY] == 150


async def test_what_is_as_usual_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "guilds.json"
    async with GuildStore(path) as store:
        store.remember_channel(AVIARY, 77)
        store.remember_volume(AVIARY, 150)
        store.remember_channel(AVIARY, None)
        store.remember_volume(AVIARY, 100)

    assert json.loads(path.read_text(encoding="utf-8")) == {}


async def test_without_a_file_it_begins_empty_and_writes_nothing(tmp_path: Path) -> None:
    async with GuildStore(tmp_path / "guilds.json") as store:
        assert (store.channels(), store.volumes()) == ({}, {})

    assert not (tmp_path / "guilds.json").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "null",
        '{"a": {}}',
        '{"1": {"x": 2}}',
        '{"1": 5}',
        '{"1": {"volume": "x"}}',
        "[" * 9999,
    ],
)
async def test_a_file_that_makes_no_sense_is_moved_aside_and_not_the_end(tmp_path: Path, text: str) -> None:
    path = tmp_path / "guilds.json"
    path.write_text(text, encoding="utf-8")

    async with GuildStore(path) as store:
        assert store.channels() == {}
        store.remember_channel(AVIARY, 77)

    assert (tmp_path / "guilds.broken").read_text(encoding="utf-8") == text
    async with GuildStore(path) as store:
        assert store.channels() == {AVIARY: 77}


async def test_a_volume_from_the_file_stays_within_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "guilds.json"
    path.write_text('{"1": {"volume": 99999, "channel_id": null}}', encoding="utf-8")

    async with GuildStore(path) as store:
        assert store.volumes() == {AVIARY: MAX_VOLUME}


async def test_the_file_is_whole_at_every_moment(tmp_path: Path) -> None:
    path = tmp_path / "guilds.json"
    seen: list[object] = []
    async with GuildStore(path) as store:
        for channel_id in range(1, 200):
            store.remember_channel(AVIARY, channel_id)
            if channel_id % 10 == 0:
                await asyncio.sleep(0.001)
                if path.exists():
                    seen.append(json.loads(path.read_text(encoding="utf-8")))

    assert seen
    assert json.loads(path.read_text(encoding="utf-8"))["1"]["channel_id"] == 199
    assert not path.with_suffix(".new").exists()


async def test_a_file_that_cannot_be_written_is_logged_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    async with GuildStore(folder / "guilds.json") as store:
        folder.write_text("a file in the way", encoding="utf-8")
        store.remember_channel(AVIARY, 77)
        async with asyncio.timeout(10):
            while "cannot be written" not in caplog.text:  # noqa: ASYNC110 - the log has no event
                await asyncio.sleep(0.01)

        folder.unlink()
        store.remember_channel(ROOKERY, 88)

    async with GuildStore(folder / "guilds.json") as store:
        assert store.channels() == {AVIARY: 77, ROOKERY: 88}
