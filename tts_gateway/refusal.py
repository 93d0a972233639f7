"""A request that is not carried out, and how that is said: in Azure API Management's words."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from aiohttp import web

from tts_gateway.engines.base import ReferenceRefused, TextRefused

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

_FAILED: Final = "Internal server error"


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """The request is answered with this status, and the text says why."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}


def error_answer(status: int, message: str, **more: str) -> web.Response:
    """Return an error in the shape of the contract's hosted service."""
    body = {"statusCode": status, "message": message, **more}
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")


def answer_for(error: Exception) -> web.Response:
    """Return what the caller reads about ``error``; what they need not know is only logged."""
    if isinstance(error, Refusal):
        answer = error_answer(error.status, str(error))
        answer.headers.update(error.headers)
        return answer
    if isinstance(error, TextRefused | ReferenceRefused):
        return error_answer(400, str(error))
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return error_answer(413, "The body is too long.")
    if isinstance(error, web.HTTPNotFound | web.HTTPMethodNotAllowed):
        return error_answer(404, NOT_FOUND)
    activity = str(uuid4())
    log.error("activity %s failed", activity, exc_info=error)
    return error_answer(500, _FAILED, activityId=activity)
