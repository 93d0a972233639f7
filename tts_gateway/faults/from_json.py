"""Fault scripts written as JSON.

    {"clear": true, "on_post": [{"kind": "Delay", "seconds": 2, "of": {"named": "rate limit"}}, null],
     "every_download": {"kind": "Drip", "size": 4096, "every": 0.1}}

``kind`` is the name of a fault's class, the other keys are its fields; ``named`` is an entry of the
catalog; null is a right answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final

from tts_gateway.faults import answers, catalog, odd_wav, spoilers
from tts_gateway.faults.reply import Fault
from tts_gateway.faults.script import FaultScript

_KINDS: Final[Mapping[str, type]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            *(answers.Respond, answers.Success, answers.SoundItself, answers.Redirect),
            *(answers.BadWav, answers.Accepted202),
            *(spoilers.Delay, spoilers.Reset, spoilers.Cut, spoilers.Drip, spoilers.Length),
            *(spoilers.Endless, spoilers.Information, spoilers.WrongType, spoilers.Encoded),
        )
    }
)
_NAMED: Final[Mapping[str, Fault]] = MappingProxyType(
    {**catalog.AZURE_ERRORS, **catalog.OTHER_SHAPES, **catalog.BROKEN_SUCCESSES}
)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_count(value: object) -> bool:
    return _is_number(value) and isinstance(value, int)


def _is_headers(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(text, str) and text.isprintable() for text in (*value, *value.values())
    )


_CHECKS: Final[Mapping[str, Callable[[object], bool]]] = MappingProxyType(
    {
        "int": _is_count,
        "int | None": lambda value: value is None or _is_count(value),
        "float": _is_number,
        "str": lambda value: isinstance(value, str),
        "str | None": lambda value: value is None or isinstance(value, str),
        "object": lambda value: True,
        "Mapping[str, str]": _is_headers,
    }
)


def fault_from_json(value: object) -> Fault | None:
    """Return the fault that ``value``, read from JSON, describes. Raises ValueError that says why not."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("A fault must be an object or null.")
    if "named" in value:
        return _named(value["named"])
    given = dict(value)
    kind = _KINDS.get(str(given.pop("kind", "")))
    if kind is None:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}.")
    types = {field.name: str(field.type) for field in fields(kind)}
    for name, argument in given.items():
        if types.get(name) == "Fault | None":
            given[name] = fault_from_json(argument)
        elif name not in types or not _CHECKS[types[name]](argument):
            raise ValueError(f"{kind.__name__} has no such {name}.")
    return _made(kind, given)


def apply_json(body: bytes, script: FaultScript) -> None:
    """Change ``script`` as the JSON in ``body`` says. Raises ValueError, and then nothing is changed."""
    try:
        wishes = json.loads(body)
    except RecursionError as error:
        raise ValueError("The body is nested too deeply.") from error
    if not isinstance(wishes, dict):
        raise ValueError("A script must be an object.")
    posts = [fault_from_json(value) for value in _list(wishes, "on_post")]
    downloads = [fault_from_json(value) for value in _list(wishes, "on_download")]
    every_post = fault_from_json(wishes.get("every_post"))
    every_download = fault_from_json(wishes.get("every_download"))
    if wishes.get("clear"):
        script.clear()
    script.on_post(*posts)
    script.on_download(*downloads)
    script.every_post = every_post if "every_post" in wishes else script.every_post
    script.every_download = every_download if "every_download" in wishes else script.every_download


def _named(name: object) -> Fault:
    if not isinstance(name, str) or name not in _NAMED:
        raise ValueError(f"named must be one of {', '.join(_NAMED)}.")
    return _NAMED[name]


def _made(kind: type, arguments: dict[str, Any]) -> Fault:
    try:
        fault: Fault = kind(**arguments)
    except TypeError as error:
        raise ValueError(f"{kind.__name__} needs more fields.") from error
    if not 200 <= arguments.get("status", 200) <= 599:
        raise ValueError("status must be from 200 to 599.")
    if arguments.get("size") == 0:
        raise ValueError("size must be above 0.")
    if isinstance(fault, answers.BadWav) and fault.wav not in odd_wav.KINDS:
        raise ValueError(f"wav must be one of {', '.join(odd_wav.KINDS)}.")
    return fault


def _list(wishes: dict[str, Any], name: str) -> list[object]:
    value = wishes.get(name, [])
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list.")
    return value
