"""/dictionary: how words are said in a server when messages are read aloud."""

from __future__ import annotations

import asyncio
from typing import Final

import discord
from discord import app_commands
from discord.app_commands import Choice

from bot.delivery.reply import Reply, Upload
from bot.errors import MemberError
from bot.interaction import scope_of
from bot.library.reading import DictionaryWord, Reading
from bot.limits import MAX_DICTIONARY_BYTES, MAX_SPOKEN_CHARS, MAX_WORD_CHARS
from bot.reading.dictionary import PRESETS, as_csv, as_json, entry_of, imported, key_of
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt, one_line
from cogs.ui import ON_OR_OFF, in_servers

_MOST_CHARS: Final = 1_800
"""Of a list, in a message that may have 2,000."""

_MAX_CHOICES: Final = 25
"""Discord's own limit."""

_FORMATS: Final = [Choice(name="JSON", value="json"), Choice(name="CSV, for spreadsheets", value="csv")]
_PRESETS: Final[list[Choice[str]]] = [
    Choice(name=preset.title, value=name) for name, preset in PRESETS.items()
]
_NO_FILE: Final = "I couldn't get that file from Discord. Try again."


class DictionaryCommands(app_commands.Group, name="dictionary", description="How words are said here"):
    """The group /dictionary."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self._reading = reading

    @app_commands.command()
    @app_commands.describe(word="The word as people write it", spoken="How it should sound, in letters")
    async def add(
        self,
        interaction: discord.Interaction,
        word: app_commands.Range[str, 1, MAX_WORD_CHARS],
        spoken: app_commands.Range[str, 1, MAX_SPOKEN_CHARS],
    ) -> None:
        """Say a word the way you write it here."""
        entry = entry_of(word, spoken)
        await self._reading.add_words(scope_of(interaction), [entry])
        await Reply.of(interaction).finish(f"From now on I read {_shown(entry)}.")

    @app_commands.command()
    @app_commands.describe(word="Which word")
    async def remove(
        self, interaction: discord.Interaction, word: app_commands.Range[str, 1, MAX_WORD_CHARS]
    ) -> None:
        """Take a word out of the dictionary."""
        gone = await self._reading.remove_word(scope_of(interaction), key_of(word))
        await Reply.of(interaction).finish(f"I've removed {excerpt(gone.word)} from the dictionary.")

    @remove.autocomplete("word")
    async def _words(self, interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
        wanted = key_of(typed)
        found = [
            word for word in await self._reading.words(scope_of(interaction).guild_id) if wanted in word.key
        ]
        return [Choice(name=one_line(word.word, 100), value=word.word) for word in found[:_MAX_CHOICES]]

    @app_commands.command()
    async def list(self, interaction: discord.Interaction) -> None:
        """See how words are said here."""
        guild_id = scope_of(interaction).guild_id
        words, rules = await self._reading.words(guild_id), await self._reading.rules(guild_id)
        lines = ["**Dictionary of this server**"] if words else ["The dictionary of this server is empty."]
        for number, word in enumerate(words):
            line = f"- {_shown(word)}"
            if sum(map(len, lines)) + len(lines) + len(line) > _MOST_CHARS:
                lines.append(f"… and {len(words) - number} more. /dictionary export has all of them.")
                break
            lines.append(line)
        titles = [preset.title for name, preset in PRESETS.items() if name in rules.presets]
        lines.append(
            f"Abbreviations I also know: {', '.join(titles) or 'none. /dictionary preset has some'}."
        )
        await Reply.of(interaction).finish("\n".join(lines))

    @app_commands.command(name="import")
    @app_commands.describe(file='JSON such as {"gg": "good game"}, or CSV with two columns')
    async def import_(self, interaction: discord.Interaction, file: discord.Attachment) -> None:
        """Add words from a file."""
        scope = scope_of(interaction)
        if file.size > MAX_DICTIONARY_BYTES:
            raise MemberError(f"That file is too large. The limit is {MAX_DICTIONARY_BYTES // 1024} KB.")
        try:
            data = await file.read()
        except (discord.HTTPException, OSError) as error:
            raise MemberError(_NO_FILE) from error
        found = await asyncio.to_thread(imported, data)
        total = await self._reading.add_words(scope, found.words)
        lines = [f"I've added {_counted(len(found.words))}. The dictionary has {total} now."]
        if found.unusable:
            lines.append(f"I left out {_counted(found.unusable)}. The first: {found.why}")
        await Reply.of(interaction).finish("\n".join(lines))

    @app_commands.command()
    @app_commands.choices(format=_FORMATS)
    @app_commands.describe(format="JSON unless you choose")
    async def export(self, interaction: discord.Interaction, format: str = "json") -> None:
        """Get the dictionary as a file."""
        words = await self._reading.words(scope_of(interaction).guild_id)
        if not words:
            raise MemberError("The dictionary is empty. Add the first word with /dictionary add.")
        data = as_csv(words) if format == "csv" else as_json(words)
        file = Upload(f"dictionary.{'csv' if format == 'csv' else 'json'}", data)
        await Reply.of(interaction).finish(f"This is the dictionary, with {_counted(len(words))}.", file)

    @app_commands.command()
    @app_commands.choices(language=_PRESETS, state=ON_OR_OFF)
    @app_commands.describe(language="Abbreviations in which language", state="On unless you choose")
    async def preset(self, interaction: discord.Interaction, language: str, state: str = "on") -> None:
        """Read common chat abbreviations of a language in full."""
        scope = scope_of(interaction)
        chosen = (await self._reading.rules(scope.guild_id)).presets - {language}
        if state == "on":
            chosen |= {language}
        await self._reading.set_presets(scope, chosen)
        title, words = PRESETS[language].title, PRESETS[language].words
        example, said = next(iter(words.items()))
        told = (
            f"I read {len(words)} abbreviations in full from now on ({title}). "
            f"For example, {example} as “{said}”."
            if state == "on"
            else f"I no longer read the abbreviations in full ({title})."
        )
        await Reply.of(interaction).finish(told)


def _shown(word: DictionaryWord) -> str:
    return f"{excerpt(word.word)} as “{excerpt(word.spoken, MAX_SPOKEN_CHARS)}”"


def _counted(count: int) -> str:
    return f"{count:,} word{'' if count == 1 else 's'}"


async def setup(bot: SpeechBot) -> None:
    """Add the commands."""
    bot.tree.add_command(in_servers(DictionaryCommands(bot.library.reading)))
