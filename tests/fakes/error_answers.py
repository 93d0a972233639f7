"""Errors of a TTS gateway in every form in use: their bodies, and the header that says when to come back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rehearsal.faulty_tts_gateway.catalog import azure
from rehearsal.faulty_tts_gateway.faults import Respond

RETRY_AFTER: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "seconds": {"Retry-After": "5"},
        "zero": {"Retry-After": "0"},
        "fraction": {"Retry-After": "1.5"},
        "past date": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"},
        "future date": {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"},
        "negative": {"Retry-After": "-5"},
        "word": {"Retry-After": "soon"},
        "huge": {"Retry-After": "999999"},
        "not a number": {"Retry-After": "nan"},
        "milliseconds": {"retry-after-ms": "1500"},
        "missing": {},
    }
)
"""Forms of the header that says when to come back."""


def error_bodies(status: int, message: str) -> dict[str, Respond]:
    """Return one status with each form of body in use: name of the form → fault."""
    page = f"<!doctype html><html><head><title>{status}</title></head><body><h1>{message}</h1></body></html>"
    return {
        "azure": azure(status, message),
        "error object": Respond(status, {"error": {"message": message}}),
        "error text": Respond(status, {"error": message}),
        "message": Respond(status, {"message": message}),
        "detail": Respond(status, {"detail": message}),
        "plain text": Respond(status, message, content_type="text/plain"),
        "html": Respond(status, page, content_type="text/html"),
        "nothing": Respond(status, b"", content_type=None),
        "list": Respond(status, [message]),
        "broken json": Respond(status, '{"message": "'),
    }
