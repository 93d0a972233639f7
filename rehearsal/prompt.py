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

try:
    import readline
except ImportError:  # on Windows: there nothing is completed
    readline = None  # type: ignore[assignment]

# Discord: application command option types
_SUBCOMMAND, _GROUP, _INTEGER, _BOOLEAN, _NUMBER, _ATTACHMENT = 1, 2, 4, 5, 10, 11


@dataclass(frozen=True)
class TypedCommand:
    """A command's name and its options, each of the type the command asks for."""

    name: str
    options: dict[str, Any]


def read_command(line: str, commands: Mapping[str, Json]) -> TypedCommand:
    """Return the command in ``line``; ``commands`` are the registered ones by name.

    A command of a group is given by both names. Words before the first option name belong to the first
    option. A file is given by its path; a choice by its name, the beginning of its name, or its value. Raises
    `RehearsalError` with a sentence.
    """
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    command = commands.get(name)
    if command is None:
        known = ", ".join(f"/{known}" for known in sorted(commands))
        raise RehearsalError(f"There is no command /{name}. There are: {known}")
    while inner := _inner(command):
        word, _, rest = rest.strip().partition(" ")
        if word not in inner:
            known = ", ".join(f"/{name} {known}" for known in sorted(inner))
            wrong = f"There is no command /{name} {word}." if word else f"/{name} needs one more word."
            raise RehearsalError(f"{wrong} There are: {known}")
        name, command = f"{name} {word}", inner[word]
    fields: dict[str, Json] = {option["name"]: option for option in command.get("options", ())}
    texts = _split(rest, list(fields))
    return TypedCommand(name, {key: _value(text, fields[key]) for key, text in texts.items()})


def _inner(command: Json) -> dict[str, Json]:
    """Return the commands of a group by name; nothing where it is none."""
    options: list[Json] = command.get("options") or []
    return {option["name"]: option for option in options if option["type"] in (_SUBCOMMAND, _GROUP)}


def completions(line: str, commands: Mapping[str, Json]) -> list[str]:
    """Return what the last word of ``line`` can become: a command, its option, or the choice of one."""
    *before, last = line.lstrip().split(" ")
    if not before:
        return [f"/{name} " for name in sorted(commands) if f"/{name}".startswith(last)]
    command = commands.get(before.pop(0).removeprefix("/"), {})
    while inner := _inner(command):
        if not before:
            return [f"{name} " for name in sorted(inner) if name.startswith(last)]
        command = inner.get(before.pop(0), {})
    fields = {option["name"]: option for option in command.get("options") or []}
    if before and before[-1].removesuffix(":") in fields:
        choices = fields[before[-1].removesuffix(":")].get("choices") or []
        return [f"{one['name']} " for one in choices if one["name"].casefold().startswith(last.casefold())]
    used = {word.removesuffix(":") for word in before}
    return [f"{name}: " for name in fields if name not in used and name.startswith(last)]


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
  /speak Good morning output: both
  /speak Good evening style: a young woman, cheerful
  /clone How do I sound? recording: path/to/a/recording.wav
  /voice list
  /queue
Tab completes commands, options and choices.
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
        if readline is not None and sys.stdin.isatty():
            readline.set_completer_delims(" ")
            readline.set_completer(self._complete)
            readline.parse_and_bind("tab: complete")
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

    def _registered(self) -> dict[str, Json]:
        """Return the commands that Alice is offered, by name."""
        offered = self._stage.alice.offered(self._stage.general)
        listed = self._stage.rehearsal.commands.listed()
        return {one["name"]: one for one in listed if one["type"] == CHAT_INPUT and one["name"] in offered}

    def _complete(self, _word: str, number: int) -> str | None:
        """Return the ``number``-th completion of what is typed, as readline asks for it."""
        assert readline is not None, "it asks"  # noqa: S101
        found = completions(readline.get_line_buffer()[: readline.get_endidx()], self._registered())
        return found[number] if number < len(found) else None

    async def _command(self, line: str) -> None:
        command = read_command(line, self._registered())
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
    if readline is not None and sys.stdin.isatty():
        try:
            return input("> ")
        except EOFError:
            return None
    print("> ", end="", flush=True)
    return sys.stdin.readline() or None
