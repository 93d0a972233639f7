"""The way of the tutorials: download the whole file, then let ffmpeg and a thread of discord.py play it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import aiohttp
import av
import discord

from benchmarks.ways_to_play import can_encode

STAND_IN: Final = (
    "no ffmpeg here: in the tutorial way PyAV decoded in the player's thread, which costs less than "
    "a process for each file"
)

_PIECE_BYTES: Final = discord.opus.Encoder.FRAME_SIZE


def why_not() -> str | None:
    """Return why this way cannot be measured here, None if it can."""
    if shutil.which("ffmpeg") is None:
        return "the tutorial way was skipped: no ffmpeg here"
    return None if can_encode() else "the tutorial way was skipped: no libopus here"


class DecodedHere(discord.AudioSource):
    """A file, decoded by PyAV in the thread that plays it: for machines without an ffmpeg."""

    def __init__(self, path: Path) -> None:
        self._pieces = _stereo_pieces(path)

    def read(self) -> bytes:
        """Return the next 20 ms; nothing at the end."""
        return next(self._pieces, b"")


def _stereo_pieces(path: Path) -> Iterator[bytes]:
    resampler, left = av.AudioResampler("s16", "stereo", discord.opus.Encoder.SAMPLING_RATE), b""
    with av.open(str(path)) as file:
        for decoded in file.decode(audio=0):
            for frame in resampler.resample(decoded):
                left += frame.to_ndarray().tobytes()
            while len(left) >= _PIECE_BYTES:
                yield left[:_PIECE_BYTES]
                left = left[_PIECE_BYTES:]


async def speak(base_url: str, text: str, voice_client: discord.VoiceClient) -> None:
    """Ask the TTS gateway for ``text``, download what it made, and begin to play it."""
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{base_url}/text-to-speech", json={"text": text}) as response:
            address = (await response.json())["output"]
        async with session.get(address) as response:
            wav = await response.read()
    with tempfile.NamedTemporaryFile(suffix=".wav", delete=False) as file:
        file.write(wav)
    path = Path(file.name)
    source: discord.AudioSource
    if shutil.which("ffmpeg"):
        source = discord.FFmpegPCMAudio(file.name, options="-loglevel error")
    else:
        source = DecodedHere(path)
    voice_client.play(source, after=lambda _error: path.unlink())


async def stop(voice_client: discord.VoiceClient) -> None:
    """Stop playing and wait until its thread has ended."""
    player = voice_client._player
    voice_client.stop()
    if player is not None:
        await asyncio.to_thread(player.join, 5.0)
