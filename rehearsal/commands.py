"""The application commands the bot has registered."""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.changes import Changes
from rehearsal.rules.commands import CHAT_INPUT, check_commands
from rehearsal.wire import Json, Snowflakes

_DEFAULTS: Json = {
    "type": CHAT_INPUT,
    "description": "",
    "name_localizations": None,
    "description_localizations": None,
    "default_member_permissions": None,
    "nsfw": False,
}


class Commands:
    """Global commands, and those of single guilds."""

    def __init__(self, application_id: int, snowflakes: Snowflakes) -> None:
        self._application_id = application_id
        self._snowflakes = snowflakes
        self._scopes: dict[int | None, dict[tuple[int, str], Json]] = {None: {}}
        self.installs: tuple[int, ...] = (0, 1)
        """Where the application may be installed: in servers (0), by persons (1)."""
        self.changes = Changes()

    def replace(self, payloads: Sequence[Json], guild_id: int | None = None) -> list[Json]:
        """Carry out a bulk overwrite and return the commands. Raises `DiscordAPIError`."""
        check_commands(payloads, in_guild=guild_id is not None, installs=self.installs)
        before = self._scopes.get(guild_id, {})
        after: dict[tuple[int, str], Json] = {}
        for payload in payloads:
            command = self._complete(payload, guild_id)
            key = (command["type"], command["name"])
            command["id"] = before[key]["id"] if key in before else str(self._snowflakes.new())
            after[key] = command
        self._scopes[guild_id] = after
        self.changes.notify()
        return list(after.values())

    def _complete(self, payload: Json, guild_id: int | None) -> Json:
        command = _DEFAULTS | payload
        command |= {"application_id": str(self._application_id), "version": str(self._snowflakes.new())}
        if guild_id is not None:
            return command | {"guild_id": str(guild_id)}
        command["integration_types"] = payload.get("integration_types") or [0]
        command["contexts"] = payload.get("contexts")
        return command

    def listed(self, guild_id: int | None = None) -> list[Json]:
        """Return the commands of one scope."""
        return list(self._scopes.get(guild_id, {}).values())

    def find(self, kind: int, name: str, guild_id: int | None) -> Json | None:
        """Return the command a person would see under ``name``; a guild's own hides the global one."""
        key = (kind, name)
        own = self._scopes.get(guild_id, {}) if guild_id is not None else {}
        return own.get(key) or self._scopes[None].get(key)

    async def until_registered(self, name: str, *, timeout: float = 10) -> None:
        """Wait until a global command of that name exists, of whatever type."""
        await self.changes.until(
            lambda: any(command["name"] == name for command in self.listed()),
            timeout=timeout,
            story=lambda: f"no command {name!r} among {[c['name'] for c in self.listed()]}",
        )
