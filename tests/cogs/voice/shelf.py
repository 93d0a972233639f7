"""Voices on the shelf of a scene, put there without anybody typing."""

from __future__ import annotations

from bot.library.voice import Kind, NewVoice, Scope, Sharing, Voice
from rehearsal.answers import Answer, AnswerState
from rehearsal.cdn import SentFile
from rehearsal.people import Person
from rehearsal.permissions import Permission
from rehearsal.recordings import RECORDINGS
from rehearsal.records import Channel
from tests.scenes import PATIENCE, Scene

SISTER = RECORDINGS[1]
WAV = SISTER.path.read_bytes()

_ANSWERED = (AnswerState.REPLIED, AnswerState.FAILED)


def sent() -> SentFile:
    """Return a recording to upload."""
    return SentFile(SISTER.path.name, WAV)


def make_moderator(scene: Scene, person: Person) -> None:
    """Let ``person`` manage the server."""
    scene.guild.add_role("Moderators", Permission.MANAGE_GUILD, person)


async def designed(
    scene: Scene, name: str, owner: Person, *, sharing: Sharing = Sharing.ME, guild_id: int | None = None
) -> Voice:
    """Save a designed voice of ``owner`` and return it."""
    recording = await scene.bot.library.recordings.keep(WAV)
    new = NewVoice(name, Kind.DESIGNED, recording, 4.0, transcript="Hello", sharing=sharing)
    return await scene.bot.library.voices.save(Scope(guild_id or scene.guild.id, owner.id), new)


async def cloned(
    scene: Scene, name: str, owner: Person, speaker: Person | None = None, *, sharing: Sharing = Sharing.ME
) -> Voice:
    """Save a voice of ``owner`` that may speak, of their own or of who has agreed, and return it."""
    library = scene.bot.library
    scope = Scope(scene.guild.id, owner.id)
    recording = await library.recordings.keep(WAV)
    heard = speaker or owner
    if heard is owner:
        consent_id = await library.consents.attest(scope)
    else:
        asked = await library.consents.ask(scope, heard.id, recording=recording, name=name, sharing=sharing)
        await library.consents.answer(asked.id, heard.id, True)
        consent_id = asked.id
    new = NewVoice(
        name,
        Kind.CLONED,
        recording,
        4.0,
        speaker_id=heard.id,
        consent_id=consent_id,
        sharing=sharing,
    )
    return await library.voices.save(scope, new)


async def typed(who: Person, channel: Channel, command: str, /, **options: object) -> Answer:
    """Type a command and return its final answer, which nobody else sees."""
    answer = await who.slash(channel, command, **options)
    await answer.until(lambda shown: shown.state in _ANSWERED, timeout=PATIENCE)
    assert answer.failure is None, answer.failure
    assert answer.ephemeral
    return answer
