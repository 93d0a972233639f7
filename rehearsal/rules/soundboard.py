"""What Discord accepts as a sound of a soundboard (its documentation, Soundboard Resource)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from rehearsal.errors import DiscordAPIError, FormErrors
from rehearsal.wire import Json

MAX_SOUND_BYTES: Final = 512_000
MAX_SOUND_SECONDS: Final = 5.2
_FORMATS: Final = ("mp3", "ogg")
_DATA_URI = re.compile(r"data:audio/(?:mpeg|mp3|ogg);base64,(.*)", re.DOTALL)


def check_sound_fields(payload: Json, *, new: bool) -> None:
    """Raise the `DiscordAPIError` with which Discord refuses a sound's name, volume or emoji."""
    errors = FormErrors()
    if new or "name" in payload:
        errors.length(("name",), payload.get("name"), 2, 32)
    volume = payload.get("volume")
    if volume is not None and (not isinstance(volume, (int, float)) or not 0 <= volume <= 1):
        errors.add(("volume",), "NUMBER_TYPE_RANGE", "Value must be between 0 and 1.")
    if payload.get("emoji_id") is not None and payload.get("emoji_name") is not None:
        errors.add(("emoji_id",), "EMOJI_FIELDS_EXCLUSIVE", "Only one of emoji_id and emoji_name can be set.")
    errors.raise_if_any()


def sound_bytes(payload: Json) -> bytes:
    """Return the bytes of a new sound. Raises `DiscordAPIError` when it is no data URI or too large."""
    errors = FormErrors()
    found = _DATA_URI.fullmatch(payload["sound"]) if isinstance(payload.get("sound"), str) else None
    try:
        data = base64.b64decode(found[1], validate=True) if found else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        errors.add(("sound",), "SOUNDBOARD_SOUND_INVALID", "A data URI of an MP3 or Ogg file is needed.")
    errors.raise_if_any()
    if len(data) > MAX_SOUND_BYTES:
        raise DiscordAPIError(400, 50045, "File uploaded exceeds the maximum size")
    return data


def check_sound(kind: str, seconds: float) -> None:
    """Raise the `DiscordAPIError` with which Discord refuses a sound of that format or length."""
    errors = FormErrors()
    if kind not in _FORMATS:
        errors.add(("sound",), "SOUNDBOARD_SOUND_INVALID", "Only MP3 and Ogg files can be used.")
    errors.raise_if_any()
    if seconds > MAX_SOUND_SECONDS:
        raise invalid_duration()


def invalid_duration() -> DiscordAPIError:
    """Return the refusal of a file that is too long, or no sound at all."""
    return DiscordAPIError(400, 50192, "The provided file does not have a valid duration.")
