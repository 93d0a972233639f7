"""Commands, forms and components, with a bot that has one of everything."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial

import pytest
from playwright.async_api import Browser, Page, WebSocketRoute, expect

from tests.fakes.practice_bot import PracticeBot
from tests.rehearsal.room.conftest import OpenRoom, come_as

pytestmark = pytest.mark.asyncio(loop_scope="package")


def line(page: Page):
    return page.get_by_label("Message, or a command")


async def use(page: Page, command: str) -> None:
    """Type a command as a person does, and press Enter until it is sent."""
    await line(page).fill(f"/{command}")
    await expect(page.get_by_role("option", name=f"/{command}")).to_be_visible()
    await line(page).press("Enter")
    await page.get_by_role("group", name=f"The command /{command}").wait_for()
    await page.keyboard.press("Enter")


async def test_a_slash_lists_the_registered_commands_with_their_descriptions(practice: OpenRoom, visit):
    page = await visit(practice)

    await line(page).fill("/b")

    await expect(page.locator(".suggestions li")).to_have_text(
        ["/birdsSay which bird you like", "/boundsOptions with every kind of bound", "/buttonsShow buttons"]
    )


async def test_the_bot_proposes_values_and_the_keyboard_takes_one(practice: OpenRoom, visit):
    page = await visit(practice)
    await line(page).fill("/birds ")

    await page.keyboard.type("myna")
    await expect(page.locator(".suggestions li")).to_have_text(["Common Myna", "Hill Myna"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("You like the hill myna.")).to_be_visible()


async def test_what_is_typed_before_the_page_knows_the_commands_becomes_one(
    practice: OpenRoom, browser: Browser
):
    held: list[Callable[[], None]] = []
    typed = asyncio.Event()

    def passes_later(socket: WebSocketRoute) -> None:
        def passes(said: str | bytes) -> None:
            if typed.is_set():
                socket.send(said)
            else:
                held.append(partial(socket.send, said))

        socket.connect_to_server().on_message(passes)

    async with await browser.new_context() as context:
        page = await context.new_page()
        await come_as(context, practice.visitor)
        await page.route_web_socket(re.compile("/socket"), passes_later)
        await page.goto(practice.url)
        await line(page).fill("/birds myna")
        typed.set()
        for send in held:
            send()

        await expect(page.locator(".suggestions li")).to_have_text(["Common Myna", "Hill Myna"])


async def test_enter_twice_sends_once_and_what_fails_stands_before_what_was_typed_meanwhile(
    practice: OpenRoom, browser: Browser
):
    said: list[Callable[[], None]] = []

    def holds_what_is_said(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def passes(sent: str | bytes) -> None:
            (said.append if '"do":"say"' in str(sent) else _at_once)(partial(server.send, sent))

        socket.on_message(passes)

    async with await browser.new_context() as context:
        page = await context.new_page()
        await come_as(context, practice.visitor)
        await page.route_web_socket(re.compile("/socket"), holds_what_is_said)
        await page.goto(practice.url)
        await line(page).fill("x" * 2_001)
        await line(page).press("Enter")
        await line(page).press("Enter")
        await line(page).press_sequentially("and more")
        assert len(said) == 1
        said.pop()()

        await expect(page.locator("#composer .trouble")).to_contain_text("2000")
        await expect(line(page)).to_have_value("x" * 2_001 + "\nand more")
        await line(page).fill("Short enough.")
        await line(page).press("Enter")
        await expect(line(page)).to_have_value("")
        assert len(said) == 1
        said.pop()()
        await expect(page.get_by_text("Short enough.")).to_have_count(1)


def _at_once(send: Callable[[], None]) -> None:
    send()


async def test_a_wrong_value_is_refused_at_its_option_in_discords_words(practice: OpenRoom, visit):
    page = await visit(practice)
    await line(page).fill("/bounds ")
    group = page.get_by_role("group", name="The command /bounds")

    await page.keyboard.press("Enter")
    await expect(group.get_by_role("alert")).to_have_text("This option is required. Specify a value.")
    await page.keyboard.type("7")
    await page.keyboard.press("Enter")
    await expect(group.get_by_role("alert")).to_have_text("Enter a number less than or equal to 3.")
    await expect(group.get_by_label("count", exact=True)).to_have_attribute("aria-invalid", "true")


async def test_every_kind_of_option_reaches_the_bot_as_what_it_is(practice: OpenRoom, visit):
    page = await visit(practice)
    await line(page).fill("/bounds ")
    group = page.get_by_role("group", name="The command /bounds")

    await page.keyboard.type("2 word: owl")
    for option in ("where", "loud", "whom"):
        await group.get_by_role("button", name=f"+ {option}").click()
    await group.get_by_label("loud", exact=True).select_option("False")
    await group.get_by_label("whom", exact=True).select_option("Maud")
    await page.get_by_role("button", name="Send", exact=True).click()

    await expect(page.get_by_text("2 owl here False @Maud")).to_be_visible()


async def test_a_line_that_is_pasted_is_split_at_the_names_of_options(practice: OpenRoom, visit):
    page = await visit(practice)
    await line(page).fill("/bounds 2 word: a: b loud: False whom: Maud where: Here")
    await page.get_by_role("group", name="The command /bounds").wait_for()
    await page.get_by_role("button", name="Send", exact=True).click()

    await expect(page.get_by_text("2 a: b here False @Maud")).to_be_visible()


async def test_a_button_still_works_after_the_bot_has_restarted(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "buttons")
    await page.get_by_role("button", name="Count").click()
    await expect(page.locator(".from-bot .text")).to_have_text("1")

    await page.get_by_role("button", name="Faults").click()
    await page.get_by_role("button", name="Restart Myna").click()
    await expect(page.get_by_text("Myna has been restarted.")).to_be_visible()
    await page.get_by_role("button", name="Count").click()

    await expect(page.locator(".from-bot .text")).to_have_text("2")


async def test_a_button_that_nobody_answers_fails_as_in_discord(practice: OpenRoom, visit):
    practice.rehearsal.interactions.acknowledge_seconds = 0.3
    page = await visit(practice)
    await use(page, "buttons")

    await page.get_by_role("button", name="Fail").click()

    await expect(page.get_by_text("This interaction failed")).to_be_visible()


async def test_a_command_that_nobody_answers_fails_as_in_discord_and_can_be_put_away(
    practice: OpenRoom, visit
):
    practice.rehearsal.interactions.acknowledge_seconds = 0.3
    page = await visit(practice)

    await use(page, "silent")

    await expect(page.get_by_text("The application did not respond")).to_be_visible()
    await page.get_by_role("button", name="Dismiss message").click()
    await expect(page.get_by_text("The application did not respond")).to_have_count(0)


async def test_a_choice_in_a_menu_changes_the_message(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "pick")

    await page.get_by_label("Choose a bird").select_option("Barn Owl")

    await expect(page.get_by_text("You chose Barn Owl.")).to_be_visible()


async def test_a_deferred_answer_is_thought_about_then_edited_then_done(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "steps")
    bot = practice.bot.current
    assert isinstance(bot, PracticeBot)

    await expect(page.get_by_text("Myna is thinking …")).to_be_visible()
    bot.go_on.set()
    await expect(page.get_by_text("Half of it …")).to_be_visible()
    bot.go_on.set()

    await expect(page.get_by_text("All of it.")).to_be_visible()


async def test_an_embed_is_shown_and_markup_of_people_stays_text(practice: OpenRoom, visit):
    page = await visit(practice)

    await use(page, "gallery")

    embed = page.locator(".embed")
    await expect(embed).to_contain_text("A bold bird <script>alert(1)</script>")
    await expect(embed.locator("strong")).to_have_text("bold")
    await expect(embed.locator("script")).to_have_count(0)
    await expect(page.locator("blockquote code")).to_have_text("code")


async def test_an_ephemeral_answer_is_seen_by_one_member_only(practice: OpenRoom, visit):
    robin = await visit(practice)
    maud = await visit(practice)
    await use(robin, "whisper")
    await expect(robin.get_by_text("Only for you.")).to_be_visible()
    await expect(robin.get_by_text("Only you can see this")).to_be_visible()

    await line(robin).fill("Everybody reads this.")
    await line(robin).press("Enter")
    await expect(maud.get_by_text("Everybody reads this.")).to_be_visible()

    await expect(maud.get_by_text("Only for you.")).to_have_count(0)


async def test_the_menu_of_a_message_opens_by_right_click_and_by_keyboard(practice: OpenRoom, visit):
    page = await visit(practice)
    await line(page).fill("fifteen letters")
    await line(page).press("Enter")
    message = page.get_by_role("article")

    await message.click(button="right")
    await page.get_by_role("menuitem", name="Count letters").click()
    await expect(page.get_by_text("15 letters")).to_have_count(1)
    await page.get_by_role("log").focus()
    for key in ("Home", "Shift+F10", "Enter"):
        await page.keyboard.press(key)
        if key == "Shift+F10":
            await expect(page.get_by_role("menuitem", name="Count letters")).to_be_focused()

    await expect(page.get_by_text("15 letters")).to_have_count(2)


async def test_the_microphone_makes_a_voice_message(practice: OpenRoom, visit):
    page = await visit(practice)
    await page.get_by_role("button", name="Record a voice message").click()

    await page.get_by_role("button", name="Record", exact=True).click()
    await expect(page.get_by_role("timer")).to_have_text("0:01")
    await page.get_by_role("button", name="Stop").click()
    await page.get_by_role("button", name="Send the recording").click()

    await expect(page.get_by_role("button", name="Play the voice message")).to_be_visible()
    channel = next(c for c in practice.rehearsal.directory.channels.values() if c.name == "general")
    message = channel.history[-1]
    assert message.voice_message
    assert message.files[0].data.startswith(b"OggS")
    assert (message.files[0].seconds or 0) > 0.5


async def test_a_form_is_filled_in_refused_where_discord_refuses_and_sent(practice: OpenRoom, visit):
    page = await visit(practice)
    await page.get_by_role("button", name="Record a voice message").click()
    await page.get_by_role("button", name="Send night-nurse").click()
    await expect(page.get_by_role("button", name="Play the voice message")).to_be_visible()

    await page.get_by_role("article").click(button="right")
    await page.get_by_role("menuitem", name="Count letters").click()
    form = page.get_by_role("dialog", name="Tell me more")
    await form.get_by_label("Name of the bird").fill("ow")
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("alert")).to_contain_text("Must be between 3 and 20 in length.")
    await form.get_by_label("Name of the bird").fill("rook")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("A rook, then.")).to_be_visible()
    await expect(form).to_have_count(0)
