"""Every switch of the page is pressed: on a room that runs as a process, with the bot's own TTS gateway."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.rehearsal.room.room_process import RoomProcess, room_process
from tests.rehearsal.room.sound import HEAD_BYTES, sound_frames
from tests.rehearsal.room.visitor import (
    A_WHILE,
    begin,
    choose,
    command,
    heard_again,
    into_the_open,
    into_voice,
    speaking,
    state,
    told,
)

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RoomProcess]:
    """One room for all: each test leaves it as it was, with the bot wherever it likes."""
    async with room_process(tmp_path_factory.mktemp("room")) as process:
        yield process
        assert await process.end() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def tab(process: RoomProcess, browser: Browser) -> AsyncIterator[Page]:
    """One tab on that room; a complaint of the page's own fails the last test."""
    complaints: list[str] = []
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(A_WHILE)
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(process.url)
    await page.get_by_role("log").wait_for()
    yield page
    await context.close()
    assert complaints == []


@pytest_asyncio.fixture(loop_scope="package")
async def page(tab: Page) -> Page:
    """That tab in #general and in no voice channel, with the faults open.

    What a test that fails has left switched on is no reason for the next one to fail.
    """
    await into_the_open(tab)
    for switch, label in (("The TTS gateway", "works"), ("The finished sound", "arrives at once")):
        chosen = tab.get_by_label(switch, exact=True).locator("option:checked")
        if await chosen.inner_text() != label:
            await choose(tab, switch, label, words=f"{switch} {label}.")
    return tab


async def test_each_fault_of_the_tts_gateway_is_told_and_nothing_is_left_of_it(page: Page):
    sentences = []
    for label in ("is busy (429)", "fails (500)", "breaks off in the middle"):
        await choose(page, "The TTS gateway", label, words=f"The TTS gateway {label}.")
        answer = await command(page, "speak", f"It {label}.")
        sentences.append(await answer.locator(".text").inner_text())
        await expect(answer.locator("audio")).to_have_count(0)

    await choose(page, "The TTS gateway", "works", words="The TTS gateway works.")
    answer = await command(page, "speak", "Now it works.")

    await expect(answer.locator("audio")).to_have_count(1)
    assert len(set(sentences)) == len(sentences)


async def test_a_slow_tts_gateway_is_waited_for(page: Page):
    await choose(page, "The TTS gateway", "answers after 5 s", words="answers after 5 s")
    answer = await begin(page, "speak", "This takes its time.")

    await expect(answer.locator(".text")).to_have_text(re.compile(" …$"))
    await expect(answer.locator("audio")).to_have_count(1, timeout=A_WHILE)
    await choose(page, "The TTS gateway", "works", words="works")


async def test_a_bot_that_was_refused_works_again_after_a_restart_which_the_page_proposes(page: Page):
    for label in ("has no credit left (402)", "refuses the key (401)"):
        await choose(page, "The TTS gateway", label, words=label)
        answer = await command(page, "speak", f"It {label}.")
        await expect(answer.locator(".text")).to_contain_text("Whoever runs this bot needs to")

        await choose(page, "The TTS gateway", "works", words="Restart Myna")
        await page.get_by_role("button", name="Restart Myna").click()
        await expect(told(page)).to_have_text("Myna has been restarted.", timeout=A_WHILE)
        answer = await command(page, "speak", "After a restart.")

        await expect(answer.locator("audio")).to_have_count(1)


async def test_a_fault_that_is_switched_on_is_still_on_after_a_restart(page: Page):
    await choose(page, "The TTS gateway", "fails (500)", words="fails")

    await page.get_by_role("button", name="Restart Myna").click()
    await expect(told(page)).to_have_text("Restart Myna …")
    await expect(told(page)).to_have_text("Myna has been restarted.", timeout=A_WHILE)
    answer = await command(page, "speak", "Does it fail?")

    await expect(page.get_by_label("The TTS gateway", exact=True)).to_have_value("broken")
    await expect(answer.locator("audio")).to_have_count(0)
    await choose(page, "The TTS gateway", "works", words="works")


async def test_each_fault_of_the_finished_sound_is_told_and_nothing_is_left_of_it(page: Page):
    for label in ("ends too early", "is a web page instead", "is silent"):
        await choose(page, "The finished sound", label, words=f"The finished sound {label}.")
        answer = await command(page, "speak", f"The sound {label}, and that is a pity.")
        await expect(answer.locator("audio")).to_have_count(0)

    await choose(page, "The finished sound", "drips in", words="drips in")
    answer = await command(page, "speak", "Drop by drop.")
    await expect(answer.locator("audio")).to_have_count(1)
    await choose(page, "The finished sound", "arrives at once", words="arrives at once")
    answer = await command(page, "speak", "All at once.")

    await expect(answer.locator("audio")).to_have_count(1)


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        ("Change the voice server", "The call has another voice server."),
        ("Crash the voice server", "The voice websocket was closed with 4015."),
        ("Cut the connection", "The main websocket was cut."),
    ],
)
async def test_a_connection_that_breaks_in_a_sentence_is_mended_and_the_sentence_goes_on(
    page: Page, switch: str, words: str
):
    await into_voice(page)
    await speaking(page)

    await page.get_by_role("button", name=switch, exact=True).click()
    await expect(told(page)).to_have_text(words)
    await heard_again(page)

    await command(page, "skip")
    await expect(state(page)).to_have_text("Myna is in Perch", timeout=A_WHILE)


