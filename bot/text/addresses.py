"""Addresses: nobody wants to hear one spelled out, so the domain is said and the rest is not."""

from __future__ import annotations

import re
from typing import Final

from bot.text.patterns import IGNORE_CASE, pattern

MAX_HOST_CHARS: Final = 40
"""A longer domain is only called "a link"."""

_URL = pattern(
    r"<?(?<![a-z0-9+.-])(?:[a-z][a-z0-9+.-]{0,20}://|www\.(?=[a-z0-9]))[^\s<>]*[^\s<>.,!?;:'\"()\[\]{}]>?",
    IGNORE_CASE,
)
_AUTHORITY = pattern(
    r"\A(?:[a-z][a-z0-9+.-]{0,20}://)?(?:[^/?#@]*+@)?(?:www\.)?(?P<host>[^/?#:]*+)", IGNORE_CASE
)
_HOST = pattern(r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}.-]*[\p{L}\p{M}\p{N}])?")
_EMAIL = pattern(
    r"(?<![\w.+-])(?P<local>[\w.+-]{1,64})@(?P<domain>(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24})\b", IGNORE_CASE
)
_DOTTED = pattern(
    # Bare domains and file names. No ending here is an English word: "the end.so I left" is two sentences.
    r"(?<![\w.-])(?:[\w-]{1,63}\.){1,4}"
    r"(?:com|org|net|edu|gov|dev|app|wiki|gg|tv|uk|eu|fr|jp|io|ai"
    r"|txt|pdf|docx?|xlsx?|pptx?|csv|json|ya?ml|toml|xml|html?|css|js|ts|py|rs|cpp|md|sh|exe|dll|zip|rar|7z|gz"
    r"|png|jpe?g|gif|webp|svg|mp3|mp4|wav|ogg|flac|webm|mov)(?P<path>/[^\s<>]*)?(?![\w-]|\.\w)",
    IGNORE_CASE,
)


def say_addresses(text: str) -> str:
    """Return ``text`` with addresses, e-mail addresses, bare domains and file names in words."""
    text = _URL.sub(lambda match: f" {_link(match[0])} ", text)
    text = _EMAIL.sub(lambda match: f"{_dots(match['local'])} at {_dots(match['domain'])}", text)
    return _DOTTED.sub(_dotted, text)


def _link(url: str) -> str:
    match = _AUTHORITY.match(url.lstrip("<"))
    host = match["host"].rstrip(".") if match else ""
    if len(host) > MAX_HOST_CHARS or "xn--" in host.lower() or not _HOST.fullmatch(host):
        return "a link"
    return f"link to {_dots(host)}"


def _dotted(match: re.Match[str]) -> str:
    return f" {_link(match[0])} " if match["path"] else _dots(match[0])


def _dots(name: str) -> str:
    return " dot ".join(part for part in name.split(".") if part)
