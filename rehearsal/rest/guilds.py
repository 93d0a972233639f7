"""Guilds, members, the bot's own voice state, and opening a DM."""

from __future__ import annotations

from rehearsal.backstage import Backstage
from rehearsal.errors import DiscordAPIError, missing_access, unknown
from rehearsal.guild_record import GuildRecord
from rehearsal.payloads import channel_payload, guild_payload, member_payload, voice_state_payload
from rehearsal.rest.call import Call, Reply, Route


def guild_of_call(backstage: Backstage, call: Call) -> GuildRecord:
    """Return the guild in the path, if the bot is a member. Raises 10004 or 50001."""
    guild = backstage.directory.guilds.get(call.number("guild_id"))
    if guild is None:
        raise unknown("Guild", 10004)
    if backstage.bot.id not in guild.members:
        raise missing_access()
    return guild


async def get_guild(backstage: Backstage, call: Call) -> Reply:
    """GET /guilds/{guild_id}."""
    whole = guild_payload(guild_of_call(backstage, call), 0, backstage.bot.id)
    return Reply({key: value for key, value in whole.items() if key not in _ONLY_SOCKET})


_ONLY_SOCKET = (
    *("channels", "members", "voice_states", "threads", "presences", "joined_at", "large"),
    "soundboard_sounds",
)
"""What GUILD_CREATE says of a guild, and the REST call does not."""


async def get_member(backstage: Backstage, call: Call) -> Reply:
    """GET /guilds/{guild_id}/members/{user_id}."""
    member = guild_of_call(backstage, call).members.get(call.number("user_id"))
    if member is None:
        raise unknown("Member", 10007)
    return Reply(member_payload(member))


async def get_voice_state(backstage: Backstage, call: Call) -> Reply:
    """GET a voice state: the bot's own as @me, or a member's."""
    guild = guild_of_call(backstage, call)
    user_id = backstage.bot.id if call.ids["user_id"] == "@me" else call.number("user_id")
    state = guild.voice_states.get(user_id)
    if state is None:
        raise unknown("Voice State", 10065)
    return Reply(voice_state_payload(guild, state))


async def patch_own_voice_state(backstage: Backstage, call: Call) -> Reply:
    """PATCH the bot's state in a stage channel: speak, or ask to."""
    backstage.voice_desk.edit_own_state(guild_of_call(backstage, call), call.body)
    return Reply(status=204)


async def delete_own_guild(backstage: Backstage, call: Call) -> Reply:
    """DELETE /users/@me/guilds/{guild_id}: the bot leaves."""
    guild = guild_of_call(backstage, call)
    await backstage.voice_desk.kick_bot(guild)
    del guild.members[backstage.bot.id]
    backstage.events.send("GUILD_DELETE", {"id": str(guild.id)}, guild_id=guild.id)
    return Reply(status=204)


async def post_dm(backstage: Backstage, call: Call) -> Reply:
    """POST /users/@me/channels: open the conversation with somebody."""
    user = backstage.directory.users.get(int(call.body.get("recipient_id", 0)))
    if user is None or user.bot:
        raise DiscordAPIError(400, 50033, "Invalid Recipient(s)")
    return Reply(channel_payload(backstage.directory.dm(user, backstage.snowflakes.new)))


ROUTES = [
    Route("GET", "/guilds/{guild_id}", get_guild),
    Route("GET", "/guilds/{guild_id}/members/{user_id}", get_member),
    Route("PATCH", "/guilds/{guild_id}/voice-states/@me", patch_own_voice_state),
    Route("GET", "/guilds/{guild_id}/voice-states/{user_id}", get_voice_state),
    Route("DELETE", "/users/@me/guilds/{guild_id}", delete_own_guild),
    Route("POST", "/users/@me/channels", post_dm),
]
