"""The reference doctor: what it finds in spoiled recordings of real speech, and what it makes of them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from bot.audio.loudness import PEAK_CEILING, samples_at
from bot.audio.quality import activity
from bot.audio.reference_check import ReferenceCheck, examine
from bot.errors import RecordingError
from tests.audio.reading import Read, read
from tests.audio.voices import (
    CHILD,
    MAN,
    RATE,
    WOMAN,
    Wave,
    breath,
    clipped,
    likeness,
    lufs,
    silence,
    stereo,
    times,
    with_noise,
)  # fmt: skip
from tests.untrusted.encoding import encoded, wav_of


async def mended(wave: Wave, *, rate: int = RATE) -> tuple[ReferenceCheck, Read]:
    examined = await examine(wav_of(wave, rate=rate), name="voice.wav")
    return examined, read(examined.wav)


async def finding(wave: Wave) -> tuple[str, Read]:
    examined, sound = await mended(wave)
    (only,) = examined.findings
    return only, sound


@pytest.mark.parametrize("wave", [MAN, CHILD, WOMAN], ids=["man", "child", "woman"])
async def test_nothing_is_found_in_a_good_recording(wave: Wave):
    examined, sound = await mended(wave)

    assert examined.findings == ()
    assert examined.part is None
    assert examined.seconds == sound.seconds == pytest.approx(len(wave) / RATE, abs=0.2)
    assert likeness(sound.samples, wave) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    "wave",
    [
        MAN,
        times(MAN, -30),
        clipped(MAN, 6),
        with_noise(WOMAN, 12),
        stereo(CHILD, CHILD),
        np.concatenate([MAN, CHILD, WOMAN, MAN]),
        MAN / np.abs(MAN).max(),
    ],
    ids=["as it is", "quiet", "clipped", "noisy", "stereo", "long", "full scale"],
)
async def test_whatever_comes_in_one_form_and_one_loudness_come_out(wave: Wave):
    examined, sound = await mended(wave)

    assert (sound.container, sound.codec, sound.rate, sound.channels) == ("wav", "pcm_s16le", 48_000, 1)
    assert lufs(sound.samples) == pytest.approx(-20.0, abs=0.5)
    assert np.abs(sound.samples).max() <= PEAK_CEILING + 1 / 32_768
    assert np.abs(sound.samples[[0, -1]]).max() < 0.002
    assert examined.sha256 == hashlib.sha256(examined.wav).hexdigest()


@pytest.mark.slow
async def test_silence_is_cut_from_both_ends_to_a_tenth_of_a_second():
    found, sound = [], []
    for room in (silence, breath):
        examined, heard = await mended(np.concatenate([room(3.2), WOMAN, room(2.0)]))
        found.append([float(line.split()[2]) for line in examined.findings])
        sound.append(heard)

    assert found == [pytest.approx([3.2, 2.0], abs=0.4)] * 2
    assert [heard.seconds for heard in sound] == pytest.approx([len(WOMAN) / RATE] * 2, abs=0.6)
    assert all(likeness(heard.samples, WOMAN) > 0.95 for heard in sound)


async def test_the_sentences_about_silence_say_where_it_was():
    examined, _ = await mended(np.concatenate([silence(3), MAN, silence(2)]))

    start, end = examined.findings
    assert start.startswith(("I cut 2.9 ", "I cut 3."))
    assert start.endswith("s of silence from the start.")
    assert end.endswith("s of silence from the end.")


async def test_a_hole_in_the_middle_is_shortened_to_a_pause():
    said, sound = await finding(np.concatenate([MAN[: 4 * RATE], silence(6), WOMAN[: 3 * RATE]]))

    assert said.startswith("I shortened a long pause, by 5.")
    assert sound.seconds == pytest.approx(7.5, abs=0.4)


async def test_a_tap_on_the_microphone_is_no_speech():
    tap = np.concatenate([0.8 * np.ones(480), silence(2.5)])

    said, sound = await finding(np.concatenate([tap, WOMAN]))

    assert said.endswith("s of silence from the start.")
    assert likeness(sound.samples, WOMAN) > 0.95


@pytest.mark.parametrize(
    ("loudness", "said"),
    [(-45, "It was quiet; I made it 25 dB louder."), (-11, "It was loud; I made it 9 dB softer.")],
)
async def test_the_level_is_brought_up_or_down(loudness: float, said: str):
    wave = samples_at(WOMAN.astype(np.float32), loudness)

    assert (await finding(wave.astype(np.float64)))[0] == said


async def test_a_clipped_recording_is_told_to_be_harsh():
    said, sound = await finding(times(clipped(MAN, 8), -5))

    assert "too loud in places (1.6 % is distorted)" in said
    assert likeness(sound.samples, MAN) > 0.9


async def test_a_recording_that_is_cut_off_all_the_time_is_refused():
    with pytest.raises(RecordingError, match=r"far too loud.*microphone turned down"):
        await mended(clipped(WOMAN, 24))


@pytest.mark.parametrize("snr", [16, 10])
async def test_noise_is_told_with_its_distance(snr: int):
    said, _ = await finding(with_noise(WOMAN, snr))

    assert "There's background noise" in said
    assert float(said.split("only about ")[1].split()[0]) == pytest.approx(snr, abs=3)


async def test_noise_as_loud_as_the_voice_is_refused():
    with pytest.raises(RecordingError, match=r"nearly as loud as the voice.*quiet room"):
        await mended(with_noise(WOMAN, 0))


async def test_the_noise_of_a_usual_room_is_not_worth_a_word():
    examined, _ = await mended(with_noise(MAN, 28))

    assert examined.findings == ()


@pytest.mark.slow
async def test_a_constant_offset_is_taken_out():
    examined, sound = await mended(0.6 * WOMAN + 0.3)

    assert abs(sound.samples.mean()) < 0.001
    assert likeness(sound.samples, WOMAN) > 0.95
    assert examined.findings == ()


async def test_of_two_channels_the_one_with_the_voice_is_used():
    said, sound = await finding(stereo(with_noise(silence(6), 0) + breath(6), MAN))

    assert said == "The left channel is nearly silent; I used the right one."
    assert likeness(sound.samples, MAN) > 0.95


async def test_channels_that_would_cancel_each_other_are_not_mixed():
    said, sound = await finding(stereo(MAN, -0.9 * MAN))

    assert said == "The two channels cancel each other out; I used the left one."
    assert likeness(sound.samples, MAN) > 0.95


@pytest.mark.slow
async def test_two_people_in_two_channels_are_not_mixed_and_the_member_is_told():
    man_first = stereo(np.concatenate([0.7 * MAN, silence(5.6)]), np.concatenate([silence(7.3), CHILD]))

    examined, sound = await mended(man_first)

    said, _ = examined.findings
    assert "seem to have different people in them. I used the right one" in said
    assert likeness(sound.samples, CHILD) > 0.95
    assert likeness(sound.samples, MAN) < 0.3


async def test_one_voice_in_two_channels_is_mixed_without_a_word():
    examined, sound = await mended(stereo(WOMAN, 0.6 * np.roll(WOMAN, 12)))

    assert examined.findings == ()
    assert likeness(sound.samples, WOMAN) > 0.8


async def test_of_a_long_recording_the_best_part_is_used_and_cut_only_in_pauses():
    whole = np.concatenate([MAN, MAN, MAN, MAN, silence(0.3)])

    examined, sound = await mended(whole)

    (said,) = examined.findings
    assert examined.part is not None
    start, end = examined.part
    assert said.startswith("It's long, so I used its best part, from 0:")
    assert 5 <= sound.seconds <= 15
    assert end - start == pytest.approx(sound.seconds, abs=0.1)
    heard = activity((whole * 32_767).astype(np.int16))
    assert not heard.speaking[round(start * 100) - 1 : round(start * 100) + 2].any()
    assert not heard.speaking[round(end * 100) - 2 : round(end * 100)].any()


async def test_the_best_part_is_neither_the_noisy_nor_the_clipped_one():
    good, noisy, harsh = np.tile(WOMAN, 2), with_noise(np.tile(WOMAN, 2), 12), clipped(np.tile(WOMAN, 2), 14)
    parts = []
    for row in ([noisy, good, harsh], [harsh, noisy, good]):
        examined, _ = await mended(np.concatenate(row))
        assert examined.part is not None
        place = [part is good for part in row].index(True) * len(good) / RATE
        parts.append((examined.part[0] - place, examined.part[1] - place))

    assert all(start >= -0.6 and end <= len(good) / RATE + 0.6 for start, end in parts)


async def test_somebody_who_never_pauses_is_cut_where_it_is_quietest():
    level = float(np.sqrt(np.square(CHILD).mean()))
    whole = np.tile(CHILD[RATE : 4 * RATE], 7) + np.random.default_rng(1).normal(0, level / 20, 21 * RATE)

    examined, sound = await mended(whole)

    assert examined.part is not None
    assert 5 <= sound.seconds <= 15


async def test_a_telephone_recording_is_told_to_be_dull():
    examined, sound = await mended(MAN[::6], rate=8_000)

    assert examined.findings == ("It sounds like a phone call, so the voice will be muffled.",)
    assert sound.rate == 48_000


async def test_two_seconds_are_accepted_with_a_word_about_more():
    said, _ = await finding(WOMAN[: int(2.2 * RATE)])

    assert said.startswith("It has only 2.")
    assert "5 to 15 s make a better voice" in said


@pytest.mark.slow
async def test_what_was_mended_needs_no_mending():
    first, _ = await mended(np.concatenate([silence(2), times(CHILD, -28), silence(1)]))

    again = await examine(first.wav, name="mended.wav")

    assert len(first.findings) == 3
    assert again.findings == ()
    assert again.seconds == pytest.approx(first.seconds, abs=0.15)


@pytest.mark.slow
async def test_the_same_bytes_give_the_same_reference():
    data = encoded(wav_of(MAN), "flac", "flac")

    assert await examine(data, name="a.flac") == await examine(data, name="b.flac")
