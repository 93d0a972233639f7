"""REST calls that go wrong, as a test scripts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.rest.call import Reply


@dataclass
class Misbehaviour:
    """What the next ``times`` calls of ``method`` whose path contains ``path_part`` meet.

    They wait ``delay`` seconds. With ``carried_out`` they are done all the same. ``status`` is what they
    are answered with (None: the truth), with ``headers`` if it must be others than a bot of ours meets at
    Discord itself, and with ``cuts`` the connection breaks before the answer. With ``only_files`` it meets
    only those that carry a file.
    """

    method: str
    path_part: str
    status: int | None = None
    body: Any = None
    delay: float = 0.0
    times: int = 1
    carried_out: bool = False
    cuts: bool = False
    headers: Mapping[str, str] | None = None
    only_files: bool = False

    def matches(self, method: str, path: str, *, has_files: bool = False) -> bool:
        """Return whether a call meets it."""
        if self.only_files and not has_files:
            return False
        return self.times > 0 and method == self.method and self.path_part in path

    def reply(self) -> Reply | None:
        """Return the wrong answer, or None for the true one."""
        if self.status is None:
            return None
        if self.headers is not None:
            return Reply(self.body, self.status, dict(self.headers))
        if self.status == 429:
            # Without `Via` discord.py takes it for a ban by Cloudflare and does not try again.
            limited = {"message": "You are being rate limited.", "retry_after": 0.1, "global": False}
            return Reply(self.body or limited, 429, {"Via": "1.1 google", "Retry-After": "1"})
        return Reply(self.body, self.status)


def late(method: str, path_part: str, delay: float, *, times: int = 1) -> Misbehaviour:
    """Return a misbehaviour that does everything right, but ``delay`` seconds late."""
    return Misbehaviour(method, path_part, delay=delay, times=times, carried_out=True)
