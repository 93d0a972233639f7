"""Several tabs are several members; and what is done to the bot is seen on the page."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.room.conftest import OpenRoom
from tests.room.test_commands import line, use

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_each_tab_is_another_member_and_a_reload_changes_nothing(practice: OpenRoom, visit):
    robin = await visit(practice)
    maud = await visit(practice)
    await expect(robin.get_by_label("You are", exact=True)).to_have_value(
        await robin.evaluate("sessionStorage.person")
    )
    await expect(robin.locator("#act-as option:checked")).to_have_text("Robin, member")
    await expect(maud.locator("#act-as option:checked")).to_have_text("Maud, moderator")
    await use(robin, "whisper")
    await robin.get_by_role("button", name="Perch", exact=False).first.click()
    await expect(maud.get_by_text("Robin", exact=True)).to_be_visible()

    await robin.reload()

    await expect(robin.get_by_text("Robin (you)")).to_be_visible()
    await expect(robin.get_by_role("button", name="Listen", exact=True)).to_be_visible()
    await robin.get_by_role("button", name="general", exact=False).click()
    await expect(robin.get_by_text("Only for you.")).to_be_visible()


async def test_what_a_newcomer_may_not_do_is_closed_to_them(practice: OpenRoom, visit):
    page = await visit(practice)
    await expect(page.get_by_role("button", name="workshop")).to_be_visible()

    await page.get_by_label("You are", exact=True).select_option("Wren, newcomer")

    await expect(page.get_by_role("button", name="workshop")).to_have_count(0)
    await expect(page.get_by_role("button", name="Nest closed to you")).to_be_disabled()


async def test_a_broken_tts_gateway_is_told_in_a_sentence_and_mended_again(room: OpenRoom, visit):
    page = await visit(room)
    await page.get_by_role("button", name="Faults").click()

    await page.get_by_label("The TTS gateway").select_option("fails (500)")
    await expect(page.get_by_text("The TTS gateway fails (500).")).to_be_visible()
    await line(page).fill("/speak ")
    await page.keyboard.type("Nobody can say this.")
    await page.keyboard.press("Enter")
    await expect(page.locator(".from-bot .text").last).to_contain_text("voice service")
    await page.get_by_label("The TTS gateway").select_option("works")
    await expect(page.get_by_text("The TTS gateway works.")).to_be_visible()
    await line(page).fill("/speak ")
    await page.keyboard.type("Now it can be said.")
    await page.keyboard.press("Enter")

    await expect(page.locator(".from-bot .file audio")).to_have_count(1)


async def test_the_bot_can_be_moved_muted_and_sent_out_of_voice(room: OpenRoom, visit):
    page = await visit(room)
    await page.get_by_role("button", name="Faults").click()
    await expect(page.get_by_role("button", name="Disconnect Myna")).to_be_disabled()
    await page.get_by_role("button", name="Join Perch").click()
    await line(page).fill("/join")
    await line(page).press("Enter")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_text("Myna is in Perch")).to_be_visible()

    await page.get_by_role("switch", name="Mute Myna").click()
    await expect(page.get_by_text("bot, muted")).to_be_visible()
    await page.get_by_role("switch", name="Mute Myna").click()
    await page.get_by_label("Move Myna").select_option("Nest")
    await expect(page.get_by_text("Myna is in Nest")).to_be_visible()
    await page.get_by_role("button", name="Disconnect Myna").click()

    await expect(page.get_by_text("Myna is ready")).to_be_visible()


async def test_the_developer_panel_shows_what_passed_and_how_long_the_answer_took(practice: OpenRoom, visit):
    page = await visit(practice)
    await page.get_by_role("button", name="Developer").click()

    await use(page, "whisper")

    await expect(page.get_by_role("row", name="Robin /whisper")).to_contain_text("acknowledged")
    event = page.locator(".wire li", has_text="INTERACTION_CREATE").first
    await event.locator("summary").click()
    await expect(event.locator("pre")).to_contain_text('"name": "whisper"')
    await expect(page.locator(".wire li", has_text="/callback").first).to_contain_text("200")
    assert practice.rehearsal.token not in await page.content()
