"""The command tree: what fails ends in one sentence, and commands are registered only when they changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import discord
from discord import app_commands

from bot.delivery.reply import UNREACHABLE, Acknowledgement, Reply
from bot.errors import RESTARTING, LibraryError, MemberError, SpeechBotError, sentence_for

log = logging.getLogger(__name__)

# Discord's numbers: where an application is installed, where a command is shown, a kind of command, an error.
_IN_SERVERS, _FOR_PERSONS = 0, 1
_PRIVATE_CHANNEL: Final = 2
_ENTRY_POINT: Final = 4
_TOO_MANY_TODAY: Final = 30034
_MAX_REFUSAL_CHARS: Final = 300


_PROPOSE_SECONDS: Final = 1.0
"""A member who types waits no longer for what is proposed; Discord gives up after 3 s, with an error."""

_MAX_PROPOSING: Final = 50
"""Autocompletions at once. Each costs about a millisecond, which commands of others wait for meanwhile."""

C = TypeVar("C", bound=Any)


def acknowledged(how: Acknowledgement) -> Callable[[C], C]:
    """Declare how a command or a menu is acknowledged; undeclared it is for the member alone."""

    def declare(command: C) -> C:
        command.extras[Acknowledgement] = how
        return command

    return declare


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Options of a command that take a recording: ``file`` an attachment, ``link`` a message with one."""

    file: str
    link: str


def takes_recording(*, file: str, link: str) -> Callable[[C], C]:
    """Declare which options of a command take a recording.

    Discord's app offers sounds for ``file``. ``link`` is there only if the application `reads_messages`.
    """

    def declare(command: C) -> C:
        command.extras[RecordingOptions] = RecordingOptions(file, link)
        return command

    return declare


class SpeechTree(app_commands.CommandTree[Any]):
    """Discord's commands for this bot, each acknowledged before any of its own code runs."""

    accepting = True
    """Whether new commands are taken; false while the bot shuts down."""
    _proposing = 0

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Acknowledge the command, and return whether it is taken.

        While shutting down the member is told to come back.
        """
        if interaction.type is discord.InteractionType.autocomplete:
            return self.accepting
        if not self.accepting:
            await answer_error(interaction, MemberError(RESTARTING))
            return False
        command = interaction.command
        if command is None:  # looked up once more, which tells the member that it has changed
            return True
        return await acknowledge(interaction, command.extras.get(Acknowledgement, Acknowledgement.EPHEMERAL))

    async def _call(self, interaction: discord.Interaction) -> None:
        """Let an autocompletion end with an empty list where it takes too long: it cannot be deferred.

        Of a flood of them those that are too many are not answered at all: the next letter asks again.
        """
        if interaction.type is not discord.InteractionType.autocomplete:
            await super()._call(interaction)
        elif self._proposing < _MAX_PROPOSING:
            self._proposing += 1
            try:
                await self._propose(interaction)
            finally:
                self._proposing -= 1

    async def _propose(self, interaction: discord.Interaction) -> None:
        try:
            async with asyncio.timeout(_PROPOSE_SECONDS):
                await super()._call(interaction)
        except (TimeoutError, app_commands.AppCommandError) as error:
            log.info("nothing was proposed: %r", error)
        if not interaction.response.is_done():
            try:
                await interaction.response.autocomplete([])
            except Exception as error:  # they type on, and the next letter asks again
                log.info("not even an empty list could be proposed: %r", error)

    async def on_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        """Answer a failed command with its sentence, and log it."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        await answer_error(interaction, cause)

    async def register(self, record: Path) -> bool:
        """Have exactly our commands registered with Discord; return whether they were sent for that.

        They are sent only if they, or those that Discord has, are others than ``record`` says: Discord counts
        new commands against 200 a day, and a start is no reason to send them again. What the application is
        not open to, servers or persons, is left out. Raises `discord.HTTPException`, `aiohttp.ClientError`
        and `OSError`, and writes down in ``record`` what Discord refused; see `refused`.
        """
        payload = self._payload()
        ours = _digest([self.client.application_id, payload])
        kept = await asyncio.to_thread(_read, record)
        http, application_id = self.client.http, self.client.application_id
        try:
            there = await http.get_global_commands(application_id)
            if (kept.get("ours"), kept.get("there")) == (ours, _digest_of_registered(there)):
                return False
            # An Activity's own command is not ours, and Discord refuses a list without it.
            foreign = [command for command in there if command.get("type") == _ENTRY_POINT]
            registered = await http.bulk_upsert_global_commands(application_id, [*payload, *foreign])
        except discord.HTTPException as error:
            await asyncio.to_thread(_write, record, {**kept, "refused": refusal_of(error)})
            raise
        new = {"ours": ours, "there": _digest_of_registered(registered)}
        await asyncio.to_thread(_write, record, new)
        return True

    def _payload(self) -> list[dict[str, Any]]:
        """Return our commands as Discord is to have them, without what the application is not open to."""
        commands: list[dict[str, Any]] = []
        for ours in self._get_all_commands(guild=None):
            commands.append(dict(ours.to_dict(self)))
            _fit_options(ours, commands[-1], with_links=reads_messages(self.client))
        open_to = _installs(self.client.application)
        if not open_to:
            return commands
        for command in commands:
            command["integration_types"] = [
                kind for kind in command.get("integration_types") or [_IN_SERVERS] if kind in open_to
            ]
            if _FOR_PERSONS not in command["integration_types"] and command.get("contexts"):
                command["contexts"] = [place for place in command["contexts"] if place != _PRIVATE_CHANNEL]
        return [command for command in commands if command["integration_types"]]


