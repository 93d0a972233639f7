"""Saved voices in the scene, without the commands that save them."""

from __future__ import annotations

from typing import Any

from bot.library.voice import Kind, NewVoice, Scope, Sharing, Voice
from rehearsal.people import Person
from rehearsal.recordings import RECORDINGS
from tests.scenes import Scene

WAV = RECORDINGS[1].path.read_bytes()


async def designed(scene: Scene, owner: Person, name: str, **more: Any) -> Voice:
    """Let ``owner`` have a designed voice that everybody here may use."""
    more = {"sharing": Sharing.SERVER, "transcript": "Hello", **more}
    recording = await scene.bot.library.recordings.keep(WAV)
    new = NewVoice(name, Kind.DESIGNED, recording, 4.0, **more)
    return await scene.bot.library.voices.save(Scope(scene.guild.id, owner.id), new)


async def cloned(scene: Scene, speaker: Person, name: str, **more: Any) -> Voice:
    """Let ``speaker`` have their own cloned voice, which everybody here may use."""
    await scene.let_clone()
    library = scene.bot.library
    scope = Scope(scene.guild.id, speaker.id)
    more = {"sharing": Sharing.SERVER, **more}
    new = NewVoice(
        name,
        Kind.CLONED,
        await library.recordings.keep(WAV),
        4.0,
        speaker_id=speaker.id,
        consent_id=await library.consents.attest(scope),
        **more,
    )
    return await library.voices.save(scope, new)


async def chosen(scene: Scene, voice: Voice, *people: Person) -> None:
    """Let ``people`` speak with ``voice`` when they name none."""
    for person in people:
        await scene.bot.library.voices.choose(Scope(scene.guild.id, person.id), voice.id)
