"""The nouns that travel between the parts: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, Generic, Protocol, TypeVar

V = TypeVar("V")

FRAME_SECONDS: Final = 0.02
"""How long a frame of Opus lasts."""


@dataclass(frozen=True, slots=True)
class ReferenceAudio:
    """The recording a voice is cloned from: a public address, and what is said in it if known.

    With ``wav`` it is the recording itself, for a TTS gateway that takes it without an address; ``url`` is
    then only a name for it.
    """

    url: str = field(repr=False)  # a signed CDN address opens the recording for anyone who reads it
    transcript: str | None = None
    wav: bytes | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SpokenVoice:
    """A voice to speak with. ``recording`` is the SHA-256 of its recording in hexadecimal digits,

    ``transcript`` what is said there if known. Where the recording can be fetched changes; see `VoiceAccess`.
    A likeness, which is not saved, has no ``recording`` of ours but the ``url`` of a member's.
    ``speaker_id`` is whose voice it is; None: nobody's. ``kind`` says for the log where it comes from.
    """

    id: str
    name: str
    recording: str = field(repr=False)
    transcript: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)  # signed: it opens for anyone who reads it
    speaker_id: int | None = None
    kind: str = field(default="likeness", compare=False)


class RecordingPlace(Enum):
    """Where the TTS gateway gets the recording of a saved voice from; never a channel that members read."""

    THIS_MACHINE = "this machine"  # our own TTS gateway takes it from us: nothing is posted
    STORAGE_CHANNEL = "storage channel"
    OWNER = "owner"  # a direct message to whoever owns the application


class VoiceAccess(Protocol):
    """Access to saved voices and likenesses in one place; asked only when they are heard."""

    async def permission_error(self, voice: SpokenVoice) -> str | None:
        """Return why it may not speak now, as a sentence for the member; None: it may.

        It is asked in front of every call of the TTS gateway, and before speech made earlier is given.
        """

    async def reference(self, voice: SpokenVoice) -> ReferenceAudio:
        """Return the recording of a saved voice for the TTS gateway.

        Raises `MemberError` rather than publish the recording of a voice that may not speak any more.
        """

    async def renew(self, voice: SpokenVoice) -> ReferenceAudio:
        """Return its recording at a new address, after the TTS gateway could not use the one before.

        Raises `MemberError` as `reference` does.
        """


@dataclass(frozen=True, slots=True)
class Allowance:
    """Allowance of a member by a server's rules: ``seconds`` of new speech a day; None: without a limit.

    A day begins at midnight in ``zone``. ``long_day`` is the one day, with its end, that is longer because
    moderators have chosen another zone in it: no choice of theirs begins a day early.
    """

    seconds: int | None = None
    zone: str = "UTC"
    long_day: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """Asker of something to be said, and who pays for it: ``account`` is the server,

    or the member where there is none.
    """

    member_id: int
    account: int
    allowance: Allowance = Allowance()


@dataclass(frozen=True)  # with slots, Python 3.11 cannot make a Line[...] of it
class Line(Generic[V]):
    """What one voice says in a dialogue. ``voice`` None: nobody is named, it is the voice of the request."""

    voice: V | None
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What to say, and how.

    ``guidance`` is `cfg_value`, ``steps`` is `dit_steps`; both only count without a reference. ``fresh`` asks
    for a new generation although there may be one from before. ``voice`` is used instead of ``reference``.
    ``tempo`` is how much faster it is heard than it was made, its pitch unchanged: what members call speed.
    With ``lines`` it is a dialogue: they are what is said, and ``text`` only tells people what it is.
    """

    text: str
    style: str | None = None
    guidance: float | None = None
    steps: int | None = None
    reference: ReferenceAudio | None = None
    fresh: bool = False
    voice: SpokenVoice | None = None
    lines: tuple[Line[SpokenVoice], ...] = ()
    tempo: float = 1.0

    @property
    def voice_kind(self) -> str:
        """A word for who speaks, for the log: see `bot.metrics.VOICE_KINDS`."""
        if len({line.voice for line in self.lines}) > 1:
            return "several"
        if self.voices:
            return self.voices[0].kind
        return "none" if self.reference is None else "recording"

    @property
    def voices(self) -> tuple[SpokenVoice, ...]:
        """The voices that need leave to speak in it, each once, in the order of their first words."""
        if not self.lines:
            return () if self.voice is None else (self.voice,)
        spoken = (line.voice or self.voice for line in self.lines)
        return tuple({voice.id: voice for voice in spoken if voice is not None}.values())


class Stage(Enum):
    """How far the making of speech has come."""

    WAITING = "waiting"  # for a free place at the TTS gateway, or between two tries
    MAKING = "making"
    FETCHING = "fetching"
    PREPARING = "preparing"


@dataclass(frozen=True, slots=True)
class Parts:
    """How many parts of a long text are made, and about how many there will be."""

    made: int
    of: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress in the making of speech, at one moment. ``fraction`` (0..1) is known only while fetching.

    ``parts`` is known for texts of more than one.
    ``generation`` is which of several it is, where a member asked for more than one.
    """

    stage: Stage
    fraction: float | None = None
    parts: Parts | None = None
    generation: Parts | None = None


class HasProgress(Protocol):
    """Work under way that says how far it is when it is asked."""

    @property
    def progress(self) -> Progress:
        """How far it is now."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Finished speech: its Opus frames of 20 ms, as it is played.

    ``rest_is_missing``: it breaks off between two parts of its text, because the next could not be made;
    ``why`` is a sentence for the member where there is more to say of it.
    ``is_preview``: the preview voice stood in for what should have made it, or a part of it.
    ``sound`` stands for its samples, which the `Maker` has and nobody else looks into; None if there is no
    more of it than the frames.
    """

    frames: tuple[bytes, ...] = field(repr=False)
    rest_is_missing: bool = False
    sound: object = field(default=None, repr=False, compare=False)
    why: str = field(default="", compare=False)
    is_preview: bool = False

    @property
    def seconds(self) -> float:
        """Return the length in seconds."""
        return len(self.frames) * FRAME_SECONDS


@dataclass(frozen=True, slots=True)
class Shards:
    """Some of the ``count`` shards of the bot: a share of its servers (Discord's documentation, Sharding)."""

    ids: frozenset[int] = frozenset({0})
    count: int = 1

    def hold(self, guild_id: int) -> bool:
        """Return whether what happens in this server comes to one of them."""
        return (guild_id >> 22) % self.count in self.ids


class Destination(Enum):
    """Where an answer goes: a file in the conversation, the voice channel, both, or a voice message."""

    HERE = "here"
    VOICE_CHANNEL = "voice channel"
    BOTH = "both"
    VOICE_MESSAGE = "voice message"
