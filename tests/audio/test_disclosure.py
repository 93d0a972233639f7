"""Every file that leaves us says inside that a machine speaks, where other programs look for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from bot.audio.formats import export, soundboard_clip, voice_message
from bot.audio.wav import COMMENT, SOFTWARE, TITLE
from tests.audio.reading import read
from tests.audio.voices import WOMAN, speech

SPEECH = speech(WOMAN)
TAGS = {TITLE: "Grüße 🎉", COMMENT: "AI-generated voice, made for Zoë", SOFTWARE: "Myna 0.1"}


async def file(max_bytes: int) -> bytes:
    return (await export(SPEECH, max_bytes=max_bytes, tags=TAGS)).data


async def message() -> bytes:
    return (await voice_message(SPEECH, tags=TAGS)).ogg


async def clip() -> bytes:
    return (await soundboard_clip(SPEECH, tags=TAGS)).data


@pytest.mark.parametrize(
    ("container", "make"),
    [
        ("wav", lambda: file(10**9)),
        ("flac", lambda: file(400_000)),
        ("ogg", lambda: file(80_000)),
        ("ogg", message),
        ("mp3", clip),
    ],
    ids=["WAV", "FLAC", "Ogg", "voice message", "soundboard sound"],
)
async def test_the_comment_is_read_back_by_another_program(
    container: str, make: Callable[[], Awaitable[bytes]]
):
    sound = read(await make())

    assert sound.container == container
    assert sound.tags["title"] == "Grüße 🎉"
    assert sound.tags["comment"] == "AI-generated voice, made for Zoë"
    assert "Myna 0.1" in (sound.tags.get("software"), sound.tags.get("encoder"))
