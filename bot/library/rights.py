"""Who may do what with a voice. The same rules for rows and for the index in memory."""

from __future__ import annotations

from typing import Protocol

from bot.library.scope import Scope
from bot.library.voice import NOBODY, Sharing


class Shared(Protocol):
    """What the rules look at: a `Voice`, or its entry in the index."""

    @property
    def guild_id(self) -> int:
        """The server it belongs to."""

    @property
    def owner_id(self) -> int:
        """Who saved it."""

    @property
    def speaker_id(self) -> int | None:
        """Who is heard in it."""

    @property
    def sharing(self) -> Sharing:
        """Who may use it."""

    @property
    def role_id(self) -> int | None:
        """With which role it is shared."""

    @property
    def member_ids(self) -> frozenset[int]:
        """With which members it is shared."""

    @property
    def is_frozen(self) -> bool:
        """Whether a moderator has frozen it."""


def may_use(scope: Scope, voice: Shared) -> bool:
    """Return whether this member may speak with the voice here; whether its speaker agrees is not asked."""
    if voice.guild_id != scope.guild_id:
        return False
    if voice.owner_id == scope.member_id or voice.sharing is Sharing.SERVER:
        return True
    if voice.sharing is Sharing.ROLE:
        return voice.role_id in scope.role_ids
    return voice.sharing is Sharing.MEMBERS and scope.member_id in voice.member_ids


def may_change(scope: Scope, voice: Shared) -> bool:
    """Return whether this member may rename the voice or mend its transcript: its owner, a moderator."""
    return voice.guild_id == scope.guild_id and (voice.owner_id == scope.member_id or scope.is_moderator)


def may_delete(scope: Scope, voice: Shared) -> bool:
    """Return whether this member may delete the voice: also the one who is heard in it."""
    here = voice.guild_id == scope.guild_id
    return here and (voice.speaker_id == scope.member_id or may_change(scope, voice))


def may_know(scope: Scope, voice: Shared) -> bool:
    """Return whether this member may know that the voice is there."""
    return may_use(scope, voice) or may_delete(scope, voice)


def may_share(scope: Scope, voice: Shared) -> bool:
    """Return whether this member may say who uses it: its owner alone; of a house voice, moderators."""
    if voice.guild_id != scope.guild_id:
        return False
    return voice.owner_id == scope.member_id or (voice.owner_id == NOBODY and scope.is_moderator)
