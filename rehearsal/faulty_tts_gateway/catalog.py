"""The misbehaviour of real services, by name: ready-made faults for tests and demonstrations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rehearsal.faulty_tts_gateway.faults import BadWav, Cut, Delay, Drip, Fault, Respond, SoundItself, Success
from tts_gateway.wire import INVALID_KEY, MISSING_KEY, NOT_FOUND

_QUOTA = "Out of call volume quota. Quota will be replenished in {}."


def azure(status: int, message: str, headers: Mapping[str, str] | None = None) -> Respond:
    """Return an error as Azure API Management words it."""
    return Respond(status, {"statusCode": status, "message": message}, headers or {})


AZURE_ERRORS: Final[Mapping[str, Respond]] = MappingProxyType(
    {
        "missing key": azure(401, MISSING_KEY, {"WWW-Authenticate": "AzureApiManagementKey"}),
        "invalid key": azure(401, INVALID_KEY, {"WWW-Authenticate": "AzureApiManagementKey"}),
        "forbidden": azure(403, "Forbidden"),
        "quota hours": azure(403, _QUOTA.format("07:01:20"), {"Retry-After": "25280"}),
        "quota days": azure(403, _QUOTA.format("20.09:58:55")),
        "quota days in words": azure(403, _QUOTA.format("2.12 days")),
        "not found": azure(404, NOT_FOUND),
        "rate limit": azure(429, "Rate limit is exceeded. Try again in 26 seconds.", {"Retry-After": "26"}),
        "rate limit, text only": azure(429, "Rate limit is exceeded. Try again in 26 seconds."),
        "internal": Respond(
            500,
            {"statusCode": 500, "message": "Internal server error", "activityId": "00000000-0000-4000"},
        ),
        "unauthorized inside 200": Respond(200, {"StatusCode": 401, "message": INVALID_KEY}),
    }
)
"""Errors in Azure API Management's words: the product whose key header the contract uses."""

OTHER_SHAPES: Final[Mapping[str, Success | SoundItself]] = MappingProxyType(
    {
        "output text": Success('{"output": "{url}"}'),
        "output list": Success('{"output": ["{url}"]}'),
        "output object": Success('{"output": {"url": "{url}"}}'),
        "output media_url": Success('{"output": {"media_url": ["{url}"]}}'),
        "output_url": Success('{"output_url": "{url}"}'),
        "audio list": Success('{"audio": [{"url": "{url}"}]}'),
        "url only": Success('{"url": "{url}"}'),
        "audio_url only": Success('{"audio_url": "{url}", "status": "done"}'),
        "byte order mark": Success('\ufeff{"output": "{url}"}'),
        "labelled as text": Success('{"output": "{url}"}', content_type="text/plain"),
        "status 201": Success('{"output": "{url}"}', status=201),
        "the sound itself": SoundItself(),
        "the sound itself, octets": SoundItself("application/octet-stream"),
    }
)
"""Successes that carry usable sound in a shape the contract does not name."""

BROKEN_SUCCESSES: Final[Mapping[str, Respond | Success]] = MappingProxyType(
    {
        "empty": Respond(200),
        "no content": Respond(204, content_type=None),
        "not modified": Respond(304, content_type=None),
        "html": Respond(200, "<html><body>Welcome</body></html>", content_type="text/html"),
        "html as json": Respond(200, "<html><body>Welcome</body></html>"),
        "missing fields": Respond(200, {"status": "done"}),
        "null": Respond(200, None),
        "list": Respond(200, [1, 2]),
        "text": Respond(200, json.dumps("done")),
        "number": Respond(200, 7),
        "null address": Respond(200, {"output": None, "audio_url": None}),
        "number for address": Respond(200, {"output": 7}),
        "empty address": Respond(200, {"output": ""}),
        "no address": Respond(200, {"output": "take.wav"}),
        "file address": Respond(200, {"output": "file:///etc/passwd"}),
        "addresses differ": Success('{"url": "{url}", "audio_url": "http://127.0.0.1:9/other.wav"}'),
        "queued": Respond(200, {"status": "queued"}),
        "failed": Respond(200, {"status": "failed", "error": "The model stopped."}),
        "cut": Respond(200, '{"output": "http'),
        "not a number": Respond(200, '{"output": NaN}'),
        "duplicate keys": Success('{"output": "http://127.0.0.1:9/other.wav", "output": "{url}"}'),
        "huge number": Respond(200, '{"elapsed_s": ' + "9" * 10_000 + "}"),
        "deep": Respond(200, '{"output": ' + "[" * 20_000 + "]" * 20_000 + "}"),
        "lone surrogate": Respond(200, '{"output": "\\ud800"}'),
        "utf-16": Respond(200, '{"output": "x"}'.encode("utf-16")),
        "not utf-8": Respond(200, b'{"output": "\xff\xfe\xfa"}'),
        "megabytes": Respond(200, '{"output": "' + "x" * 4_000_000 + '"}'),
    }
)
"""Successes of whose body nothing can be made, or nothing should be."""

NAMED: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "slow": Delay(5),
        "busy": Respond(429, headers={"Retry-After": "2"}),
        "broken": AZURE_ERRORS["internal"],
        "credit": Respond(402),
        "key": AZURE_ERRORS["invalid key"],
        "cut": Cut(0.5),
        "drips": Drip(16_384, 0.15),
        "html": BadWav("html"),
        "silent": BadWav("silent"),
    }
)
"""What the switches of the room set, from outside the process."""
