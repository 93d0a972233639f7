"""What a listener heard of frames that can be told apart."""

from __future__ import annotations

from itertools import pairwise

from rehearsal.voice.listener import Listener

LONGEST_SILENCE = 10.0
"""Seconds: nothing that happens to a connection may silence the bot for longer."""

ON_THE_WAY = 25
"""Frames that were sent when a connection ended, before a busy bot could know of its end: half a second."""


def heard(listener: Listener) -> list[bytes | None]:
    """Return the speech, without silence."""
    return [packet.opus for packet in listener.speech()]


def longest_gap(listener: Listener) -> float:
    """Return the longest time between two packets of speech, in seconds."""
    arrivals = [packet.arrival for packet in listener.speech()]
    return max((later - earlier for earlier, later in pairwise(arrivals)), default=0.0)


def assert_all_was_heard(listener: Listener, said: list[bytes], *, lost: int = ON_THE_WAY) -> None:
    """Assert that ``said`` was heard in order, but for ``lost`` frames at most, and without a long gap."""
    got = heard(listener)
    assert [frame for frame in said if frame in got] == got, "something came twice, or out of order"
    assert len(got) >= len(said) - lost
    assert got[-1] == said[-1]
    assert longest_gap(listener) < LONGEST_SILENCE