def reads_messages(client: discord.Client) -> bool:
    """Return whether the application has the intent without which Discord hides what is in a message.

    It holds for what is fetched too, whatever intents a bot asks for when it connects (Discord's
    documentation, Message Content Intent).
    """
    if client.application is None:
        return False
    flags = client.application.flags
    return flags.gateway_message_content or flags.gateway_message_content_limited


def _fit_options(command: Any, payload: dict[str, Any], *, with_links: bool) -> None:
    """Let the options for recordings in ``payload`` be as `takes_recording` says, also in a group."""
    if isinstance(command, app_commands.Group):
        for option in payload["options"]:
            _fit_options(command.get_command(option["name"]), option, with_links=with_links)
        return
    declared = command.extras.get(RecordingOptions)
    if declared is None:
        return
    shown = [option for option in payload["options"] if with_links or option["name"] != declared.link]
    for option in shown:
        if option["name"] == declared.file:
            option["file_types"] = ["audio"]  # discord.py 2.7.1 does not send it
    payload["options"] = shown


def refusal_of(error: Exception) -> str:
    """Return in one sentence why Discord did not take the commands."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be used ({error.strerror})."
    if isinstance(error, LibraryError):
        return f"What is known of them could not be read or written ({error})."
    if not isinstance(error, discord.HTTPException):
        return f"Discord did not answer as it should ({type(error).__name__})."
    if error.code == _TOO_MANY_TODAY:
        return "Discord takes no more new commands from this bot today (code 30034)."
    said = " ".join(error.text.split())[:_MAX_REFUSAL_CHARS]
    return f"Discord answered with status {error.status}, code {error.code}: {said or 'no reason'}."


def refused(record: Path) -> str | None:
    """Return why Discord did not take the commands the last time, as ``record`` says; None: it did."""
    return _read(record).get("refused")


async def acknowledge(interaction: discord.Interaction, how: Acknowledgement) -> bool:
    """Acknowledge a command, a press or a form; return False where Discord did not take it.

    Then nobody would see what comes of it, so that it is not carried out.
    """
    try:
        await Reply.of(interaction).acknowledge(how)
    except Exception as error:  # whatever it is, it must not be taken for an answer
        log.warning("%s could not be acknowledged: %r", _name_of(interaction), error)
        return False
    return True


async def answer_error(interaction: discord.Interaction, error: BaseException) -> None:
    """Give the member the sentence for ``error``, unless they have a final answer already."""
    name = _name_of(interaction)
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        sentence = "I've just been updated. Wait a minute, then choose the command again."
        log.warning("%s: Discord still shows an older form of it", name)
    elif isinstance(error, app_commands.CheckFailure):
        sentence = "You can't use this command here."
    else:
        sentence = sentence_for(error)
        _log(name, error)
    answer = Reply.of(interaction)
    if answer.is_final:
        return
    try:
        await answer.fail(sentence)
    except UNREACHABLE as failure:
        log.warning("%s: the member could not be told: %s", name, failure)


def _name_of(interaction: discord.Interaction) -> str:
    return interaction.command.qualified_name if interaction.command else "a command"


def _installs(application: discord.AppInfo | None) -> set[int]:
    """Return where the application may be installed; nothing if Discord does not say."""
    if application is None:
        return set()
    servers, persons = application.guild_integration_config, application.user_integration_config
    return {kind for kind, config in ((_IN_SERVERS, servers), (_FOR_PERSONS, persons)) if config is not None}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _digest_of_registered(commands: Iterable[Mapping[str, Any]]) -> str:
    """Return a digest that changes when a command at Discord is deleted, added, or made another."""
    return _digest(sorted([str(command.get("id")), str(command.get("version"))] for command in commands))


def _read(record: Path) -> dict[str, str]:
    try:
        found = json.loads(record.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _write(record: Path, kept: Mapping[str, str]) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    draft = record.with_suffix(".new")
    draft.write_text(json.dumps(kept), encoding="ascii")
    draft.replace(record)


def _log(name: str, error: BaseException) -> None:
    if isinstance(error, MemberError):  # its sentence may hold what the member typed
        log.info("%s: %s", name, type(error).__name__)
    elif isinstance(error, SpeechBotError):
        log.info("%s: %s: %s", name, type(error).__name__, error)
    elif isinstance(error, app_commands.AppCommandError):  # those of discord.py quote what was typed
        log.error("%s failed: %s", name, type(error).__name__)
    else:
        log.error("%s failed", name, exc_info=error)
