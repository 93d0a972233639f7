"""Work that tests give to the process that makes sound; it is imported there."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncGenerator
from pathlib import Path

from bot.audio.maker import Arrival, CheckedSpeech
from bot.audio.sound import SpeechSound
from bot.errors import AudioError


async def sounds_held() -> int:
    """Return how many sounds there are in that process, in memory and in its file."""
    gc.collect()
    found = gc.get_objects()
    in_file = [
        held
        for sounds in found
        if type(sounds).__name__ == "_Sounds"
        for held in sounds._held.values()
        if isinstance(held, tuple)
    ]
    return len(in_file) + sum(isinstance(one, SpeechSound) for one in found)


async def die() -> None:
    """End that process at once."""
    os._exit(3)


async def refuse() -> None:
    """Fail in words of ours."""
    raise AudioError("no sound at all")


async def break_down() -> None:
    """Fail in words of nobody's."""
    raise ZeroDivisionError("secret words")


async def say_something_else() -> object:
    """Return what is none of the values that may come back."""
    return Path("/etc/passwd")


async def environment() -> str:
    """Return the names and values of the environment there."""
    return repr(dict(os.environ))


async def another_each_time(path: str) -> AsyncGenerator[Arrival | CheckedSpeech]:
    """Yield a frame, and end the process the first time; yield one of another recording the next time."""
    first = _is_new(Path(path))
    yield Arrival([b"frame"], None, (b"one" if first else b"another",))
    if first:
        os._exit(3)


def _is_new(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
