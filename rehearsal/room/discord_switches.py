"""Switches for Discord itself, and for the bot's process: late answers, lost connections, a restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from rehearsal.rest.misbehaviour import Misbehaviour, late
from rehearsal.room.switches import Switch
from rehearsal.server import Rehearsal

_GROUP: Final = "The connection suffers"
_LATE_SECONDS: Final = 2.0
_ALWAYS: Final = 1_000_000


class DiscordSwitches:
    """``restart`` ends the bot and starts another; None where nobody can."""

    def __init__(self, rehearsal: Rehearsal, restart: Callable[[], Awaitable[None]] | None) -> None:
        self._rehearsal = rehearsal
        self._restart = restart
        self._late: list[Misbehaviour] = []

    def all(self) -> list[Switch]:
        """Return them in the order of the page."""
        return [
            Switch("drop", _GROUP, "Cut the connection", "The main websocket breaks; the bot may resume.",
                   "action", self._drop),
            Switch("invalidate", _GROUP, "End the session",
                   "Discord forgets the session (op 9): the bot logs in anew, and falls out of voice.",
                   "action", self._invalidate),
            Switch("late", _GROUP, "Make Discord slow", f"Every REST call takes {_LATE_SECONDS:g} s longer.",
                   "toggle", self._slow, lambda: bool(self._late)),
            Switch("expire", _GROUP, "Let the addresses of files expire",
                   "As after a day: who kept an address must fetch its message again.", "action",
                   self._expire),
            Switch("restart", _GROUP, "Restart Myna", "Shut the bot down in order and start it again.",
                   "action", self._start_again, why_not=self._why_no_restart),
        ]  # fmt: skip

    async def _drop(self, _value: object) -> str:
        await self._rehearsal.main_socket.drop()
        return "The main websocket was cut."

    async def _invalidate(self, _value: object) -> str:
        await self._rehearsal.main_socket.invalidate()
        return "The session was ended."

    async def _slow(self, value: object) -> str:
        misbehaviours = self._rehearsal.router.misbehaviours
        for misbehaviour in self._late:
            misbehaviours.remove(misbehaviour)
        self._late = [late(m, "/", _LATE_SECONDS, times=_ALWAYS) for m in _METHODS] if value else []
        misbehaviours.extend(self._late)
        return "Discord is slow." if value else "Discord is as quick as before."

    async def _expire(self, _value: object) -> str:
        self._rehearsal.cdn.expire_addresses()
        return "Every address of a file that was given out so far has expired."

    async def _start_again(self, _value: object) -> str:
        if self._restart is not None:
            await self._restart()
        return "Myna has been restarted."

    def _why_no_restart(self) -> str | None:
        return None if self._restart else "This bot was not started by the room."


_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
