"""`python -m tests.soak.bot JSON`: the bot of a soak, which says on SIGUSR1 what it holds.

JSON holds ``port`` and ``ca_file`` of the rehearsal, ``token``, ``data_dir``, ``tts_base_url``, ``log`` and
``census``, the files for its log and for what it holds. It shuts down in order when stdin closes.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import signal
import sys
import threading
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.child import say_ready, stdin_closed
from bot import logs
from bot.__main__ import run
from bot.allocator import give_free_memory_back
from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.server import loopback_connector
from tests.scenes import until


async def main(wishes: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    settings = Settings(tts_base_url=wishes["tts_base_url"], data_dir=Path(wishes["data_dir"]))
    logs.watch_loop(loop)
    connector = loopback_connector(wishes["port"], Path(wishes["ca_file"]))
    bot, stop = SpeechBot(settings, connector=connector), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, partial(write_census, Path(wishes["census"])))
    running = asyncio.create_task(run(bot, wishes["token"], stop))
    ended = asyncio.create_task(stdin_closed())
    await until(lambda: running.done() or bot.heart_has_beaten.is_set(), within=60)
    if not running.done():
        say_ready()
    await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await running


class HeapStatistics(ctypes.Structure):
    """What glibc's `mallinfo2` returns, in its order (malloc.h)."""

    _names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks")
    _fields_: ClassVar = [(name, ctypes.c_size_t) for name in (*_names, "keepcost")]


def megabytes_in_use() -> float:
    """Return what is allocated, without the free blocks in between; 0 where the C library is not glibc."""
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        return 0.0
    mallinfo.restype = HeapStatistics
    heap = mallinfo()
    return float(heap.uordblks + heap.hblkhd) / 1e6


def write_census(file: Path) -> None:
    """Write down what is still held after everything that can go has gone."""
    gc.collect()
    give_free_memory_back()
    tasks = Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks())  # type: ignore[union-attr]
    draft = file.with_suffix(".new")
    objects = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    threads = threading.active_count()
    held = {"tasks": tasks, "threads": threads, "objects": objects, "in_use": megabytes_in_use()}
    draft.write_text(json.dumps(held), encoding="utf-8")
    draft.replace(file)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    with Path(given["log"]).open("a", encoding="utf-8", buffering=1) as log:
        logs.set_up("warning", "json", secrets=[given["token"]], stream=log)
        asyncio.run(main(given))
