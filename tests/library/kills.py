"""Kill a process that saves things, at random points, and look whether what it acknowledged is there.

`python -m tests.library.kills 1000` does it a thousand times; the tests do it less often. POSIX only.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import select
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.library.engine import DATABASE_FILE
from bot.library.library import Library
from bot.library.recording_folder import RECORDING_FOLDER
from bot.library.voice import Kind, NewVoice, Scope

WORKERS: Final = 4
KILLS_PER_FOLDER: Final = 40
_SECONDS: Final = 30.0
"""So long a child may be silent on a busy machine before that is a fault of its own."""


@dataclass
class Acknowledged:
    """What the children have said is done."""

    saved: dict[str, str] = field(default_factory=dict)  # voice id -> recording
    deleted: dict[str, str] = field(default_factory=dict)  # voice id -> recording
    deleting: dict[str, str] = field(default_factory=dict)
    switched_on: set[str] = field(default_factory=set)  # servers

    def hear(self, line: str) -> None:
        """Note one line of a child."""
        what, _, rest = line.partition(" ")
        if what == "saved":
            voice_id, _, recording = rest.partition(" ")
            self.saved[voice_id] = recording
        elif what == "deleting":
            self.deleting[rest] = self.saved.pop(rest)  # from now on it may be there or not
        elif what == "deleted":
            self.deleted[rest] = self.deleting.get(rest, "")
        elif what == "on":
            self.switched_on.add(rest)

    def count(self) -> int:
        """Return how many acknowledgements have to hold."""
        return len(self.saved) + len(self.deleted) + len(self.switched_on)


def kill_often(times: int, seed: int) -> tuple[int, list[str]]:
    """Return how many acknowledgements were checked after so many kills, and what was lost or broken."""
    chance = random.Random(seed)
    checked, faults = 0, []
    while times > 0:
        kills = min(times, KILLS_PER_FOLDER)
        times -= kills
        with tempfile.TemporaryDirectory() as folder:
            acknowledged = Acknowledged()
            for _ in range(kills):
                _kill_once(Path(folder), acknowledged, chance)
            asyncio.run(_start_once(Path(folder)))
            faults += look(Path(folder), acknowledged)
            checked += acknowledged.count()
    return checked, faults


def look(folder: Path, acknowledged: Acknowledged) -> list[str]:
    """Return what is lost or broken, as another program than the library finds it."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        check = connection.execute("PRAGMA integrity_check").fetchone()[0]
        found = dict(connection.execute("SELECT id, recording FROM voices WHERE guild_id != 0"))
        on = {
            str(row[0]) for row in connection.execute("SELECT guild_id FROM guild_settings WHERE cloning_on")
        }
    faults = [] if check == "ok" else [f"the file is damaged: {check}"]
    faults += [f"lost: voice {one}" for one in acknowledged.saved if one not in found]
    faults += [f"back again: voice {one}" for one in acknowledged.deleted if one in found]
    faults += [f"lost: setting of {one}" for one in acknowledged.switched_on - on]
    for voice_id, recording in found.items():
        path = folder / RECORDING_FOLDER / f"{recording}.wav"
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != recording:
            faults.append(f"no recording: voice {voice_id}")
    kept = {path.stem for path in (folder / RECORDING_FOLDER).rglob("*.wav")}
    faults += [
        f"left: the recording of {one}" for one, sha256 in acknowledged.deleted.items() if sha256 in kept
    ]
    return faults


async def _start_once(folder: Path) -> None:
    """Let the library end what the last kill has cut off."""
    async with Library(None, folder):
        pass


def _kill_once(folder: Path, acknowledged: Acknowledged, chance: random.Random) -> None:
    reader, writer = os.pipe()
    seed = chance.randrange(2**32)
    child = os.fork()
    if child == 0:
        os.close(reader)
        _live(folder, writer, seed)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        heard = b""
        if chance.random() < 0.3:
            time.sleep(chance.uniform(0, 0.1))  # while it opens
        else:
            heard = _hear(pipe.fileno(), chance.randrange(1, 13))
            time.sleep(chance.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        heard += pipe.read()
    for line in heard.decode().splitlines():
        acknowledged.hear(line)


def _hear(descriptor: int, lines: int) -> bytes:
    heard = b""
    while heard.count(b"\n") < lines:
        ready, _, _ = select.select([descriptor], [], [], _SECONDS)
        more = os.read(descriptor, 4096) if ready else b""
        if not more:
            raise RuntimeError("the child that saves has ended or hangs")
        heard += more
    return heard


def _live(folder: Path, writer: int, seed: int) -> None:
    """Save, change and delete until killed."""
    try:
        asyncio.run(_work(folder, writer, random.Random(seed)))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


async def _work(folder: Path, writer: int, chance: random.Random) -> None:
    async with Library(None, folder) as library:
        await asyncio.gather(*(_save(library, writer, chance) for _ in range(WORKERS)))


async def _save(library: Library, writer: int, chance: random.Random) -> None:
    while True:
        guild_id = chance.randrange(1, 2**62)
        scope = Scope(guild_id, chance.randrange(1, 2**62), is_moderator=True)
        recording = await library.recordings.keep(chance.randbytes(chance.randrange(100, 5000)))
        new = NewVoice("Voice", Kind.DESIGNED, recording, 1.0, transcript="words " * chance.randrange(150))
        voice = await library.voices.save(scope, new)
        _say(writer, f"saved {voice.id} {recording}")
        if chance.random() < 0.3:
            _say(writer, f"deleting {voice.id}")
            await library.voices.delete(scope, voice.id)
            _say(writer, f"deleted {voice.id}")
        if chance.random() < 0.3:
            await library.settings.set_cloning(scope, True, policy=1)
            _say(writer, f"on {guild_id}")


def _say(writer: int, line: str) -> None:
    os.write(writer, f"{line}\n".encode())  # shorter than a pipe's atomic write: never half a line


def main() -> int:
    """Kill as often as the command line says; return 1 if anything was lost."""
    times = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    begun = time.monotonic()
    checked, faults = kill_often(times, seed)
    print(
        f"{times} kills, {checked} acknowledgements, {len(faults)} lost or broken, "
        f"{time.monotonic() - begun:.0f} s, seed {seed}"
    )
    for fault in faults[:20]:
        print(" ", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
