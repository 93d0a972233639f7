"""Programs that a benchmark runs in a process of their own: they share no interpreter with what is measured.

Such a program prints one line of JSON when it is ready, and ends when its stdin closes: with this process
too, however that ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

READY_SECONDS: Final = 60.0
END_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Child:
    """A running program: its process id, and what it said when it was ready."""

    pid: int
    hello: dict[str, Any]


@asynccontextmanager
async def running(
    module: str, arguments: Sequence[str] = (), *, end_seconds: float = END_SECONDS
) -> AsyncIterator[Child]:
    """Run ``python -m module arguments`` while the block runs; after ``end_seconds`` more it is killed.

    Raises RuntimeError when it ends before it is ready, TimeoutError when it is not ready in time.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_SECONDS)
        if not line:
            raise RuntimeError(f"{module} ended at once with {await process.wait()}")
        yield Child(process.pid, json.loads(line))
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), end_seconds)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def say_ready(**hello: object) -> None:
    """Print what the benchmark needs to know (the program's part)."""
    print(json.dumps(hello), flush=True)


async def stdin_closed() -> None:
    """Return when stdin closes (the program's part)."""
    loop, closed = asyncio.get_running_loop(), asyncio.Event()

    def watch() -> None:
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=watch, name="stdin", daemon=True).start()
    await closed.wait()
