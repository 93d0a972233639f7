"""How long an answer says to wait: the headers `Retry-After` and `retry-after-ms`, and plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_CLOCK = re.compile(r"(?<![\d.:])(?:(\d{1,4})\.)?(\d{1,3}):([0-5]\d):([0-5]\d)(?![\d:])")
_WORDS = re.compile(
    r"\b(?:in|after)\s+(?:about\s+)?([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)\b",
    re.IGNORECASE,
)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds_to_wait(headers: Mapping[str, str], detail: str = "") -> float | None:
    """Return the seconds an answer asks us to wait, or None if it names no time we understand.

    ``headers`` must ignore case. The forms: seconds, whole or not; an HTTP date, where the past
    means 0; milliseconds; and in ``detail`` what an API management writes: "in 26 seconds",
    "in 07:01:20", "in 20.09:58:55" (days first), "in 2.12 days".
    """
    for seconds in (
        _number(headers.get("retry-after-ms", ""), unit=0.001),
        _number(headers.get("Retry-After", "")),
        _date(headers.get("Retry-After", ""), headers.get("Date", "")),
        _clock(detail),
        _words(detail),
    ):
        if seconds is not None:
            return seconds
    return None


def _number(value: str, *, unit: float = 1.0) -> float | None:
    value = value.strip()
    return float(value) * unit if _NUMBER.fullmatch(value) else None


def _date(value: str, server_date: str) -> float | None:
    moment = _moment(value)
    if moment is None:
        return None
    now = _moment(server_date) or datetime.now(UTC)  # the server's clock, where it tells, beats ours
    return max(0.0, (moment - now).total_seconds())


def _moment(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _clock(detail: str) -> float | None:
    found = _CLOCK.search(detail)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _words(detail: str) -> float | None:
    found = _WORDS.search(detail)
    if found is None:
        return None
    unit = found[2].lower()
    if unit.startswith("milli"):
        unit = "ms"
    return float(found[1]) * (_UNITS["ms"] if unit == "ms" else _UNITS[unit[0]])
