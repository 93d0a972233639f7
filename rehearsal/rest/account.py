"""Accounts, commands, guilds and members over REST."""

from __future__ import annotations

from typing import Any, Final

from rehearsal.backstage import Backstage
from rehearsal.errors import DiscordAPIError, missing_access, unknown
from rehearsal.payloads import channel_payload, guild_payload, member_payload, voice_state_payload
from rehearsal.records import GuildRecord, Team
from rehearsal.rest.call import RESTCall, RESTReply, Route
from rehearsal.wire import INTENT_MEMBERS, INTENT_MESSAGE_CONTENT, INTENT_PRESENCES, Json

_INTENT_FLAGS: Final = {
    INTENT_PRESENCES: 1 << 13,
    INTENT_MEMBERS: 1 << 15,
    INTENT_MESSAGE_CONTENT: 1 << 19,
}
"""What the flags of an application in few servers say of its privileged intents (its documentation)."""

SOCKET_URL = "wss://gateway.discord.gg"


async def get_me(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET /users/@me."""
    return RESTReply(
        backstage.bot.payload() | {"verified": True, "mfa_enabled": True, "flags": 0, "email": None}
    )


async def get_application(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET /oauth2/applications/@me and /applications/@me."""
    directory = backstage.directory
    team, owner = None, directory.owner
    if isinstance(owner, Team):
        team, owner = owner, None
    first = next((user for user in directory.users.values() if not user.bot), directory.bot)
    application: Json = {
        "id": str(backstage.bot.id),
        "name": backstage.bot.name,
        "description": "",
        "icon": None,
        "bot_public": directory.bot_is_public,
        "bot_require_code_grant": False,
        "owner": team.pseudo_user() if team else (owner or first).payload(),
        "team": team.payload() if team else None,
        "verify_key": "0" * 64,
        "flags": sum(flag for intent, flag in _INTENT_FLAGS.items() if directory.privileged_intents & intent),
        "tags": [],
        "interactions_endpoint_url": None,
        "integration_types_config": {str(kind): {} for kind in backstage.commands.installs},
        "approximate_guild_count": len(directory.bot_guilds()),
    }
    return RESTReply(application)


async def get_socket(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET /gateway/bot."""
    socket = backstage.main_socket
    limits = {
        "total": 1000,
        "remaining": 999,
        "reset_after": 86_400_000,
        "max_concurrency": socket.max_concurrency,
    }
    return RESTReply({"url": SOCKET_URL, "shards": socket.shards, "session_start_limit": limits})


async def get_user(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET /users/{user_id}."""
    user = backstage.directory.users.get(call.number("user_id"))
    return RESTReply(user.payload()) if user else RESTReply({"message": "Unknown User", "code": 10013}, 404)


_BASE = "/applications/{application_id}"


def _scope(backstage: Backstage, call: RESTCall) -> int | None:
    if call.number("application_id") != backstage.bot.id:
        raise DiscordAPIError(403, 20012, "You are not authorized to perform this action on this application")
    if "guild_id" not in call.ids:
        return None
    guild = backstage.directory.guilds.get(call.number("guild_id"))
    if guild is None or backstage.bot.id not in guild.members:
        raise missing_access()
    return guild.id


async def put_commands(backstage: Backstage, call: RESTCall) -> RESTReply:
    """PUT: replace all commands of a scope."""
    scope = _scope(backstage, call)
    payloads: Any = call.json
    if not isinstance(payloads, list):
        raise DiscordAPIError(400, 50035, "Invalid Form Body")
    return RESTReply(backstage.commands.replace(payloads, scope))


async def get_commands(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET: list the commands of a scope."""
    return RESTReply(backstage.commands.listed(_scope(backstage, call)))


async def post_command(backstage: Backstage, call: RESTCall) -> RESTReply:
    """POST: add one command, or replace the one of its name."""
    scope = _scope(backstage, call)
    added: Json = call.body
    key = (added.get("type", 1), added.get("name"))
    others = [c for c in backstage.commands.listed(scope) if (c["type"], c["name"]) != key]
    return RESTReply(backstage.commands.replace([*others, added], scope)[-1], 201)


def guild_of_call(backstage: Backstage, call: RESTCall) -> GuildRecord:
    """Return the guild in the path, if the bot is a member. Raises 10004 or 50001."""
    guild = backstage.directory.guilds.get(call.number("guild_id"))
    if guild is None:
        raise unknown("Guild", 10004)
    if backstage.bot.id not in guild.members:
        raise missing_access()
    return guild


async def get_guild(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET /guilds/{guild_id}."""
    whole = guild_payload(guild_of_call(backstage, call), 0, backstage.bot.id)
    return RESTReply({key: value for key, value in whole.items() if key not in _ONLY_SOCKET})


_ONLY_SOCKET = (
    *("channels", "members", "voice_states", "threads", "presences", "joined_at", "large"),
    "soundboard_sounds",
)
"""What GUILD_CREATE says of a guild, and the REST call does not."""


async def get_member(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET /guilds/{guild_id}/members/{user_id}."""
    member = guild_of_call(backstage, call).members.get(call.number("user_id"))
    if member is None:
        raise unknown("Member", 10007)
    return RESTReply(member_payload(member))


async def get_voice_state(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET a voice state: the bot's own as @me, or a member's."""
    guild = guild_of_call(backstage, call)
    user_id = backstage.bot.id if call.ids["user_id"] == "@me" else call.number("user_id")
    state = guild.voice_states.get(user_id)
    if state is None:
        raise unknown("Voice State", 10065)
    return RESTReply(voice_state_payload(guild, state))


async def patch_own_voice_state(backstage: Backstage, call: RESTCall) -> RESTReply:
    """PATCH the bot's state in a stage channel: speak, or ask to."""
    backstage.voice_desk.edit_own_state(guild_of_call(backstage, call), call.body)
    return RESTReply(status=204)


async def delete_own_guild(backstage: Backstage, call: RESTCall) -> RESTReply:
    """DELETE /users/@me/guilds/{guild_id}: the bot leaves."""
    guild = guild_of_call(backstage, call)
    await backstage.voice_desk.kick_bot(guild)
    del guild.members[backstage.bot.id]
    backstage.events.send("GUILD_DELETE", {"id": str(guild.id)}, guild_id=guild.id)
    return RESTReply(status=204)


async def post_dm(backstage: Backstage, call: RESTCall) -> RESTReply:
    """POST /users/@me/channels: open the conversation with somebody."""
    user = backstage.directory.users.get(int(call.body.get("recipient_id", 0)))
    if user is None or user.bot:
        raise DiscordAPIError(400, 50033, "Invalid Recipient(s)")
    return RESTReply(channel_payload(backstage.directory.dm(user, backstage.snowflakes.new)))


_COMMAND_ROUTES = [
    Route(method, path, handler)
    for path in (f"{_BASE}/commands", _BASE + "/guilds/{guild_id}/commands")
    for method, handler in (("PUT", put_commands), ("GET", get_commands), ("POST", post_command))
]
ROUTES = [
    Route("GET", "/users/@me", get_me),
    Route("GET", "/oauth2/applications/@me", get_application),
    Route("GET", "/applications/@me", get_application),
    Route("GET", "/gateway/bot", get_socket),
    Route("GET", "/users/{user_id}", get_user),
    *_COMMAND_ROUTES,
    Route("GET", "/guilds/{guild_id}", get_guild),
    Route("GET", "/guilds/{guild_id}/members/{user_id}", get_member),
    Route("PATCH", "/guilds/{guild_id}/voice-states/@me", patch_own_voice_state),
    Route("GET", "/guilds/{guild_id}/voice-states/{user_id}", get_voice_state),
    Route("DELETE", "/users/@me/guilds/{guild_id}", delete_own_guild),
    Route("POST", "/users/@me/channels", post_dm),
]
