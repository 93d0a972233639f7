from __future__ import annotations

import asyncio

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bot.audio.loudness import loudness
from bot.audio.maker import Maker
from bot.audio.wav import write_wav
from bot.errors import TTSError, TTSServerError
from bot.models import Asker, ReferenceAudio, Speech, SpeechRequest
from bot.speech.cache import UnfetchedGenerations
from bot.speech.run import speech_run_of
from bot.speech.segment_plan import PlaybackClock
from bot.speech.speaker import RetryBudget, SpeechResources, TTSGatewayStats
from rehearsal.faulty_tts_gateway.faults import Cut, Delay, Hold, Respond
from rehearsal.likeness import likeness
from tests.fakes.babble_engine import babble
from tests.scenes import GUILD, SENTENCES, TWO_PARTS, Hearing, Studio
from tests.speech.sounds import pcm_of


def decoded(frames: list[bytes]) -> bytes:
    """Return Opus frames as 48 kHz mono PCM, as a listener's client would hear them."""
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    pcm = []
    for frame in frames:
        for sound in decoder.decode(av.Packet(frame)):
            samples = sound.to_ndarray().reshape(-1)
            pcm.append(samples if samples.dtype == np.int16 else (samples * 32_767).astype(np.int16))
    return np.concatenate(pcm).astype("<i2").tobytes()


