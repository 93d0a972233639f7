"""A voice, what a new one is made of, and who may do what with it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

NOBODY: Final = 0
"""The owner of a server's house voice: moderators look after it."""


class Kind(Enum):
    """Where a voice comes from: somebody's recording, a description, or the first take of a server."""

    CLONED = "cloned"
    DESIGNED = "designed"
    CAST = "cast"


class Sharing(Enum):
    """Who may use a voice: its owner alone, members by name, a role, or the whole server."""

    ME = "me"
    MEMBERS = "members"
    ROLE = "role"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Voice:
    """A saved voice. ``recording`` is the SHA-256 of our copy, ``seconds`` its length.

    ``speaker_id`` is whose voice it is; designed and cast voices have no speaker and no ``consent_id``.
    """

    id: str
    guild_id: int
    name: str
    owner_id: int
    speaker_id: int | None
    kind: Kind
    recording: str
    seconds: float
    transcript: str | None = field(repr=False)
    language: str | None
    description: str | None = field(repr=False)
    sharing: Sharing
    role_id: int | None
    member_ids: frozenset[int]
    uses: int
    created_at: datetime
    last_used_at: datetime | None
    is_frozen: bool
    consent_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewVoice:
    """What `Voices.save` needs. Shared with nobody unless it says so."""

    name: str
    kind: Kind
    recording: str
    seconds: float
    transcript: str | None = field(default=None, repr=False)
    language: str | None = None
    description: str | None = field(default=None, repr=False)
    speaker_id: int | None = None
    consent_id: str | None = None
    sharing: Sharing = Sharing.ME
    role_id: int | None = None
    member_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class VoiceName:
    """A voice as completion shows it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of voices, last used first. ``number`` counts from 0; there is always at least one page."""

    voices: tuple[Voice, ...]
    number: int
    pages: int
    total: int


def new_id() -> str:
    """Return 128 random bits in 22 characters that may stand in an address or a button."""
    return secrets.token_urlsafe(16)
