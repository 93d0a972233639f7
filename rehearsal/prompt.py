"""A prompt on which a person types what Alice types."""

from __future__ import annotations

import asyncio
import sys

from rehearsal.errors import RehearsalError
from rehearsal.rules.commands import CHAT_INPUT
from rehearsal.stage import Stage
from rehearsal.typed import read_command
from rehearsal.voice.listener import Listener

_HELP = """
Type a command as in Discord. You are Alice, in the voice channel Perch. For example:
  /speak Good morning to: both
  /speak Good evening style: a young woman, cheerful
  /clone How do I sound? reference: path/to/a/recording.wav
  /queue
in, out     join and leave the voice channel
help, quit
"""


class Prompt:
    """Reads lines until `quit` or the end of the input."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._listener: Listener | None = None

    async def run(self) -> None:
        """Read and carry out lines; a mistake is a sentence, not the end."""
        await self._come_in()
        print(_HELP)
        while True:
            line = await asyncio.to_thread(_read)
            if line is None or line.strip() in ("quit", "exit"):
                return
            try:
                await self._carry_out(line.strip())
            except (RehearsalError, TimeoutError) as error:
                print(f"  {error}")

    async def _carry_out(self, line: str) -> None:
        if line == "in":
            await self._come_in()
        elif line == "out":
            await self._stage.alice.leave()
            self._listener = None
        elif line.startswith("/"):
            await self._command(line)
        elif line:
            print(_HELP)

    async def _come_in(self) -> None:
        if self._listener is None:
            self._listener = await self._stage.alice.join(self._stage.perch)

    async def _command(self, line: str) -> None:
        registered = {
            command["name"]: command
            for command in self._stage.rehearsal.commands.listed()
            if command["type"] == CHAT_INPUT
        }
        command = read_command(line, registered)
        packets = len(self._listener.packets) if self._listener else 0
        answer = await self._stage.alice.slash(self._stage.general, command.name, **command.options)
        async for words in self._stage.watch(answer):
            print(f"  {words}")
        for file in answer.files:
            print(f"  file:  {await self._stage.save(file.name, file.data)}")
        if self._listener and self._listener.packets[packets:]:
            heard = await self._stage.hear(self._listener, after=packets)
            print(f"  heard: {await self._stage.save_heard('heard.wav', heard)} ({heard.seconds:.1f} s)")


def _read() -> str | None:
    print("> ", end="", flush=True)
    line = sys.stdin.readline()
    return line or None
