"""Frames that can be told apart, and waiting with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from bot.playback.player import GuildPlayer
from bot.playback.queue import SILENCE, Utterance

T = TypeVar("T")

DEADLINE = 20.0
"""Seconds within which everything awaited here has happened on the slowest machine."""


def frames(name: str, count: int = 3) -> list[bytes]:
    """Return ``count`` frames that say which they are."""
    return [f"{name} {number}".encode() for number in range(count)]


def speech(heard: Sequence[bytes]) -> list[bytes]:
    """Return what was ``heard`` without the silence."""
    return [frame for frame in heard if frame != SILENCE]


def say(player: GuildPlayer, name: str, *, member_id: int = 1, count: int = 3) -> Utterance:
    """Reserve a place and supply it at once."""
    utterance = player.reserve(member_id=member_id, title=name)
    utterance.supply(frames(name, count))
    return utterance


async def soon(awaitable: Awaitable[T]) -> T:
    """Return what ``awaitable`` gives, or fail."""
    return await asyncio.wait_for(awaitable, DEADLINE)


class MendLog:
    """Stands for what replaces connections: notes that it was asked to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def __call__(self, player: GuildPlayer) -> None:
        self.asked.set()
