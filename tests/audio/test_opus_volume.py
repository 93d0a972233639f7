import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bot.audio.loudness import PEAK_CEILING
from bot.audio.opus import Amplifier, FrameAmplifier, OpusEncoder, is_20_ms
from bot.errors import AudioError

RATE = 48_000


def speech_like(seconds: float = 2.0, *, peak: float = 0.3) -> NDArray[np.int16]:
    """Return a tone whose strength goes up and down."""
    time = np.arange(round(RATE * seconds)) / RATE
    tone = np.sin(2 * np.pi * 220 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    return np.asarray(np.rint(tone * peak * 32_768), np.int16)


def amplified(samples: NDArray[np.int16], gain: float, *, part: int = 960) -> NDArray[np.int16]:
    amplifier = Amplifier(gain)
    parts = [amplifier.feed(samples[start : start + part]) for start in range(0, len(samples), part)]
    return np.concatenate([*parts, amplifier.finish()])


def strength(samples: NDArray[np.int16]) -> float:
    return float(np.sqrt(np.square(samples.astype(np.float64)).mean()))


@pytest.mark.parametrize("gain", [0.1, 0.5, 1.5, 2.0])
def test_it_sounds_so_much_stronger_and_is_as_long(gain: float) -> None:
    samples = speech_like()

    result = amplified(samples, gain)

    assert len(result) == len(samples)
    assert strength(result) == pytest.approx(gain * strength(samples), rel=0.01)


def test_at_full_volume_nothing_is_touched() -> None:
    samples = speech_like()

    assert np.array_equal(amplified(samples, 1.0), samples)


def test_what_would_be_too_strong_is_brought_under_the_ceiling_of_all_speech() -> None:
    samples = speech_like(peak=0.85)

    result = amplified(samples, 2.0)

    assert np.abs(result.astype(np.int32)).max() <= np.ceil(PEAK_CEILING * 32_768)
    assert PEAK_CEILING <= 10 ** (-1 / 20)
    assert strength(result) > strength(samples)


@pytest.mark.parametrize("part", [1, 7, 960, 5_000])
def test_how_it_is_cut_into_parts_makes_no_difference(part: int) -> None:
    samples = speech_like(0.1, peak=0.8)

    assert np.array_equal(amplified(samples, 1.7, part=part), amplified(samples, 1.7))


def test_frames_come_back_as_frames_of_the_same_sound_at_another_volume() -> None:
    samples = speech_like()
    encoder = OpusEncoder()
    frames = [*encoder.feed(samples), *encoder.finish()]
    amplifier = FrameAmplifier(0.5)

    result = [*amplifier.feed(frames[:10]), *amplifier.feed(frames[10:]), *amplifier.finish()]

    assert all(is_20_ms(frame) for frame in result)
    assert 0 <= len(result) - len(frames) <= 1
    assert strength(decoded(result)) == pytest.approx(0.5 * strength(decoded(frames)), rel=0.05)


def test_no_frames_give_no_frames() -> None:
    amplifier = FrameAmplifier(0.5)

    assert amplifier.feed([]) == []


def test_what_is_no_opus_is_refused() -> None:
    with pytest.raises(AudioError, match="decoded"):
        FrameAmplifier(0.5).feed([b"\xff" * 3])


def decoded(frames: list[bytes]) -> NDArray[np.int16]:
    decoder = av.AudioCodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = RATE, "mono"
    sound = [piece for frame in frames for piece in decoder.decode(av.Packet(frame))]
    return np.concatenate([piece.to_ndarray().reshape(-1) for piece in sound])
