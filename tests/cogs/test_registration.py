"""Commands are registered with Discord, whatever it has of them and whatever it refuses."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bot.command_tree import refused
from bot.data_folder import COMMANDS_FILE
from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.rest.call import Misbehaviour
from rehearsal.rules.commands import CHAT_INPUT, MESSAGE_MENU
from rehearsal.server import Rehearsal
from rehearsal.wire import INTENT_MEMBERS, INTENT_MESSAGE_CONTENT
from tests.running_bot import attending


async def start_once(rehearsal: Rehearsal, folder: Path) -> None:
    settings = Settings(tts_base_url="http://127.0.0.1:9", data_dir=folder)
    async with attending(SpeechBot(settings, connector=rehearsal.connector()), rehearsal):
        pass


def registrations(rehearsal: Rehearsal) -> int:
    return sum(call.method == "PUT" and "commands" in call.path for call in rehearsal.requests)


def names(rehearsal: Rehearsal) -> set[str]:
    return {command["name"] for command in rehearsal.commands.listed()}


async def test_commands_that_were_deleted_at_discord_come_back_with_the_next_start(tmp_path: Path):
    async with Rehearsal() as rehearsal:
        await start_once(rehearsal, tmp_path)
        all_of_them = names(rehearsal)
        rehearsal.commands.replace([])
        await start_once(rehearsal, tmp_path)

        assert "speak" in all_of_them
        assert names(rehearsal) == all_of_them


async def test_messages_have_four_menus_and_people_have_none(tmp_path: Path):
    async with Rehearsal() as rehearsal:
        await start_once(rehearsal, tmp_path)

        menus = {
            (one["type"], one["name"]) for one in rehearsal.commands.listed() if one["type"] != CHAT_INPUT
        }

    named = ("Speak this", "Speak this in a voice", "Clone this voice", "Save this voice")
    assert menus == {(MESSAGE_MENU, name) for name in named}


@pytest.mark.slow
async def test_commands_that_somebody_changed_at_discord_are_put_right(tmp_path: Path):
    async with Rehearsal() as rehearsal:
        await start_once(rehearsal, tmp_path)
        foreign = [dict(command) for command in rehearsal.commands.listed() if command["name"] != "speak"]
        rehearsal.commands.replace(foreign)
        await start_once(rehearsal, tmp_path)
        await start_once(rehearsal, tmp_path)

        assert "speak" in names(rehearsal)
        assert registrations(rehearsal) == 2


@pytest.mark.parametrize("damaged", ["", "null", "[]", '{"ours": 1}', "0" * 64 + "\n", "\x00\xff"])
async def test_a_damaged_record_is_as_good_as_none(tmp_path: Path, damaged: str):
    (tmp_path / COMMANDS_FILE).write_bytes(damaged.encode("latin-1"))
    async with Rehearsal() as rehearsal:
        await start_once(rehearsal, tmp_path)

        assert "speak" in names(rehearsal)


@pytest.mark.parametrize("intents", [0, INTENT_MEMBERS, INTENT_MESSAGE_CONTENT])
async def test_links_to_messages_are_offered_only_where_discord_shows_what_is_in_them(
    tmp_path: Path, intents: int
):
    async with Rehearsal() as rehearsal:
        rehearsal.directory.privileged_intents = intents
        await start_once(rehearsal, tmp_path)
        commands = {command["name"]: command for command in rehearsal.commands.listed()}
    groups = {option["name"]: option for option in commands["voice"]["options"]}

    for command, file in ((commands["clone"], "recording"), (groups["save"], "recording")):
        options = {option["name"]: option for option in command["options"]}
        assert ("message" in options) is (intents == INTENT_MESSAGE_CONTENT)
        assert options[file]["file_types"] == ["audio"]
        assert [name for name, option in options.items() if "file_types" in option] == [file]


@pytest.mark.parametrize(("installs", "types"), [((0,), {(0,)}), ((1,), {(1,)}), ((0, 1), {(0,), (0, 1)})])
async def test_what_the_application_is_not_open_to_is_left_out(
    tmp_path: Path, installs: tuple[int, ...], types: set[tuple[int, ...]]
):
    async with Rehearsal() as rehearsal:
        rehearsal.commands.installs = installs
        await start_once(rehearsal, tmp_path)
        registered = rehearsal.commands.listed()

    assert {tuple(command["integration_types"]) for command in registered} == types
    assert "speak" in {command["name"] for command in registered}
    if 1 not in installs:
        assert not any(2 in (command["contexts"] or []) for command in registered)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (400, {"code": 30034, "message": "Max"}, "no more new commands from this bot today (code 30034)"),
        (400, {"code": 50035, "message": "Invalid Form\nBody"}, "status 400, code 50035: Invalid Form Body"),
        (503, "busy", "Discord answered with status 503"),
        (200, {"no": "list"}, "Discord did not answer as it should"),
    ],
)
async def test_a_refused_registration_is_a_sentence_and_the_bot_works_with_yesterdays_commands(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int, body: object, sentence: str
):
    async with Rehearsal() as rehearsal:
        await start_once(rehearsal, tmp_path)
        (tmp_path / COMMANDS_FILE).unlink()
        rehearsal.misbehave(Misbehaviour("PUT", "/commands", status, body, headers={}))
        with caplog.at_level(logging.WARNING):
            await start_once(rehearsal, tmp_path)
        said = [record for record in caplog.records if "were not registered" in record.getMessage()]

        assert "speak" in names(rehearsal)
        assert len(said) == 1
        assert sentence in said[0].getMessage()
        assert "tries again in" in said[0].getMessage()
        assert not any(record.exc_info for record in caplog.records)
        if status != 200:
            assert sentence in (refused(tmp_path / COMMANDS_FILE) or "")

        await start_once(rehearsal, tmp_path)

        assert refused(tmp_path / COMMANDS_FILE) is None


async def test_a_refused_registration_is_tried_again_beside_the_work(tmp_path: Path):
    settings = Settings(tts_base_url="http://127.0.0.1:9", data_dir=tmp_path)
    async with Rehearsal() as rehearsal:
        rehearsal.misbehave(Misbehaviour("GET", "/commands", 503, headers={}, times=2))
        bot = SpeechBot(settings, connector=rehearsal.connector())
        bot.registration_pause = 0.01
        async with attending(bot, rehearsal):
            await rehearsal.commands.until_registered("speak", timeout=60)


async def test_an_activitys_own_command_stays(tmp_path: Path):
    async with Rehearsal() as rehearsal:
        entry = {"id": "77", "type": 4, "name": "launch", "version": "1", "description": ""}
        rehearsal.misbehave(Misbehaviour("GET", "/commands", 200, [entry], headers={}))
        rehearsal.misbehave(Misbehaviour("PUT", "/commands", 200, [entry], headers={}))
        await start_once(rehearsal, tmp_path)
        sent = next(call.json for call in rehearsal.requests if call.method == "PUT")

    assert entry in sent
