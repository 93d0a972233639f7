"""A guild of real discord.py objects, built from the payloads Discord sends."""

from __future__ import annotations

from typing import Any

import discord

BOT = 100
GUILD = 1
BOT_ROLE = 2
ALICE, BORIS, CHLOE, OTHER_BOT = 201, 202, 203, 204
LOUNGE, CELLAR, STAGE, AFK = 301, 302, 303, 304

VIEW = discord.Permissions(view_channel=True)
NORMAL = discord.Permissions(view_channel=True, connect=True, speak=True)


def _user(user_id: int, name: str, *, bot: bool = False) -> dict[str, Any]:
    return {
        "id": str(user_id),
        "username": name,
        "discriminator": "0",
        "avatar": None,
        "global_name": None,
        "bot": bot,
    }


def _member(user_id: int, name: str, *, bot: bool = False, roles: tuple[int, ...] = ()) -> dict[str, Any]:
    return {
        "user": _user(user_id, name, bot=bot),
        "roles": [str(role) for role in roles],
        "joined_at": "2026-01-01T00:00:00+00:00",
        "deaf": False,
        "mute": False,
        "flags": 0,
    }


_MEMBERS = {
    BOT: _member(BOT, "Myna", bot=True, roles=(BOT_ROLE,)),
    ALICE: _member(ALICE, "alice"),
    BORIS: _member(BORIS, "boris"),
    CHLOE: _member(CHLOE, "chloe"),
    OTHER_BOT: _member(OTHER_BOT, "beep", bot=True),
}


def _role(role_id: int, permissions: discord.Permissions, position: int) -> dict[str, Any]:
    return {
        "id": str(role_id),
        "name": f"role {role_id}",
        "permissions": str(permissions.value),
        "position": position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def _channel(channel_id: int, kind: int, name: str) -> dict[str, Any]:
    return {
        "id": str(channel_id),
        "type": kind,
        "name": name,
        "position": channel_id,
        "permission_overwrites": [],
        "bitrate": 64000,
        "user_limit": 0,
        "nsfw": False,
        "parent_id": None,
    }


class GuildOfTests:
    """Alice, Boris, Chloe and another bot; a lounge, a cellar, a stage and an AFK channel."""

    def __init__(self, permissions: discord.Permissions = NORMAL) -> None:
        intents = discord.Intents(guilds=True, voice_states=True)
        self.client = discord.AutoShardedClient(intents=intents, shard_count=1)
        self._state: Any = self.client._connection
        self._state.user = discord.ClientUser(state=self._state, data=_user(BOT, "Myna", bot=True))  # type: ignore[arg-type]
        payload: Any = {
            "id": str(GUILD),
            "name": "Tests",
            "owner_id": "999",
            "afk_channel_id": str(AFK),
            "roles": [_role(GUILD, VIEW, 0), _role(BOT_ROLE, permissions, 1)],
            "channels": [
                _channel(LOUNGE, 2, "lounge"),
                _channel(CELLAR, 2, "cellar"),
                _channel(STAGE, 13, "stage"),
                _channel(AFK, 2, "afk"),
            ],
            "members": [_MEMBERS[BOT]],  # nobody else is known before they are seen in voice
            "voice_states": [],
            "emojis": [],
            "stickers": [],
            "features": [],
            "member_count": 5,
        }
        self.guild = discord.Guild(data=payload, state=self._state)
        self._state._add_guild(self.guild)

    @property
    def lounge(self) -> discord.VoiceChannel:
        return self._voice_channel(LOUNGE)

    @property
    def cellar(self) -> discord.VoiceChannel:
        return self._voice_channel(CELLAR)

    @property
    def afk(self) -> discord.VoiceChannel:
        return self._voice_channel(AFK)

    @property
    def stage(self) -> discord.StageChannel:
        found = self.guild.get_channel(STAGE)
        assert isinstance(found, discord.StageChannel)
        return found

    @property
    def me(self) -> discord.Member:
        return self.guild.me

    @property
    def alice(self) -> discord.Member:
        found = self.guild.get_member(ALICE)
        assert found is not None, "alice is known only in voice"
        return found

    def enter(
        self, user_id: int, channel: discord.VoiceChannel | discord.StageChannel | None, **flags: bool
    ) -> tuple[discord.Member, discord.VoiceState, discord.VoiceState]:
        """Let somebody enter, change or (None) leave a voice channel; return what the event carries."""
        data: Any = {
            "guild_id": str(GUILD),
            "channel_id": None if channel is None else str(channel.id),
            "user_id": str(user_id),
            "member": _MEMBERS[user_id],
            "session_id": f"session-{user_id}",
            "deaf": False,
            "mute": False,
            "self_deaf": False,
            "self_mute": False,
            "suppress": False,
            **flags,
        }
        channel_id: Any = channel.id if channel else None
        member, before, after = self.guild._update_voice_state(data, channel_id)
        assert member is not None
        # What the library does next: without the members intent it knows who is in voice, and nobody else.
        if channel is not None:
            self.guild._add_member(member)
        elif user_id != BOT:
            self.guild._remove_member(member)
        return member, before, after

    def overwrite(
        self,
        channel: discord.VoiceChannel | discord.StageChannel,
        role_or_member: int,
        *,
        allow: discord.Permissions | None = None,
        deny: discord.Permissions | None = None,
    ) -> None:
        """Set the permissions of a role (or a member) in one channel."""
        payload = {
            "id": str(role_or_member),
            "type": 0 if role_or_member in (GUILD, BOT_ROLE) else 1,
            "allow": str((allow or discord.Permissions.none()).value),
            "deny": str((deny or discord.Permissions.none()).value),
        }
        channel._fill_overwrites({"permission_overwrites": [payload]})  # type: ignore[arg-type]

    def _voice_channel(self, channel_id: int) -> discord.VoiceChannel:
        found = self.guild.get_channel(channel_id)
        assert isinstance(found, discord.VoiceChannel)
        return found
