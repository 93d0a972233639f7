"""Registering application commands."""

from __future__ import annotations

from typing import Any

from rehearsal.backstage import Backstage
from rehearsal.errors import DiscordAPIError, missing_access
from rehearsal.rest.call import Call, Reply, Route
from rehearsal.wire import Json

_BASE = "/applications/{application_id}"


def _scope(backstage: Backstage, call: Call) -> int | None:
    if call.number("application_id") != backstage.bot.id:
        raise DiscordAPIError(403, 20012, "You are not authorized to perform this action on this application")
    if "guild_id" not in call.ids:
        return None
    guild = backstage.directory.guilds.get(call.number("guild_id"))
    if guild is None or backstage.bot.id not in guild.members:
        raise missing_access()
    return guild.id


async def put_commands(backstage: Backstage, call: Call) -> Reply:
    """PUT: replace all commands of a scope."""
    scope = _scope(backstage, call)
    payloads: Any = call.json
    if not isinstance(payloads, list):
        raise DiscordAPIError(400, 50035, "Invalid Form Body")
    return Reply(backstage.commands.replace(payloads, scope))


async def get_commands(backstage: Backstage, call: Call) -> Reply:
    """GET: list the commands of a scope."""
    return Reply(backstage.commands.listed(_scope(backstage, call)))


async def post_command(backstage: Backstage, call: Call) -> Reply:
    """POST: add one command, or replace the one of its name."""
    scope = _scope(backstage, call)
    added: Json = call.body
    key = (added.get("type", 1), added.get("name"))
    others = [c for c in backstage.commands.listed(scope) if (c["type"], c["name"]) != key]
    return Reply(backstage.commands.replace([*others, added], scope)[-1], 201)


ROUTES = [
    Route(method, path, handler)
    for path in (f"{_BASE}/commands", _BASE + "/guilds/{guild_id}/commands")
    for method, handler in (("PUT", put_commands), ("GET", get_commands), ("POST", post_command))
]
