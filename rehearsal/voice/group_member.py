"""Someone who takes part in the end-to-end encryption of a call: the bot, or a human."""

from __future__ import annotations

from typing import Protocol


class GroupMember(Protocol):
    """Someone with end-to-end encryption, as the voice server reaches them. Nothing here may wait."""

    @property
    def user_id(self) -> int:
        """Return whose encryption this is."""

    def set_external_sender(self, package: bytes) -> None:
        """Learn who may propose (25); a key package is due."""

    def consider(self, proposals: bytes) -> None:
        """Learn of proposals (27); a commit is due, but not before this returns."""

    def apply_commit(self, transition_id: int, commit: bytes) -> None:
        """Learn which commit counts (29); readiness is due."""

    def enter(self, transition_id: int, welcome: bytes) -> None:
        """Be let into the group (30); readiness is due."""

    def start_over(self) -> None:
        """Make a new group of one (24 with epoch 1, and 21 with id 0); a key package is due."""

    def execute(self, transition_id: int) -> None:
        """Send with the keys of this transition from now on (22)."""
