"""Application commands as the bot has registered them, and interactions under way."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from rehearsal.answers import NO_RESPONSE, Answer, AnswerState
from rehearsal.errors import DiscordAPIError, unknown
from rehearsal.events import Changes
from rehearsal.records import Channel, Message
from rehearsal.rules.commands import CHAT_INPUT, check_commands
from rehearsal.wire import Json, Snowflakes

_COMMAND_DEFAULTS: Json = {
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
        command = _COMMAND_DEFAULTS | payload
        command |= {"application_id": str(self._application_id), "version": str(self._snowflakes.new())}
        if guild_id is not None:
            return command | {"guild_id": str(guild_id)}
        command["integration_types"] = payload.get("integration_types") or list(self.installs)
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


PING, COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 1, 2, 3, 4, 5
REPLY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
"""Types of interactions, and of the first answer to one (Discord's documentation)."""

_KEPT_INTERACTIONS = 2_000
MAX_REMOTE_FOLLOWUPS = 5
"""Follow-ups of a user-installed app where the bot itself is not a member."""


@dataclass(eq=False)
class Interaction:
    """One interaction. ``remote``: the bot is not a member there; only the person has installed the app."""

    id: int
    kind: int
    user_id: int
    channel: Channel
    answer: Answer
    upload_limit: int
    name: str = ""
    remote: bool = False
    only_ephemeral: bool = False
    source: Message | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(96))
    callback: int | None = None
    original: Message | None = None
    messages: dict[int, Message] = field(default_factory=dict)
    followups: int = 0
    too_late: bool = False
    expired: bool = False


class Interactions:
    """Finds interactions by their tokens and holds the bot to Discord's times."""

    def __init__(self) -> None:
        self._by_token: dict[str, Interaction] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self.acknowledge_seconds = 3.0
        self.token_seconds = 900.0
        """Discord's two limits: for the first answer, and for everything after it."""
        self.validates_components = True
        """Whether Discord refuses the use of a component that its message does not have."""

    def open(self, interaction: Interaction) -> None:
        """Start the clocks of a new interaction."""
        self._by_token[interaction.token] = interaction
        if len(self._by_token) > _KEPT_INTERACTIONS:
            self._by_token.pop(next(iter(self._by_token)))
        loop = asyncio.get_running_loop()
        self._timers.add(loop.call_later(self.acknowledge_seconds, self._miss, interaction))
        self._timers.add(loop.call_later(self.token_seconds, self._expire, interaction))
        self._timers = {
            timer for timer in self._timers if timer.when() > loop.time() and not timer.cancelled()
        }

    def close(self) -> None:
        """Stop all clocks."""
        for timer in self._timers:
            timer.cancel()

    def _miss(self, interaction: Interaction) -> None:
        if interaction.callback is None:
            interaction.too_late = True
            interaction.answer.fail(NO_RESPONSE)

    def _expire(self, interaction: Interaction) -> None:
        interaction.expired = True
        if interaction.answer.state is AnswerState.THINKING:
            interaction.answer.fail(NO_RESPONSE)

    def for_callback(self, interaction_id: int, token: str) -> Interaction:
        """Return the interaction that is answered for the first time. Raises 10062 or 40060."""
        interaction = self._by_token.get(token)
        if interaction is None or interaction.id != interaction_id or interaction.too_late:
            raise unknown("interaction", 10062)
        if interaction.callback is not None:
            raise DiscordAPIError(400, 40060, "Interaction has already been acknowledged.")
        return interaction

    def for_webhook(self, token: str) -> Interaction:
        """Return the interaction behind a webhook. Raises 10015, or 50027 when its 15 minutes are over."""
        interaction = self._by_token.get(token)
        if interaction is None or (interaction.callback is None and not interaction.expired):
            raise unknown("Webhook", 10015)
        if interaction.expired:
            raise DiscordAPIError(401, 50027, "Invalid Webhook Token")
        return interaction

    def acknowledged(self, interaction: Interaction, callback: int) -> None:
        """Note the first answer."""
        interaction.callback = callback
        interaction.answer.acknowledge()
