"""Offer of a final reply: what it says, and what is left of it after every refusal."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from io import BytesIO
from typing import Any, ClassVar, Final, Protocol

import aiohttp
import discord
from discord.utils import DEFAULT_FILE_SIZE_LIMIT_BYTES

MAX_WORDS: Final = 2_000
"""Characters of a message (Discord's documentation)."""

PASSING: Final = (discord.DiscordServerError, aiohttp.ClientError, OSError)
"""Faults that are worth another try; discord.py lets those of aiohttp through (2.7.1, http.py)."""

MAX_FILE_BYTES: Final = 25 * 1024 * 1024 - 64 * 1024
"""No request may be larger than 25 MiB, whatever a boost or Nitro allows a file (Discord's documentation, API
Reference, Uploading Files); words and buttons take some of it."""

_TOO_LARGE: Final = (40005, 50045)
_BLOCKED: Final = (200000, 240000)
"""Discord's codes for what AutoMod refuses, in a message and anywhere else."""

_AGAIN: Final = "Try again in a minute."
_ASK_MODERATOR: Final = "A moderator can give it to my role."
_NO_FILE: Final = {
    50001: f'I can\'t send the file: I need the permission "View Channel" here. {_ASK_MODERATOR}',
    50013: f'I can\'t send the file: I need the permission "Attach Files" here. {_ASK_MODERATOR}',
    **dict.fromkeys(_BLOCKED, "This server's AutoMod blocked the file. A moderator can allow it."),
}
_NO_WORDS: Final = {
    50001: f'I can\'t answer: I need the permission "View Channel" here. {_ASK_MODERATOR}',
    50013: "I can't answer: I've lost a permission here. A moderator can give it back.",
    **dict.fromkeys(_BLOCKED, "This server's AutoMod blocked my words. A moderator can allow them."),
}


@dataclass(frozen=True, slots=True)
class Upload:
    """File for a reply: its name as people see it, and its bytes."""

    too_large: ClassVar[str] = "The file is too large to send here."
    """Sentence for the member where no place takes it."""

    name: str
    data: bytes

    async def fitting(self, max_bytes: int) -> Upload | None:
        """Return this file if it has at most ``max_bytes``, else None."""
        return self if len(self.data) <= max_bytes else None


class MemoryFile(discord.File):
    """File of ``data`` for one message. When it was sent its bytes are free.

    The buffer of a plain `discord.File` refers to itself after that (2.7.1, file.py, `close`), and its bytes
    stay until the interpreter looks for cycles, which it seldom does while little else is made.
    """

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(BytesIO(data), name)

    def close(self) -> None:
        """Let go of the bytes."""
        super().close()
        self.fp.close()


class Uploadable(Protocol):
    """File that can be made as small as a place asks for."""

    too_large: ClassVar[str]
    """Sentence for the member where it cannot be made so small."""

    async def fitting(self, max_bytes: int) -> Upload | None:
        """Return the file for a place that takes ``max_bytes``, or None.

        It is asked for before every try, and raises what forbids to send it any more.
        """


class Offer:
    """Offer of a final reply to Discord: all of it at first, and less after every refusal."""

    def __init__(
        self,
        content: str,
        upload: Uploadable | None,
        view: discord.ui.View | None,
        because: str,
        quote: str = "",
    ) -> None:
        self._content = content
        self._quote = quote
        self._upload = upload
        self._view = view
        self._because = because
        self._faults: dict[str, None] = {}
        self._said: set[str] = set()
        self.made_for(0, with_view=True)

    def made_for(self, limit: int, *, with_view: bool) -> None:
        """Offer all of it again, in another place with this limit in bytes."""
        self._limit = min(limit, MAX_FILE_BYTES)
        self._with_view = with_view and self._view is not None
        self._with_file = self._upload is not None
        self._with_quote = bool(self._quote)
        self._size = 0
        self._reason = ""
        self._only_reason = False
        self.is_unclear = False
        """Whether one of the tries here may have come through."""

    @property
    def has_file(self) -> bool:
        """Whether there is still a file in it."""
        return self._with_file

    @property
    def says_only_why(self) -> bool:
        """Whether nothing is left of it but the reason why."""
        return self._only_reason

    @property
    def misses_file(self) -> bool:
        """Whether its file was left out."""
        return self._upload is not None and not self._with_file

    @property
    def faults(self) -> str:
        """Faults of all tries, without a word of a member."""
        return "; ".join(self._faults)

    @property
    def words(self) -> str:
        """What the member reads."""
        if self._only_reason:
            return self._reason
        if self._with_file:
            reason = f"{self._because}, so here is the file." if self._because else ""
        else:
            reason = f"{self._because}. {self._reason}" if self._because else self._reason
        quote = self._quote if self._with_quote else ""
        return "\n".join(filter(None, (quote, reason, self._content)))[:MAX_WORDS]

    async def arguments(self, key: str) -> dict[str, Any]:
        """Return the arguments that send it; its file goes by ``key``."""
        file = await self._upload.fitting(self._limit) if self._upload and self._with_file else None
        if self._upload and self._with_file and file is None:
            self._with_file, self._reason = False, self._upload.too_large
        arguments = message_of(self.words)
        self._said.add(self.words.strip())
        if self._with_view:
            arguments["view"] = self._view
        if file is not None:  # a discord.File can be sent only once
            self._size = len(file.data)
            arguments[key] = [MemoryFile(file.data, file.name)]
        return arguments

    def has_said(self, message: discord.Message) -> bool:
        """Return whether this message is the result of one of the tries."""
        return message.content in self._said

    def note(self, fault: object) -> None:
        """Keep a fault for the log."""
        self.is_unclear |= is_passing(fault)
        self._faults[brief(fault)] = None

    def without_file(self, fault: object) -> Offer:
        """Return the same without the file, and with the reason why."""
        fewer = copy(self)
        fewer._with_file, fewer._reason = False, _missing_file_reason(fault)
        return fewer

    def with_file(self) -> Offer:
        """Return the same as it is with the file."""
        more = copy(self)
        more._with_file = True
        return more

    def lessen(self, fault: object) -> bool:
        """Leave out what was most likely refused; return whether anything is left."""
        if self._with_file and _is_too_large(fault) and self._size > DEFAULT_FILE_SIZE_LIMIT_BYTES:
            self._limit = DEFAULT_FILE_SIZE_LIMIT_BYTES
        elif self._with_quote and _code(fault) in _BLOCKED:  # what a member wrote, most likely
            self._with_quote = False
        elif self._upload and self._with_file:
            self._with_file = False
            self._reason = self._upload.too_large if _is_too_large(fault) else _missing_file_reason(fault)
        elif not self._only_reason:
            self._only_reason = True
            self._reason = _NO_WORDS.get(_code(fault), f"Discord rejected my answer. {_AGAIN}")
        elif self._with_view:
            self._with_view = False
        else:
            return False
        return True


def message_of(content: str) -> dict[str, Any]:
    """Return the arguments for a message of these words that pings nobody."""
    return {"content": content, "allowed_mentions": discord.AllowedMentions.none()}


def _missing_file_reason(fault: object) -> str:
    if is_passing(fault):
        return f"The connection to Discord broke, so the file is missing. {_AGAIN}"
    return _NO_FILE.get(_code(fault), f"Discord rejected the file. {_AGAIN}")


def _code(fault: object) -> int:
    return fault.code if isinstance(fault, discord.HTTPException) else 0


def brief(fault: object) -> str:
    """Return what a log may say of a fault: Discord's own text can hold what was refused."""
    if isinstance(fault, discord.HTTPException):
        return f"status {fault.status}, code {fault.code}"
    return type(fault).__name__


def is_passing(fault: object) -> bool:
    """Return whether a fault may pass: the same may be taken in a moment, or has come through already."""
    is_limited = isinstance(fault, discord.HTTPException) and fault.status == 429
    return is_limited or isinstance(fault, PASSING)


def _is_too_large(fault: object) -> bool:
    return isinstance(fault, discord.HTTPException) and (fault.status == 413 or fault.code in _TOO_LARGE)
