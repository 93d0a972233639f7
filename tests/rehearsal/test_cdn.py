"""The store: signed addresses, their end, and what is served."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from rehearsal.cdn import SentFile
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.rehearsal.conftest import Ask
from tests.scenes import Stage


@pytest.fixture
async def web(scene: Stage) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=scene.rehearsal.connector()) as session:
        yield session


async def address_of(scene: Stage, data: bytes = b"0123456789", name: str = "my voice.wav") -> str:
    message = await scene.alice.say(scene.general, files=[SentFile(name, data)])
    return scene.rehearsal.cdn.url(message.files[0])


async def test_a_fresh_address_serves_the_file_with_its_type(
    scene: Stage, web: aiohttp.ClientSession
) -> None:
    url = await address_of(scene)

    async with web.get(url) as response:
        body = await response.read()
    async with web.head(url) as head:
        length = head.headers["Content-Length"]

    assert (response.status, body, response.content_type) == (200, b"0123456789", "audio/x-wav")
    assert (head.status, length) == (200, "10")
    assert urlsplit(url).path.endswith("/my_voice.wav")
    assert set(parse_qs(urlsplit(url).query)) == {"ex", "is", "hm"}


async def test_a_range_is_served_as_a_part(scene: Stage, web: aiohttp.ClientSession) -> None:
    url = await address_of(scene)

    async with web.get(url, headers={"Range": "bytes=2-4"}) as part:
        body = await part.read()
    async with web.get(url, headers={"Range": "bytes=99-"}) as beyond:
        pass

    assert (part.status, body, part.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    assert beyond.status == 416


async def test_an_address_ends_when_its_time_is_over(scene: Stage, web: aiohttp.ClientSession) -> None:
    scene.rehearsal.cdn.link_seconds = -1

    async with web.get(await address_of(scene)) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "broken",
    [
        lambda url: url.partition("?")[0],
        lambda url: url.replace("ex=", "ex=f"),
        lambda url: url.replace("hm=", "hm=0"),
        lambda url: url.replace("my_voice", "my_choice"),
        lambda url: url.replace("/attachments/", "/ephemeral-attachments/"),
    ],
)
async def test_a_changed_address_serves_nothing(scene: Stage, web: aiohttp.ClientSession, broken) -> None:
    async with web.get(broken(await address_of(scene))) as response:
        assert response.status == 404


async def test_fetching_a_message_again_gives_fresh_addresses(
    scene: Stage, web: aiohttp.ClientSession, ask: Ask
) -> None:
    scene.rehearsal.directory.privileged_intents = INTENT_MESSAGE_CONTENT
    message = await scene.alice.say(scene.general, files=[SentFile("a.wav", b"RIFF")])
    path = f"/channels/{scene.general.id}/messages/{message.id}"
    scene.rehearsal.cdn.link_seconds = -1
    stale = (await ask("GET", path))[1]["attachments"][0]["url"]
    scene.rehearsal.cdn.link_seconds = 60
    fresh = (await ask("GET", path))[1]["attachments"][0]["url"]

    async with web.get(stale) as old, web.get(fresh) as new:
        assert (old.status, new.status) == (404, 200)


async def test_without_the_content_intent_only_the_bots_own_messages_bring_their_files(
    scene: Stage, ask: Ask
) -> None:
    theirs = await scene.alice.say(scene.general, "words", files=[SentFile("a.wav", b"RIFF")])
    path = f"/channels/{scene.general.id}/messages"
    own = (await ask("POST", path, {"content": "mine"}))[1]["id"]

    hidden = (await ask("GET", f"{path}/{theirs.id}"))[1]
    history = (await ask("GET", path))[1]

    assert (hidden["content"], hidden["attachments"]) == ("", [])
    assert [(message["id"], message["content"]) for message in history] == [(own, "mine"), (hidden["id"], "")]


async def test_a_wav_brings_its_length(scene: Stage) -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))

    message = await scene.alice.say(scene.general, files=[SentFile("a.wav", buffer.getvalue())])

    payload = scene.rehearsal.cdn.payload(message.files[0])
    assert payload["duration_secs"] == 0.5 and "waveform" not in payload


async def test_the_file_of_a_deleted_message_is_gone(scene: Stage, web: aiohttp.ClientSession) -> None:
    message = await scene.alice.say(scene.general, files=[SentFile("a.wav", b"RIFF")])
    url = scene.rehearsal.cdn.url(message.files[0])

    scene.alice.delete(message)

    async with web.get(url) as response:
        assert response.status == 404


async def test_all_addresses_given_out_so_far_can_expire_at_once(
    scene: Stage, web: aiohttp.ClientSession
) -> None:
    message = await scene.alice.say(scene.general, files=[SentFile("a.wav", b"RIFF")])
    (before,) = scene.rehearsal.files_of(message)

    scene.rehearsal.cdn.expire_addresses()

    (after,) = scene.rehearsal.files_of(message)
    async with web.get(before.url) as old:
        assert (old.status, await old.text()) == (404, "This content is no longer available.")
    assert await after.read() == b"RIFF"
