from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.arrivals import Packet, held_up_seconds, lateness, longest_silence, lost, spoken_seconds

FRAME = 0.02


def arrivals(*late: float, first_sequence: int = 0) -> list[Packet]:
    return [
        Packet(10.0 + FRAME * number + seconds, (first_sequence + number) % 65_536, 960 * number, 200)
        for number, seconds in enumerate(late)
    ]


def test_punctual_packets_are_not_late():
    assert lateness(arrivals(*[0.0] * 200)) == pytest.approx([0.0] * 200, abs=1e-6)


def test_a_late_packet_alone_is_late():
    late = lateness(arrivals(*[0.0] * 60, 0.03, *[0.0] * 60))

    assert late[60] == pytest.approx(0.03)
    assert max(late[:60] + late[61:]) == pytest.approx(0.0, abs=1e-6)


def test_a_first_packet_that_left_at_once_is_measured_by_none_that_follow():
    late = lateness(arrivals(0.0, *[-0.015] * 60))

    assert late == pytest.approx([0.0] * 61, abs=1e-6)


def test_time_that_was_skipped_is_late_for_a_second():
    late = lateness(arrivals(*[0.0] * 100, *[0.1] * 100))

    assert late[100:150] == pytest.approx([0.1] * 50)
    assert late[150:] == pytest.approx([0.0] * 50, abs=1e-6)


@pytest.mark.parametrize("skipped", [0.0, 0.3])
def test_an_utterance_is_held_up_by_all_the_time_that_was_skipped(skipped):
    packets = arrivals(*[0.0] * 50, *[skipped / 2] * 50, *[skipped] * 50)

    assert held_up_seconds(packets) == pytest.approx(skipped, abs=1e-6)


def test_of_nothing_nothing_is_late_or_lost():
    assert lateness([]) == []
    assert held_up_seconds([]) == 0
    assert lost([]) == 0
    assert spoken_seconds([], silent_bytes=40) == 0


@pytest.mark.parametrize("first", [7, 65_530], ids=["plain", "over the end of the numbers"])
def test_lost_packets_are_those_between_the_first_and_the_last(first):
    packets = arrivals(*[0.0] * 20, first_sequence=first)

    assert lost(packets) == 0
    assert lost(packets[:5] + packets[8:]) == 3


def test_silence_is_not_spoken():
    packets = [*arrivals(*[0.0] * 50), Packet(12.0, 50, 960 * 50, 35)]

    assert spoken_seconds(packets, silent_bytes=40) == pytest.approx(1.0)


def test_the_longest_silence_lies_between_two_packets_with_sound():
    packets = arrivals(*[0.0] * 100)
    silent = [replace(one, size=35) if 20 <= at < 60 else one for at, one in enumerate(packets)]

    assert longest_silence(packets, silent_bytes=40) == pytest.approx(0.02)
    assert longest_silence(silent, silent_bytes=40) == pytest.approx(0.82)
    assert longest_silence([], silent_bytes=40) == 0
