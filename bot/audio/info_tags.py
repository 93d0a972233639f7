"""The tags inside a sound file: LIST/INFO in a WAV, Vorbis comments in FLAC and Ogg.

Everywhere in our code a tag goes by its four-letter INFO name, such as `COMMENT`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TITLE: Final = "INAM"
ARTIST: Final = "IART"
COMMENT: Final = "ICMT"
SOFTWARE: Final = "ISFT"
COPYRIGHT: Final = "ICOP"
DATE: Final = "ICRD"

NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})

MAX_INFO_BYTES: Final = 64 * 1024
"""A bigger list in a foreign file is not read; marks of origin take a few hundred bytes."""

MAX_TAGS: Final = 64
"""Tags read from one list; the INFO vocabulary itself has about 40."""

_VORBIS_NAMES: Final = {
    TITLE: "title",
    ARTIST: "artist",
    COMMENT: "comment",
    SOFTWARE: "software",  # "encoder" belongs to the muxer
    COPYRIGHT: "copyright",
    DATE: "date",
}
_NAME = re.compile(r"[A-Z0-9]{4}")


def info_chunk(tags: Mapping[str, str]) -> bytes:
    """Return ``tags`` as a whole LIST/INFO chunk, values in UTF-8, or nothing when there are none.

    Raises ValueError for a name that is not four capitals or digits.
    """
    body = b"".join(_subchunk(name, value) for name, value in tags.items())
    if not body:
        return b""
    return struct.pack("<4sI4s", b"LIST", len(body) + 4, b"INFO") + body


def _subchunk(name: str, value: str) -> bytes:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not the name of an INFO tag: {name!r}")
    text = value.replace("\0", "").encode("utf-8", "replace") + b"\0"
    return struct.pack("<4sI", name.encode("ascii"), len(text)) + text + b"\0" * (len(text) % 2)


def read_info(body: bytes) -> dict[str, str]:
    """Return the tags in the body of a LIST chunk; {} for another kind of list.

    It never raises: broken entries and those after `MAX_TAGS` are left out, and bytes that are
    not UTF-8 become U+FFFD.
    """
    tags: dict[str, str] = {}
    if body[:4] != b"INFO":
        return tags
    offset = 4
    while offset + 8 <= len(body) and len(tags) < MAX_TAGS:
        name, size = struct.unpack_from("<4sI", body, offset)
        offset += 8
        key = name.decode("latin-1")
        if _NAME.fullmatch(key):
            value = body[offset : offset + size].split(b"\0", 1)[0]
            tags.setdefault(key, value.decode("utf-8", "replace"))
        offset += size + size % 2
    return tags


def vorbis_comments(tags: Mapping[str, str]) -> dict[str, str]:
    """Return ``tags`` under the names that FLAC and Ogg use; an unusual one keeps its INFO name."""
    return {_VORBIS_NAMES.get(name, name): value.replace("\0", "") for name, value in tags.items()}
