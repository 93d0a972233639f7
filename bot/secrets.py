"""The key of the TTS gateway: how it goes out, and how it never comes back."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

from bot.errors import TTSError
from bot.settings import Secret

KEY_HEADER = "Ocp-Apim-Subscription-Key"
"""The header that the hosted TTS gateway documents; it is Azure API Management's."""

_MASK = "***"
_TELLTALE_CHARS = 8


class MaskedHeader(str):
    """A header value that is sent as it is and shown as ``***``.

    aiohttp keeps request headers in its exceptions and in the local variables of its frames, and
    both show them by `repr`.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_MASK)


def key_headers(api_key: Secret | None) -> dict[str, str]:
    """Return the header that carries the key; nothing if there is none."""
    return {} if api_key is None else {KEY_HEADER: MaskedHeader(api_key.reveal())}


def bare(error: TTSError) -> TTSError:
    """Return ``error`` without the frames and the errors behind it.

    They hold what the server sent, whole, and crash reporters show local variables.
    """
    error.__context__ = None
    return error.with_traceback(None)


def without_key(text: str, api_key: Secret | None) -> str:
    """Return ``text`` without the key in any usual spelling, and without its beginning."""
    if api_key is None:
        return text
    for pattern_of in (_plain, _quoted, _encoded):
        text = pattern_of(api_key).sub(_MASK, text)
    return text


# The beginning goes together with whatever follows it: a server may echo the key cut off.


def _plain(api_key: Secret) -> re.Pattern[str]:
    return re.compile(re.escape(api_key.reveal()[:_TELLTALE_CHARS]) + r"[^\s\"'<>]*", re.IGNORECASE)


def _quoted(api_key: Secret) -> re.Pattern[str]:
    return re.compile(re.escape(quote(api_key.reveal(), safe="")[:_TELLTALE_CHARS]) + r"[\w%.~-]*")


def _encoded(api_key: Secret) -> re.Pattern[str]:
    return re.compile(
        re.escape(base64.b64encode(api_key.reveal().encode())[:_TELLTALE_CHARS].decode()) + r"[\w+/=-]*"
    )
