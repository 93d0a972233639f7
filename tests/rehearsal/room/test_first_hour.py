"""A server's first hour on the page: the welcome, one next step, one's own voice, buttons that can be hit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.server import Rehearsal
from tests.rehearsal.room.conftest import OpenRoom, room_with

pytestmark = pytest.mark.asyncio(loop_scope="package")

SMALL = """least => [...document.querySelectorAll("button, select, input:not([type=file]), summary")]
  .filter((node) => node.checkVisibility({ opacityProperty: true }) && !node.disabled)
  .map((node) => [node.getAttribute("aria-label") ?? node.textContent, node.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.width < least || box.height < least))
  .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""
"""Names what is smaller than it may be, of all that can be pressed."""


@pytest_asyncio.fixture(loop_scope="package")
async def new_room(tmp_path: Path) -> AsyncIterator[OpenRoom]:
    """A room in which nothing has been decided yet."""

    def make(rehearsal: Rehearsal, tts_base_url: str) -> SpeechBot:
        settings = Settings(tts_base_url=tts_base_url, data_dir=tmp_path / "data")
        return SpeechBot(settings, connector=rehearsal.connector())

    async with room_with(make, with_tts=True) as opened:
        yield opened


async def speak(page: Page) -> None:
    await page.get_by_role("button", name="Join Perch").click()
    await expect(page.get_by_role("button", name="Listening")).to_be_visible()
    await page.get_by_role("button", name="Wizard").click()
    await expect(page.locator(".from-bot .file audio")).to_have_count(1)


async def test_whoever_comes_first_is_the_moderator_and_finds_the_welcome(new_room: OpenRoom, visit):
    page = await visit(new_room, as_first=True)

    await expect(page.get_by_label("You are", exact=True)).to_contain_text("Maud, moderator")
    await expect(page.get_by_text("Hi, I'm Myna.")).to_be_visible()
    for button in ("Hear it", "Choose the server's voice", "Turn cloning on"):
        await expect(page.get_by_role("button", name=button)).to_be_visible()


async def test_it_says_which_voice_is_heard_and_how_to_get_the_real_one(new_room: OpenRoom, visit):
    page = await visit(new_room, as_first=True)

    await expect(page.get_by_text("offline preview voice")).to_be_visible()
    await expect(page.get_by_role("link", name="Pixazo")).to_be_visible()
    await expect(page.get_by_text("TTS_API_KEY")).to_be_visible()


async def test_one_step_at_a_time_stands_out_and_stays_done_after_a_reload(new_room: OpenRoom, visit):
    page = await visit(new_room, as_first=True)
    next_step = page.locator(".welcome .primary")
    await expect(next_step).to_have_text(["Join Perch"])

    await speak(page)
    await expect(next_step).to_have_text(["Record 5 seconds"])
    await page.reload()

    await expect(next_step).to_have_text(["Record 5 seconds"])


async def test_five_seconds_into_the_microphone_become_a_voice_beside_the_recording(
    new_room: OpenRoom, visit
):
    page = await visit(new_room, as_first=True)
    await speak(page)

    await page.get_by_role("button", name="Record 5 seconds").click()
    await page.get_by_role("button", name="Accept, and turn cloning on").click()
    await page.get_by_role("button", name="This is my own voice").click()

    await expect(page.get_by_role("button", name="Play the recording")).to_be_visible()
    await expect(page.get_by_role("button", name="Play the clone")).to_be_visible()


async def test_under_a_take_stand_its_words_and_three_buttons_in_one_row(new_room: OpenRoom, visit):
    page = await visit(new_room, as_first=True)
    await speak(page)

    take = page.locator(".message:has(.file)")
    buttons = take.locator(".components button")
    await expect(buttons).to_have_text(["Again", "Save voice", "More…"])
    tops = await buttons.evaluate_all("nodes => nodes.map((node) => node.getBoundingClientRect().top)")

    assert len(set(tops)) == 1
    await expect(take.locator("blockquote")).to_have_count(1)


async def test_what_was_written_is_quoted_as_it_was_with_its_spoiler_and_nothing_alive(
    new_room: OpenRoom, visit
):
    page = await visit(new_room, as_first=True)
    await page.get_by_label("Message, or a command").fill(
        "/speak **Bold** news at https://x.example: ||the butler did it||"
    )
    await expect(page.get_by_role("group", name="The command /speak")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")  # an impatient one sends nothing twice

    quote = page.locator(".message:has(.file) blockquote")
    await expect(quote).to_have_text("**Bold** news at https://x.example: the butler did it")
    await expect(quote.locator(".spoiler")).to_have_text("the butler did it")
    await expect(quote.locator("strong, a")).to_have_count(0)
    await page.get_by_role("button", name="More…").click()
    await page.get_by_role("combobox", name="Choose what to do").select_option("Send as voice message")
    await expect(page.locator(".reply-to .spoiler")).to_have_text("the butler did it")


async def test_more_opens_a_menu_and_what_was_chosen_takes_its_place(new_room: OpenRoom, visit):
    page = await visit(new_room, as_first=True)
    await speak(page)

    await page.get_by_role("button", name="More…").click()
    menu = page.locator(".ephemeral").get_by_role("combobox", name="Choose what to do")
    await menu.select_option("Send as voice message")

    await expect(page.locator(".message .file > .bubble")).to_have_count(2)
    await expect(page.locator(".ephemeral").get_by_text("Sent.")).to_be_visible()
    await expect(menu).to_have_count(0)


async def test_a_file_shows_its_waveform_and_its_length_before_it_is_played(new_room: OpenRoom, visit):
    page = await visit(new_room, as_first=True)
    await speak(page)

    bubble = page.locator(".file .bubble")
    await expect(bubble.locator(".time")).not_to_have_text("0:00")
    heights = await bubble.locator("rect").evaluate_all("nodes => nodes.map((n) => n.getAttribute('height'))")

    assert len(set(heights)) > 5


@pytest.mark.parametrize(("width", "least"), [(1280, 24), (390, 44)])
async def test_everything_that_can_be_pressed_is_large_enough(
    new_room: OpenRoom, visit, width: int, least: int
):
    page = await visit(new_room, as_first=True, width=width)
    await speak(page)

    assert await page.evaluate(SMALL, least) == []


async def test_a_command_is_named_with_all_its_words_and_lists_are_lists(new_room: OpenRoom, visit):
    page = await visit(new_room, as_first=True)
    await page.get_by_label("Message, or a command").fill("/voice list")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("Maud used /voice list")).to_be_visible()
    await expect(page.locator(".listed li").first).to_contain_text("Everybody")
