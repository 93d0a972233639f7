"""What can be made to go wrong, as switches and buttons of the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rehearsal.wire import Json

Turn = Callable[[object], Awaitable[str]]


@dataclass(frozen=True)
class Switch:
    """One thing to do to the bot. ``kind``: "toggle" (on or off), "choice" (of ``options``), "action".

    ``turn`` carries it out with the new value and returns what to tell; ``value`` is how it stands.
    ``options`` are (value, label) pairs. ``why_not`` is the reason why it cannot be used just now.
    """

    name: str
    group: str
    label: str
    about: str
    kind: str
    turn: Turn
    value: Callable[[], object] = lambda: None
    options: Callable[[], Sequence[tuple[str, str]]] = lambda: ()
    why_not: Callable[[], str | None] = lambda: None

    def payload(self) -> Json:
        """Return what the page shows of it."""
        return {
            "name": self.name,
            "group": self.group,
            "label": self.label,
            "about": self.about,
            "kind": self.kind,
            "value": self.value(),
            "options": [{"value": value, "label": label} for value, label in self.options()],
            "why_not": self.why_not(),
        }
