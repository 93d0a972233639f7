"""Takes in the scene, and what is under them."""

from __future__ import annotations

from bot.library.generations import Generation
from rehearsal.answers import Answer
from rehearsal.people import Person
from rehearsal.permissions import Permission
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, words_of

TEXT = "The quick brown fox jumps over the lazy dog."
ALL = ["Again", "Play in my channel", "As voice message", "Save voice", "To soundboard", "Delete"]


async def generated(scene: Scene, text: str = TEXT, **options: object) -> Answer:
    """Return the answer with a generation of Alice's."""
    answer = await scene.speak(text, **{"to": "here", **options})
    await file_of(answer)
    return answer


async def spoken_only(scene: Scene) -> Answer:
    """Return the answer to something that was heard in Perch and given as no file."""
    await scene.alice.join(scene.perch)
    answer = await scene.speak(TEXT, to="voice channel")
    await answer.until(lambda shown: shown.content.startswith("Spoken in"), timeout=DEADLINE)
    return answer


async def generation_of(scene: Scene, answer: Answer) -> Generation | None:
    """Return what is kept of the generation under ``answer``."""
    ids = [component["custom_id"] for component in answer.components if "custom_id" in component]
    return await scene.bot.library.generations.get(ids[0].rpartition(":")[2])


async def opened(person: Person, answer: Answer, label: str) -> Answer:
    """Return the form that a press opens."""
    pressed = await person.press(answer, label)
    await pressed.until(lambda shown: shown.modal is not None, timeout=DEADLINE)
    return pressed


async def refused(person: Person, answer: Answer, label: str) -> str:
    """Return why a press comes to nothing, as only who presses sees it; what a form asks for is typed in."""
    if label == "Save voice":
        form = await opened(person, answer, label)
        return await words_of(await person.submit(form, {"Name": "Jack"}))
    pressed = await person.press(answer, label)
    if label == "Delete":
        return await refusal_of(pressed)
    words = await words_of(pressed)
    assert pressed.ephemeral
    return words


def may_add_sounds(scene: Scene, person: Person) -> None:
    """Let ``person`` add sounds to the soundboard."""
    scene.guild.add_role("DJs", Permission.CREATE_GUILD_EXPRESSIONS, person)
