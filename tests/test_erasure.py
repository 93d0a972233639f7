"""Everything deleted, messages in Discord first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.data_folder import LOCK_FILE, DataFolder
from bot.erasure import Holdings, delete_everything
from bot.errors import DataFolderError, LibraryError
from bot.library.processes import PROCESS_FILE
from bot.library.voice import Kind, NewVoice, Scope
from bot.library.withdrawal import Post, remember_voice_message
from bot.models import SpokenVoice
from bot.settings import Secret, Settings
from rehearsal.recordings import RECORDINGS
from rehearsal.records import Message
from rehearsal.rest.call import Misbehaviour
from tests.scenes import Scene, open_scene
from tts_gateway.engines.offline import OfflineEngine


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Scene]:
    """Yield a scene whose bot is off, and has posted a voice's recording and a voice message before."""
    async with open_scene(tmp_path / "data", OfflineEngine()) as scene:
        library = scene.bot.library
        recording = await library.recordings.keep(RECORDINGS[1].path.read_bytes())
        saved = await library.voices.save(
            Scope(scene.guild.id, scene.alice.id), NewVoice("Sister", Kind.DESIGNED, recording, seconds=4.0)
        )
        await scene.bot.reference_posts.reference(SpokenVoice(saved.id, saved.name, saved.recording, None))
        spoken = await scene.bot.get_partial_messageable(scene.general.id).send("stands for a voice message")
        async with library.database.session() as session:
            post = Post(spoken.channel.id, spoken.id)
            await remember_voice_message(session, post, "take", ["a-consent"], spoken.created_at)
        await scene.bot.shut_down()
        yield scene


def in_private(scene: Scene) -> list[Message]:
    return [message for message in scene.alice.dms() if message.files]


def settings_of(scene: Scene) -> Settings:
    return Settings(
        data_dir=scene.settings.data_dir,
        tts_base_url=scene.settings.tts_base_url,
        discord_token=Secret(scene.rehearsal.token),
    )


async def erase(scene: Scene, *, leaves_posts: bool = False, agrees: bool = True, there: int = 2) -> str:
    async def confirm(holdings: Holdings) -> bool:
        assert str(holdings).startswith("1 voice, ")
        assert holdings.posts == there
        return agrees

    return await delete_everything(
        settings_of(scene),
        confirm,
        leaves_posts=leaves_posts,
        connector=scene.rehearsal.connector(),
        pace=0.0,
    )


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


async def test_nothing_is_left_here_or_in_discord(house: Scene) -> None:
    folder = house.settings.data_dir
    (folder / "my notes.txt").write_text("not the bot's")
    (folder / PROCESS_FILE).write_text("of this one")
    (folder / "process-2").mkdir()
    (folder / "process-2" / "status.json").write_text("of a second process")
    assert in_private(house)

    said = await erase(house)

    assert in_private(house) == []
    assert "stands for a voice message" not in [message.content for message in house.general.history]
    assert files(folder) == {LOCK_FILE, "my notes.txt"}
    assert said.startswith("Deleted 1 voice,")
    assert "still holds what isn't the bot's: my notes.txt." in said


async def test_nothing_here_is_deleted_while_a_message_is_left(house: Scene) -> None:
    before = files(house.settings.data_dir)
    (message,) = in_private(house)
    refusal = {"code": 50001, "message": "Missing Access"}
    house.rehearsal.misbehave(Misbehaviour("DELETE", f"/messages/{message.id}", 403, refusal))

    with pytest.raises(LibraryError, match=f"1 messages could not be deleted: .*/{message.id}. Nothing here"):
        await erase(house)

    assert before <= files(house.settings.data_dir)
    assert len(in_private(house)) == 1
    assert "stands for a voice message" not in [one.content for one in house.general.history]

    await erase(house, leaves_posts=True, there=1)

    assert len(in_private(house)) == 1
    assert files(house.settings.data_dir) == {LOCK_FILE}


async def test_without_a_yes_or_beside_a_running_bot_nothing_happens(house: Scene) -> None:
    before = files(house.settings.data_dir)

    assert await erase(house, agrees=False) == "Nothing was deleted."
    with (
        DataFolder(house.settings),
        pytest.raises(DataFolderError, match="Another bot"),
    ):
        await erase(house)

    assert before <= files(house.settings.data_dir)
    assert len(in_private(house)) == 1
