"""A voice: its name, what it is made of, who asks for it in which scope, and who may do what with it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Generic, TypeVar
from unicodedata import category, normalize

from bot.errors import MemberError
from bot.limits import MAX_VOICE_NAME_GRAPHEMES
from bot.text.characters import appearances, count_characters, has_words

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Scope:
    """A member in a server. Outside servers it is a shelf of one's own, see `Scope.alone`."""

    guild_id: int
    member_id: int
    role_ids: frozenset[int] = frozenset()
    is_moderator: bool = False

    @classmethod
    def alone(cls, member_id: int) -> Scope:
        """Return the scope of somebody outside servers: their own shelf, and all rights on it."""
        return cls(guild_id=member_id, member_id=member_id, is_moderator=True)

    @property
    def is_private(self) -> bool:
        """Whether this is somebody's own shelf, not a server."""
        return self.guild_id == self.member_id


_MAX_CODE_POINTS: Final = 4 * MAX_VOICE_NAME_GRAPHEMES
"""So that no name hides its weight in marks; flags and families of emoji have up to 11 each."""

_MAX_TYPED: Final = 4 * _MAX_CODE_POINTS
"""With marks written apart from their letters and blanks around it; of what is longer nothing is read."""

_NO_KEY: Final = "\n"  # in no name

NO_VOICE: Final = "none"
"""What members type who mean no voice."""

_MARKUP: Final = re.compile(r"[*_~`|<>@#\\/\[\]{}:：\"]|^[-+>#]|^\d+[.)]")
_HIDDEN: Final = ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
_TOO_LONG: Final = f"That name is too long. Use at most {MAX_VOICE_NAME_GRAPHEMES} characters."
_JOINERS: Final = "\u200c\u200d"  # they shape words in some scripts, and hold an emoji together
_UNSEEN: Final = dict.fromkeys(map(ord, (*_JOINERS, "\ufe0e", "\ufe0f")))


def check_name(text: str) -> str:
    """Return the name as it is shown: one spelling, one blank between words.

    Raises `MemberError` with the sentence for what cannot be a name.
    """
    if len(text) > _MAX_TYPED:
        raise MemberError(_TOO_LONG)
    name = " ".join(normalize("NFC", text).split())
    if not has_words(name):
        raise MemberError("A voice needs a name with at least one letter or digit. Try another one.")
    if count_characters(name) > MAX_VOICE_NAME_GRAPHEMES or len(name) > _MAX_CODE_POINTS:
        raise MemberError(_TOO_LONG)
    if NO_VOICE in appearances(name):
        raise MemberError("That word means no voice at all, so it can't be a name. Choose another one.")
    if _MARKUP.search(name) or any(_is_hidden(character) for character in name):
        raise MemberError("That name has characters I can't use. Use letters, digits, spaces and emoji.")
    return name


def name_key(name: str) -> str:
    """Return what is the same for names that people take for the same: ``ALICE``, ``alice``, ``Ａlice``.

    For a text that is too long for any name, what is the same as and part of no name's.
    """
    if len(name) > _MAX_TYPED:
        return _NO_KEY
    seen = name.translate(_UNSEEN)
    return " ".join(normalize("NFKC", normalize("NFKC", seen).casefold()).split())


def _is_hidden(character: str) -> bool:
    kind = category(character)
    return kind in _HIDDEN or (kind == "Cf" and character not in _JOINERS)


NOBODY: Final = 0
"""The owner of what no member owns: starters, and default voices of earlier editions."""

NO_GUILD: Final = 0
"""The server of what every server has."""


class Kind(Enum):
    """Where a voice comes from: somebody's recording, a description, or us; see `bot.library.starters`.

    Earlier editions made the first take of a server its ``DEFAULT`` voice; moderators look after those.
    """

    CLONED = "cloned"
    DESIGNED = "designed"
    DEFAULT = "cast"
    STARTER = "starter"


