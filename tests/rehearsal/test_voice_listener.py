"""What a listener makes of packets: sound, waits and counts."""

from __future__ import annotations

import time
import wave
from io import BytesIO

import numpy as np
import pytest

from rehearsal.voice.dave import SILENCE_FRAME
from rehearsal.voice.listener import HeardPacket, pcm_of, wav_of
from tests.fakes.voice_server_client import (
    DEADLINE,
    VoiceHouse,
    opus_of,
    opus_tone,
    stage,
)

RATE = 48_000


def packets_of(
    frames: list[bytes], *, ssrc: int = 1, first: int = 0, arrival: float = 0.0
) -> list[HeardPacket]:
    """Return packets as if these frames had arrived on time."""
    return [
        HeardPacket(ssrc, n & 0xFFFF, (first + 960 * n) & 0xFFFFFFFF, arrival + 0.02 * n, frame)
        for n, frame in enumerate(frames)
    ]


def samples_of(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(float) / 32768


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def pitch(samples: np.ndarray) -> float:
    """Return the strongest frequency in hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


async def test_the_wav_of_a_listener_has_the_length_and_the_tone_that_were_sent(
    house: VoiceHouse,
) -> None:
    listener = await house.human()
    client = await stage(house)
    frames = opus_tone(seconds=1.0, hertz=440)

    client.play(*frames)
    await listener.wait_for_packets(50, timeout=DEADLINE)

    with wave.open(BytesIO(wav_of(listener.pcm()))) as file:
        form = (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes())
        samples = samples_of(file.readframes(RATE))
    assert form == (RATE, 1, 2, RATE)
    assert pitch(samples) == pytest.approx(440, abs=2)
    assert loudness(samples[2400:-2400]) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


def test_lost_packets_are_silence_of_the_same_length() -> None:
    packets = packets_of(opus_tone(seconds=1.0, hertz=440))
    del packets[20:30]

    samples = samples_of(pcm_of(packets))

    assert len(samples) == RATE
    assert loudness(samples[20 * 960 : 30 * 960]) == 0
    assert loudness(samples[10 * 960 : 20 * 960]) > 0.1


def test_packets_that_could_not_be_heard_are_no_sound_and_the_beginning_is_trimmed() -> None:
    frames = opus_tone(seconds=0.4, hertz=440)
    packets = [
        HeardPacket(
            packet.ssrc, packet.sequence, packet.timestamp, packet.arrival, packet.opus if n >= 5 else None
        )
        for n, packet in enumerate(packets_of(frames))
    ]

    samples = samples_of(pcm_of(packets))

    assert len(samples) == 15 * 960


def test_the_clock_of_rtp_may_wrap_around() -> None:
    frames = opus_tone(seconds=0.4, hertz=440)

    wrapped = pcm_of(packets_of(frames, first=2**32 - 5 * 960))

    assert wrapped == pcm_of(packets_of(frames))


def test_packets_in_the_wrong_order_stand_where_their_clock_says() -> None:
    packets = packets_of(opus_tone(seconds=0.2, hertz=440))
    packets[4], packets[5] = packets[5], packets[4]

    samples = samples_of(pcm_of(packets))

    assert len(samples) == 10 * 960


def test_the_sound_of_a_new_connection_follows_at_the_distance_it_was_heard() -> None:
    first = packets_of(opus_tone(seconds=0.2, hertz=440))
    second = packets_of(opus_tone(seconds=0.2, hertz=880), ssrc=2, first=5_000_000, arrival=1.0)

    samples = samples_of(pcm_of(first + second))

    assert len(samples) == round(1.2 * RATE)
    assert loudness(samples[round(0.25 * RATE) : round(0.95 * RATE)]) == 0
    assert pitch(samples[round(1.05 * RATE) :]) == pytest.approx(880, abs=10)


def test_a_leap_of_the_clock_does_not_fill_the_memory() -> None:
    early, late = packets_of([SILENCE_FRAME]), packets_of([SILENCE_FRAME], first=2**31 - 1)

    pcm = pcm_of(early + late)

    assert len(pcm) < 2 * 40 * RATE


def test_somebody_who_heard_nothing_has_no_sound() -> None:
    assert pcm_of([]) == b""


async def test_waiting_for_speech_passes_over_silence(house: VoiceHouse) -> None:
    listener = await house.human()
    client = await stage(house)

    client.play(SILENCE_FRAME, SILENCE_FRAME, opus_of(1))
    packet = await listener.wait_for_speech(timeout=DEADLINE)

    assert packet.opus == opus_of(1)
    assert listener.speech() == [packet]
    assert len(listener.packets) == 3


async def test_waiting_for_speech_can_begin_after_what_was_heard_before(house: VoiceHouse) -> None:
    listener = await house.human()
    client = await stage(house)
    client.play(opus_of(1))
    await listener.wait_for_speech(timeout=DEADLINE)

    with pytest.raises(TimeoutError, match="1 packets came, 1 with speech"):
        await listener.wait_for_speech(timeout=0.05, after=1)
    client.play(opus_of(2))

    assert (await listener.wait_for_speech(timeout=DEADLINE, after=1)).opus == opus_of(2)


async def test_silence_is_reached_a_while_after_the_last_speech(house: VoiceHouse) -> None:
    listener = await house.human()
    client = await stage(house)

    client.play(opus_of(1), opus_of(2), SILENCE_FRAME)
    await listener.wait_for_silence(seconds=0.1, timeout=DEADLINE)

    assert time.monotonic() - listener.speech()[-1].arrival >= 0.1
    assert len(listener.speech()) == 2


async def test_silence_does_not_count_before_anything_was_said(house: VoiceHouse) -> None:
    listener = await house.human()

    with pytest.raises(TimeoutError, match="0 packets came"):
        await listener.wait_for_silence(seconds=0.01, timeout=0.1)


async def test_waiting_for_packets_says_what_came_instead(house: VoiceHouse) -> None:
    listener = await house.human()

    with pytest.raises(TimeoutError, match="fewer than 3 packets"):
        await listener.wait_for_packets(3, timeout=0.05)
