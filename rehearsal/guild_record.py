"""What Discord knows of a guild: its people, roles, channels, and who is in voice."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass, field

from rehearsal.channels import Channel
from rehearsal.permissions import ALL, Overwrite, Permission, effective
from rehearsal.soundboard import SOUND_SLOTS, Sound
from rehearsal.users import User
from rehearsal.wire import UPLOAD_LIMITS


@dataclass
class Role:
    """A role and what it grants."""

    id: int
    name: str
    permissions: int
    position: int = 0
    managed: bool = False


@dataclass
class Member:
    """A user in a guild."""

    user: User
    role_ids: list[int] = field(default_factory=list)
    nick: str | None = None


@dataclass
class VoiceState:
    """Where a member is in voice, and how."""

    user_id: int
    channel_id: int
    session_id: str = field(default_factory=lambda: secrets.token_hex(16))
    self_mute: bool = False
    self_deaf: bool = False
    mute: bool = False
    deaf: bool = False
    suppress: bool = False
    request_to_speak_at: datetime.datetime | None = None


class GuildRecord:
    """A guild. Its @everyone role has the guild's own id, as at Discord."""

    def __init__(self, guild_id: int, name: str, owner_id: int, everyone: int) -> None:
        self.id = guild_id
        self.name = name
        self.owner_id = owner_id
        self.premium_tier = 0
        self.locale = "en-US"
        self.roles = {guild_id: Role(guild_id, "@everyone", everyone)}
        self.members: dict[int, Member] = {}
        self.channels: dict[int, Channel] = {}
        self.voice_states: dict[int, VoiceState] = {}
        self.sounds: dict[int, Sound] = {}

    @property
    def upload_limit(self) -> int:
        """Return the largest file, in bytes, that its boosts allow."""
        return UPLOAD_LIMITS[self.premium_tier]

    @property
    def sound_slots(self) -> int:
        """Return how many sounds its soundboard holds, which its boosts decide."""
        return SOUND_SLOTS[self.premium_tier]

    def permissions_of(self, user_id: int, channel: Channel | None = None) -> int:
        """Return what a member may do, in ``channel`` or in the guild as such; 0 for a stranger."""
        member = self.members.get(user_id)
        if member is None:
            return 0
        if user_id == self.owner_id:
            return ALL
        granted = self.roles[self.id].permissions
        for role_id in member.role_ids:
            granted |= self.roles[role_id].permissions
        overwrites: dict[int, Overwrite] = channel.overwrites if channel else {}
        roles = [overwrites[role_id] for role_id in member.role_ids if role_id in overwrites]
        if channel is None:
            return ALL if granted & Permission.ADMINISTRATOR else granted
        return effective(granted, overwrites.get(self.id), roles, overwrites.get(user_id))

    def occupants(self, channel: Channel) -> list[int]:
        """Return who is in a voice channel."""
        return [state.user_id for state in self.voice_states.values() if state.channel_id == channel.id]
