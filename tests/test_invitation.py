"""The link by which a server invites the bot: what it asks for, and that this is what the bot needs."""

from __future__ import annotations

import ast
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import discord
import pytest

from bot.check import findings
from bot.interaction import INVITED, invitation
from bot.settings import Secret, Settings
from bot.speech_bot import SpeechBot
from rehearsal.permissions import Permission
from rehearsal.server import Rehearsal
from tests.cogs.generations import choose
from tests.running_bot import attending
from tests.scenes import DEADLINE, Scene, file_of, open_scene, words_of
from tts_gateway.engines.offline import OfflineEngine

ROOT = Path(__file__).parent.parent
OF_MEMBERS = {"manage_guild", "manage_messages", "manage_threads"}
"""What is asked of members only: who a moderator is, and who may delete and see what."""

IF_GIVEN = {"move_members", "mute_members"}
"""What the bot makes use of where it has it: in full channels, and on stages."""


def permissions_in_code() -> set[str]:
    """Return every permission that the bot looks at, of whomever."""
    found = set()
    for package in ("bot", "cogs"):
        for path in (ROOT / package).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            if "import discord" not in source:
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Attribute) and node.attr in discord.Permissions.VALID_FLAGS:
                    found.add(node.attr)
    return found


def test_it_asks_for_what_the_code_asks_for_and_nothing_else() -> None:
    needed = permissions_in_code() - OF_MEMBERS - IF_GIVEN

    assert discord.Permissions(**dict.fromkeys(needed, True)) == INVITED


def test_it_has_the_scopes_and_the_number_that_discord_reads() -> None:
    query = parse_qs(urlsplit(invitation(42)).query)

    assert query["client_id"] == ["42"]
    assert query["scope"] == ["bot applications.commands"]
    assert query["permissions"] == [str(INVITED.value)]
    assert discord.Permissions(int(query["permissions"][0])) == INVITED


def test_it_is_the_number_that_the_documentation_of_discord_adds_up_to() -> None:
    by_discord = (
        Permission.VIEW_CHANNEL
        | Permission.SEND_MESSAGES
        | Permission.SEND_MESSAGES_IN_THREADS
        | Permission.ATTACH_FILES
        | Permission.READ_MESSAGE_HISTORY
        | Permission.CONNECT
        | Permission.SPEAK
        | Permission.SEND_VOICE_MESSAGES
        | Permission.CREATE_GUILD_EXPRESSIONS
    )

    assert INVITED.value == int(by_discord)


@pytest.mark.slow
async def test_with_exactly_these_permissions_everything_works(tmp_path: Path) -> None:
    async with open_scene(tmp_path / "data", OfflineEngine()) as scene:
        scene.guild.set_bot_permissions(INVITED.value)
        scene.guild.add_role("Makers", Permission.CREATE_GUILD_EXPRESSIONS, scene.alice)
        listener = await scene.alice.join(scene.perch)

        spoken = await scene.speak("Hello in the channel")
        await file_of(spoken)
        await listener.wait_for_packets(10, timeout=DEADLINE)
        await _as_voice_message(scene)
        await _in_a_thread(scene)
        form = await choose(scene.alice, spoken, "Add to soundboard")
        await form.until(lambda shown: shown.modal is not None, timeout=DEADLINE)
        words = await words_of(await scene.alice.submit(form, {"Name": "Hello"}))

        assert words.startswith("Added **Hello** to the soundboard.")


async def _as_voice_message(scene: Scene) -> None:
    await scene.speak("Hello as a message", output="here, as a voice message")
    await scene.general.until_message(lambda message: message.voice_message)


async def _in_a_thread(scene: Scene) -> None:
    thread = scene.guild.add_thread(scene.general, "Aside", scene.alice)
    await file_of(
        await scene.alice.slash(thread, "speak", text="Hello in a thread", output="here, as a file")
    )


async def test_a_bot_in_no_server_says_how_to_invite_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="bot")
    async with Rehearsal() as rehearsal:
        settings = Settings(data_dir=tmp_path, tts_base_url="http://127.0.0.1:9/v1")
        async with attending(SpeechBot(settings, connector=rehearsal.connector()), rehearsal):
            await rehearsal.caught_up()

    assert invitation(rehearsal.application_id) in caplog.text


async def test_check_prints_it(tmp_path: Path) -> None:
    async with Rehearsal() as rehearsal:
        settings = Settings(
            data_dir=tmp_path, discord_token=Secret(rehearsal.token), tts_base_url="http://127.0.0.1:9/v1"
        )
        found = [finding async for finding in findings(settings, connector=rehearsal.connector())]

    assert any(finding.what.endswith(invitation(rehearsal.application_id)) for finding in found)
