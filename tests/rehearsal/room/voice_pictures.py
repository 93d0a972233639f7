"""What people see of saved voices, for docs/voices.md: each picture shows one message of the bot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from playwright.async_api import Page, expect

from rehearsal.answers import Answer
from rehearsal.people import Person
from rehearsal.recordings import RECORDINGS
from rehearsal.records import Channel, Message
from rehearsal.walk import say_it_is_mine, sent
from tests.rehearsal.room.conftest import OpenRoom, come_as

DEADLINE: Final = 60.0


class Cast:
    """Robin, who looks at the page, and Jay, in #general of The Rookery."""

    def __init__(self, room: OpenRoom) -> None:
        setting = room.site.room.setting
        self.robin, self.jay = (self._named(setting.people, name) for name in ("Robin", "Jay"))
        self.general: Channel = next(iter(setting.rookery.channels.values()))

    @staticmethod
    def _named(people: list[Person], name: str) -> Person:
        return next(person for person in people if person.name == name)


async def saved(cast: Cast) -> Message:
    """Robin's own voice was saved."""
    question = await cast.robin.slash(
        cast.general,
        "voice save",
        name="Harbour",
        recording=sent(RECORDINGS[0]),
        transcript=RECORDINGS[0].transcript,
    )
    answer = await say_it_is_mine(cast.robin, question)
    return await _once(answer, lambda shown: "Saved as" in shown.content)


async def consent(cast: Cast) -> Message:
    """Robin is asked by Jay, and somebody else has asked Jay before."""
    asked = await cast.robin.slash(
        cast.general, "voice save", name="Guess", recording=sent(RECORDINGS[1]), speaker=cast.jay
    )
    await _once(asked, lambda shown: "I've asked" in shown.content)
    return await cast.general.until_message(lambda message: "I agree" in message.buttons, timeout=DEADLINE)


async def dialogue(cast: Cast) -> Message:
    """Two saved voices in one sound, with what can be done with it."""
    question = await cast.general.until_message(lambda message: "I agree" in message.buttons)
    await _once(await cast.jay.press(question, "I agree"), lambda shown: "agreed" in shown.content)
    text = "Harbour: The ferry leaves at nine. / Guess: Then we have time for an ice cream!"
    answer = await cast.robin.slash(cast.general, "speak", text=text, output="here, as a file")
    return await _once(answer, lambda shown: bool(shown.files))


async def design(cast: Cast) -> Message:
    """Three generations to choose from."""
    answer = await cast.robin.slash(
        cast.general, "voice design", name="Sorcerer", description="an old man, slow and deep"
    )
    return await _once(answer, lambda shown: "Take 3" in shown.buttons)


async def help_page(cast: Cast) -> Message:
    """What /help shows."""
    return await _once(await cast.robin.slash(cast.general, "help"), lambda shown: bool(shown.buttons))


async def picker(cast: Cast) -> Message:
    """The picker of voices, with one of the starters in it."""
    return await _once(
        await cast.robin.slash(cast.general, "voice choose"), lambda shown: bool(shown.buttons)
    )


PICTURES: Final[dict[str, Callable[[Cast], Awaitable[Message]]]] = {
    "voices-saved": saved,
    "voices-consent": consent,
    "voices-dialogue": dialogue,
    "voices-design": design,
    "help": help_page,
    "voices-picker": picker,
}
"""In this order, each from the one before."""


async def take_pictures(page: Page, room: OpenRoom, folder: Path) -> None:
    """Let it all happen on ``page``, and save what it looks like in ``folder``."""
    await come_as(page.context, room.visitor)
    await page.goto(room.url)
    await page.get_by_role("button", name="general").click()
    cast = Cast(room)
    for name, act in PICTURES.items():
        message = await act(cast)
        shown = page.locator(f'article[data-id="{message.id}"]')
        await expect(shown).to_be_visible()
        if message.files:
            await expect(shown.get_by_role("button", name="Play").first).to_be_visible()
        await shown.screenshot(path=folder / f"{name}.png", animations="disabled")


async def _once(answer: Answer, holds: Callable[[Answer], bool]) -> Message:
    await answer.until(holds, timeout=DEADLINE)
    assert answer.message is not None
    return answer.message
