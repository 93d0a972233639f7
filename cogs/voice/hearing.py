"""The recording of a voice, for those who may hear it."""

from __future__ import annotations

from bot.answer import Upload
from bot.library.library import Library
from bot.library.rights import may_use
from bot.library.scope import Scope
from bot.library.voices import Voice
from bot.text.style import file_stem

_NOT_SHARED = "Its owner has not shared this voice with you, so you cannot hear its recording."


def may_hear(scope: Scope, voice: Voice) -> bool:
    """Return whether this member may hear the recording: who may use the voice, and who is heard in it.

    A moderator who looks after somebody's private voice has no need to hear it.
    """
    return may_use(scope, voice) or voice.speaker_id == scope.member_id


async def why_not_hear(library: Library, scope: Scope, voice: Voice) -> str | None:
    """Return why this member may not hear the recording now, as a sentence, or None.

    A voice that must be silent is silent here too, but for its owner and for who is heard in it.
    """
    if not may_hear(scope, voice):
        return _NOT_SHARED
    if scope.member_id in (voice.owner_id, voice.speaker_id):
        return None
    return await library.consents.may_speak(voice, scope.guild_id)


async def preview(library: Library, voice: Voice) -> Upload:
    """Return the recording as a file. Raises `LibraryError`."""
    return Upload(f"{file_stem(voice.name)}.wav", await library.recordings.read(voice.recording))
