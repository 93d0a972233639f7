"""What an engine is to the server in front of it, how it says no, and what it says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class EngineError(Exception):
    """The engine failed. The caller of the TTS gateway gets a 500; this text goes to the log only."""


class TextRefused(EngineError):  # noqa: N818 - reads as what happened
    """This text cannot be spoken. The text of the error is what the caller reads in a 400."""


class ReferenceRefused(EngineError):  # noqa: N818 - reads as what happened
    """This recording cannot be imitated. The text of the error is what the caller reads in a 400."""


class NotOffered(TextRefused):
    """This engine does not do that: a language, or cloning. The preview may stand in for it."""


class EngineBusy(EngineError):  # noqa: N818 - reads as what happened
    """Nobody behind the engine has a free place now. The caller gets a 429."""


class EngineMissing(Exception):  # noqa: N818 - reads as what happened
    """An engine cannot be started. The text of the error is one line that says how to mend it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineDescription:
    """Engine in words, as `/health` shows it.

    ``languages`` are those it speaks, ``cloning`` those it clones voices in, as ISO 639 codes; ``*``: any.
    ``places`` is how many texts it makes at once. ``credit`` names models, makers and licences.
    """

    engine: str
    model: str = ""
    revision: str = ""
    languages: tuple[str, ...] = ("*",)
    cloning: tuple[str, ...] = ("*",)
    places: int = 2
    credit: str = ""


class Engine(Protocol):
    """Makes sound from text. Every sound is a WAV: 48 kHz, mono, 16-bit.

    The server bounds how many calls are under way at once, and cancels a call whose caller has gone.
    Errors: `TextRefused`, `ReferenceRefused`, or any other `EngineError`. Their texts hold neither
    what is to be said nor an address.
    """

    async def speak(self, text: str, *, cfg_value: float, dit_steps: int) -> bytes:
        """Return ``text`` as a WAV, in a voice of the engine's choice.

        A description in brackets in front of the text says how it shall sound: `(an old man)Hello`.
        """
        ...

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None) -> bytes:
        """Return ``text`` as a WAV that sounds like ``reference``.

        ``reference`` is an audio file as it was fetched: any format, any content, not checked yet.
        ``prompt_text`` is what is said in it, if the caller knows.
        """
        ...

    async def aclose(self) -> None:
        """Give back what the engine holds; no call is made after it."""
        ...
