"""Messages, as Discord keeps them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from rehearsal.changes import Changes
from rehearsal.files import StoredFile
from rehearsal.rules.components import BUTTON, SELECTS, walk
from rehearsal.users import User
from rehearsal.wire import COMPONENTS_V2, EPHEMERAL, LOADING, SUPPRESS_NOTIFICATIONS, VOICE_MESSAGE, Json


@dataclass(eq=False)
class Message:
    """One message. ``seen_by`` is the only person who sees it when it is ephemeral."""

    id: int
    channel_id: int
    author: User
    guild_id: int | None = None
    content: str = ""
    files: list[StoredFile] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    flags: int = 0
    edited_at: datetime.datetime | None = None
    pinged: set[int] = field(default_factory=set)
    pings_everyone: bool = False
    nonce: str | None = None
    seen_by: int | None = None
    interaction: Json | None = None
    reference: Json | None = None
    deleted: bool = False
    allowed_mentions: Json | None = None
    changes: Changes = field(default_factory=Changes, repr=False)

    @property
    def ephemeral(self) -> bool:
        """Return whether only one person sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def thinking(self) -> bool:
        """Return whether Discord shows "is thinking..." in its place."""
        return bool(self.flags & LOADING)

    @property
    def voice_message(self) -> bool:
        """Return whether it is shown as a voice message."""
        return bool(self.flags & VOICE_MESSAGE)

    @property
    def silent(self) -> bool:
        """Return whether nobody is notified of it."""
        return bool(self.flags & SUPPRESS_NOTIFICATIONS)

    @property
    def components_v2(self) -> bool:
        """Return whether it consists of components only."""
        return bool(self.flags & COMPONENTS_V2)

    @property
    def buttons(self) -> list[str]:
        """Return the labels of the buttons that can be pressed; the emoji of one without a label."""
        found = [c for c in walk(self.components) if c.get("type") == BUTTON and not c.get("disabled")]
        return [button.get("label") or str(button.get("emoji")) for button in found]

    @property
    def menus(self) -> dict[str, list[str]]:
        """Return the labels of the choices of each select menu, by its placeholder or custom id."""
        found = [c for c in walk(self.components) if c.get("type") in SELECTS and not c.get("disabled")]
        return {
            menu.get("placeholder") or menu["custom_id"]: [o["label"] for o in menu.get("options") or []]
            for menu in found
        }

    def mark_edited(self) -> None:
        """Note the time of an edit and tell who watches."""
        self.edited_at = datetime.datetime.now(datetime.UTC)
        self.changes.notify()

    def mark_deleted(self) -> None:
        """Note that it is gone and tell who watches."""
        self.deleted = True
        self.changes.notify()
