"""JSON from strangers: no depth bombs, no NaN, no infinities, no key twice."""

from __future__ import annotations

import json
import math

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def parse(body: bytes, *, allow_byte_order_mark: bool = True, allow_overflow: bool = False) -> Json:
    """Return the value that ``body`` spells in UTF-8.

    With ``allow_overflow`` a number too large for a float, such as 1e400, becomes an infinity. Raises
    `ValueError`, and nothing else, whatever the bytes are. The caller bounds their number.
    """
    try:
        value: Json = json.loads(
            body.decode("utf-8-sig" if allow_byte_order_mark else "utf-8"),
            object_pairs_hook=_object_from,
            parse_constant=_refuse_constant,
            parse_float=float if allow_overflow else _finite_float,
        )
    except RecursionError:  # a hundred thousand brackets; not a ValueError
        raise ValueError("nested too deeply") from None
    return value


def _object_from(pairs: list[tuple[str, Json]]) -> Json:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key appears twice")
    return value


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _finite_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
