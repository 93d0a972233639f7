"""The command tree: what fails ends in one sentence, and commands are registered only when they changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import discord
from discord import app_commands

from bot.answer import Answer
from bot.errors import SpeechBotError
from bot.messages import sentence_for

log = logging.getLogger(__name__)


class SpeechTree(app_commands.CommandTree[Any]):
    """Discord's commands for this bot."""

    accepting = True
    """Whether new commands are taken; false while the bot shuts down."""

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Return whether this command is taken; while shutting down the member is told to come back."""
        if self.accepting or interaction.type is discord.InteractionType.autocomplete:
            return self.accepting
        await Answer.of(interaction).finish("I am restarting. Try again in a minute.")
        return False

    async def on_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        """Answer a failed command with its sentence, and log it."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        await answer_error(interaction, cause)

    async def sync_if_changed(self, record: Path) -> bool:
        """Register the commands with Discord unless ``record`` says that these very ones are registered.

        Return whether they were sent. Discord counts new commands against 200 a day, and a start is no
        reason to send them again.
        """
        payload = [command.to_dict(self) for command in self._get_all_commands(guild=None)]
        canonical = json.dumps([self.client.application_id, payload], sort_keys=True, default=str)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        if await asyncio.to_thread(_read, record) == digest:
            return False
        await self.sync()
        await asyncio.to_thread(_write, record, digest)
        return True


async def answer_error(interaction: discord.Interaction, error: BaseException) -> None:
    """Give the member the sentence for ``error``, unless they have a final answer already."""
    name = interaction.command.qualified_name if interaction.command else "a command"
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        sentence = "I have just been updated. Wait a minute, then choose the command again."
        log.warning("%s: Discord still shows an older form of it", name)
    elif isinstance(error, app_commands.CheckFailure):
        sentence = "You may not use this command here."
    else:
        sentence = sentence_for(error)
        _log(name, error)
    answer = Answer.of(interaction)
    if answer.is_final:
        return
    try:
        await answer.finish(sentence)
    except (discord.HTTPException, OSError) as failure:
        log.warning("%s: the member could not be told: %s", name, failure)


def _read(record: Path) -> str:
    return record.read_text(encoding="ascii").strip() if record.is_file() else ""


def _write(record: Path, digest: str) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(digest + "\n", encoding="ascii")


def _log(name: str, error: BaseException) -> None:
    if isinstance(error, SpeechBotError):
        log.info("%s: %s: %s", name, type(error).__name__, error)
    else:
        log.error("%s failed", name, exc_info=error)
