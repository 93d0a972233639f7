"""The prompt on which a person types what Alice types."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.cdn import SentFile
from rehearsal.errors import RehearsalError
from rehearsal.rules.commands import CHAT_INPUT
from rehearsal.stage import TourStage
from rehearsal.voice.listener import Listener
from rehearsal.wire import Json

_INTEGER, _BOOLEAN, _NUMBER, _ATTACHMENT = 4, 5, 10, 11  # Discord: application command option types


@dataclass(frozen=True)
class TypedCommand:
    """A command's name and its options, each of the type the command asks for."""

    name: str
    options: dict[str, Any]


def read_command(line: str, commands: Mapping[str, Json]) -> TypedCommand:
    """Return the command in ``line``; ``commands`` are the registered ones by name.

    Words before the first option name belong to the first option. A file is given by its path; a choice
    by its name, the beginning of its name, or its value. Raises `RehearsalError` with a sentence.
    """
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    command = commands.get(name)
    if command is None:
        known = ", ".join(f"/{known}" for known in sorted(commands))
        raise RehearsalError(f"There is no command /{name}. There are: {known}")
    fields: dict[str, Json] = {option["name"]: option for option in command.get("options", ())}
    texts = _split(rest, list(fields))
    return TypedCommand(name, {key: _value(text, fields[key]) for key, text in texts.items()})


def _split(rest: str, names: list[str]) -> dict[str, str]:
    if not names:
        return {}
    pattern = re.compile(rf"(?:^|\s)({'|'.join(map(re.escape, names))}):\s*")
    found: dict[str, str] = {}
    pieces = pattern.split(rest)
    if pieces[0].strip():
        found[names[0]] = pieces[0].strip()
    for key, text in zip(pieces[1::2], pieces[2::2], strict=True):
        found[key] = text.strip()
    return found


def _value(text: str, option: Json) -> Any:
    kind = option["type"]
    choices = option.get("choices") or ()
    for choice in choices:
        if text.casefold() in (str(choice["value"]).casefold(), choice["name"].casefold()):
            return choice["value"]
    for choice in choices:
        if text and choice["name"].casefold().startswith(text.casefold()):
            return choice["value"]
    if kind == _ATTACHMENT:
        return _file(text)
    if kind in (_INTEGER, _NUMBER):
        try:
            return int(text) if kind == _INTEGER else float(text)
        except ValueError:
            names = ", ".join(choice["name"] for choice in choices)
            raise RehearsalError(f"{option['name']}: {names or 'a number'}") from None
    return text.casefold() in ("true", "yes") if kind == _BOOLEAN else text


def _file(text: str) -> SentFile:
    path = Path(text.strip("'\"")).expanduser()
    try:
        return SentFile(path.name, path.read_bytes())
    except OSError as error:
        raise RehearsalError(f"{path} cannot be read: {error.strerror}.") from None


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

    def __init__(self, stage: TourStage) -> None:
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
