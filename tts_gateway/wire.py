"""The JSON of the contract: bodies in, answers and refusals out. The only file that knows the field names."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from aiohttp import web

from tts_gateway.engines.base import EngineBusy, ReferenceRefused, TextRefused
from untrusted import strict_json
from untrusted.strict_json import Json

log = logging.getLogger(__name__)

MISSING_KEY: Final = (
    "Access denied due to missing subscription key. "
    "Make sure to include subscription key when making requests to an API."
)
INVALID_KEY: Final = (
    "Access denied due to invalid subscription key. "
    "Make sure to provide a valid key for an active subscription."
)
NOT_FOUND: Final = "Resource not found"
"""What Azure API Management says about a missing key, a wrong key, and a wrong path or verb."""

_BUSY_SECONDS: Final = 5
_FAILED: Final = "Internal server error"


class RequestRefused(Exception):  # noqa: N818 - an answer, not a failure
    """The request is answered with this status, and the text says why."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}


def error_response(status: int, message: str, **more: str) -> web.Response:
    """Return an error in the shape of the contract's hosted service."""
    body = {"statusCode": status, "message": message, **more}
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")


def response_for(error: Exception) -> web.Response:
    """Return what the caller reads about ``error``; what they need not know is only logged."""
    if isinstance(error, RequestRefused):
        response = error_response(error.status, str(error))
        response.headers.update(error.headers)
        return response
    if isinstance(error, TextRefused | ReferenceRefused):
        return error_response(400, _sentence(str(error)))
    if isinstance(error, EngineBusy):
        response = error_response(429, f"Rate limit is exceeded. Try again in {_BUSY_SECONDS} seconds.")
        response.headers["Retry-After"] = str(_BUSY_SECONDS)
        return response
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return error_response(413, "The body is too long.")
    if isinstance(error, web.HTTPNotFound | web.HTTPMethodNotAllowed):
        return error_response(404, NOT_FOUND)
    activity = str(uuid4())
    log.error("activity %s failed", activity, exc_info=error)
    return error_response(500, _FAILED, activityId=activity)


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:].removesuffix('.')}."


MAX_TEXT_CHARS: Final = 5_000
"""Longest `text` and `prompt_text`. The contract names no limit; the model fails far below this one."""
MAX_URL_CHARS: Final = 2_048
"""Longest `reference_audio_url`: what browsers and proxies agree on."""
MIN_CFG_VALUE: Final = 0.1
MAX_CFG_VALUE: Final = 10.0
"""`cfg_value`. VoxCPM recommends 1 to 3; beyond 10 nothing is left but noise."""
MIN_DIT_STEPS: Final = 1
MAX_DIT_STEPS: Final = 100
"""`dit_steps`. VoxCPM recommends 4 to 30; without a bound one request could hold the engine for hours."""
DEFAULT_CFG_VALUE: Final = 2.0
DEFAULT_DIT_STEPS: Final = 10
SAMPLE_RATE: Final = 48_000
"""What every engine makes, in Hz."""

_Fields = dict[str, Json]


@dataclass(frozen=True, slots=True)
class TextToSpeechBody:
    """What a text-to-speech body asks for."""

    text: str = field(repr=False)
    cfg_value: float
    dit_steps: int


@dataclass(frozen=True, slots=True)
class VoiceCloningBody:
    """What a voice-cloning body asks for."""

    text: str = field(repr=False)
    reference_audio_url: str = field(repr=False)
    prompt_text: str | None = field(repr=False)


def read_text_to_speech(content_type: str, body: bytes) -> TextToSpeechBody:
    """Return what ``body`` asks for. Raises `RequestRefused` (400) that says what is wrong with it."""
    fields = _fields(content_type, body)
    return TextToSpeechBody(
        text=_required_text(fields, "text"),
        cfg_value=_number(fields, "cfg_value", DEFAULT_CFG_VALUE, MIN_CFG_VALUE, MAX_CFG_VALUE),
        dit_steps=_whole_number(fields, "dit_steps", DEFAULT_DIT_STEPS, MIN_DIT_STEPS, MAX_DIT_STEPS),
    )


def read_voice_cloning(content_type: str, body: bytes) -> VoiceCloningBody:
    """Return what ``body`` asks for. Raises `RequestRefused` (400) that says what is wrong with it."""
    fields = _fields(content_type, body)
    return VoiceCloningBody(
        text=_required_text(fields, "text"),
        reference_audio_url=_required_text(fields, "reference_audio_url", MAX_URL_CHARS),
        prompt_text=_text(fields, "prompt_text") if "prompt_text" in fields else None,
    )


ENGINE_HEADER: Final = "X-TTS-Engine"
"""Names the engine that made the speech, ``preview`` for one. It is ours: other TTS gateways leave it out."""


def text_to_speech_response(url: str, *, engine: str | None = None) -> web.Response:
    """Return the answer to a text-to-speech request."""
    return _response({"output": url}, engine)


def voice_cloning_response(url: str, seconds: float, *, engine: str | None = None) -> web.Response:
    """Return the answer to a voice-cloning request that took ``seconds``."""
    return _response(
        {
            "url": url,
            "audio_url": url,
            "sample_rate": SAMPLE_RATE,
            "elapsed_s": round(seconds, 3),
            "status": "done",
        },
        engine,
    )


def _response(fields: dict[str, object], engine: str | None) -> web.Response:
    headers = {ENGINE_HEADER: engine} if engine else None
    return web.Response(body=json.dumps(fields).encode(), content_type="application/json", headers=headers)


def _fields(content_type: str, body: bytes) -> _Fields:
    if content_type != "application/json":
        raise RequestRefused(400, "Content-Type must be application/json.")
    try:
        fields = strict_json.parse(body, allow_byte_order_mark=False, allow_overflow=True)
    except ValueError as error:
        raise RequestRefused(400, "The body is not valid JSON.") from error
    if not isinstance(fields, dict):
        raise RequestRefused(400, "The body must be a JSON object.")
    return fields


def _required_text(fields: _Fields, name: str, longest: int = MAX_TEXT_CHARS) -> str:
    if name not in fields:
        raise RequestRefused(400, f"{name} is missing.")
    text = _text(fields, name, longest)
    if text is None:
        raise RequestRefused(400, f"{name} is blank.")
    return text


def _text(fields: _Fields, name: str, longest: int = MAX_TEXT_CHARS) -> str | None:
    text = fields[name]
    if not isinstance(text, str):
        raise RequestRefused(400, f"{name} must be a string.")
    if len(text) > longest:
        raise RequestRefused(400, f"{name} is longer than {longest} characters.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RequestRefused(400, f"{name} is not valid Unicode.") from error
    return text if text.strip() else None


def _number(fields: _Fields, name: str, default: float, lowest: float, highest: float) -> float:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestRefused(400, f"{name} must be a number.")
    if not lowest <= value <= highest:
        raise RequestRefused(400, f"{name} must be between {lowest:g} and {highest:g}.")
    return float(value)


def _whole_number(fields: _Fields, name: str, default: int, lowest: int, highest: int) -> int:
    value = fields.get(name, default)
    whole = isinstance(value, int) or (
        isinstance(value, float) and math.isfinite(value) and value.is_integer()
    )
    if isinstance(value, bool) or not whole:
        raise RequestRefused(400, f"{name} must be a whole number.")
    return int(_number(fields, name, default, lowest, highest))
