"""The little of MLS (RFC 9420) that a voice server speaks: it proposes, and never holds a key of the group.

Section numbers are of RFC 9420. Groups use ciphersuite 2 (P-256, AES-128-GCM, SHA-256), as DAVE version 1.
"""

from __future__ import annotations

import struct
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_MLS_10: Final = 1
_PUBLIC_MESSAGE: Final = 1
_SENDER_MEMBER: Final = 1
_SENDER_EXTERNAL: Final = 2
_CONTENT_PROPOSAL: Final = 2
_CONTENT_COMMIT: Final = 3
_PROPOSAL_ADD: Final = 1
_PROPOSAL_REMOVE: Final = 3
_CREDENTIAL_BASIC: Final = 1
_LEAF_OF_KEY_PACKAGE: Final = 1
_LEAF_OF_COMMIT: Final = 3
_LIFETIME_BYTES: Final = 16


def vector(data: bytes) -> bytes:
    """Return ``data`` behind its length, as MLS writes variable-size vectors (§2.1.2)."""
    size = len(data)
    if size < 1 << 6:
        return bytes([size]) + data
    if size < 1 << 14:
        return struct.pack(">H", size | 0x4000) + data
    return struct.pack(">I", size | 0x80000000) + data


class ExternalSender:
    """The voice server as MLS sees it: someone outside who may propose to add and to remove (§12.1.8)."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        credential = struct.pack(">H", _CREDENTIAL_BASIC) + vector(b"rehearsal")
        self.package = vector(point) + credential

    def propose_add(self, group_id: int, epoch: int, key_package: bytes) -> bytes:
        """Return a signed proposal to add the owner of ``key_package`` (§12.1.1)."""
        return self._proposal(group_id, epoch, struct.pack(">H", _PROPOSAL_ADD) + key_package)

    def propose_remove(self, group_id: int, epoch: int, leaf: int) -> bytes:
        """Return a signed proposal to remove the member at ``leaf`` (§12.1.3)."""
        return self._proposal(group_id, epoch, struct.pack(">HI", _PROPOSAL_REMOVE, leaf))

    def _proposal(self, group_id: int, epoch: int, proposal: bytes) -> bytes:
        message = (
            struct.pack(">HH", _MLS_10, _PUBLIC_MESSAGE)
            + vector(group_id.to_bytes(8, "big"))
            + struct.pack(">QBI", epoch, _SENDER_EXTERNAL, 0)
            + vector(b"")
            + bytes([_CONTENT_PROPOSAL])
            + proposal
        )
        labelled = vector(b"MLS 1.0 FramedContentTBS") + vector(message)
        return message + vector(self._key.sign(labelled, ec.ECDSA(hashes.SHA256())))


def split_commit(data: bytes) -> tuple[bytes, bytes]:
    """Return the commit and the Welcome that stand one after the other in ``data``.

    The Welcome may be empty. `ValueError` when ``data`` does not begin with a commit.
    """
    reader = _Reader(data)
    try:
        reader.commit()
    except (IndexError, struct.error) as error:
        raise ValueError("the commit is cut short") from error
    return data[: reader.position], data[reader.position :]


def commit_epoch(commit: bytes) -> int:
    """Return the epoch that ``commit`` ends; -1 when it is no commit of a member."""
    reader = _Reader(commit)
    try:
        return reader.commit()
    except (IndexError, ValueError, struct.error):
        return -1


class _Reader:
    """Walks over the structures of one message to find where it ends."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def commit(self) -> int:
        """Pass one PublicMessage that carries a commit (§6.2, §12.4); return its epoch."""
        if self._numbers(">HH") != (_MLS_10, _PUBLIC_MESSAGE):
            raise ValueError("not a public message of MLS 1.0")
        self._vector()  # group id
        epoch, sender, _leaf = self._numbers(">QBI")
        self._vector()  # authenticated data
        if sender != _SENDER_MEMBER or self._numbers(">B") != (_CONTENT_COMMIT,):
            raise ValueError("not a commit of a member")
        self._vector()  # proposals
        if self._numbers(">B") == (1,):
            self._leaf_node()
            self._vector()  # one update path node per level
        for _field in ("signature", "confirmation tag", "membership tag"):
            self._vector()
        return epoch

    def _leaf_node(self) -> None:
        self._vector()  # encryption key
        self._vector()  # signature key
        self._numbers(">H")  # credential type
        self._vector()  # identity
        for _capability in ("versions", "ciphersuites", "extensions", "proposals", "credentials"):
            self._vector()
        (source,) = self._numbers(">B")
        if source == _LEAF_OF_KEY_PACKAGE:
            self.position += _LIFETIME_BYTES
        elif source == _LEAF_OF_COMMIT:
            self._vector()  # parent hash
        self._vector()  # extensions
        self._vector()  # signature

    def _numbers(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._data, self.position)
        self.position += struct.calcsize(form)
        return values

    def _vector(self) -> None:
        first = self._data[self.position]
        width = 1 << (first >> 6)
        size = int.from_bytes(self._data[self.position : self.position + width], "big")
        size &= (1 << (8 * width - 2)) - 1
        self.position += width + size
        if width > 4 or self.position > len(self._data):
            raise ValueError("a vector reaches past the end")
