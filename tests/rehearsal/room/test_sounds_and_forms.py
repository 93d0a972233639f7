"""Voice messages of the bot, soundboards, roles to choose, every field of a form, and deleted messages."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.rehearsal.room.conftest import OpenRoom
from tests.rehearsal.room.test_access import axe, complaints
from tests.rehearsal.room.test_commands import line, use

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def heard(page: Page, element: str) -> None:
    """Wait until a sound of the page has played a while."""
    await page.wait_for_function(f"() => {element} && {element}.currentTime > 0.05")


async def test_a_voice_message_of_the_bot_is_a_bubble_that_plays(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "sing")
    bubble = page.locator(".from-bot .bubble")

    await expect(bubble.locator("rect")).to_have_count(48)
    await expect(bubble.locator(".time")).to_have_text(re.compile(r"0:0[1-9]"))
    await bubble.get_by_role("button", name="Play the voice message").click()

    await heard(page, 'document.querySelector(".bubble audio")')
    heights = await bubble.locator("rect").evaluate_all("all => all.map((bar) => bar.getAttribute('height'))")
    assert len(set(heights)) > 5


async def test_a_sound_appears_on_the_soundboard_and_plays(practice: OpenRoom, visit):
    page = await visit(practice)
    await expect(page.get_by_text("Soundboard")).to_have_count(0)
    await use(page, "tweet")
    await page.get_by_text("Soundboard (1)").click()

    async with page.expect_response("**/soundboard-sounds/*") as fetched:
        await page.get_by_role("button", name="Play 🐦 tweet").click()

    assert (await (await fetched.value).header_value("content-type")) == "audio/mpeg"
    await page.evaluate(axe())
    assert await complaints(page) == []
    await use(page, "tweet")
    await expect(page.get_by_role("button", name="Play 🐦 tweet")).to_have_count(2)


async def test_a_menu_of_roles_offers_those_of_the_server(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "role")

    await page.get_by_label("Choose a role").select_option("@Keepers")

    await expect(page.get_by_text("You chose Keepers.")).to_be_visible()


async def test_a_form_has_menus_circles_and_boxes(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "nest")
    form = page.get_by_role("dialog", name="Share a nest")
    await expect(form.get_by_label("Size")).to_have_value("Large")
    await page.evaluate(axe())
    assert await complaints(page) == []

    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("alert")).to_contain_text("Scope")
    await form.get_by_label("Role").select_option("@Settled")
    await form.get_by_label("Scope").select_option("Everybody")
    await form.get_by_label("I agree").check()
    await form.get_by_role("button", name="Submit").click()

    await expect(page.get_by_text("Large, Settled, Everybody, True.")).to_be_visible()


async def test_a_moderator_deletes_what_others_wrote(practice: OpenRoom, visit):
    robin, maud = await visit(practice), await visit(practice)
    await line(robin).fill("Something rude.")
    await line(robin).press("Enter")
    message = maud.get_by_role("article").filter(has_text="Something rude.")

    await message.focus()
    await maud.keyboard.press("Shift+F10")
    await maud.get_by_role("menuitem", name="Delete message").click()

    await expect(robin.get_by_text("Something rude.")).to_have_count(0)
