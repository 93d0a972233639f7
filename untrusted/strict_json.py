"""JSON from strangers: no depth bombs, no NaN, no infinities, no key twice."""

from __future__ import annotations

import json
import math

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def parse(body: bytes) -> Json:
    """Return the value that ``body`` spells in UTF-8, with or without a byte order mark.

    Raises `ValueError`, and nothing else, whatever the bytes are. The caller bounds their number.
    """
    try:
        value: Json = json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
        )
    except RecursionError:  # a hundred thousand brackets; not a ValueError
        raise ValueError("nested too deeply") from None
    return value


def _object(pairs: list[tuple[str, Json]]) -> Json:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key appears twice")
    return value


def _constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
