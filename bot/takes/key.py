"""What makes two orders the same speech, as one opaque word."""

from __future__ import annotations

import hashlib
import json
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from bot.models import ReferenceAudio, SpeechRequest, SpokenVoice

_VERSION: Final = "speech 2"  # changes whenever equal orders begin to sound different
_SIGNATURE: Final = ("ex", "is", "hm")
"""The parts of a Discord address that say until when it opens; the same file has new ones every day."""


def speech_key(request: SpeechRequest, source: str) -> str:
    """Return 64 hexadecimal digits that are equal for equal speech, and tell nothing of what it says.

    ``source`` stands for the TTS gateway and its defaults.
    """
    fields = (
        *(_VERSION, source, request.style, request.guidance, request.steps),
        [(_voice(line.voice or request.voice, request.reference), line.text) for line in request.lines]
        or [(_voice(request.voice, request.reference), request.text)],
    )
    return hashlib.sha256(json.dumps(fields).encode("utf-8", "surrogatepass")).hexdigest()


def _voice(voice: SpokenVoice | None, reference: ReferenceAudio | None) -> tuple[str | None, ...]:
    """Return who speaks. A saved voice is its recording, wherever that may lie now.

    Its id counts too: what one server has made is not heard in another, and goes when its voice goes.
    """
    if voice is not None and voice.url is not None:
        return "likeness", voice.id, *_identity(ReferenceAudio(voice.url, voice.transcript))
    if voice is not None:
        return "saved", voice.id, voice.recording, voice.transcript
    return _identity(reference)


def _identity(reference: ReferenceAudio | None) -> tuple[str | None, str | None]:
    if reference is None:
        return None, None
    parts = urlsplit(reference.url)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in _SIGNATURE]
    return parts._replace(query=urlencode(kept), fragment="").geturl(), reference.transcript
