"""Who the bot is, and where its main socket is."""

from __future__ import annotations

from rehearsal.backstage import Backstage
from rehearsal.rest.call import Call, Reply, Route
from rehearsal.users import Team
from rehearsal.wire import Json

SOCKET_URL = "wss://gateway.discord.gg"


async def get_me(backstage: Backstage, call: Call) -> Reply:
    """GET /users/@me."""
    return Reply(backstage.bot.payload() | {"verified": True, "mfa_enabled": True, "flags": 0, "email": None})


async def get_application(backstage: Backstage, call: Call) -> Reply:
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
        "bot_public": True,
        "bot_require_code_grant": False,
        "owner": team.pseudo_user() if team else (owner or first).payload(),
        "team": team.payload() if team else None,
        "verify_key": "0" * 64,
        "flags": 0,
        "tags": [],
        "interactions_endpoint_url": None,
        "integration_types_config": {str(kind): {} for kind in backstage.commands.installs},
        "approximate_guild_count": len(directory.bot_guilds()),
    }
    return Reply(application)


async def get_socket(backstage: Backstage, call: Call) -> Reply:
    """GET /gateway/bot."""
    limits = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
    return Reply({"url": SOCKET_URL, "shards": 1, "session_start_limit": limits})


async def get_user(backstage: Backstage, call: Call) -> Reply:
    """GET /users/{user_id}."""
    user = backstage.directory.users.get(call.number("user_id"))
    return Reply(user.payload()) if user else Reply({"message": "Unknown User", "code": 10013}, 404)


ROUTES = [
    Route("GET", "/users/@me", get_me),
    Route("GET", "/oauth2/applications/@me", get_application),
    Route("GET", "/applications/@me", get_application),
    Route("GET", "/gateway/bot", get_socket),
    Route("GET", "/users/{user_id}", get_user),
]
