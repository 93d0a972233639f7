"""The soundboard of a guild: what may be put on it, who may, and what the bot hears of it."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import aiohttp
import discord
import pytest

from rehearsal.permissions import Permission
from tests.fakes.held_bot import INTENTS, HeldBot
from tests.rehearsal.conftest import Ask, logged_in
from tests.rehearsal.sound_files import sound_file
from tests.scenes import Stage


def uri(data: bytes, kind: str = "mpeg") -> str:
    return f"data:audio/{kind};base64,{base64.b64encode(data).decode()}"


def path_of(scene: Stage) -> str:
    return f"/guilds/{scene.guild.id}/soundboard-sounds"


async def test_a_sound_is_made_played_changed_and_deleted(scene: Stage, bot: HeldBot) -> None:
    guild = bot.get_guild(scene.guild.id)
    assert guild is not None
    data = sound_file(1.0)

    made = await guild.create_soundboard_sound(name="tweet", sound=data, volume=0.5, emoji="🐦")
    assert await made.read() == data
    changed = await made.edit(name="chirp")
    listed = await guild.fetch_soundboard_sounds()
    await made.delete()

    assert (made.name, made.volume, str(made.emoji), made.user) == ("tweet", 0.5, "🐦", bot.user)
    assert [(sound.id, sound.name) for sound in listed] == [(changed.id, "chirp")]
    assert scene.guild.sounds == {} and await guild.fetch_soundboard_sounds() == []


async def test_the_bot_hears_of_sounds_only_with_the_intent_for_them(scene: Stage) -> None:
    scene.guild.add_sound("before", scene.alice)
    hearing = discord.Intents(guilds=True, voice_states=True, expressions=True)
    for intents, names in ((INTENTS, ["before"]), (hearing, ["before", "after", "after"])):
        async with logged_in(scene.rehearsal, intents=intents) as bot:
            scene.guild.add_sound("after", scene.alice)
            await scene.rehearsal.caught_up()
            assert sorted(sound.name for sound in bot.guilds[0].soundboard_sounds) == sorted(names)


async def test_an_ogg_file_is_a_sound_too(scene: Stage, ask: Ask) -> None:
    body = {"name": "tweet", "sound": uri(sound_file(0.5, form="ogg", codec="libopus"), "ogg")}

    status, made = await ask("POST", path_of(scene), body)

    assert (status, made["volume"], made["emoji_name"]) == (201, 1.0, None)
    assert 0.49 < scene.guild.sounds[int(made["sound_id"])].seconds < 0.53


SHORT = sound_file(0.1)
REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"sound": uri(SHORT)}, 50035),
    ({"name": "n", "sound": uri(SHORT)}, 50035),
    ({"name": "n" * 33, "sound": uri(SHORT)}, 50035),
    ({"name": "tweet"}, 50035),
    ({"name": "tweet", "sound": "https://example.com/a.mp3"}, 50035),
    ({"name": "tweet", "sound": uri(b"")}, 50035),
    ({"name": "tweet", "sound": uri(SHORT), "volume": 1.1}, 50035),
    ({"name": "tweet", "sound": uri(SHORT), "emoji_id": "1", "emoji_name": "🐦"}, 50035),
    ({"name": "tweet", "sound": uri(sound_file(0.1, form="wav", codec="pcm_s16le"))}, 50035),
    ({"name": "tweet", "sound": uri(bytes(512_001))}, 50045),
    ({"name": "tweet", "sound": uri(sound_file(5.4))}, 50124),
    ({"name": "tweet", "sound": uri(b"no sound at all")}, 50124),
]


async def test_what_is_no_sound_is_refused(scene: Stage, ask: Ask, subtests: pytest.Subtests) -> None:
    for body, code in REFUSED:
        with subtests.test(body=str(body)[:80]):
            status, answer = await ask("POST", path_of(scene), body)
            assert (status, answer["code"]) == (400, code)
    assert scene.guild.sounds == {}


async def test_the_board_has_only_so_many_slots(scene: Stage, ask: Ask) -> None:
    for number in range(scene.guild.sound_slots):
        scene.guild.add_sound(f"sound {number}", scene.alice)
    body = {"name": "tweet", "sound": uri(SHORT)}

    full = await ask("POST", path_of(scene), body)
    scene.guild.premium_tier = 1
    boosted = await ask("POST", path_of(scene), body)

    assert (full[0], full[1]["code"], boosted[0]) == (400, 30045, 201)


async def test_own_sounds_and_those_of_others_need_different_permissions(scene: Stage, ask: Ask) -> None:
    theirs = scene.guild.add_sound("theirs", scene.alice)
    own = (await ask("POST", path_of(scene), {"name": "own", "sound": uri(SHORT)}))[1]["sound_id"]

    assert (await ask("PATCH", f"{path_of(scene)}/{own}", {"name": "mine"}))[0] == 200
    assert (await ask("DELETE", f"{path_of(scene)}/{theirs.id}"))[1]["code"] == 50013
    scene.guild.deny_bot(Permission.CREATE_GUILD_EXPRESSIONS)
    assert (await ask("POST", path_of(scene), {"name": "no", "sound": uri(SHORT)}))[1]["code"] == 50013
    assert (await ask("DELETE", f"{path_of(scene)}/{own}"))[1]["code"] == 50013
    role = scene.guild.add_role("Curators", Permission.MANAGE_GUILD_EXPRESSIONS)
    scene.guild.give_role(role, scene.rehearsal.parts.bot)
    assert (await ask("DELETE", f"{path_of(scene)}/{theirs.id}"))[0] == 204
    assert (await ask("GET", f"{path_of(scene)}/{theirs.id}"))[1]["code"] == 10097


async def test_a_sound_is_served_without_a_signature(scene: Stage, ask: Ask) -> None:
    number = (await ask("POST", path_of(scene), {"name": "tweet", "sound": uri(SHORT)}))[1]["sound_id"]
    address = f"https://cdn.discordapp.com/soundboard-sounds/{number}"

    async with (
        asyncio.timeout(10),
        aiohttp.ClientSession(connector=scene.rehearsal.connector()) as session,
        session.get(address) as response,
    ):
        body = await response.read()

    assert (response.status, response.content_type, body) == (200, "audio/mpeg", SHORT)
