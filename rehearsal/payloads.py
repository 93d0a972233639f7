"""Guilds and what is in them, as Discord's JSON."""

from __future__ import annotations

from rehearsal.permissions import Permission
from rehearsal.records import Channel, ChannelKind, GuildRecord, Member, Role, VoiceState
from rehearsal.wire import INTENT_VOICE_STATES, Json, time_of

_LISTS = (
    "features",
    "emojis",
    "stickers",
    "presences",
    "stage_instances",
    "guild_scheduled_events",
)
_NUMBERS = (
    "verification_level",
    "explicit_content_filter",
    "mfa_level",
    "nsfw_level",
    "system_channel_flags",
)
_NOTHING_ELSE: Json = {
    **{key: [] for key in _LISTS},
    **dict.fromkeys(_NUMBERS, 0),
    "default_message_notifications": 1,
    "afk_timeout": 300,
}


def guild_payload(guild: GuildRecord, intents: int, bot_id: int) -> Json:
    """Return the data of GUILD_CREATE: without the members intent only the bot and who is in voice."""
    sees_voice = bool(intents & INTENT_VOICE_STATES)
    present = {bot_id, *(guild.voice_states if sees_voice else ())}
    states = [voice_state_payload(guild, state) for state in guild.voice_states.values()]
    return _NOTHING_ELSE | {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner_id),
        "unavailable": False,
        "member_count": len(guild.members),
        "large": False,
        "joined_at": time_of(guild.id).isoformat(),
        "premium_tier": guild.premium_tier,
        "preferred_locale": guild.locale,
        "system_channel_id": str(guild.system_channel.id) if guild.system_channel else None,
        "roles": [role_payload(role) for role in guild.roles.values()],
        "channels": [channel_payload(channel) for channel in guild.channels.values()],
        "threads": [
            channel_payload(thread)
            for thread in guild.threads.values()
            if guild.permissions_of(bot_id, thread) & Permission.VIEW_CHANNEL
        ],
        "members": [member_payload(m) for user_id, m in guild.members.items() if user_id in present],
        "voice_states": [without_member(state) for state in states] if sees_voice else [],
        "soundboard_sounds": [sound.payload() for sound in guild.sounds.values()],
    }


def partial_guild_payload(guild: GuildRecord) -> Json:
    """Return what an interaction says about a guild: all that a user-installed app learns of it."""
    return {"id": str(guild.id), "locale": guild.locale, "features": []}


def role_payload(role: Role) -> Json:
    """Return a role."""
    return {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(int(role.permissions)),
        "position": role.position,
        "managed": role.managed,
        "mentionable": False,
        "hoist": False,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def member_payload(member: Member, *, permissions: int | None = None, user: bool = True) -> Json:
    """Return a member; ``permissions`` only stand in interactions."""
    payload: Json = {
        "roles": [str(role_id) for role_id in member.role_ids],
        "nick": member.nick,
        "avatar": None,
        "joined_at": (member.joined_at or time_of(member.user.id)).isoformat(),
        "premium_since": None,
        "pending": False,
        "communication_disabled_until": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
    }
    if user:
        payload["user"] = member.user.payload()
    if permissions is not None:
        payload["permissions"] = str(int(permissions))
    return payload


def channel_payload(channel: Channel) -> Json:
    """Return a channel or a conversation."""
    payload: Json = {"id": str(channel.id), "type": int(channel.kind), "flags": 0, "last_message_id": None}
    if channel.guild_id is None:
        people = [user for user in channel.recipients if channel.kind is ChannelKind.GROUP or not user.bot]
        payload["recipients"] = [user.payload() for user in people]
        if channel.kind is ChannelKind.GROUP:
            payload |= {"name": channel.name, "icon": None, "owner_id": str(channel.recipients[0].id)}
        return payload
    payload |= {"guild_id": str(channel.guild_id), "name": channel.name}
    if channel.is_thread:
        return payload | _thread_part(channel)
    payload |= {
        "position": 0,
        "parent_id": None,
        "nsfw": False,
        "topic": None,
        "rate_limit_per_user": 0,
        "permission_overwrites": _overwrites(channel),
    }
    if channel.is_voice:
        payload |= {"bitrate": 64_000, "user_limit": channel.user_limit, "rtc_region": None}
    return payload


def _thread_part(thread: Channel) -> Json:
    began = time_of(thread.id).isoformat()
    return {
        "parent_id": str(thread.parent_id),
        "owner_id": str(thread.recipients[0].id) if thread.recipients else "0",
        "rate_limit_per_user": 0,
        "message_count": len(thread.history),
        "member_count": min(50, len(thread.recipients)),
        "thread_metadata": {
            "archived": False,
            "archive_timestamp": began,
            "auto_archive_duration": 1_440,
            "locked": False,
            "create_timestamp": began,
        },
    }


def _overwrites(channel: Channel) -> list[Json]:
    return [
        {
            "id": str(target),
            "type": 0 if overwrite.of_role else 1,
            "allow": str(int(overwrite.allow)),
            "deny": str(int(overwrite.deny)),
        }
        for target, overwrite in channel.overwrites.items()
    ]


def voice_state_payload(guild: GuildRecord, state: VoiceState, *, left: bool = False) -> Json:
    """Return a voice state, or the one that says that the member has left voice."""
    asked = state.request_to_speak_at
    return {
        "guild_id": str(guild.id),
        "channel_id": None if left else str(state.channel_id),
        "user_id": str(state.user_id),
        "member": member_payload(guild.members[state.user_id]),
        "session_id": state.session_id,
        "deaf": state.deaf,
        "mute": state.mute,
        "self_deaf": state.self_deaf,
        "self_mute": state.self_mute,
        "self_video": False,
        "suppress": state.suppress,
        "request_to_speak_timestamp": asked.isoformat() if asked else None,
    }


def without_member(state: Json) -> Json:
    """Return a voice state as GUILD_CREATE holds it."""
    return {key: value for key, value in state.items() if key not in ("member", "guild_id")}
