"""Interactions: the two clocks, the six kinds of first answer, and what the member sees."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import discord
import pytest

from rehearsal.answers import NO_RESPONSE, AnswerState
from rehearsal.permissions import Permission
from rehearsal.wire import MEBIBYTE
from tests.fakes.held_bot import HeldBot
from tests.scenes import Stage


def a_file(data: bytes = b"RIFF", name: str = "speech.wav") -> discord.File:
    return discord.File(io.BytesIO(data), name)


async def test_an_answer_goes_from_thinking_to_a_file_that_can_be_downloaded(
    scene: Stage, bot: HeldBot
) -> None:
    answer = await scene.alice.slash(scene.general, "hold", text="hello")
    interaction = await bot.next()

    await interaction.response.defer(thinking=True)
    assert answer.state is AnswerState.THINKING and answer.acknowledged_after is not None
    await interaction.edit_original_response(content="Here", attachments=[a_file(b"sound")])

    settled = await answer.settled(quiet=0.05)
    assert settled.content == "Here" and settled.files[0].name == "speech.wav"
    assert await settled.files[0].read() == b"sound"
    assert [shown.state for shown in answer.history] == ["thinking", "replied"]


async def test_an_immediate_reply_is_seen_at_once(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()

    await interaction.response.send_message("hi", ephemeral=True)

    assert (answer.state, answer.content, answer.ephemeral) == (AnswerState.REPLIED, "hi", True)
    assert scene.general.history == []


async def test_a_late_first_answer_meets_10062_and_the_member_reads_that_nothing_came(
    scene: Stage, bot: HeldBot
) -> None:
    scene.rehearsal.interactions.acknowledge_seconds = 0.05
    answer = await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await answer.until(lambda a: a.state is AnswerState.FAILED)

    with pytest.raises(discord.NotFound) as refused:
        await interaction.response.defer()

    assert refused.value.code == 10062 and answer.failure == NO_RESPONSE


async def test_a_second_first_answer_meets_40060(scene: Stage, bot: HeldBot) -> None:
    await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    twin = discord.Interaction(data=raw_of(interaction), state=bot._connection)
    await interaction.response.defer()

    with pytest.raises(discord.HTTPException) as refused:
        await twin.response.defer()

    assert refused.value.code == 40060


def raw_of(interaction: discord.Interaction) -> Any:
    return {
        "id": interaction.id,
        "type": 2,
        "token": interaction.token,
        "version": 1,
        "application_id": interaction.application_id,
        "attachment_size_limit": 1,
    }


async def test_a_token_is_dead_after_its_time(scene: Stage, bot: HeldBot) -> None:
    scene.rehearsal.interactions.token_seconds = 0.3
    answer = await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await interaction.response.defer()
    await answer.until(lambda a: a.state is AnswerState.FAILED)

    with pytest.raises(discord.HTTPException) as refused:
        await interaction.edit_original_response(content="too late")

    assert (refused.value.status, refused.value.code) == (401, 50027)
    assert answer.failure == NO_RESPONSE


async def test_the_webhook_is_unknown_before_the_first_answer(scene: Stage, bot: HeldBot) -> None:
    await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()

    with pytest.raises(discord.NotFound) as refused:
        await interaction.edit_original_response(content="early")

    assert refused.value.code == 10015


async def test_ephemeral_is_decided_when_deferring(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await interaction.response.defer(ephemeral=True)

    await interaction.followup.send("public?", ephemeral=False)

    assert answer.ephemeral and answer.content == "public?" and answer.followups == []


async def test_the_first_followup_after_a_deferral_is_the_answer_and_the_second_is_not(
    scene: Stage, bot: HeldBot
) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await interaction.response.defer()

    await interaction.followup.send("one")
    await interaction.followup.send("two", ephemeral=True)

    assert answer.content == "one"
    assert [(message.content, message.ephemeral) for message in answer.followups] == [("two", True)]


async def test_an_answer_can_be_deleted_and_is_gone(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await interaction.response.send_message("hi")

    await interaction.delete_original_response()

    assert answer.state is AnswerState.DELETED
    with pytest.raises(discord.NotFound) as refused:
        await interaction.edit_original_response(content="back")
    assert refused.value.code == 10008


async def test_an_upload_over_the_limit_in_the_payload_is_too_large(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await interaction.response.defer()

    with pytest.raises(discord.HTTPException) as refused:
        await interaction.edit_original_response(attachments=[a_file(bytes(interaction.filesize_limit + 1))])

    assert (refused.value.status, refused.value.code) == (413, 40005)
    await interaction.edit_original_response(attachments=[a_file(bytes(interaction.filesize_limit))])
    assert answer.files[0].size == 10 * MEBIBYTE


async def test_a_boosted_guild_and_nitro_raise_the_limit(scene: Stage, bot: HeldBot) -> None:
    rich = scene.rehearsal.world.add_person("Rich", nitro=True)
    scene.guild.add_member(rich)
    scene.guild.premium_tier = 2
    await scene.alice.slash(scene.general, "hold")
    await rich.slash(scene.general, "hold")

    limits = [(await bot.next()).filesize_limit for _ in range(2)]

    assert limits == [50 * MEBIBYTE, 500 * MEBIBYTE]


async def test_an_edit_keeps_the_files_that_it_names(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await interaction.response.defer()
    message = await interaction.edit_original_response(
        attachments=[a_file(b"1", "a.wav"), a_file(b"2", "b.wav")]
    )

    await interaction.edit_original_response(attachments=[message.attachments[1], a_file(b"3", "c.wav")])

    assert [(file.name, file.data) for file in answer.files] == [("b.wav", b"2"), ("c.wav", b"3")]


async def test_a_voice_message_can_be_an_answer_but_not_a_followup(scene: Stage, bot: HeldBot) -> None:
    await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await interaction.response.defer()
    route = discord.http.Route(
        "POST", "/webhooks/{app}/{token}", app=interaction.application_id, token=interaction.token
    )

    with pytest.raises(discord.HTTPException) as refused:
        await bot.http.request(route, json={"flags": 1 << 13, "content": "x"})

    assert refused.value.code == 50035


async def test_a_deferral_is_confirmed_without_the_message_and_a_reply_with_it(
    scene: Stage, bot: HeldBot
) -> None:
    await scene.alice.slash(scene.general, "hold")
    deferred = await (await bot.next()).response.defer(thinking=True)
    await scene.alice.slash(scene.general, "hold")
    replied = await (await bot.next()).response.send_message("hi")

    resources = [
        request.answer["resource"]
        for request in scene.rehearsal.requests
        if request.path.endswith("/callback")
    ]
    assert [resource["type"] for resource in resources] == [5, 4]
    assert ["message" in resource for resource in resources] == [False, True]
    assert deferred is not None and deferred.message_id and deferred.resource is None
    assert replied.resource is not None


async def test_an_answer_pings_only_users_unless_it_says_otherwise(scene: Stage, bot: HeldBot) -> None:
    for given in ({}, {"allowed_mentions": {"parse": ["everyone"]}}):
        await scene.alice.slash(scene.general, "hold")
        interaction = await bot.next()
        data = {"content": f"{scene.alice.mention} @everyone", **given}
        params = discord.webhook.async_.interaction_response_params(4, data)
        await discord.webhook.async_.async_context.get().create_interaction_response(
            interaction.id, interaction.token, session=interaction._session, params=params
        )

    pings = [(message.pinged, message.pings_everyone) for message in scene.general.history]
    assert pings == [({scene.alice.id}, False), (set(), True)]


async def test_a_reply_to_an_answer_pings_nobody_and_hides_its_words(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    await (await bot.next()).response.send_message("hi")
    own = await bot.get_partial_messageable(scene.general.id).send("mine")
    assert answer.message is not None

    to_answer = await scene.alice.say(scene.general, "secret", reply_to=answer.message)
    to_message = await scene.alice.say(scene.general, "shown", reply_to=scene.general.messages[own.id])

    channel = bot.get_partial_messageable(scene.general.id)
    assert (await channel.fetch_message(to_answer.id)).content == ""
    assert (await channel.fetch_message(to_message.id)).content == "shown"


async def test_a_voice_message_as_an_answer_needs_its_permission_and_no_other(
    scene: Stage, bot: HeldBot
) -> None:
    for denied, code in ((Permission.ATTACH_FILES, None), (Permission.SEND_VOICE_MESSAGES, 50173)):
        scene.guild.deny_bot(denied)
        await scene.alice.slash(scene.general, "hold")
        assert await voice_answer(await bot.next()) == code


async def voice_answer(interaction: discord.Interaction) -> int | None:
    """Answer with a voice message, and return the code with which it was refused."""
    about = {"id": 0, "filename": "voice-message.ogg", "duration_secs": 1, "waveform": "AAAA"}
    data = {"flags": 1 << 13, "attachments": [about]}
    parts: list[dict[str, Any]] = [
        {"name": "payload_json", "value": json.dumps({"type": 4, "data": data})},
        {"name": "files[0]", "value": b"OggS", "filename": "voice-message.ogg", "content_type": "audio/ogg"},
    ]
    params = discord.http.MultipartParameters(payload=None, multipart=parts, files=[a_file()])
    try:
        await discord.webhook.async_.async_context.get().create_interaction_response(
            interaction.id, interaction.token, session=interaction._session, params=params
        )
    except discord.HTTPException as error:
        return error.code
    return None


async def test_until_says_what_was_seen_when_nothing_comes(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    await (await bot.next()).response.send_message("nothing more")

    with pytest.raises(TimeoutError, match="nothing more"):
        await answer.until(lambda a: bool(a.files), timeout=0.05)


async def test_settled_waits_for_the_last_edit(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await interaction.response.defer()

    async def edits() -> None:
        for number in range(3):
            await interaction.edit_original_response(content=str(number))

    task = asyncio.create_task(edits())
    await answer.settled(quiet=0.5)
    await task

    assert answer.content == "2"
