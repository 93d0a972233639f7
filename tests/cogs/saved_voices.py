"""Saved voices in the scene, without the commands that save them."""

from __future__ import annotations

from typing import Any

from bot.library.voice import Kind, NewVoice, Scope, Sharing, Voice
from rehearsal.cdn import SentFile
from rehearsal.people import Person
from rehearsal.recordings import RECORDINGS
from tests.scenes import Scene

SISTER = RECORDINGS[1]
WAV = SISTER.path.read_bytes()


def sent() -> SentFile:
    """Return a recording to upload."""
    return SentFile(SISTER.path.name, WAV)


async def designed(
    scene: Scene,
    owner: Person,
    name: str,
    *,
    sharing: Sharing = Sharing.SERVER,
    guild_id: int | None = None,
    **more: Any,
) -> Voice:
    """Let ``owner`` have a designed voice that everybody here may use."""
    recording = await scene.bot.library.recordings.keep(WAV)
    more = {"transcript": "Hello", "sharing": sharing, **more}
    new = NewVoice(name, Kind.DESIGNED, recording, 4.0, **more)
    return await scene.bot.library.voices.save(Scope(guild_id or scene.guild.id, owner.id), new)


async def cloned(
    scene: Scene,
    owner: Person,
    name: str,
    speaker: Person | None = None,
    *,
    sharing: Sharing = Sharing.SERVER,
    **more: Any,
) -> Voice:
    """Let ``owner`` have a cloned voice that everybody here may use: their own, or of who has agreed."""
    await scene.let_clone()
    library = scene.bot.library
    scope = Scope(scene.guild.id, owner.id)
    recording = await library.recordings.keep(WAV)
    if speaker is None:
        consent_id = await library.consents.attest(scope)
    else:
        asked = await library.consents.ask(scope, speaker.id, recording=recording, name=name, sharing=sharing)
        await library.consents.answer(asked.id, speaker.id, True)
        consent_id = asked.id
    speaker_id = (speaker or owner).id
    more = {"speaker_id": speaker_id, "consent_id": consent_id, "sharing": sharing, **more}
    return await library.voices.save(scope, NewVoice(name, Kind.CLONED, recording, 4.0, **more))


async def chosen(scene: Scene, voice: Voice, *people: Person) -> None:
    """Let ``people`` speak with ``voice`` when they name none."""
    for person in people:
        await scene.bot.library.voices.choose(Scope(scene.guild.id, person.id), voice.id)


async def known_to(scene: Scene, person: Person) -> list[str]:
    """Return the names of the saved voices that somebody may know of here."""
    found = await scene.bot.library.voices.complete(Scope(scene.guild.id, person.id), "", to_manage=True)
    return [voice.name for voice in found]
