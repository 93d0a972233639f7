"""Reading aloud on the page: members write in #general, and whoever looks at the page hears them."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from rehearsal.people import Person
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.rehearsal.room.conftest import OpenRoom
from tests.rehearsal.room.visitor import command, heard_again, into_voice

pytestmark = pytest.mark.asyncio(loop_scope="package")


def named(room: OpenRoom, name: str) -> Person:
    return next(person for person in room.site.room.setting.people if person.name == name)


@pytest.mark.slow
async def test_what_several_members_write_is_heard_on_the_page_and_shown_in_the_queue(
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

    await expect(await command(page, "read stop")).to_contain_text("I've stopped reading")
