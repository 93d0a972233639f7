"""Every command, typed by everybody, about voices of another server, unshared ones, and none at all."""

from __future__ import annotations

import pytest

from bot.library.voice import Kind, NewVoice, Scope, Sharing, Voice
from bot.library.voices import NO_SUCH_VOICE
from rehearsal.people import Person
from tests.cogs.saved_voices import WAV, cloned, designed
from tests.scenes import Scene, words_of

COMMANDS: dict[str, dict[str, object]] = {
    "voice list": {},
    "voice choose": {},
    "myna voice": {},
    "voice share": {"share_with": "everyone here"},
    "voice edit": {},
    "voice delete": {},
    "voice export": {},
    "myna audit": {},
}
ROLES = ("owner", "member", "moderator", "speaker")


def commands_of(role: str) -> dict[str, dict[str, object]]:
    """Return the commands that Discord shows to this role."""
    return {name: more for name, more in COMMANDS.items() if role == "moderator" or "myna" not in name}


class Town:
    """Two servers with the same people in them; what each of them may not know of in the first."""

    def __init__(self, scene: Scene) -> None:
        world = scene.rehearsal.world
        self.scene = scene
        self.rookery = world.add_guild("The Rookery")
        self.people = {"owner": scene.alice, "member": scene.bob}
        for role in ("moderator", "speaker"):
            self.people[role] = world.add_person(role.title())
            scene.guild.add_member(self.people[role])
        for person in self.people.values():
            self.rookery.add_member(person)
        scene.make_moderator(self.people["moderator"])

    async def fill(self) -> None:
        """Save a private voice, one in which the speaker is heard, and one in the other server."""
        owner, speaker = self.people["owner"], self.people["speaker"]
        await self.scene.let_clone()
        self.private = await designed(self.scene, owner, "Private", sharing=Sharing.ME)
        self.heard = await cloned(self.scene, owner, "Heard", speaker, sharing=Sharing.ME)
        self.foreign = await self._foreign(owner, speaker)

    async def _foreign(self, owner: Person, speaker: Person) -> Voice:
        library = self.scene.bot.library
        recording = await library.recordings.keep(WAV)
        new = NewVoice(
            *("Foreign", Kind.CLONED, recording, 4.0),
            speaker_id=speaker.id,
            sharing=Sharing.SERVER,
        )
        return await library.voices.save(Scope(self.rookery.id, owner.id), new)

    def hidden_from(self, role: str) -> list[Voice]:
        """Return the voices that this role must not find any trace of in the first server."""
        hidden = {"member": [self.private, self.heard], "speaker": [self.private]}
        return [self.foreign, *hidden.get(role, [])]


@pytest.fixture
async def town(scene: Scene) -> Town:
    town = Town(scene)
    await town.fill()
    return town


@pytest.mark.parametrize("role", ROLES)
async def test_a_hidden_voice_and_a_missing_one_get_the_same_answer(town: Town, role: str) -> None:
    scene, person = town.scene, town.people[role]
    hidden = town.hidden_from(role)
    names = [*(voice.name for voice in hidden), *(voice.id for voice in hidden)]

    for command, options in commands_of(role).items():
        answers = [
            await words_of(await person.slash(scene.general, command, name=name, **options))
            for name in ["Missing", *names]
        ]

        assert answers == [NO_SUCH_VOICE] * len(answers), command
    for voice in (town.private, town.heard, town.foreign):
        assert await scene.bot.library.voices.unscoped(voice.id) == voice


@pytest.mark.parametrize("role", ROLES)
async def test_a_hidden_voice_is_neither_proposed_nor_listed(town: Town, role: str) -> None:
    scene, person = town.scene, town.people[role]
    hidden = {voice.name for voice in town.hidden_from(role)}

    for command, options in commands_of(role).items():
        proposed = await person.autocomplete(scene.general, command, "name", "", **options)
        assert not hidden & {name for name, _ in proposed}, command
    listed = await person.slash(scene.general, "voice list")
    words = await words_of(listed)
    assert not [name for name in hidden if name in words]


async def test_whoever_looks_after_a_voice_is_not_told_that_it_is_missing(town: Town) -> None:
    for role in ("owner", "moderator", "speaker"):
        answer = await town.people[role].slash(town.scene.general, "voice delete", name="Heard")

        assert (await words_of(answer)).startswith("Delete **Heard**")
