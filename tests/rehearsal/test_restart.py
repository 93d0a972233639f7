"""A bot that is started again in the same world: its messages and their buttons are still there."""

from __future__ import annotations

import re
from pathlib import Path

import discord

from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.answers import Answer, AnswerState
from tests.rehearsal.conftest import logged_in
from tests.running_bot import attending, restarted
from tests.scenes import Stage


class Replay(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=r"replay:(?P<take>\d+)"):
    def __init__(self, take: int) -> None:
        super().__init__(discord.ui.Button(label="Replay", custom_id=f"replay:{take}"))
        self.take = take

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: discord.ui.Item[discord.ui.View], match: re.Match[str]
    ) -> Replay:
        return cls(int(match["take"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"take {self.take}", ephemeral=True)


async def test_a_button_from_before_the_restart_still_works(scene: Stage) -> None:
    async with logged_in(scene.rehearsal) as bot:
        answer = await scene.alice.slash(scene.general, "hold")
        view = discord.ui.View(timeout=None)
        view.add_item(Replay(7))
        await (await bot.next()).response.send_message("a take", view=view)

    async with logged_in(scene.rehearsal) as anew:
        anew.add_dynamic_items(Replay)
        pressed = await scene.alice.press(answer, "Replay")
        await pressed.until(lambda shown: shown.state is AnswerState.REPLIED)

    assert (pressed.content, pressed.ephemeral) == ("take 7", True)


async def asked(scene: Stage) -> Answer:
    answer = await scene.alice.slash(scene.general, "queue")
    return await answer.until(lambda shown: shown.state is AnswerState.REPLIED, timeout=30)


async def test_the_real_bot_is_started_again_with_its_data_in_the_same_world(
    scene: Stage, tmp_path: Path
) -> None:
    rehearsal, settings = scene.rehearsal, Settings(tts_base_url="http://127.0.0.1:9", data_dir=tmp_path)
    async with attending(SpeechBot(settings, connector=rehearsal.connector()), rehearsal) as bot:
        before = await asked(scene)
        async with restarted(bot, settings, rehearsal) as anew:
            assert bot.is_closed() and anew is not bot and anew.is_ready()
            after = await asked(scene)

    assert before.content == after.content != ""
    assert rehearsal.main_socket.identified == 2


async def test_the_bot_changes_its_own_message_from_before_the_restart(scene: Stage) -> None:
    async with logged_in(scene.rehearsal) as bot:
        answer = await scene.alice.slash(scene.general, "hold")
        await (await bot.next()).response.send_message("before")
    assert answer.message is not None

    async with logged_in(scene.rehearsal) as anew:
        channel = anew.get_partial_messageable(scene.general.id)
        await channel.get_partial_message(answer.message.id).edit(content="after")

    assert answer.content == "after"