class Sharing(Enum):
    """Who may use a voice: its owner alone, members by name, a role, or the whole server."""

    ME = "me"
    MEMBERS = "members"
    ROLE = "role"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A saved voice. ``recording`` is the SHA-256 of our copy, ``seconds`` its length.

    ``speaker_id`` is whose voice it is, None for a cloned one if nobody knows; designed and default voices
    have no speaker and no ``consent_id``. A starter has no recording here: each TTS gateway has its own.
    """

    id: str
    guild_id: int
    name: str
    owner_id: int
    speaker_id: int | None
    kind: Kind
    recording: str
    seconds: float
    transcript: str | None = field(default=None, repr=False)
    description: str | None = field(default=None, repr=False)
    sharing: Sharing = Sharing.ME
    role_id: int | None = None
    member_ids: frozenset[int] = frozenset()
    uses: int = 0
    created_at: datetime
    last_used_at: datetime | None = None
    is_frozen: bool = False
    consent_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewVoice:
    """What `Voices.save` needs. Shared with nobody unless it says so."""

    name: str
    kind: Kind
    recording: str
    seconds: float
    transcript: str | None = field(default=None, repr=False)
    description: str | None = field(default=None, repr=False)
    speaker_id: int | None = None
    consent_id: str | None = None
    sharing: Sharing = Sharing.ME
    role_id: int | None = None
    member_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class VoiceName:
    """A voice as completion shows it; a starter also with a ``word`` about it."""

    id: str
    name: str
    word: str = ""


Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Page(Generic[Entry]):
    """One page of ``entries``. ``number`` counts from 0; there is always at least one page."""

    entries: tuple[Entry, ...]
    number: int
    pages: int
    total: int


def new_id() -> str:
    """Return 128 random bits in 22 characters that may stand in an address or a button."""
    return secrets.token_urlsafe(16)


def is_for_all_guilds(voice: Voice) -> bool:
    """Return whether every server has the voice: a starter, which is no member's and no member's voice."""
    return voice.guild_id == NO_GUILD and voice.kind is Kind.STARTER


def may_use(scope: Scope, voice: Voice) -> bool:
    """Return whether this member may speak with the voice here; whether its speaker agrees is not asked."""
    if is_for_all_guilds(voice):
        return True
    if voice.guild_id != scope.guild_id:
        return False
    if voice.owner_id == scope.member_id or voice.sharing is Sharing.SERVER:
        return True
    if voice.sharing is Sharing.ROLE:
        return voice.role_id in scope.role_ids
    return voice.sharing is Sharing.MEMBERS and scope.member_id in voice.member_ids


def is_usable(scope: Scope, voice: Voice) -> bool:
    """Return whether the member may speak with this voice now, as far as sharing and moderators go."""
    return may_use(scope, voice) and not voice.is_frozen


def may_change(scope: Scope, voice: Voice) -> bool:
    """Return whether this member looks after the voice: its owner, a moderator."""
    return voice.guild_id == scope.guild_id and (voice.owner_id == scope.member_id or scope.is_moderator)


def may_hear(scope: Scope, voice: Voice) -> bool:
    """Return whether this member may hear the recording and read what is said in it.

    Who may use the voice, and who is heard in it. A moderator who looks after somebody's private voice has no
    need to.
    """
    return may_use(scope, voice) or (voice.guild_id == scope.guild_id and voice.speaker_id == scope.member_id)


def may_transcribe(scope: Scope, voice: Voice) -> bool:
    """Return whether this member may write down what is said in the recording: who may change and hear it."""
    return may_change(scope, voice) and may_hear(scope, voice)


def may_rename(scope: Scope, voice: Voice) -> bool:
    """Return whether this member may give the voice another name.

    The name of somebody else's voice stands beside everything it says, and its speaker has agreed to it: only
    they, and moderators, may choose another, and its owner may not, moderator or not.
    """
    if voice.guild_id != scope.guild_id:
        return False
    if voice.kind is Kind.CLONED and voice.speaker_id != voice.owner_id:
        is_owner = voice.owner_id == scope.member_id
        return voice.speaker_id == scope.member_id or (scope.is_moderator and not is_owner)
    return may_change(scope, voice)


def may_delete(scope: Scope, voice: Voice) -> bool:
    """Return whether this member may delete the voice: also the one who is heard in it."""
    here = voice.guild_id == scope.guild_id
    return here and (voice.speaker_id == scope.member_id or may_change(scope, voice))


def may_know(scope: Scope, voice: Voice) -> bool:
    """Return whether this member may know that the voice is there."""
    return may_use(scope, voice) or may_delete(scope, voice)


def may_share(scope: Scope, voice: Voice) -> bool:
    """Return whether this member may say who uses it: its owner; of one that nobody owns, moderators."""
    if voice.guild_id != scope.guild_id:
        return False
    return voice.owner_id == scope.member_id or (voice.owner_id == NOBODY and scope.is_moderator)
