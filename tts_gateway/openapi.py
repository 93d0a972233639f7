"""The contract as an OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any, Final

from tts_gateway.wire import (
    DEFAULT_CFG_VALUE,
    DEFAULT_DIT_STEPS,
    ENGINE_HEADER,
    MAX_CFG_VALUE,
    MAX_DIT_STEPS,
    MAX_TEXT_CHARS,
    MAX_URL_CHARS,
    MIN_CFG_VALUE,
    MIN_DIT_STEPS,
    SAMPLE_RATE,
)

BASE_PATH: Final = "/voxcpm/v1"
"""What the address of every call begins with, after the host."""
KEY_HEADER: Final = "Ocp-Apim-Subscription-Key"
"""The header that carries the key."""

_Json = dict[str, Any]

_ERRORS: Final = {
    "400": "Something in the request is missing, invalid, or cannot be reached.",
    "408": "The body did not come in time.",
    "413": "The body is too long.",
    "429": "The line is full. Retry-After says when to come back.",
    "500": "The engine failed.",
}
_TEXT: Final[_Json] = {
    "type": "string",
    "description": "What to say. A description in brackets in front of it says how.",
    "minLength": 1,
    "maxLength": MAX_TEXT_CHARS,
    "pattern": r"\S",
}
_SPEAK: Final[_Json] = {
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": _TEXT,
        "cfg_value": {
            "type": "number",
            "description": "Guidance: higher follows the text more strictly, and sounds less natural.",
            "default": DEFAULT_CFG_VALUE,
            "minimum": MIN_CFG_VALUE,
            "maximum": MAX_CFG_VALUE,
        },
        "dit_steps": {
            "type": "integer",
            "description": "Diffusion steps: more can sound better, and takes longer.",
            "default": DEFAULT_DIT_STEPS,
            "minimum": MIN_DIT_STEPS,
            "maximum": MAX_DIT_STEPS,
        },
    },
}
_CLONE: Final[_Json] = {
    "type": "object",
    "required": ["text", "reference_audio_url"],
    "properties": {
        "text": _TEXT,
        "reference_audio_url": {
            "type": "string",
            "format": "uri",
            "description": "A publicly reachable recording of one clean speaker.",
            "maxLength": MAX_URL_CHARS,
            "pattern": "^https?://",
        },
        "prompt_text": {
            "type": "string",
            "description": "The exact transcript of the recording.",
            "maxLength": MAX_TEXT_CHARS,
        },
    },
}
_HEADERS: Final[_Json] = {
    ENGINE_HEADER: {"description": "The engine that made it; preview for one.", "schema": {"type": "string"}}
}
_WAV_ADDRESS: Final[_Json] = {"type": "string", "format": "uri", "pattern": r"\.wav$"}
_SPOKEN: Final[_Json] = {
    "type": "object",
    "required": ["output"],
    "properties": {"output": _WAV_ADDRESS},
    "additionalProperties": False,
}
_CLONED: Final[_Json] = {
    "type": "object",
    "required": ["url", "audio_url", "sample_rate", "elapsed_s", "status"],
    "properties": {
        "url": _WAV_ADDRESS,
        "audio_url": {**_WAV_ADDRESS, "description": "The same as url."},
        "sample_rate": {"const": SAMPLE_RATE},
        "elapsed_s": {"type": "number", "minimum": 0},
        "status": {"const": "done"},
    },
    "additionalProperties": False,
}
_ERROR: Final[_Json] = {
    "type": "object",
    "required": ["statusCode", "message"],
    "properties": {
        "statusCode": {"type": "integer"},
        "message": {"type": "string", "minLength": 1},
        "activityId": {"type": "string", "description": "Where to look in the log."},
    },
    "additionalProperties": False,
}


def openapi_document(*, needs_key: bool) -> _Json:
    """Return the document of a TTS gateway that does or does not ask for a key."""
    components: _Json = {"schemas": {"Error": _ERROR}}
    if needs_key:
        components["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": KEY_HEADER}}
    errors = _ERRORS | ({"401": "The key is missing or invalid."} if needs_key else {})
    document: _Json = {
        "openapi": "3.1.0",
        "info": {"title": "TTS gateway (VoxCPM2)", "version": "1.0"},
        "servers": [{"url": BASE_PATH}],
        "paths": {
            "/text-to-speech": _operation("textToSpeech", "Say something.", _SPEAK, _SPOKEN, errors),
            "/voice-cloning": _operation(
                "voiceCloning", "Say something in the voice of a recording.", _CLONE, _CLONED, errors
            ),
        },
        "components": components,
    }
    return document | ({"security": [{"key": []}]} if needs_key else {})


def _operation(name: str, summary: str, body: _Json, answer: _Json, errors: dict[str, str]) -> _Json:
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {
                "200": {"description": "The speech is made.", "headers": _HEADERS, **_content(answer)},
                **{
                    status: {"description": meaning, **_content({"$ref": "#/components/schemas/Error"})}
                    for status, meaning in sorted(errors.items())
                },
            },
        }
    }


def _content(schema: _Json) -> _Json:
    return {"content": {"application/json": {"schema": schema}}}
