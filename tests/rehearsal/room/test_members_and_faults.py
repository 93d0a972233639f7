"""Several tabs are several members; and what is done to the bot is seen on the page."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.rehearsal.room.conftest import OpenRoom
from tests.rehearsal.room.test_commands import line, use

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


async def test_what_waits_behind_others_says_how_much_of_its_time_that_was(room: OpenRoom, visit):
    page = await visit(room)
    await page.get_by_role("button", name="Developer").click()
    await page.get_by_role("button", name="Join Perch").click()
    await expect(page.get_by_role("button", name="Listening")).to_be_visible()

    for text in ("This is said first, and it takes a little while.", "This comes second."):
        await line(page).fill("/speak ")
        await page.keyboard.type(text)
        await page.keyboard.press("Enter")
    await expect(page.get_by_role("row", name="Robin /speak")).to_have_count(2)

    second, first = (page.get_by_role("row", name="Robin /speak").nth(n).get_by_role("cell") for n in (0, 1))
    await expect(second).to_contain_text("of it behind others")
    await expect(first).to_contain_text("first sound")
    await expect(first).not_to_contain_text("behind")


async def test_two_members_of_a_call_see_the_same_privacy_code(room: OpenRoom, visit):
    robin, maud = await visit(room), await visit(room)
    for page in (robin, maud):
        await page.get_by_role("button", name="Perch", exact=False).first.click()
        await expect(page.get_by_role("button", name="Listening")).to_be_visible()
    await line(robin).fill("/join ")
    await robin.get_by_role("button", name="Send", exact=True).click()

    codes: list[str] = []
    for _ in range(5):  # each who comes changes the code, and a page shows that of the moment it was asked
        codes = []
        for page in (robin, maud):
            await page.get_by_role("button", name="End-to-end encrypted").click()
            await expect(page.get_by_text("All codes are the same")).to_be_visible()
            codes += await page.locator(".codes td").all_inner_texts()
            await page.keyboard.press("Escape")
            await expect(page.locator(".codes")).to_have_count(0)
        if len(set(codes)) == 1:
            break

    assert len(codes) == 4
    assert len(set(codes)) == 1
    assert len(codes[0].replace(" ", "")) == 30


async def test_a_bot_that_ends_by_itself_is_missed_and_can_be_started_again(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "vanish")

    await expect(page.get_by_text("Myna has ended by itself. Restart it under Faults")).to_be_visible()
    await page.get_by_role("button", name="Faults").click()
    await page.get_by_role("button", name="Restart Myna").click()
    await expect(page.get_by_text("Myna is ready")).to_be_visible()
    await use(page, "whisper")

    await expect(page.get_by_text("Only for you.")).to_be_visible()
