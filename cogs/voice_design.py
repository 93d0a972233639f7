"""/voice design: three generations after a description, one of which becomes the voice."""

from __future__ import annotations

import discord

from bot.delivery.offer import MemoryFile
from bot.delivery.reply import Acknowledgement, Reply
from bot.delivery.request import asker_of
from bot.delivery.voice_creation import Brief, Design, DesignProgress
from bot.errors import sentence_for
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt
from cogs.ui import PersistentButton, bot_of, replace_message, row_of
from cogs.voice_text import saved


async def reply_with_design(interaction: discord.Interaction, brief: Brief) -> None:
    """Make a design, and reply with its generations and the buttons to choose one.

    Raises what `VoiceDesigner.make` raises.
    """
    bot, reply, progress = bot_of(interaction), Reply.of(interaction), DesignProgress()
    reply.show_progress(progress)
    asker = await asker_of(interaction, bot.library.settings)
    design = await bot.voice_designer.make(brief, asker, progress)
    wavs = [await bot.library.recordings.read(made.recording) for made in design.generations]
    files = [MemoryFile(wav, f"take-{number}.wav") for number, wav in enumerate(wavs, start=1)]
    await interaction.edit_original_response(attachments=files)
    await reply.finish(_words(design), view=_buttons(design))


def _words(design: Design) -> str:
    brief = design.brief
    lines = [
        f"AI-generated voices, for <@{brief.scope.member_id}>: {excerpt(brief.description, 200)}",
        f"Listen, then choose the one to save as **{excerpt(brief.name)}**. The buttons work for "
        "half an hour.",
    ]
    if design.failure is not None:
        lines.append(f"I could only make {len(design.generations)}. {sentence_for(design.failure)}")
    return "\n".join(lines)


def _buttons(design: Design) -> discord.ui.View:
    choices = [str(number) for number in range(1, len(design.generations) + 1)]
    return row_of(*(DesignButton(choice, design.id) for choice in (*choices, "more")))


class DesignButton(PersistentButton, template=r"design:(?P<choice>[1-3]|more):(?P<design>[\w-]{22})"):
    """Button of a design: it chooses one of three generations, or asks for three others."""

    def __init__(self, choice: str, design: str) -> None:
        label = "Three more" if choice == "more" else f"Take {choice}"
        style = discord.ButtonStyle.secondary if choice == "more" else discord.ButtonStyle.primary
        super().__init__(label, style, choice=choice, design=design)
        self._choice, self._design_id = choice, design

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press is acknowledged: others come in a new reply, a choice ends this one."""
        return Acknowledgement.EPHEMERAL if self._choice == "more" else Acknowledgement.UPDATE

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Save the generation that was chosen, or make others."""
        member_id = interaction.user.id
        if self._choice == "more":
            design = bot.voice_designer.open_design(self._design_id, member_id)
            await reply_with_design(interaction, design.brief)
            return
        voice = await bot.voice_designer.choose(self._design_id, member_id, int(self._choice))
        await replace_message(interaction, saved(voice))