async def test_a_session_that_is_ended_is_begun_anew_and_the_bot_can_be_called_again(page: Page):
    await into_voice(page)

    await page.get_by_role("button", name="End the session").click()
    await expect(told(page)).to_have_text("The session was ended.")
    await expect(state(page)).to_contain_text("is logging in")
    await expect(state(page)).to_contain_text(re.compile("is ready|is in"), timeout=A_WHILE)
    await into_voice(page)
    await speaking(page)

    await heard_again(page)


async def test_a_channel_that_is_deleted_comes_back_empty_and_the_bot_can_be_called_into_it(page: Page):
    await into_voice(page)

    await page.get_by_role("button", name="Delete its channel").click()
    await expect(told(page)).to_have_text("Perch was deleted, and made anew, empty.")
    await expect(page.get_by_role("button", name="Listening")).to_have_count(0)
    await expect(page.get_by_role("button", name="Disconnect Myna")).to_be_disabled(timeout=A_WHILE)
    await into_voice(page)
    await speaking(page)

    await heard_again(page)


async def test_a_permission_that_is_taken_away_is_named_by_the_bot(page: Page):
    switch = "Take a permission away"
    await choose(page, switch, "Attach Files", words="Myna no longer has the permission Attach Files.")
    answer = await command(page, "speak", "Where does the file go?")
    await expect(answer.locator(".text")).to_contain_text("Attach Files")

    await into_voice(page)
    await command(page, "leave")
    await choose(page, switch, "Connect", words="Connect")
    answer = await command(page, "join")
    await expect(answer.locator(".text")).to_contain_text("Connect")

    await choose(page, switch, "none", words="Myna has its permissions again.")
    answer = await command(page, "speak", "All is well.")
    await expect(answer.locator("audio")).to_have_count(1)


async def test_nobody_hears_a_bot_that_may_no_longer_speak(page: Page):
    await into_voice(page)

    await choose(page, "Take a permission away", "Speak", words="Speak")
    await expect(page.get_by_text("bot, audience")).to_be_visible()
    await choose(page, "Take a permission away", "none", words="again")

    await expect(page.get_by_text("bot, audience")).to_have_count(0)
    await speaking(page)
    await heard_again(page)


async def test_lost_packets_leave_holes_in_the_sound(page: Page):
    whole = HEAD_BYTES + 2 * 960
    frames = sound_frames(page)
    await page.reload()
    await page.get_by_role("button", name="Faults").click()
    await into_voice(page)
    await page.get_by_role("switch", name="Lose every tenth packet").click()
    await expect(told(page)).to_have_text("Every tenth packet is lost.")
    frames.clear()

    await command(page, "speak", "Some of this is lost on its way.")
    await expect(state(page)).to_contain_text("speaks in")
    await expect(state(page)).to_have_text("Myna is in Perch", timeout=A_WHILE)

    holes = sum(len(frame) > whole for frame in frames)
    assert 0.05 < holes / len(frames) < 0.2
    await page.get_by_role("switch", name="Lose every tenth packet").click()
    await expect(told(page)).to_have_text("No packets are lost.")


async def test_a_slow_discord_is_seen_in_the_time_of_the_answer(page: Page):
    await page.get_by_role("switch", name="Make Discord slow").click()
    await expect(told(page)).to_have_text("Discord is slow.")

    await command(page, "queue")
    await page.get_by_role("switch", name="Make Discord slow").click()
    await expect(told(page)).to_have_text("Discord is as quick as before.")
    await page.get_by_role("button", name="Developer").click()

    request = page.locator(".wire li", has_text="/callback").first
    await expect(request.locator(".took")).to_have_text(re.compile(r"^2\.\d s$"))
    await expect(page.get_by_role("row", name="/queue").first).to_contain_text("acknowledged 2.")


async def test_the_bot_is_moved_muted_and_sent_away_in_the_middle_of_a_sentence(page: Page):
    await into_voice(page)
    await speaking(page)
    await page.get_by_role("switch", name="Mute Myna").click()
    await expect(page.get_by_text("bot, muted")).to_be_visible()
    await page.get_by_role("switch", name="Mute Myna").click()
    await expect(told(page)).to_have_text("Myna is no longer muted.")

    await page.get_by_label("Move Myna").select_option("Nest")
    await expect(told(page)).to_have_text("Myna was moved to Nest.")
    await expect(state(page)).to_contain_text("Nest")
    await page.get_by_role("button", name="Disconnect Myna").click()
    await expect(told(page)).to_have_text("Myna was disconnected from Nest.")

    await asyncio.wait_for(into_voice(page), 2 * A_WHILE / 1000)
