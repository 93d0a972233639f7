"""How every test runs: on a loop that watches for other threads, in one of two tiers, the slow ones first."""

from __future__ import annotations

import asyncio
import math
import os
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.watchful_loop import WatchfulLoop

ROOM: Final = Path(__file__).parent / "rehearsal" / "room"
"""Its tests are slow all together: a browser visits the rehearsal room."""


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    return {"watchful": WatchfulLoop}


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite that has all our tables."""
    from bot.library.database import Database
    from bot.library.engine import DATABASE_FILE

    folder = tmp_path_factory.mktemp("template")

    async def make_tables() -> None:
        async with await Database.open(None, folder) as database:
            await database.scrub()

    with ThreadPoolExecutor(1) as thread:  # although the tests have a loop of their own
        thread.submit(asyncio.run, make_tables()).result()
    return folder / DATABASE_FILE


@pytest.fixture(autouse=True)
def sound_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bots make sound in threads, unless their settings say otherwise: a process takes a second."""
    monkeypatch.setattr("bot.audio.maker_process.MIN_CORES", math.inf)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: tests that listen, or wait for another process, mostly wait."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 2


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark as slow what lies in a folder that is slow as a whole."""
    if item.path.is_relative_to(ROOM):
        item.add_marker("slow")


@pytest.hookimpl(trylast=True)  # after they were selected and shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow ones in front of each worker's share, so that none of them is begun last.

    The shares are those of `--dist worksteal`: as many neighbours for each as there are workers. Those with
    a browser come first in the first share: four browsers at once would have all cores to themselves.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    in_browser = [item for item in items if item.path.is_relative_to(ROOM)]
    left = [item for item in items if not item.path.is_relative_to(ROOM)]
    slow_ones = [item for item in left if item.get_closest_marker("slow")]
    others = [item for item in left if not item.get_closest_marker("slow")]
    share = -(-len(items) // workers)
    items.clear()
    for number in range(workers):
        first = in_browser if number == 0 else slow_ones[number - 1 :: max(1, workers - 1)]
        if workers == 1:
            first = [*in_browser, *slow_ones]
        filling = max(0, share - len(first))
        items += [*first, *others[:filling]]
        del others[:filling]
    items += others
