"""Several things to be said, one after the other, in the voice channel of the scene."""

from __future__ import annotations

from bot.playback.player import GuildPlayer
from rehearsal.answers import Answer
from rehearsal.people import Person
from rehearsal.permissions import EVERYONE, Permission
from tests.scenes import DEADLINE, Scene, until, words_of

LONG = "This takes a while to say, because there are many words in it, and none of them is left out."


async def command(scene: Scene, person: Person, name: str, **options: object) -> str:
    """Let ``person`` use a command in #general, and return the final words of the answer."""
    return await words_of(await person.slash(scene.general, name, **options))


async def speaking(scene: Scene, person: Person, text: str = LONG) -> Answer:
    """Let ``person`` have something said and return once it is heard."""
    answer = await person.slash(scene.general, "speak", text=text, output="voice channel")
    await answer.until(lambda shown: "Speaking in" in shown.content, timeout=DEADLINE)
    return answer


async def waiting(scene: Scene, person: Person, text: str) -> Answer:
    """Let ``person`` have something said and return once it is made and waits behind others.

    The answer says so too, but only when it may be edited again.
    """
    answer = await person.slash(scene.general, "speak", text=text, output="voice channel")
    player = player_of(scene)
    await until(lambda: any(made.title == text and made.is_complete for made in player.utterances()[1:]))
    return answer


async def make_moderator(scene: Scene, person: Person) -> None:
    """Let ``person`` mute members, and let the bot hear of it."""
    scene.guild.add_role("Moderator", int(EVERYONE) | int(Permission.MUTE_MEMBERS), person)
    await scene.rehearsal.caught_up()


def player_of(scene: Scene) -> GuildPlayer:
    """Return the bot's player."""
    player = scene.bot.players.get(scene.guild.id)
    assert player is not None
    return player