def gaps(speech: Speech) -> list[float]:
    """Return the lengths of all silences inside, in seconds."""
    samples: NDArray[np.int16] = np.frombuffer(pcm_of(speech), "<i2")
    windows = np.abs(samples[: len(samples) // 480 * 480].reshape(-1, 480)).max(axis=1) > 100
    loud = np.flatnonzero(windows)
    return [float(step - 1) * 0.01 for step in np.diff(loud) if step > 1]


async def test_without_a_reference_later_parts_are_cloned_from_the_first_generation(studio: Studio):
    await studio.make()

    (path, first), *others = studio.calls
    assert path == "text-to-speech"
    assert len(others) >= 2
    addresses = set()
    for path, fields in others:
        assert path == "voice-cloning"
        assert fields["prompt_text"] == first["text"]
        addresses.add(fields["reference_audio_url"])
    assert len(addresses) == 1
    assert studio.faults.downloads[0].path in addresses.pop()


@pytest.mark.slow
async def test_all_the_words_are_said_once_and_in_order(studio: Studio):
    speech = await studio.make()

    assert " ".join(studio.texts) == SENTENCES
    place = -0.1
    for text in studio.texts:
        match = likeness(babble(text), pcm_of(speech))
        assert match.correlation > 0.9, text
        assert match.delay >= place, "in order"
        place = match.delay


async def test_what_is_heard_is_what_is_in_the_file(studio: Studio):
    hearing = Hearing()

    speech = await studio.make(hearing=hearing)

    assert len(hearing.frames) * 1_920 == len(pcm_of(speech))
    heard = decoded(hearing.frames)
    match = likeness(pcm_of(speech)[: -2 * 960], heard)
    assert match.correlation > 0.97
    assert match.delay == pytest.approx(312 / 48_000, abs=0.001)  # the lag of the encoder, and nothing else


async def test_between_the_parts_is_a_pause_and_no_gap(studio: Studio):
    speech = await studio.make()

    between = sorted(gaps(speech))[-len(studio.calls) + 1 :]
    assert all(0.2 <= gap <= 0.5 for gap in between), between


async def test_silence_at_the_end_of_the_first_generation_becomes_no_gap(studio: Studio):
    wav = write_wav(babble(TWO_PARTS[:60]) + bytes(2 * 24_000))
    studio.faults.on_download(Respond(200, wav, content_type="audio/wav"))

    speech = await studio.make(TWO_PARTS)

    assert max(gaps(speech)) <= 0.5


async def test_the_whole_has_a_longest_length(studio: Studio):
    resources = SpeechResources(studio.tts, Maker(), TTSGatewayStats(), RetryBudget(), UnfetchedGenerations())
    request, asker, clock = SpeechRequest(SENTENCES), Asker(1, GUILD), PlaybackClock(0.0)
    run = await speech_run_of(request, resources, asker, clock, None, max_seconds=6.0)

    heard = [frame async for frames in run.frames() for frame in frames]

    assert 6.0 < run.result.speech.seconds < 20.0
    assert len(heard) * 1_920 == len(pcm_of(run.result.speech))
    assert run.result.speech.rest_is_missing
    assert not run.result.is_worth_keeping


async def test_the_parts_are_equally_loud(studio: Studio):
    speech = await studio.make()

    first, second = map(loudness, np.array_split(np.frombuffer(pcm_of(speech), "<i2"), 2))
    assert first == pytest.approx(second, abs=1.5)


async def test_the_first_part_is_heard_while_the_second_is_being_made(studio: Studio):
    hearing, hold = Hearing(), Hold()
    studio.faults.on_post(None, hold)

    making = studio.making(hearing=hearing)
    await hearing.heard(frames=50)
    await studio.called(times=2)
    assert not making.done()
    hold.released.set()

    speech = await making
    assert not speech.rest_is_missing


@pytest.mark.slow
async def test_a_later_part_that_is_made_first_waits_for_its_turn(studio: Studio):
    hold = Hold()
    studio.faults.on_post(None, hold)
    hearing = Hearing()

    making = studio.making(hearing=hearing)
    await studio.called(times=3)
    before = len(hearing.frames)
    hold.released.set()
    speech = await making

    assert before <= len(hearing.frames)
    second, third = (likeness(babble(text), pcm_of(speech)).delay for text in studio.texts[1:3])
    assert second < third


async def test_two_calls_are_under_way_ahead_and_no_more(studio: Studio):
    hold = Hold()
    studio.faults.on_post(None)
    studio.faults.every_post = hold

    making = studio.making(seconds_before=0.0)
    await studio.called(times=3)
    hold.released.set()
    await making

    assert len(studio.calls) == len(set(studio.texts))


async def test_a_short_text_is_one_call(studio: Studio):
    speech = await studio.make("Hello there, how are you?")

    assert len(studio.calls) == 1
    assert not speech.rest_is_missing


async def test_for_a_file_nobody_hurries_so_there_are_fewer_calls(studio: Studio):
    await studio.make(aloud=False)
    for_a_file = len(studio.calls)
    await studio.make(SENTENCES.replace("bird", "parrot"))
    aloud = len(studio.calls) - for_a_file

    assert for_a_file < aloud


async def test_with_a_style_every_part_has_it_and_no_transcript(studio: Studio):
    await studio.make(style="slow and deep")

    for path, fields in studio.calls:
        assert fields["text"].startswith("(slow and deep)")
        assert "prompt_text" not in fields
        assert (path == "text-to-speech") == ("reference_audio_url" not in fields)


async def test_with_a_reference_every_part_is_cloned_from_it(studio: Studio):
    await studio.make("A voice of my own.", aloud=False)
    url = f"{studio.faults.requests[0].headers['Host']}{studio.faults.downloads[0].path}"
    reference = ReferenceAudio(f"http://{url}", "A voice of my own.")

    await studio.make(reference=reference)

    calls = studio.calls[1:]
    assert len(calls) >= 3
    for path, fields in calls:
        assert path == "voice-cloning"
        assert fields["reference_audio_url"] == reference.url
        assert fields["prompt_text"] == reference.transcript


@pytest.mark.slow
async def test_a_failure_in_the_middle_keeps_what_was_made(studio: Studio):
    hearing = Hearing()
    studio.faults.on_post(None, None, Respond(500, "no"))

    speech = await studio.make(hearing=hearing)

    assert speech.rest_is_missing
    assert len(hearing.frames) * 1_920 == len(pcm_of(speech))
    for text in studio.texts[:2]:
        assert likeness(babble(text), pcm_of(speech)).correlation > 0.9
    assert len(studio.calls) <= 4, "the one behind it was under way already, and no other was begun"


async def test_a_failure_at_the_start_is_an_error_and_no_further_call(studio: Studio):
    studio.faults.every_post = Respond(500, "no")

    with pytest.raises(TTSServerError):
        await studio.make()

    assert len(studio.calls) == 1


async def test_a_first_part_that_breaks_off_ends_it_with_an_error(studio: Studio):
    studio.faults.every_download = Cut(0.5)

    with pytest.raises(TTSError):
        await studio.make()


async def test_whoever_gives_up_ends_the_calls_ahead(studio: Studio):
    hold = Hold()
    studio.faults.on_post(None)
    studio.faults.every_post = hold
    making = studio.making()
    await studio.called(times=3)

    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    await studio.synthesizer.aclose()
    hold.released.set()

    assert len(studio.calls) == 3
    assert len(studio.faults.downloads) == 1


async def test_progress_counts_the_parts_up_to_the_last(studio: Studio):
    hearing = Hearing()
    studio.faults.every_post = Delay(0.05)

    await studio.make(hearing=hearing)

    counted = [progress.parts for progress in hearing.progress if progress.parts]
    assert counted[0].made < counted[0].of
    assert counted[-1].made == counted[-1].of == len(studio.calls)
    assert [parts.made for parts in counted] == sorted(parts.made for parts in counted)
