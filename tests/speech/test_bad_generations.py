from __future__ import annotations

import logging
import re

import pytest

from bot.audio.wav import write_wav
from bot.errors import TTSUnusableAudioError
from bot.limits import MAX_EXTRA_CALLS_PER_HOUR
from rehearsal.faulty_tts_gateway.faults import BadWav, Respond, SoundItself
from rehearsal.likeness import likeness
from tests.fakes.babble_engine import babble, howl
from tests.scenes import TWO_PARTS, Hearing, Studio
from tests.speech.sounds import pcm_of

HOWL = Respond(200, howl(3.0), content_type="audio/wav")
ENDLESS = Respond(200, write_wav(babble(TWO_PARTS, pace=4.0)), content_type="audio/wav")

SAYING = "The quick brown fox jumps over the lazy dog."


async def test_a_bad_generation_is_made_again_once_and_the_log_says_why_without_the_text(
    studio: Studio, caplog: pytest.LogCaptureFixture
):
    studio.faults.on_download(None, HOWL)

    with caplog.at_level(logging.WARNING):
        speech = await studio.make(TWO_PARTS)

    assert len(studio.calls) == 3
    assert studio.texts[1] == studio.texts[2]
    assert likeness(babble(studio.texts[1]), pcm_of(speech)).correlation > 0.9
    (said,) = [record.getMessage() for record in caplog.records if "bad generation" in record.getMessage()]
    assert "made again" in said
    assert "steady" in said
    assert "bird" not in caplog.text
    assert "kitchen" not in caplog.text


async def test_a_first_generation_of_endless_length_is_made_again_before_it_is_heard(
    studio: Studio,
):
    studio.faults.on_download(ENDLESS)
    hearing = Hearing()

    speech = await studio.make(TWO_PARTS, hearing=hearing)

    assert studio.texts[0] == studio.texts[1]
    assert studio.calls[2][1]["reference_audio_url"].endswith(studio.faults.downloads[1].path)
    assert likeness(babble(studio.texts[0]), pcm_of(speech)).correlation > 0.9
    assert len(hearing.frames) * 1_920 == len(pcm_of(speech))


@pytest.mark.parametrize("share", [0.5, 0.8])
async def test_a_generation_that_comes_as_two_wavs_in_one_body_is_whole(studio: Studio, share: float):
    sound = babble(SAYING)
    cut = round(len(sound) * share) // 2 * 2
    joined = write_wav(sound[:cut]) + write_wav(sound[cut:])
    studio.faults.on_download(Respond(200, joined, content_type="audio/wav"))

    speech = await studio.make(SAYING)

    assert len(studio.calls) == 1
    assert likeness(sound, pcm_of(speech)).correlation > 0.9
    assert len(pcm_of(speech)) > 0.9 * len(sound)


async def test_a_generation_that_goes_on_in_another_form_is_not_taken_for_the_whole(studio: Studio):
    sound = babble(SAYING)
    other = bytearray(write_wav(sound[len(sound) // 2 :]))
    other[24:32] = (24_000).to_bytes(4, "little") + (48_000).to_bytes(4, "little")
    joined = write_wav(sound[: len(sound) // 2]) + bytes(other)
    studio.faults.on_download(Respond(200, joined, content_type="audio/wav"))

    with pytest.raises(TTSUnusableAudioError, match="another form"):  # its beginning was heard already
        await studio.make(SAYING)


async def test_a_bad_generation_that_is_heard_already_is_not_paid_for_again(
    studio: Studio, caplog: pytest.LogCaptureFixture
):
    studio.faults.on_download(HOWL)

    await studio.make(TWO_PARTS)

    assert len(studio.calls) == len(set(studio.texts))
    assert "heard already" in caplog.text


async def test_with_much_to_be_heard_before_it_a_first_generation_is_checked_whole(studio: Studio):
    studio.faults.on_download(HOWL)

    speech = await studio.make(TWO_PARTS, seconds_before=20.0)

    assert studio.texts[0] == studio.texts[1]
    assert likeness(babble(studio.texts[0]), pcm_of(speech)).correlation > 0.9


async def test_only_one_call_of_an_utterance_is_made_again(studio: Studio):
    studio.faults.every_download = HOWL

    await studio.make(TWO_PARTS, aloud=False)

    assert len(studio.calls) == len(set(studio.texts)) + 1


async def test_a_server_has_a_small_allowance_for_second_tries(studio: Studio):
    studio.faults.every_download = HOWL

    for number in range(MAX_EXTRA_CALLS_PER_HOUR + 3):
        await studio.make(f"Number {number}, please.", aloud=False)

    assert len(studio.calls) == 2 * MAX_EXTRA_CALLS_PER_HOUR + 3


async def test_a_silent_generation_is_made_again_and_then_it_is_an_error(studio: Studio):
    studio.faults.every_download = BadWav("silent")

    with pytest.raises(TTSUnusableAudioError):
        await studio.make("Hello there.")

    assert len(studio.calls) == 2


async def test_an_unusable_later_part_leaves_the_rest_out(studio: Studio):
    studio.faults.on_download(None)
    studio.faults.every_download = BadWav("silent")

    speech = await studio.make(TWO_PARTS)

    assert speech.rest_is_missing
    assert likeness(babble(studio.texts[0]), pcm_of(speech)).correlation > 0.9


async def test_without_an_address_to_clone_from_the_text_is_made_in_one_call(studio: Studio):
    studio.faults.every_post = SoundItself()

    speech = await studio.make(TWO_PARTS)
    again = await studio.make(TWO_PARTS.replace("bird", "crow"))

    assert studio.texts[1:] == [TWO_PARTS, TWO_PARTS.replace("bird", "crow")]
    assert {path for path, _ in studio.calls} == {"text-to-speech"}
    assert likeness(babble(TWO_PARTS), pcm_of(speech)).correlation > 0.9
    assert not again.rest_is_missing


async def test_where_its_own_generations_cannot_be_cloned_the_next_text_is_made_in_one_call(studio: Studio):
    studio.faults.on_post(None, Respond(400, '{"message": "reference_audio_url cannot be reached"}'))

    cut_short = await studio.make(TWO_PARTS)
    whole = await studio.make(TWO_PARTS)

    assert cut_short.rest_is_missing
    assert not whole.rest_is_missing
    assert studio.texts[-1] == TWO_PARTS


async def test_a_generation_of_our_own_is_never_named_in_the_log(
    studio: Studio, caplog: pytest.LogCaptureFixture
):
    studio.faults.on_post(None, Respond(500, "no"))

    with caplog.at_level(logging.DEBUG, logger="bot"):
        await studio.make(TWO_PARTS)

    assert "the rest is left out" in caplog.text
    assert not re.search(r"https?://", "\n".join(r.getMessage() for r in caplog.records if "bot" in r.name))
