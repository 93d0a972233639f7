"""What the sender of a recording reads when it cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from tests.untrusted.encoding import wav_of
from tts_gateway.engines.base import ReferenceRefused
from tts_gateway.engines.reference import _REASONS, decode_recording
from untrusted.decoder import DecodeLimits, Refusal

RATE = 22_050


@pytest.mark.slow
async def test_a_recording_comes_as_samples_of_full_scale_one() -> None:
    sound = await decode_recording(wav_of(0.5 * np.ones(48_000)), rate=RATE)

    assert sound.shape == (RATE,)
    assert sound[RATE // 2] == pytest.approx(0.5, abs=0.001)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "limits", "reason"),
    [
        (bytes(1024 * 1024 + 1), DecodeLimits(max_bytes=1024 * 1024), "larger than 1 MiB"),
        (b"#EXTM3U\n", DecodeLimits(), "not a recording we can read"),
        (b"OggS" + bytes(1_000), DecodeLimits(), "not a recording we can read"),
        (wav_of(np.zeros(0)), DecodeLimits(), "no sound"),
        (wav_of(np.zeros(48_000)), DecodeLimits(wall_seconds=0.001), "took too long"),
    ],
)
async def test_each_refusal_has_its_reason(data: bytes, limits: DecodeLimits, reason: str) -> None:
    with pytest.raises(ReferenceRefused, match=reason):
        await decode_recording(data, rate=RATE, limits=limits)


def test_no_refusal_is_without_a_reason() -> None:
    assert {*_REASONS, Refusal.TOO_LARGE, Refusal.NO_PROCESS} == set(Refusal)
