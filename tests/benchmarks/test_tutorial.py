from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.sounds import speech_wav
from benchmarks.tutorial import DecodedHere
from bot.audio.wav import parse_wav

PIECE_BYTES = 3840


async def test_without_ffmpeg_a_file_is_the_same_sound_in_pieces_of_20_ms(tmp_path: Path):
    wav = await speech_wav(1.0)
    file = tmp_path / "speech.wav"
    file.write_bytes(wav)
    source = DecodedHere(file)

    pieces = list(iter(source.read, b""))

    assert {len(piece) for piece in pieces} == {PIECE_BYTES}
    assert len(pieces) == 50
    stereo = np.frombuffer(b"".join(pieces), "<i2").reshape(-1, 2)
    said = parse_wav(wav, max_seconds=2.0).samples
    assert np.array_equal(stereo[:, 0], stereo[:, 1])
    assert np.corrcoef(stereo[:, 0], said)[0, 1] > 0.99
