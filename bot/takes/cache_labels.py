"""The head of a file of kept speech: whose it is, as digests that name nobody."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import Final

MAX_LABELS: Final = 64
"""Speech that concerns more people and voices than this is not kept."""

_HEAD: Final = struct.Struct("<8sH")  # magic, number of labels
_MAGIC: Final = b"MYNAlab1"
_DIGEST_BYTES: Final = 16

HEAD_BYTES: Final = _HEAD.size + (MAX_LABELS + 1) * _DIGEST_BYTES
"""The longest head: so much of a file is needed for `labels_in`."""

Labels = frozenset[bytes]


def digests(labels: Iterable[str]) -> Labels:
    """Return what stands for ``labels`` on the disk."""
    return frozenset(_digest(label.encode()) for label in labels)


def head(labels: Labels) -> bytes:
    """Return the bytes that go before the speech; ``labels`` are at most `MAX_LABELS`."""
    body = _HEAD.pack(_MAGIC, len(labels)) + b"".join(sorted(labels))
    return body + _digest(body)


def labels_in(data: bytes) -> tuple[Labels, int] | None:
    """Return the labels at the beginning of ``data`` and where the speech begins.

    None: this is no file of ours, or its head is damaged, so that nobody knows whose it is.
    """
    if len(data) < _HEAD.size:
        return None
    magic, count = _HEAD.unpack_from(data)
    end = _HEAD.size + count * _DIGEST_BYTES
    start = end + _DIGEST_BYTES
    if magic != _MAGIC or count > MAX_LABELS or data[end:start] != _digest(data[:end]):
        return None
    return frozenset(data[at : at + _DIGEST_BYTES] for at in range(_HEAD.size, end, _DIGEST_BYTES)), start


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
