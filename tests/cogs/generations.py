"""Takes in the scene, and what is under them."""

from __future__ import annotations

from bot.library.generations import Generation
from rehearsal.answers import Answer
from rehearsal.people import Person
from rehearsal.permissions import Permission
from rehearsal.records import Message
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, words_of

TEXT = "The quick brown fox jumps over the lazy dog."
BUTTONS = ["Again", "Save voice", "More…"]
IN_MENU = ["Play in my channel", "Send as voice message", "Add to soundboard", "Report", "Delete"]
_MENU = "Choose what to do"


async def generated(scene: Scene, text: str = TEXT, **options: object) -> Answer:
    """Return the answer with a generation of Alice's."""
    answer = await scene.speak(text, **{"output": "here", **options})
    await file_of(answer)
    return answer


async def spoken_only(scene: Scene) -> Answer:
    """Return the answer to something that was heard in Perch and given as no file."""
    await scene.alice.join(scene.perch)
    answer = await scene.speak(TEXT, output="voice channel")
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)
    return answer


async def generation_of(scene: Scene, answer: Answer) -> Generation | None:
    """Return what is kept of the generation under ``answer``."""
    return await scene.bot.library.generations.get(generation_id_of(answer))


def generation_id_of(answer: Answer) -> str:
    """Return the id of the generation under ``answer``."""
    ids = [component["custom_id"] for component in answer.components if "custom_id" in component]
    generation_id: str = ids[0].rpartition(":")[2]
    return generation_id


async def menu_of(person: Person, answer: Answer | Message) -> Message:
    """Return the menu that a press of More… shows, to who has pressed alone."""
    pressed = await person.press(answer, "More…")
    await pressed.until(lambda shown: bool(shown.followups), timeout=DEADLINE)
    (menu,) = pressed.followups
    assert menu.seen_by == person.id
    return menu


async def offered(person: Person, answer: Answer) -> list[str]:
    """Return what More… offers."""
    return (await menu_of(person, answer)).menus[_MENU]


async def choose(person: Person, answer: Answer | Message, label: str) -> Answer:
    """Press More…, and choose."""
    return await person.select(await menu_of(person, answer), _MENU, label)


async def use(person: Person, answer: Answer | Message, label: str) -> Answer:
    """Press a button, or choose in the menu of More…, whichever has this label."""
    return await (choose(person, answer, label) if label in IN_MENU else person.press(answer, label))


async def opened(person: Person, answer: Answer, label: str) -> Answer:
    """Return the form that a press opens, or a choice."""
    pressed = await use(person, answer, label)
    await pressed.until(lambda shown: shown.modal is not None, timeout=DEADLINE)
    return pressed


async def refused(person: Person, answer: Answer, label: str) -> str:
    """Return why a press comes to nothing, as only who presses sees it; a form is filled in first."""
    if label == "Save voice":
        form = await opened(person, answer, label)
        return await words_of(await person.submit(form, {"Name": "Jack"}))
    pressed = await person.press(answer, label)
    if label in ("Delete", "More…"):
        return await refusal_of(pressed)
    words = await words_of(pressed)
    assert pressed.ephemeral
    return words


def may_add_sounds(scene: Scene, person: Person) -> None:
    """Let ``person`` add sounds to the soundboard."""
    scene.guild.add_role("DJs", Permission.CREATE_GUILD_EXPRESSIONS, person)
