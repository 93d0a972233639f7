"""A command as a person types it at the prompt: `/clone Hello there reference: voice.wav to: both`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.errors import RehearsalError
from rehearsal.files import SentFile
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
