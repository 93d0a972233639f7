"""The way of the tutorials: download the whole file, then let ffmpeg and a thread of discord.py play it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import aiohttp
import discord

from benchmarks.ways_to_play import can_encode


def why_not() -> str | None:
    """Return why this way cannot be measured here, None if it can."""
    if shutil.which("ffmpeg") is None:
        return "the tutorial way was skipped: no ffmpeg here"
    return None if can_encode() else "the tutorial way was skipped: no libopus here"


async def speak(base_url: str, text: str, voice_client: discord.VoiceClient) -> None:
    """Ask the TTS gateway for ``text``, download what it made, and begin to play it."""
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{base_url}/text-to-speech", json={"text": text}) as response:
            address = (await response.json())["output"]
        async with session.get(address) as response:
            wav = await response.read()
    with tempfile.NamedTemporaryFile(suffix=".wav", delete=False) as file:
        file.write(wav)
    voice_client.play(
        discord.FFmpegPCMAudio(file.name, options="-loglevel error"),
        after=lambda _error: Path(file.name).unlink(),
    )


async def stop(voice_client: discord.VoiceClient) -> None:
    """Stop playing and wait until its thread has ended."""
    player = voice_client._player
    voice_client.stop()
    if player is not None:
        await asyncio.to_thread(player.join, 5.0)
