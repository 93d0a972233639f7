"""Reading aloud on the page: members write in #general, and whoever looks at the page hears them."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from rehearsal.people import Person
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.rehearsal.room.conftest import OpenRoom
from tests.rehearsal.room.visitor import choose, command, heard_again, into_voice

pytestmark = pytest.mark.asyncio(loop_scope="package")


def named(room: OpenRoom, name: str) -> Person:
    return next(person for person in room.site.room.setting.people if person.name == name)


@pytest.mark.slow
async def test_what_members_write_is_heard_on_the_page_and_an_outage_is_told_once_until_it_is_over(
    room: OpenRoom, visit
) -> None:
    room.rehearsal.directory.privileged_intents = INTENT_MESSAGE_CONTENT
    await room.bot.restart()
    page = await visit(room)
    rookery = room.site.room.setting.rookery
    general = next(iter(rookery.channels.values()))
    jay = named(room, "Jay")
    await into_voice(page)
    await jay.join(next(one for one in rookery.channels.values() if one.is_voice))
    await page.get_by_role("button", name="general", exact=False).first.click()

    begun = await command(page, "read here")
    await expect(begun).to_contain_text("I read #general aloud in #Perch,")
    await page.get_by_label("Message, or a command").fill("Hello, this is written on the page.")
    await page.get_by_role("button", name="Send", exact=True).click()
    await heard_again(page)
    await jay.say(general, "And this was written by somebody else, who sits here too.")
    await heard_again(page)

    await page.get_by_role("button", name="Faults", exact=True).click()
    await choose(page, "The TTS gateway", "fails (500)", words="The TTS gateway fails (500).")
    for text in ("Nobody hears this one.", "And nobody hears this one either."):
        await jay.say(general, text)
    outage = page.locator(".message.from-bot", has_text="I can't read this aloud now.")
    await expect(outage).to_be_visible()
    await choose(page, "The TTS gateway", "works", words="The TTS gateway works.")
    await jay.say(general, "This one is heard again, by everybody who sits here.")
    await heard_again(page)
    await expect(outage).to_have_count(1)

    await expect(await command(page, "read stop")).to_contain_text("I've stopped reading")
