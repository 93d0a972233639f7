"""A tab, as the room knows it."""

from __future__ import annotations

from typing import Protocol

from rehearsal.people import Person
from rehearsal.room.attempts import Attempt
from rehearsal.room.trace import Entry


class Watcher(Protocol):
    """A tab, as the room knows it."""

    person: Person

    def look(self) -> None:
        """Send what has changed."""

    def hear(self, sound: bytes) -> None:
        """Send sound, if this tab listens."""

    def attempt(self, attempt: Attempt) -> None:
        """Send how something asked is getting on."""

    def entry(self, entry: Entry) -> None:
        """Send what has passed between Discord and the bot."""
